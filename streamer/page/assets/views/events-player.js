/** The player of a clip. The boxes of each frame are drawn on a canvas over it. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { Painter, loadSettings } from "../overlay.js";

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
  let frames = [], shown_s = 0, closed = false;
  const painter = new Painter(), settings = { ...loadSettings(), boxes: true }, duration_s = event.clip_duration_s ?? 0;
  const video = h("video", {
    src: event.files.clip, playsinline: true, muted: true, preload: "auto", onclick: toggle, onloadedmetadata: resized,
    onplay: tell, onpause: tell, ontimeupdate: tell, ondurationchange: tell,
    onerror: () => closed || failed("The clip is gone, or this browser cannot play its codec. Download it to see it."),
  });
  const canvas = h("canvas", { "aria-hidden": "true" });
  const stage = h("div.stage", null, video, canvas);
  const button = (text, keys, title, act) => h("button", { type: "button", title, "aria-keyshortcuts": keys, onclick: act }, text);
  const play = button("Play", "Space", "Space", toggle);
  const seek = h("input", {
    type: "range", min: 0, max: duration_s, step: 0.01, value: 0, "aria-label": "Position in the clip", oninput: () => goTo(Number(seek.value)),
  });
  const clock = h("span.number", null, "");
  const speed = h("select", { "aria-label": "Speed", onchange: () => (video.playbackRate = Number(speed.value)) },
    SPEEDS.map((one) => h("option", { value: one, selected: one === 1 }, `${one}×`)));
  const boxes = h("input", { type: "checkbox", checked: true, "aria-keyshortcuts": "B", onchange: () => draw(shown_s) });
  const sound = h("input", { type: "checkbox", "aria-keyshortcuts": "M", onchange: () => (video.muted = !sound.checked) });
  const element = h("div.player", null, stage,
    h("div.position", null, h("span.track", null, seek, span()), clock),
    h("div.actions", null, play, button("Frame back", ",", "Key ,", () => step(-1)), button("Frame forward", ".", "Key .", () => step(1)), speed,
      event.files.boxes && h("label.check", { title: "Key B" }, boxes, "Boxes"), h("label.check", { title: "Key M" }, sound, "Sound"),
      button("Full screen", "F", "Key F", fullScreen)));

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

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else element.requestFullscreen?.();
  }

  function resized() {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = stage.clientWidth * ratio;
    canvas.height = stage.clientHeight * ratio;
    draw(shown_s);
  }

  function draw(time_s) {
    shown_s = time_s;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const frame = boxes.checked && frames[frameAt(time_s)];
    canvas.dataset.frame = frameAt(time_s);
    if (!frame || time_s - frame.time_s > HOLD_S || !video.videoWidth) return;
    const ratio = canvas.width / stage.clientWidth;
    const scale = Math.min(stage.clientWidth / video.videoWidth, stage.clientHeight / video.videoHeight);
    const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
    const rect = { x: (stage.clientWidth - width) / 2, y: (stage.clientHeight - height) / 2, width, height };
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    painter.draw(pen, rect, frame, settings, 1000 * time_s);
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }

  function eachFrame(now, { mediaTime }) {
    if (closed) return;
    draw(mediaTime);
    video.requestVideoFrameCallback(eachFrame);
  }

  function pressed(key) {
    const act = {
      " ": toggle, ",": () => step(-1), ".": () => step(1), f: fullScreen,
      b: () => boxes.click(), m: () => sound.click(),
    }[key.key];
    act?.();
    return Boolean(act);
  }

  const watcher = new ResizeObserver(resized);
  watcher.observe(stage);
  video.requestVideoFrameCallback?.(eachFrame) ?? video.addEventListener("timeupdate", () => draw(video.currentTime));
  if (event.files.boxes) get(event.files.boxes).then((found) => { frames = found.frames; draw(shown_s); }, () => {});
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) video.play().catch(() => {});
  tell();
  return {
    element, pressed,
    close: () => {
      closed = true;
      watcher.disconnect();
      video.removeAttribute("src"); // ends its download
      video.load();
    },
  };
}
