/** The webcam of this browser with the overlay on it: choose a camera, start, see boxes and figures. */

import { button, check, field, fullScreenButton, h, setText, store, stored, toast, toastError } from "../dom.js";
import { loadSettings } from "../overlay.js";
import { Stage } from "../stage.js";
import { RecentPictures, Webcam } from "../webcam.js";
import { LAYERS, overlayPanel } from "./camera.js";

export const styles = ["live", "my-camera"];
const QUALITIES = { high: ["High: 1280x720", 1280, 720, 30], medium: ["Medium: 640x480", 640, 480, 30], low: ["Low: 640x480, 15 fps", 640, 480, 15] };
const PICTURES = { exact: "Boxes on their own frame", newest: "The newest picture, boxes follow" };
const KEY = "my-camera", DEFAULTS = { camera: "", quality: "medium", mirror: null, picture: "exact" }, WINDOW_MS = 2000;
const INSECURE = "Browsers give a page the camera only over HTTPS, or on the machine itself. Set web.tls: auto in the settings of the site and open the page with https://, or open it at 127.0.0.1.";
const REFUSALS = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it in the address bar or in the settings of the browser, then start again.",
  NotFoundError: "This device has no camera. Connect one, then start again.",
  NotReadableError: "The camera is in use by another program, or does not answer. Close that program, then start again.",
};

export function view(root, { signal }) {
  const settings = loadSettings(), choices = stored(KEY, DEFAULTS);
  const stage = new Stage("Picture of my camera", () => settings);
  const local = h("video", { muted: true, playsinline: true, autoplay: true, "aria-hidden": "true" });
  const text = h("p", { role: "status" }), begin = h("div.begin", null, text, button("Start my camera", start, "primary"));
  const stop = button("Stop", () => end(""), "", { hidden: true }), way = h("div.way", { role: "status" });
  const state = h("span.state", { hidden: true }), figures = h("span.muted.number");
  const viewer = h("section.viewer", { "aria-label": "My camera" }, stage.element), controls = h("div.controls", null, stop, fullScreenButton(viewer, signal), way);
  const cameras = h("select", { onchange: () => choose("camera", cameras.value, useCamera) }, h("option", { value: "" }, "Standard camera"));
  const mirrored = check("Mirror", true, ({ target }) => choose("mirror", target.checked, show));
  let webcam = null, stream = null, recent = null, answers = [], detected = [], turn = 0;
  stage.element.prepend(local);
  stage.element.append(begin);
  viewer.append(controls);
  root.append(h("div.toolbar", null, h("h1", null, "My camera"), state, figures),
    h("div.one", null, viewer, h("aside", { "aria-label": "Camera and overlay" },
      h("section.card", null, h("h2", null, "Webcam"), field("Camera", cameras),
        field("Quality", select(Object.entries(QUALITIES).map(([key, [label]]) => [key, label]), "quality", useCamera)),
        field("Picture", select(Object.entries(PICTURES), "picture", show)), mirrored),
      overlayPanel(settings, () => stage.paint(), LAYERS.filter(([key]) => key !== "zones")))));
  show();
  listCameras();
  tell(navigator.mediaDevices?.getUserMedia && window.RTCPeerConnection ? "" : INSECURE);
  window.addEventListener("pagehide", () => end(""), { signal });
  const timer = setInterval(showFigures, 500);

  function start() {
    if (!navigator.mediaDevices?.getUserMedia) return tell(INSECURE);
    webcam = new Webcam({ frame: take, notice: (line) => setText(way, line), ending: (s) => toast(`This session ends in ${s} s.`), ended: end, limit });
    setState("starting", "Starting");
    begin.hidden = true;
    useCamera();
  }

  /** Send the chosen camera, in place of the one before. */
  async function useCamera() {
    const mine = webcam;
    if (!mine) return;
    try {
      if (!(await openCamera())) return;
      const [track] = stream.getVideoTracks();
      await (mine.isOpen ? mine.replace(track) : mine.open(track));
    } catch (error) {
      if (mine === webcam && error.name !== "AbortError") end(REFUSALS[error.name] ?? error.message); // AbortError: another choice goes on
    }
  }

  /** End the session and release the camera; say why. */
  function end(reason) {
    turn++;
    webcam?.close();
    webcam = null;
    closeCamera();
    stage.paint({ tracks: [] });
    setState("", "");
    setText(way, "");
    tell(reason);
  }

  /** Resolves to whether it is open; it is not if another one was chosen, or the view was left, while the browser asked. */
  async function openCamera() {
    const mine = ++turn;
    const [, width, height, fps] = QUALITIES[choices.quality] ?? QUALITIES.medium;
    const wanted = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: fps, max: 30 } };
    const device = choices.camera ? { deviceId: { ideal: choices.camera } } : { facingMode: "user" };
    closeCamera();
    const opened = await navigator.mediaDevices.getUserMedia({ video: { ...wanted, ...device } });
    if (mine !== turn) {
      for (const track of opened.getTracks()) track.stop();
      return false;
    }
    stream = opened;
    stream.getVideoTracks()[0].onended = () => end("The camera has stopped: it was unplugged, or another program took it.");
    local.srcObject = stage.video.srcObject = stream;
    await Promise.all([local.play(), stage.video.play()]);
    recent = new RecentPictures(local);
    show();
    listCameras();
    return true;
  }

  function closeCamera() {
    recent?.close();
    for (const track of stream?.getTracks() ?? []) track.stop();
    local.srcObject = stage.video.srcObject = recent = stream = null;
    answers = [];
    detected = [];
  }

  /** A frame of this camera has its boxes. */
  function take(frame) {
    const now = performance.now(), at = webcam.clock.capturedAt(frame.rtp, frame.age_s, now);
    answers.push({ now, latency: now - at });
    detected.push({ now, count: frame.detected });
    setState("running", "Running");
    const found = choices.picture === "exact" ? recent?.take(at) : null;
    if (found) stage.showPicture(found.picture);
    stage.paint({ ...frame, tracks: isMirrored() ? frame.tracks.map(flipped) : frame.tracks });
  }

  /** Show the picture as it is chosen: until boxes come, the newest. */
  function show() {
    mirrored.control.checked = isMirrored();
    stage.element.classList.toggle("mirrored", isMirrored());
    if (stream) stage.showVideo();
  }

  function isMirrored() {
    return choices.mirror ?? stream?.getVideoTracks()[0].getSettings().facingMode !== "environment";
  }

  /** The server takes pictures up to this size. */
  function limit(pixels) {
    const [track] = stream.getVideoTracks(), { width, height } = track.getSettings();
    if (Math.max(width, height) > pixels) track.applyConstraints({ width: { max: pixels }, height: { max: pixels } }).catch(toastError);
  }

  function showFigures() {
    const since = performance.now() - WINDOW_MS;
    [answers, detected] = [answers, detected].map((list) => list.filter(({ now }) => now > since));
    if (!stream || answers.length < 2) return setText(figures, "");
    const span = (answers.at(-1).now - answers[0].now) / 1000, latencies = answers.map(({ latency }) => latency).sort((a, b) => a - b);
    const rate = (detected.at(-1).count - detected[0].count) / span;
    setText(figures, `${Math.round(latencies[latencies.length >> 1])} ms, ${((answers.length - 1) / span).toFixed(0)} fps, ${rate.toFixed(1)} detections/s`);
    setText(way, `${local.videoWidth}x${local.videoHeight}`);
  }

  async function listCameras() {
    const found = (await navigator.mediaDevices?.enumerateDevices() ?? []).filter(({ kind, label }) => kind === "videoinput" && label);
    if (!found.length) return;
    cameras.replaceChildren(...found.map(({ deviceId, label }) => h("option", { value: deviceId }, label)));
    cameras.value = stream?.getVideoTracks()[0].getSettings().deviceId ?? choices.camera;
    if (cameras.selectedIndex < 0) cameras.selectedIndex = 0;
  }

  function tell(reason) {
    setText(text, reason || "The picture goes to this server only. It is not stored.");
    begin.classList.toggle("problem", Boolean(reason));
    begin.hidden = false;
    stop.hidden = true;
  }

  function setState(name, label) {
    state.className = `state ${name}`;
    setText(state, label);
    state.hidden = !name;
    stop.hidden = !name;
  }

  function choose(key, value, then) {
    choices[key] = value;
    store(KEY, choices);
    then();
  }

  function select(options, key, then) {
    const element = h("select", { onchange: () => choose(key, element.value, then) }, options.map(([value, label]) => h("option", { value }, label)));
    element.value = choices[key];
    return element;
  }

  return () => {
    clearInterval(timer);
    end("");
    stage.close();
  };
}

const flipped = (track) => ({ ...track, box: [1 - track.box[2], track.box[1], 1 - track.box[0], track.box[3]] });
