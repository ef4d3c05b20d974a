/** The events view: filters and the shown event in the address, the timeline, the list, live changes, selected events. */

import { get, request, socket } from "../api.js";
import { button, confirmed, emptyState, h, toast, toastError } from "../dom.js";
import { isAdmin } from "../state.js";
import { eventDialog } from "./events-dialog.js";
import { FILTERS, filterBar, matches } from "./events-filters.js";
import { eventList } from "./events-list.js";
import { counted, dayAndTime, sentence } from "./events-text.js";
import { timeline } from "./events-timeline.js";

const PAGE = 60;
const DAY_MS = 86_400_000;
const AT_TOP_PX = 40;
const AT_A_TIME = 4; // requests of a change of several events
const TIMES = ["since", "until", "at", "from", "to"];
export const styles = ["events"];
const iso = (time) => new Date(time).toISOString();

/** Show the view of an address: `#/events/ID?camera=NAME&at=TIME&from=TIME&to=TIME`. Each part may be left out. */
export function view(root, { name, query, signal }) {
  let here = null, asked = "", dialog = null, channel = null, later = null, stored = true; // `here`, `asked`: the query and the event of the address
  const pending = new Map(); // new events, by id, while the list is scrolled
  const bar = filterBar((next, typing) => go("", next, typing && here.has("text")), signal);
  const line = timeline({
    jump: (time) => go("", changedQuery({ at: iso(time) })),
    moved: (from, to) => go(shownId(), changedQuery({ from: iso(from), to: iso(to) }), true),
    only: (from, to) => go("", changedQuery({ at: null, since: iso(from), until: iso(to) })),
  });
  const list = eventList({
    page, again: () => reload(), empty: nothing, address: (id) => hash(id, here), admin: isAdmin(),
    open: (event) => go(event.id, here), star, picked: showPicked,
  });
  const news = button("", showPending, "primary.news", { hidden: true });
  const place = h("p.place", { role: "status" });
  const selection = h("div.selection", { role: "region", "aria-label": "Selected events", hidden: true });
  root.append(h("h1.hidden-text", null, "Events"), bar.element, line.element, place, news, list.element, selection);

  // The address

  const hash = (id, next) => `#/events${id ? `/${encodeURIComponent(id)}` : ""}${String(next) ? `?${next}` : ""}`;
  const shownId = () => dialog?.id() ?? "";

  function changedQuery(changes) {
    const next = new URLSearchParams(here);
    for (const [key, value] of Object.entries(changes)) value === null ? next.delete(key) : next.set(key, value);
    return next;
  }

  /** Go to an address of this view. A replaced one is no step of the browser's history. */
  function go(id, next, replaced = false) {
    if (replaced) history.replaceState(history.state, "", hash(id, next));
    else history.pushState(id ? "opened" : null, "", hash(id, next));
    return update({ name: id, query: next });
  }

  /** Show an address; only what differs is loaded. */
  async function update({ name: id, query: next }) {
    const before = here, limits = (one) => one && apiQuery({}, one).toString();
    for (const key of TIMES) if (next.has(key) && Number.isNaN(Date.parse(next.get(key)))) next.delete(key);
    here = next;
    bar.show(here);
    if (limits(before) !== limits(here)) await reload();
    if (signal.aborted || here !== next) return;
    asked = id;
    if (!id) dialog?.close();
    else if (id !== shownId()) await showEvent(id);
  }

  /** The query of the API for the list. */
  function apiQuery(more, from = here) {
    const found = new URLSearchParams([...from].filter(([key]) => FILTERS.includes(key)));
    const until = [from.get("until"), from.get("at")].filter(Boolean).sort()[0];
    if (until) found.set("until", until);
    for (const [key, value] of Object.entries(more)) if (value !== null) found.set(key, value);
    return found;
  }

  // The list

  async function reload() {
    pending.clear();
    showNews();
    const newest = () => go("", changedQuery({ at: null }));
    place.replaceChildren(...(here.has("at")
      ? [`Events before ${dayAndTime(here.get("at"))} `, button("Show the newest", newest, "quiet")] : []));
    if (!(await list.reload()) || !stored || signal.aborted) return;
    showTimeline();
    channel ??= socket("/events/live", { open: () => catchUp().catch(toastError), message: heard });
  }

  async function page(after) {
    const found = await get("/events", { query: apiQuery({ limit: PAGE, after }), signal });
    stored = found.stored;
    bar.element.hidden = line.element.hidden = !stored;
    return found;
  }

  function showTimeline() {
    const newest = Date.parse(list.first()?.start_time ?? new Date());
    const to = newest > Date.now() - DAY_MS ? Date.now() : newest + DAY_MS / 24;
    const [begin, end] = ["from", "to"].map((key) => Date.parse(here.get(key) ?? here.get({ from: "since", to: "until" }[key])));
    const filters = apiQuery({}, here);
    line.show(begin || (end || to) - DAY_MS, end || (begin ? begin + DAY_MS : to), filters);
  }

  function nothing() {
    if (!stored) {
      return emptyState("Events are not stored", "Set store.folder in the settings file of this site, and restart it. Then this page has "
        + "all events with their clips and pictures.");
    }
    if (FILTERS.some((key) => here.has(key)) || here.has("at")) {
      const all = () => go("", changedQuery(Object.fromEntries([...FILTERS, "at"].map((key) => [key, null]))));
      return emptyState("No event matches", "No stored event has all that the filters ask for.", button("Show all events", all));
    }
    return emptyState("No events yet", "Lines, zones and other rules of a camera find events. They appear here at once.",
      h("a.button", { href: "#/cameras" }, "Cameras and rules"));
  }

  // Live changes

  function heard({ change: what, event }) {
    if (what === "removed") {
      gone(event.id);
    } else {
      saved(event);
      bar.learn(event);
    }
    later ??= setTimeout(() => { later = null; line.refresh(); }, 1000);
  }

  /** Fetch what was stored while there was no connection. */
  async function catchUp() {
    const [{ events }] = await Promise.all([get("/events", { query: apiQuery({ limit: PAGE }), signal }), bar.refresh()]);
    if (events.length === PAGE && !events.some(({ id }) => list.get(id))) await list.reload();
    else events.reverse().forEach(saved);
  }

  function saved(event) {
    if (event.id === shownId()) dialog.update(event);
    if (!matches(event, here)) list.remove(event.id);
    else if (list.get(event.id)) list.put(event);
    else if (!list.covers(event)) return;
    else if (here.has("at") || window.scrollY > AT_TOP_PX) pending.set(event.id, event);
    else list.put(event);
    showNews();
  }

  function gone(id) {
    list.remove(id);
    if (pending.delete(id)) showNews();
  }

  function showNews() {
    news.hidden = !pending.size;
    news.textContent = `${pending.size} new`;
  }

  function showPending() {
    window.scrollTo(0, 0);
    if (here.has("at")) go("", changedQuery({ at: null }));
    else atTop();
  }

  function atTop() {
    if (!pending.size || here.has("at") || window.scrollY > AT_TOP_PX) return;
    pending.forEach(list.put);
    pending.clear();
    showNews();
  }

  // One event

  async function showEvent(id) {
    try {
      const event = list.get(id) ?? (await get(`/events/${encodeURIComponent(id)}`, { signal }));
      if (asked !== id) return; // another one was opened meanwhile, or none
      const mayChange = isAdmin() ? { star, remove: (one) => erase([one.id]) } : {};
      dialog ??= eventDialog({ neighbour: showNeighbour, closed: dialogClosed, ...mayChange });
      dialog.show(event);
      document.title = `${sentence(event)} - Streamer`;
    } catch (error) {
      toastError(error);
      if (asked === id && !signal.aborted) go("", here, true);
    }
  }

  async function showNeighbour(by) {
    const other = await list.neighbour(shownId(), by);
    if (other && dialog) await go(other.id, here, true);
    return other;
  }

  function dialogClosed() {
    const id = dialog.id();
    dialog = null;
    document.title = "Events - Streamer";
    if (signal.aborted) return;
    if (location.hash.startsWith("#/events/")) history.state === "opened" ? history.back() : go("", here, true);
    list.focus(id);
  }

  // Changes

  function showPicked(ids) {
    selection.hidden = !ids.size;
    selection.replaceChildren(
      h("span", { role: "status" }, `${counted(ids.size)} selected`), button("Select all shown", () => list.pickAll(true)),
      button("Keep as favourites", () => keep([...ids], true).then(() => list.pickAll(false))),
      button("Delete", () => erase([...ids]), "danger"), button("Cancel", () => list.pickAll(false), "quiet"));
  }

  function star(event) {
    return keep([event.id], !event.favourite);
  }

  /** Make events favourites, or not. */
  function keep(ids, favourite) {
    return sendEach(ids, async (id) => saved(await (await request("PATCH", `/events/${id}`, { body: { favourite } })).json()));
  }

  async function erase(ids) {
    const text = "Clips and pictures are deleted with them. This cannot be undone.";
    if (!(await confirmed(`Delete ${counted(ids.length)}?`, text, "Delete"))) return;
    if (ids[0] === shownId() && !(await showNeighbour(1))) dialog.close();
    await sendEach(ids, (id) => request("DELETE", `/events/${id}`).then(() => gone(id)));
  }

  async function sendEach(ids, send) {
    const left = [...ids], failed = [];
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      for (let id = left.pop(); id; id = left.pop()) await send(id).catch((error) => failed.push(error));
    }));
    if (failed.length) toast(`${counted(failed.length)} could not be changed: ${failed[0].message}`, "error");
  }

  window.addEventListener("scroll", atTop, { passive: true, signal });
  update({ name, query });
  const leave = () => {
    channel?.close();
    clearTimeout(later);
    for (const part of [bar, line, list]) part.close();
    dialog?.close();
  };
  leave.update = update;
  return leave;
}
