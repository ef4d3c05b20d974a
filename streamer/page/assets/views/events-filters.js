/** The filters of events. Their values are those of the address, with the names of the API. */

import { get } from "../api.js";
import { button, check, field, h } from "../dom.js";
import { KINDS } from "./events-text.js";

/** Name in the address: text, and the key of `/events/names` with the values there are. */
const MENUS = {
  camera: ["Camera", "cameras"], label: ["Class", "labels"], kind: ["Kind", "kinds"], zone: ["Zone", "zones"], rule: ["Rule", "rules"],
};
const TIMES = { since: "From", until: "Until" };
const TYPING_MS = 300;

/** The names in the address that limit the list. */
export const FILTERS = [...Object.keys(MENUS), ...Object.keys(TIMES), "favourite", "text"];

/** Whether an event passes the filters of an address, as the API decides it. */
export function matches(event, query) {
  const among = (name, ...values) => !query.has(name) || query.getAll(name).some((one) => values.includes(one));
  const text = [event.camera, event.rule, event.label, event.text].join("\n").toLowerCase();
  const time = Date.parse(event.start_time);
  return among("camera", event.camera) && among("label", event.label) && among("kind", event.kind) && among("rule", event.rule)
    && among("zone", ...event.zones) && among("favourite", String(event.favourite)) && text.includes((query.get("text") ?? "").toLowerCase())
    && !(time < Date.parse(query.get("since"))) && !(time >= Date.parse(query.get("until")));
}

/** @param {(query: URLSearchParams, typing: boolean) => void} changed gets the new address; `typing`: more may follow */
export function filterBar(changed, signal) {
  let query = new URLSearchParams(), names = {}, timer = null;
  const menus = Object.fromEntries(Object.entries(MENUS).map(([name, [text]]) => [name, menu(text)]));
  const times = Object.fromEntries(Object.entries(TIMES).map(([name]) => [name, h("input", {
    type: "datetime-local", step: 60, onchange: ({ target }) => set(name, target.value ? [new Date(target.value).toISOString()] : []),
  })]));
  const time = menu("Time");
  time.list.append(...Object.entries(TIMES).map(([name, text]) => field(text, times[name])));
  const favourite = check("Favourites", false, ({ target }) => set("favourite", target.checked ? ["true"] : []));
  const text = h("input", { type: "search", placeholder: "Search", "aria-label": "Search camera, rule, class and text", oninput: typed });
  const clear = button("Clear filters", () => leave((next) => FILTERS.forEach((name) => next.delete(name))), "quiet");
  const element = h("search.filters", null, text, Object.values(menus).map((one) => one.element), time.element,
    favourite, clear);
  element.addEventListener("keydown", (key) => key.key === "Escape" && shut());
  document.addEventListener("pointerdown", shutOthers, { signal });

  function menu(title) {
    const list = h("div.choices", { role: "group", "aria-label": title }), summary = h("summary", null, title);
    return { title, list, summary, element: h("details.menu", { name: "event-filters" }, summary, list) };
  }

  function shut() {
    const open = element.querySelector("details[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  }

  function shutOthers({ target }) {
    for (const open of element.querySelectorAll("details[open]")) if (!open.contains(target)) open.open = false;
  }

  function leave(change, typing = false) {
    clearTimeout(timer);
    const next = new URLSearchParams(query);
    change(next);
    next.delete("at");
    changed(next, typing);
  }

  function set(name, values, typing = false) {
    leave((next) => {
      next.delete(name);
      values.forEach((value) => next.append(name, value));
    }, typing);
  }

  function typed() {
    clearTimeout(timer);
    timer = setTimeout(() => set("text", text.value.trim() ? [text.value.trim()] : [], true), TYPING_MS);
  }

  /** Show the filters of an address. */
  function show(address) {
    query = address;
    for (const [name, { title, summary, list, element: details }] of Object.entries(menus)) {
      const chosen = query.getAll(name), known = [...new Set([...(names[MENUS[name][1]] ?? []), ...chosen])];
      const text = (value) => (name === "kind" ? KINDS[value] ?? value : value);
      summary.textContent = chosen.length ? `${title}: ${text(chosen[0])}${chosen.length > 1 ? ` +${chosen.length - 1}` : ""}` : title;
      details.classList.toggle("chosen", chosen.length > 0);
      details.hidden = !known.length;
      const focused = list.contains(document.activeElement) && document.activeElement.value;
      list.replaceChildren(...known.map((value) => check(text(value), chosen.includes(value), ({ target }) =>
        set(name, target.checked ? [...query.getAll(name), value] : query.getAll(name).filter((one) => one !== value)), { value })));
      if (focused) [...list.querySelectorAll("input")].find((one) => one.value === focused)?.focus();
    }
    for (const [name, input] of Object.entries(times)) input.value = localTime(query.get(name));
    time.element.classList.toggle("chosen", query.has("since") || query.has("until"));
    favourite.control.checked = query.get("favourite") === "true";
    if (document.activeElement !== text) text.value = query.get("text") ?? "";
    clear.hidden = !FILTERS.some((name) => query.has(name));
  }

  /** Fetch the names that events have. */
  async function refresh() {
    names = await get("/events/names");
    show(query);
  }

  /** Fetch the names again if an event has one that is not among them. */
  function learn(event) {
    const values = { cameras: [event.camera], labels: [event.label], kinds: [event.kind], rules: [event.rule], zones: event.zones };
    const known = ([key, found]) => found.every((value) => !value || names[key]?.includes(value));
    if (!Object.entries(values).every(known)) refresh().catch(() => {}); // the next event tries again
  }

  return { element, show, refresh, learn, close: () => clearTimeout(timer) };
}

/** The value of a `datetime-local` control. */
function localTime(iso) {
  const time = new Date(iso ?? NaN);
  if (Number.isNaN(+time)) return "";
  return new Date(time - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
