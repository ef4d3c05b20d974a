/** The timeline of events: one lane per camera with a bar per bin. Zoom, pan and jump by mouse, touch and keyboard. */

import { get } from "../api.js";
import { button, h, setText, toastError } from "../dom.js";
import { counted, timeOfDay } from "./events-text.js";

const BINS = 120;
const MIN_MS = 2 * 60_000, MAX_MS = 400 * 86_400_000, HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS;
const STEPS_MS = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080, 43_200].map((minutes) => minutes * 60_000);
const FETCH_MS = 150, CLICK_PX = 5, LABEL_PX = 110;
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/**
 * @param {{jump: (time_ms: number) => void, moved: (from_ms: number, to_ms: number) => void, only: (from_ms: number, to_ms: number) => void}} actions
 *   `jump` is a click or Enter at a time, `moved` follows a zoom or pan, `only` limits the list to what is shown
 */
export function timeline({ jump, moved, only }) {
  let from = 0, to = 1, filters = new URLSearchParams(), data = { since: 0, bin: 1, cameras: {} };
  let cursor = null, timer = null, isMoved = false, aborter = new AbortController();
  const known = new Set(); // cameras that had events: they keep their lanes, so that the page does not jump
  const pointers = new Map(); // id to x of the fingers, or of the mouse
  const lanes = h("div.lanes"), axis = h("div.axis", { "aria-hidden": "true" }), mark = h("div.mark", { hidden: true });
  const told = h("output.told");
  const area = h("div.area", {
    tabindex: 0, role: "slider", "aria-label": "Timeline of events", "aria-orientation": "horizontal", "aria-valuemin": 0, "aria-valuemax": BINS - 1,
    title: "Click: jump there. Drag: move. Ctrl + wheel, + and -: zoom. Arrow keys and Enter: choose a time",
    onkeydown: pressed, onwheel: wheeled, onpointerdown: down, onpointermove: dragged, onpointerup: up, onpointercancel: up,
    onpointerleave: () => pointers.size || point(null), onblur: () => point(null),
  }, lanes, mark);
  const quiet = (text, title, act) => button(text, act, "quiet", { "aria-label": title, title });
  const spans = [["Hour", HOUR_MS], ["Day", DAY_MS], ["Week", 7 * DAY_MS], ["Month", 30 * DAY_MS]];
  const element = h("section.timeline", { "aria-label": "Timeline" },
    h("div.head", null, told, h("div.actions", null,
      quiet("‹", "Earlier", () => pan(-0.5)), quiet("›", "Later", () => pan(0.5)),
      quiet("−", "Zoom out", () => zoom(2)), quiet("+", "Zoom in", () => zoom(0.5)),
      spans.map(([text, span]) => quiet(text, `The last ${text.toLowerCase()}`, () => set(Date.now() - span, Date.now()))),
      quiet("Only this time", "Show only the events of this time in the list", () => only(from, to)))),
    area, axis);

  /** Show a time span with filters of the list. */
  function show(from_ms, to_ms, chosen) {
    filters = chosen;
    set(from_ms, to_ms, false);
  }

  function set(from_ms, to_ms, tell = true) {
    const span = Math.min(Math.max(to_ms - from_ms, MIN_MS), MAX_MS), middle = (from_ms + to_ms) / 2;
    [from, to] = [Math.round(middle - span / 2), Math.round(middle + span / 2)];
    draw();
    isMoved = tell;
    refresh();
  }

  const pan = (share) => set(from + share * (to - from), to + share * (to - from));

  /** Zoom by a factor around a time; that under the cursor, or the middle. */
  function zoom(factor, around = cursor ?? (from + to) / 2) {
    const bounded = Math.min(Math.max(factor, MIN_MS / (to - from)), MAX_MS / (to - from));
    set(around + (from - around) * bounded, around + (to - around) * bounded);
  }

  /** Fetch the counts of the span, soon. */
  function refresh() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      tellMoved(); // not at each step: Safari refuses more than 100 changes of the address in 30 s
      fetchCounts();
    }, FETCH_MS);
  }

  function tellMoved() {
    if (isMoved) moved(from, to);
    isMoved = false;
  }

  async function fetchCounts() {
    aborter.abort();
    aborter = new AbortController();
    const query = new URLSearchParams(filters);
    query.set("since", new Date(from).toISOString());
    query.set("until", new Date(to).toISOString());
    query.set("bins", BINS);
    try {
      const found = await get("/events/timeline", { query, signal: aborter.signal });
      const since = Date.parse(found.since), until = Date.parse(found.until);
      Object.keys(found.cameras).forEach((camera) => known.add(camera));
      const wanted = filters.getAll("camera"), lane = (camera) => [camera, found.cameras[camera] ?? []];
      const cameras = [...known].sort().filter((camera) => !wanted.length || wanted.includes(camera)).map(lane);
      data = { since, bin: (until - since) / found.bins, cameras: Object.fromEntries(cameras) };
      draw();
    } catch (error) {
      toastError(error);
    }
  }

  function draw() {
    const most = Math.max(1, ...Object.values(data.cameras).flat());
    lanes.replaceChildren(...Object.entries(data.cameras).map(([camera, counts]) => {
      const bars = counts.map((count, at) => {
        const height = count ? 0.12 + 0.88 * Math.sqrt(count / most) : 0; // one event is seen beside many
        return height && `M${at + 0.08} 1v${-height}h0.84v${height}z`;
      });
      const window = `${(from - data.since) / data.bin} 0 ${(to - from) / data.bin} 1`;
      const picture = svg("svg", { viewBox: window, preserveAspectRatio: "none", "aria-hidden": "true" });
      picture.append(svg("path", { d: bars.filter(Boolean).join("") }));
      return h("div.lane", null, h("span.name", null, camera), picture);
    }));
    lanes.classList.toggle("many", lanes.childElementCount > 5);
    axis.replaceChildren(...ticks().map((time) => {
      const text = new Date(time).getHours() || new Date(time).getMinutes() ? minute.format(time) : short.format(time);
      return h("span", { style: { left: `${(100 * (time - from)) / (to - from)}%` } }, text);
    }));
    point(cursor);
  }

  /** Round local times of the axis. */
  function ticks() {
    const most = Math.max(2, (area.clientWidth || 800) / LABEL_PX);
    const step = STEPS_MS.find((one) => (to - from) / one <= most) ?? STEPS_MS.at(-1), found = [];
    const time = new Date(new Date(from).setHours(0, 0, 0, 0)), last = to - 0.03 * (to - from); // a later text would be cut off
    while (time < last) {
      if (time >= from) found.push(+time);
      if (step < DAY_MS) time.setTime(+time + step);
      else time.setDate(time.getDate() + step / DAY_MS);
    }
    return found;
  }

  /** Mark a time and say what happened then; null: what the whole span has. */
  function point(time) {
    cursor = time === null ? null : Math.min(Math.max(time, from), to - 1);
    mark.hidden = cursor === null;
    const bin = cursor === null ? null : Math.floor((cursor - data.since) / data.bin);
    const begin = bin === null ? from : data.since + bin * data.bin, end = bin === null ? to : begin + data.bin;
    const place = (time) => Math.max(0, Math.round((time - data.since) / data.bin));
    const counts = Object.entries(data.cameras).map(([camera, all]) => [camera, sum(all.slice(place(begin), place(end)))]);
    const parts = bin === null ? [] : counts.filter(([, count]) => count).map(([camera, count]) => `${camera} ${count}`);
    const text = `${spanText(begin, end)}: ${counted(sum(counts.map(([, count]) => count)))}${parts.length ? ` (${parts.join(", ")})` : ""}`;
    setText(told, text);
    area.setAttribute("aria-valuenow", Math.max(0, Math.min(BINS - 1, bin ?? BINS - 1)));
    area.setAttribute("aria-valuetext", text);
    if (cursor !== null) mark.style.setProperty("left", `${(100 * (cursor - from)) / (to - from)}%`);
  }

  const timeAt = (x) => from + ((x - area.getBoundingClientRect().left) / area.clientWidth) * (to - from);

  function pressed(key) {
    const bin = (to - from) / BINS, now = cursor ?? to - bin / 2;
    const act = {
      ArrowLeft: () => (key.shiftKey ? pan(-0.25) : moveCursor(now - bin)), ArrowRight: () => (key.shiftKey ? pan(0.25) : moveCursor(now + bin)),
      PageUp: () => pan(1), PageDown: () => pan(-1), Home: () => moveCursor(from), End: () => moveCursor(to - 1),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Enter: () => jumpTo(now),
    }[key.key];
    if (!act || key.ctrlKey || key.metaKey || key.altKey) return;
    key.preventDefault();
    act();
  }

  function moveCursor(time) {
    if (time < from || time >= to) pan(time < from ? -0.25 : 0.25);
    point(time);
  }

  /** Jump to the end of the bin of a time, so that its events are the first in the list. */
  function jumpTo(time) {
    tellMoved();
    jump(Math.ceil(data.since + (Math.floor((time - data.since) / data.bin) + 1) * data.bin));
  }

  function wheeled(wheel) {
    const across = Math.abs(wheel.deltaX) > Math.abs(wheel.deltaY) ? wheel.deltaX : wheel.shiftKey ? wheel.deltaY : 0;
    if (!across && !wheel.ctrlKey && !wheel.metaKey) return; // the page scrolls
    wheel.preventDefault();
    if (across) pan(across / 1000);
    else zoom(Math.exp(wheel.deltaY / 300), timeAt(wheel.clientX));
  }

  function down(pointer) {
    if (pointer.button) return;
    area.setPointerCapture(pointer.pointerId);
    pointers.set(pointer.pointerId, { x: pointer.clientX, begin: pointer.clientX });
  }

  function dragged(pointer) {
    const mine = pointers.get(pointer.pointerId);
    if (!mine) return point(timeAt(pointer.clientX));
    const other = [...pointers].find(([id]) => id !== pointer.pointerId)?.[1];
    const before = mine.x;
    mine.x = pointer.clientX;
    if (Math.abs(mine.x - mine.begin) > CLICK_PX) mine.moved = true;
    if (other) { // two fingers
      other.moved = mine.moved = true;
      const [old, now] = [Math.abs(before - other.x), Math.abs(mine.x - other.x)];
      if (old > 10 && now > 10) zoom(old / now, timeAt((mine.x + other.x) / 2));
    } else if (mine.moved) {
      pan((before - mine.x) / area.clientWidth);
    }
  }

  function up(pointer) {
    const mine = pointers.get(pointer.pointerId);
    pointers.delete(pointer.pointerId);
    if (mine && !mine.moved && pointer.type === "pointerup") jumpTo(timeAt(pointer.clientX));
  }

  const resized = new ResizeObserver(draw);
  resized.observe(element);
  const close = () => {
    resized.disconnect();
    clearTimeout(timer);
    aborter.abort();
  };
  return { element, show, refresh, close };
}

const sum = (counts) => counts.reduce((total, count) => total + count, 0);

/** "26 Nov 14:00 to 14:10" with seconds where bins are short. */
function spanText(from, to) {
  const sameDay = new Date(from).toDateString() === new Date(to - 1).toDateString();
  const clock = to - from < 60_000 ? timeOfDay : (time) => minute.format(time);
  return `${short.format(from)}, ${clock(from)} to ${sameDay ? "" : `${short.format(to)}, `}${clock(to)}`;
}
