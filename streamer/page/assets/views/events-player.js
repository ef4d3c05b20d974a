/** The player of a clip. The boxes of each frame are drawn on a canvas over it. */

import { get } from "../api.js";
import { button, check, fullScreenButton, h } from "../dom.js";
import { loadSettings } from "../overlay.js";
import { Stage } from "../stage.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
const HOLD_S = 0.5; // a frame without boxes of its own has those before it, up to this time, as in annotated clips
const EDGE_S = 0.001; // behind the start of a frame, so that a seek shows this frame
const FRAME_S = 0.04; // of a step where no frame times are known

/**
 * @param {object} event with `files.clip`
 * @param {(text: string) => void} failed gets the reason if the clip cannot be played
 * @returns {{element: Element, pressed: (key: KeyboardEvent) => boolean, close: () => void}} `pressed` is whether it used a key
 */
export function player(event, failed) {
  let frames = [], shown_s = 0;
  const aborter = new AbortController(), { signal } = aborter, settings = { ...loadSettings(), boxes: true }, duration_s = event.clip_duration_s ?? 0;
  const stage = new Stage("The clip", () => settings), { video } = stage;
  const keyed = (text, key, act) => button(text, act, "", { title: `Key ${key}`, "aria-keyshortcuts": key });
  const play = keyed("Play", "Space", toggle);
  const seek = h("input", {
    type: "range", min: 0, max: duration_s, step: 0.01, value: 0, "aria-label": "Position in the clip", oninput: () => goTo(Number(seek.value)),
  });
  const clock = h("span.number", null, "");
  const speed = h("select", { "aria-label": "Speed", onchange: () => (video.playbackRate = Number(speed.value)) },
    SPEEDS.map((one) => h("option", { value: one, selected: one === 1 }, `${one}×`)));
  const boxes = check("Boxes", true, () => draw(shown_s), { "aria-keyshortcuts": "B", title: "Key B" });
  const sound = check("Sound", false, ({ target }) => (video.muted = !target.checked), { "aria-keyshortcuts": "M", title: "Key M" });
  const element = h("div.player"), full = fullScreenButton(element, signal, { title: "Key F", "aria-keyshortcuts": "F" });
  element.append(stage.element,
    h("div.position", null, h("span.track", null, seek, span()), clock),
    h("div.actions", null, play, keyed("Frame back", ",", () => step(-1)), keyed("Frame forward", ".", () => step(1)), speed,
      event.files.boxes && boxes, sound, full));

  /** The mark of the event on the position bar. */
  function span() {
    const begin = (Date.parse(event.start_time) - Date.parse(event.clip_start_time)) / 1000;
    const end = begin + (event.duration_s ?? 0);
    const share = (time) => Math.min(Math.max(time / duration_s, 0), 1);
    const style = { "--begin": share(begin), "--length": share(end) - share(begin) };
    return duration_s > 0 && h("span.of-event", { title: "The event", style });
  }

  function toggle() {
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  }

  function tell() {
    play.textContent = video.paused ? "Play" : "Pause";
    const length = video.duration || duration_s;
    seek.max = length;
    if (document.activeElement !== seek || !video.paused) seek.value = video.currentTime;
    clock.textContent = `${video.currentTime.toFixed(1)} / ${length.toFixed(1)} s`;
    seek.setAttribute("aria-valuetext", `${video.currentTime.toFixed(1)} of ${length.toFixed(1)} seconds`);
  }

  function goTo(time_s) {
    video.currentTime = Math.min(Math.max(time_s, 0), (video.duration || duration_s) - EDGE_S);
  }

  /** Index of the last frame at or before a time; -1 if there is none. */
  const frameAt = (time_s) => frames.findLastIndex((frame) => frame.time_s <= time_s + EDGE_S);

  function step(by) {
    video.pause();
    const to = frames[Math.min(Math.max(frameAt(shown_s) + by, 0), frames.length - 1)];
    goTo(to ? to.time_s + EDGE_S : shown_s + by * FRAME_S);
  }

  function draw(time_s) {
    shown_s = time_s;
    const at = frameAt(time_s), frame = boxes.control.checked && frames[at];
    stage.element.dataset.frame = at;
    stage.paint(frame && time_s - frame.time_s <= HOLD_S ? frame : null, 1000 * time_s);
  }

  function eachFrame(now, { mediaTime }) {
    if (signal.aborted) return;
    draw(mediaTime);
    video.requestVideoFrameCallback(eachFrame);
  }

  function pressed(key) {
    const act = {
      " ": toggle, ",": () => step(-1), ".": () => step(1), f: () => full.click(),
      b: () => boxes.click(), m: () => sound.click(),
    }[key.key];
    act?.();
    return Boolean(act);
  }

  const on = (types, act) => types.split(" ").forEach((type) => video.addEventListener(type, act, { signal }));
  on("play pause timeupdate durationchange", tell);
  on("click", toggle);
  on("loadedmetadata", () => stage.showVideo());
  on("error", () => failed("The clip is gone, or this browser cannot play its codec. Download it to see it."));
  video.preload = "auto";
  video.src = event.files.clip;
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(eachFrame);
  else on("timeupdate", () => draw(video.currentTime));
  if (event.files.boxes) get(event.files.boxes, { signal }).then((found) => { frames = found.frames; draw(shown_s); }, () => {});
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) video.play().catch(() => {});
  tell();
  return {
    element, pressed,
    close: () => {
      aborter.abort();
      video.removeAttribute("src"); // ends its download
      video.load();
      stage.close();
    },
  };
}
