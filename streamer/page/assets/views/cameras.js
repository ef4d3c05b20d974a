// The cameras of the site: a table that follows their state; add, edit, restart and remove them.

import { request } from "../api.js";
import { button, confirmed, emptyState, errorNotice, h, morph, toast, toastError } from "../dom.js";
import { isAdmin, onStatus } from "../state.js";
import { stateText } from "./camera-text.js";
import { openForm } from "./cameras-form.js";

export const styles = ["cameras"];

/** `#/cameras`, `#/cameras?add` for the form of a new one, `#/cameras/NAME` for that of one. */
export function view(root, { name, query, signal }) {
  const fails = (error) => error.name === "AbortError" || root.replaceChildren(errorNotice(error, () => location.reload()));
  if (!name && !query.has("add")) return showTable(root);
  openForm(root, name, signal).catch(fails);
}

function showTable(root) {
  const add = () => h("a.button.primary", { href: "#/cameras?add" }, "Add camera");
  const place = h("div");
  let names = null;
  root.replaceChildren(h("div.toolbar", null, h("h1", null, "Cameras"), isAdmin() && add()), place);

  return onStatus(({ cameras }) => {
    const shown = cameras.length ? table(cameras.map(rowOf))
      : emptyState("No cameras yet", "Add a network camera, a webcam of this machine, or a video file.", isAdmin() && add());
    const now = cameras.map(({ name }) => name).join();
    if (now === names) morph(place, [shown]);
    else place.replaceChildren(shown); // the buttons of a row belong to its camera
    names = now;
  });
}

function table(rows) {
  const heads = ["Camera", "State", "Source", "Picture"].map((text) => h("th", { scope: "col" }, text));
  return h("div.table", null, h("table.cameras", null,
    h("thead", null, h("tr", null, heads, h("th", { scope: "col" }, h("span.hidden-text", null, "Actions")))),
    h("tbody", null, rows)));
}

function rowOf(camera) {
  const { name, source, width, height, fps } = camera, { text, fault } = stateText(camera), of = encodeURIComponent(name);
  const act = (word, does) => button(word, does, "", { "aria-label": `${word} ${name}` });
  const picture = [`${width}x${height}`, fps && `${fps.toFixed(fps < 10 ? 1 : 0)} fps`].filter(Boolean).join(", ");
  return h("tr", null,
    h("th", { scope: "row" }, h("a", { href: `#/live/${of}` }, name)),
    h("td.of-state", null, h(`span.state.${camera.state}`, null, text), h("span.muted.reason", null, fault)),
    h("td.of-source", null, h("span.source", { title: source }, source)),
    h("td.of-picture", null, width ? picture : "none yet"),
    h("td.of-actions", null, h("div.actions", null,
      h("a.button", { href: `#/rules/${of}`, "aria-label": `Lines and zones of ${name}` }, "Lines and zones"),
      isAdmin() && [
        h("a.button", { href: `#/cameras/${of}`, "aria-label": `Edit ${name}` }, "Edit"),
        act("Restart", () => request("POST", `/cameras/${of}/restart`).then(() => toast(`${name} starts again.`), toastError)),
        act("Remove", () => remove(name)),
      ])));
}

async function remove(name) {
  const text = `Streamer stops watching ${name} and takes it out of the settings file. Recordings and events stay.`;
  if (!(await confirmed(`Remove ${name}?`, text, "Remove"))) return;
  try {
    await request("DELETE", `/cameras/${encodeURIComponent(name)}`, { headers: { "If-Match": "*" } }); // whatever else has changed
    toast(`Removed ${name}.`);
  } catch (error) {
    toastError(error);
  }
}
