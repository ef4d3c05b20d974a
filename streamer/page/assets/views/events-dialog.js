/** One event: its clip with boxes, its pictures, and all its facts in words. */

import { address } from "../api.js";
import { button, h } from "../dom.js";
import { starOf } from "./events-list.js";
import { player } from "./events-player.js";
import { KINDS, dayAndTime, durationText, fullSentence } from "./events-text.js";

const VIEWS = { clip: "Clip", snapshot: "Picture", crop: "Object" };
const ENDINGS = { run: "The camera was stopped before the event was over.", killed: "The program was ended before the event was over." };
const COMPLETE_MS = 600_000; // after the end of an event, no clip is expected any more
const SIZE = new Intl.NumberFormat(undefined, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });

/**
 * @param {{neighbour: (by: number) => void, closed: () => void, star?: Function, remove?: Function}} actions
 *   `neighbour` shows the next newer (-1) or older (1) event; who may not change events has no `star` and `remove`
 * @returns {{show: (event: object) => void, update: (event: object) => void, close: () => void, id: () => string}}
 */
export function eventDialog({ neighbour, closed, star, remove }) {
  let event = null, media = null, chosen = "";
  const title = h("h2", { id: "event-title" }), view = h("div.media"), choice = h("div.choice", { role: "group", "aria-label": "Show" });
  const note = h("p.notice", { role: "status" }), facts = h("dl.facts"), acts = h("div.actions");
  const keyed = (text, key, act) => button(text, act, "quiet", { "aria-keyshortcuts": key, title: `Key ${key}` });
  const dialog = h("dialog.event-dialog", { "aria-labelledby": "event-title", onkeydown: pressed },
    h("header", null, title, h("div.actions", null, keyed("Newer", "ArrowLeft", () => neighbour(-1)),
      keyed("Older", "ArrowRight", () => neighbour(1)), keyed("Close", "Escape", () => dialog.close()))),
    h("div.columns", null, h("div.seen", null, view, choice, note), h("div.known", null, facts, acts)));
  dialog.addEventListener("close", () => {
    media?.close();
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  dialog.focus();

  /** Show another event. */
  function show(other) {
    event = other;
    chosen = Object.keys(VIEWS).find((name) => event.files[name]) ?? "";
    showMedia();
    showFacts();
  }

  /** Show the event as it is now; the clip goes on. */
  function update(now) {
    const before = event;
    event = now;
    if (!chosen || (!before.files.clip && now.files.clip)) show(now);
    else showFacts();
    if (!now.files.clip) told(missingClip());
  }

  function showMedia() {
    media?.close();
    media = chosen === "clip" ? player(event, told) : null;
    view.replaceChildren(media?.element ?? picture());
    told(event.files.clip ? "" : missingClip());
  }

  function picture() {
    if (!chosen) return h("p.none", null, "No picture");
    const alt = `${chosen === "crop" ? "The object of" : "Picture of"}: ${fullSentence(event)}`;
    return h("img", { src: event.files[chosen], alt, onerror: () => told("The picture is gone.") });
  }

  function told(text) {
    note.textContent = text;
    note.hidden = !text;
  }

  function missingClip() {
    if (!event.end_time) return "The event goes on. Its clip appears here when it is complete.";
    const isNew = Date.now() - Date.parse(event.end_time) < COMPLETE_MS;
    return isNew ? "The clip is not ready yet. It appears here when it is complete." : "This event has no clip.";
  }

  function showFacts() {
    title.textContent = fullSentence(event);
    const shown = Object.keys(VIEWS).filter((name) => event.files[name]);
    choice.replaceChildren(...(shown.length < 2 ? [] : shown).map((name) => button(VIEWS[name], () => choose(name), "", { "aria-pressed": String(name === chosen) })));
    facts.replaceChildren(...factsOf(event).flatMap(([name, ...value]) => [h("dt", null, name), h("dd", null, value)]));
    const erase = remove && button("Delete", () => remove(event), "danger", { disabled: !event.end_time });
    acts.replaceChildren(...[starOf(event, star, true), erase].filter(Boolean));
  }

  function choose(name) {
    chosen = name;
    showMedia();
    showFacts();
    choice.querySelector("[aria-pressed=true]").focus();
  }

  function pressed(key) {
    if (key.ctrlKey || key.metaKey || key.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key.key];
    const own = by ? "select, input" : key.key === " " ? "button, a, input, select" : "select"; // these use the key themselves
    if (key.target.closest(own)) return;
    if (by) neighbour(by);
    else if (!media?.pressed(key)) return;
    key.preventDefault();
  }

  return { show, update, close: () => dialog.close(), id: () => event?.id };
}

/** Names and values of all that is known of an event. */
function factsOf(event) {
  return [
    ["Kind", KINDS[event.kind] ?? event.kind, event.direction && ` (${event.direction})`],
    ["Camera", h("a", { href: `#/live/${encodeURIComponent(event.camera)}` }, `${event.camera} live`)],
    ["Rule", event.rule],
    event.label && ["Class", event.label, event.score !== null && `, up to ${Math.round(100 * event.score)}%`],
    event.zones.length && ["Zones", event.zones.join(", ")],
    event.value !== null && ["Objects", String(event.value)],
    ["Start", h("time", { datetime: event.start_time }, dayAndTime(event.start_time))],
    ["End", event.end_time ? h("time", { datetime: event.end_time }, dayAndTime(event.end_time)) : "goes on"],
    event.duration_s && ["Lasted", durationText(event.duration_s)],
    event.text && ["Details", event.text],
    ENDINGS[event.ending] && ["Note", ENDINGS[event.ending]],
    event.clip_duration_s && ["Clip", `${event.clip_duration_s.toFixed(1)} s`, event.clip_note && `; ${event.clip_note}`],
    event.bytes && ["Files", SIZE.format(event.bytes / 1e6)],
    event.track && ["Track", `#${event.track}`],
    ["Id", h("code", null, event.id)],
    downloads(event).length && ["Download", downloads(event)],
  ].filter(Boolean);
}

function downloads(event) {
  const names = { clip: "Clip", annotated: "Clip with boxes", snapshot: "Picture" };
  return Object.entries(names).filter(([name]) => event.files[name])
    .map(([name, text]) => h("a.file", { href: address(event.files[name], { download: true }), download: "" }, text));
}
