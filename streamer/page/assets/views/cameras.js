// The cameras of the site: a table that follows their state; add, edit, restart and remove them.

import { request } from "../api.js";
import { confirmed, emptyState, errorNotice, h, setText, toast, toastError } from "../dom.js";
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
  const rows = new Map();
  let names = null;
  root.replaceChildren(h("div.head", null, h("h1", null, "Cameras"), isAdmin() && add()), place);

  return onStatus(({ cameras }) => {
    const now = cameras.map((camera) => camera.name).join();
    if (now !== names) {
      names = now;
      rows.clear();
      for (const { name } of cameras) rows.set(name, rowOf(name));
      place.replaceChildren(cameras.length ? table([...rows.values()])
        : emptyState("No cameras yet", "Add a network camera, a webcam of this machine, or a video file.", isAdmin() && add()));
    }
    for (const camera of cameras) rows.get(camera.name).show(camera);
  });
}

function table(rows) {
  const heads = ["Camera", "State", "Source", "Picture"].map((text) => h("th", { scope: "col" }, text));
  return h("div.table", null, h("table.cameras", null,
    h("thead", null, h("tr", null, heads, h("th", { scope: "col" }, h("span.hidden-text", null, "Actions")))),
    h("tbody", null, rows.map(({ element }) => element))));
}

function rowOf(name) {
  const of = encodeURIComponent(name);
  const cells = { state: h("span.state"), reason: h("span.muted.reason"), source: h("span.source"), picture: h("span") };
  const button = (text, act, kind = "") => h(`button${kind}`, { type: "button", "aria-label": `${text} ${name}`, onclick: act }, text);
  const link = (text, href) => h("a.button", { href, "aria-label": `${text} of ${name}` }, text);
  const element = h("tr", null,
    h("th", { scope: "row" }, h("a", { href: `#/live/${of}` }, name)),
    h("td.of-state", null, cells.state, cells.reason),
    h("td.of-source", null, cells.source),
    h("td.of-picture", null, cells.picture),
    h("td.of-actions", null, h("div.actions", null,
      link("Zones and lines", `#/rules/${of}`),
      isAdmin() && [
        h("a.button", { href: `#/cameras/${of}`, "aria-label": `Edit ${name}` }, "Edit"),
        button("Restart", () => request("POST", `/cameras/${of}/restart`).then(() => toast(`${name} starts again.`), toastError)),
        button("Remove", () => remove(name)),
      ])));

  function show(camera) {
    const { source, width, height, fps } = camera;
    const { text, fault } = stateText(camera);
    cells.state.className = `state ${camera.state}`;
    setText(cells.state, text);
    setText(cells.reason, fault);
    setText(cells.source, source);
    cells.source.title = source;
    setText(cells.picture, width ? [`${width}x${height}`, fps && `${fps.toFixed(fps < 10 ? 1 : 0)} fps`].filter(Boolean).join(", ") : "none yet");
  }

  return { element, show };
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
