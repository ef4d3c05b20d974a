// The system: detectors, the frames of each camera, latency, store, alerts, accounts and the log. It follows the status
// of the site, and asks for the figures every other second.

import { get, request } from "../api.js";
import { button, check, duration, errorNotice, facts, h, morph, setText, toastError } from "../dom.js";
import { currentSession, isAdmin, onStatus } from "../state.js";

export const styles = ["system"];

const EVERY = 2; // messages of the status, which come once a second
const LOG_LINES = 500;
const LEVELS = ["info", "warning", "error", "critical"];
const STATES = {
  detected: "a detector processed it",
  interpolated: "shown with boxes from the detections before and after it",
  predicted: "shown with boxes carried from one side",
  lost: "the detector failed on it",
  dropped: "neither detected nor shown",
  corrupt: "damaged",
};

/** `#/system` */
export function view(root, { signal }) {
  const figures = h("div.figures", null, h("p.muted", null, "Loading…"));
  const log = isAdmin() ? new Log(signal) : null;
  let turn = 0, busy = false;
  root.replaceChildren(h("div.toolbar", null, h("h1", null, "System")), figures, ...[log?.element, accounts()].filter(Boolean));

  return onStatus(async () => {
    if (busy || turn++ % EVERY) return;
    busy = true;
    try {
      const [system] = await Promise.all([get("/system", { signal }), log?.refresh()]);
      morph(figures, sections(system));
    } catch (error) {
      if (error.name !== "AbortError" && error.status) figures.replaceChildren(errorNotice(error));
    }
    busy = false;
  });
}

function sections({ version, uptime_s, detectors, cameras, store, targets: told }) {
  return [
    h("p.muted", null, `Streamer ${version}, running for ${duration(uptime_s)}`),
    card("Detectors", detectors.length ? detectorTable(detectors) : h("p.muted", null, "No camera uses a detector.")),
    card("Frames since the start of each camera", cameras.length ? [legend(), cameras.map(ledger)] : h("p.muted", null, "No cameras yet.")),
    cameras.length && card("Latency in ms: mean (95th percentile)", latencyTable(cameras)),
    card("Events", storeFacts(store)),
    card("Alerts", told.length ? targets(told) : h("p.muted", null, "Nobody is told of events. The section notify of the settings file adds targets.")),
  ].filter(Boolean);
}

function card(title, ...content) {
  return h("section.card", null, h("h2", null, title), content);
}

/** A table of numbers with names in the first column. */
function table(heads, rows) {
  return h("div.table", { tabindex: 0, role: "group", "aria-label": heads[0] }, h("table", null,
    h("thead", null, h("tr", null, heads.map((text, at) => h(at ? "th.right" : "th", { scope: "col" }, text)))),
    h("tbody", null, rows.map(([first, ...others]) => h("tr", null, h("th", { scope: "row" }, first), others.map((cell) => h("td.right", null, cell)))))));
}

function detectorTable(detectors) {
  return table(["Detector", "Busy", "Per second", "Takes", "Workers"], detectors.map(({ name, busy, fps, detect_s, workers }) => [
    name,
    h("span.busy", null, h("meter", { value: busy, min: 0, max: 1, "aria-label": `${name} is busy` }), ` ${Math.round(busy * 100)}%`),
    fps.toFixed(1), detect_s === null ? "none yet" : `${milliseconds(detect_s)} ms`, workers,
  ]));
}

function legend() {
  return h("ul.legend", { "aria-label": "States of a frame" }, Object.entries(STATES).map(([state, text]) =>
    h("li", { title: text }, h(`span.swatch.${state}`, { "aria-hidden": "true" }), state)));
}

/** The frames of a camera as a bar, one part for each final state. */
function ledger({ name, ledger: { entered, in_flight, dropped_by_cause: causes, ...states } }) {
  const parts = Object.keys(STATES).filter((state) => states[state]);
  const words = parts.map((state) => `${count(states[state])} ${state}`);
  const why = Object.entries(causes).map(([cause, frames]) => `${cause} (${count(frames)})`);
  return h("div.ledger", null,
    h("h3", null, name, h("span.muted.number", null, `${count(entered)} frames${in_flight ? `, ${count(in_flight)} in work` : ""}`)),
    h("div.stack", { role: "img", "aria-label": `${name}: ${words.join(", ") || "no frames yet"}` },
      parts.map((state) => h(`span.part.${state}`, { style: { "flex-grow": states[state] }, title: `${count(states[state])} ${state}: ${STATES[state]}` }))),
    h("p.numbers.number", null, parts.map((state, at) => h("span", null, h(`span.swatch.${state}`, { "aria-hidden": "true" }), `${words[at]} (${share(states[state] / entered)})`))),
    why.length > 0 && h("p.muted.number", null, `Lost, dropped or corrupt by: ${why.join(", ")}`));
}

/** Rows are stages in the order of a frame's path, columns are cameras. */
function latencyTable(cameras) {
  const stages = [...new Set(cameras.flatMap(({ latency }) => latency.map(({ stage }) => stage)))];
  return table(["Stage", ...cameras.map(({ name }) => name)], stages.map((stage) => [stage, ...cameras.map(({ latency }) => {
    const found = latency.find((one) => one.stage === stage);
    return found ? `${milliseconds(found.mean_s)} (${milliseconds(found.p95_s)})` : "";
  })]));
}

function storeFacts(store) {
  if (!store) return h("p.muted", null, "Events are not kept. store.folder of the settings file keeps them.");
  const free = store.free_bytes === null ? "the folder is gone" : size(store.free_bytes);
  return h("dl.facts", null, facts([["Events", count(store.events)], ["Clips and snapshots", size(store.bytes)], ["Free on the disk", free], ["Folder", store.folder]]));
}

function targets(all) {
  return h("ul.targets", null, all.map(({ name, type, waiting, delivered, reason }) => h("li", null,
    h("strong", null, name), h("span.muted", null, type),
    h(`span.state.${reason ? "lost" : "running"}`, null, reason ? "fails" : "works"),
    h("span.muted.number", null, `${count(delivered)} delivered, ${count(waiting)} waiting`),
    reason && h("p.fault", null, reason))));
}

function accounts() {
  const { user, login_required: required } = currentSession();
  const who = required ? `You are logged in as ${user.name} (${user.role}).` : "Nobody has to log in on this machine, as there are no users.";
  return card("Accounts", h("p", null, who),
    isAdmin() && h("p", null, "Add one in a terminal: ", h("code", null, "streamer user add NAME"), ". A viewer watches, an admin changes the site: ", h("code", null, "--role admin"), "."),
    required && button("Log out", () => request("DELETE", "/session").then(() => window.dispatchEvent(new Event("login")), toastError)));
}

/** The last messages of the program, by camera and level. */
class Log {
  #lines = [];

  constructor(signal) {
    this.signal = signal;
    const onchange = () => this.show();
    this.camera = h("select", { "aria-label": "Camera", onchange }, h("option", { value: "" }, "All cameras"));
    this.level = h("select", { "aria-label": "Level", onchange }, LEVELS.map((level) => h("option", { value: level }, level === "info" ? "All levels" : `${level} and above`)));
    this.follow = check("Follow", true, onchange);
    this.list = h("div.log", { tabindex: 0, role: "group", "aria-label": "Messages of the program" });
    this.element = card("Log", h("div.actions", null, this.camera, this.level, this.follow), this.list);
  }

  async refresh() {
    if (!this.follow.control.checked) return;
    const { lines } = await get("/log", { query: { lines: LOG_LINES }, signal: this.signal });
    if (lines.length === this.#lines.length && lines.at(-1)?.time === this.#lines.at(-1)?.time) return;
    this.#lines = lines;
    const known = new Set([...this.camera.options].map(({ value }) => value));
    for (const name of new Set(lines.map(({ camera }) => camera))) if (!known.has(name)) this.camera.append(h("option", { value: name }, name));
    this.show();
  }

  show() {
    const least = LEVELS.indexOf(this.level.value);
    const shown = this.#lines.filter(({ camera, level }) => LEVELS.indexOf(level) >= least && (!this.camera.value || camera === this.camera.value));
    this.list.replaceChildren(...shown.map(({ time, level, camera, text }) => h(`p.${level}`, null,
      h("time", { datetime: time, title: time }, new Date(time).toLocaleTimeString()), h("b", null, level === "info" ? "" : level), camera && h("span.camera", null, camera), h("span.text", null, text))));
    if (!shown.length) setText(this.list, "No messages.");
    if (this.follow.control.checked) this.list.scrollTop = this.list.scrollHeight;
  }
}

const count = (number) => number.toLocaleString();
const milliseconds = (seconds) => (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0);

function share(part) {
  return part > 0 && part < 0.001 ? "< 0.1%" : `${(part * 100).toFixed(1)}%`;
}

function size(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 4);
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}
