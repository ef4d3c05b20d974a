/** One camera large: live video with the overlay, full screen, snapshot, pause, the settings of the overlay, figures. */

import { get, request } from "../api.js";
import { button, check, facts, fullScreenButton, h, morph, setText, toastError } from "../dom.js";
import { loadSettings, saveSettings } from "../overlay.js";
import { Player } from "../player.js";
import { Stage } from "../stage.js";
import { isAdmin, onStatus } from "../state.js";
import { ageText, lastEventText, latencyText, stateText } from "./camera-text.js";

export const styles = ["live"];
export const LAYERS = [["boxes", "Boxes"], ["labels", "Labels"], ["trails", "Trails"], ["zones", "Lines and zones"]];

export function view(root, { name, signal }) {
  const settings = loadSettings();
  let rules = {}, paused = false;
  const stage = new Stage(`Live picture of ${name}`, () => settings, () => rules);
  const player = new Player(stage, { camera: name, changed: showWay });
  const fault = h("p.fault", { role: "status" });
  const state = h("span.state"), figures = h("span.muted.number"), list = h("dl");
  const way = h("div.way", { role: "status" });
  const pause = button("Pause", togglePause), controls = h("div.controls", null, pause, button("Snapshot", download));
  const viewer = h("section.viewer", { "aria-label": "Live video" }, stage.element, fault, controls);
  controls.append(fullScreenButton(viewer, signal), way);
  root.append(
    h("div.toolbar", null, h("a.button", { href: "#/live" }, "All cameras"), h("h1", null, name), state, figures),
    h("div.one", null, viewer, h("aside", { "aria-label": "Overlay and figures" }, overlayPanel(settings, () => stage.paint()),
      h("section.card", null, h("h2", null, "Camera"), list, links(name)))));

  get(`/cameras/${encodeURIComponent(name)}/rules`, { signal }).then((found) => {
    rules = found;
    stage.paint();
  }, () => {}); // without its rules the camera is shown all the same

  const unfollow = onStatus(({ cameras }) => {
    const camera = cameras.find((one) => one.name === name);
    const shown = camera ? stateText(camera) : { text: "Removed", fault: `There is no camera ${name}.` };
    setText(state, shown.text);
    state.className = `state ${camera?.state ?? ""}`;
    setText(fault, shown.fault);
    viewer.classList.toggle("away", Boolean(shown.fault));
    setText(figures, camera ? ageText(camera) : "");
    if (camera) morph(list, facts(figuresOf(camera)));
  });

  function play() {
    if (paused || document.hidden) player.stop();
    else player.start();
  }

  function togglePause() {
    paused = !paused;
    setText(pause, paused ? "Continue" : "Pause");
    play();
    showWay();
  }

  function showWay() {
    if (paused) return way.replaceChildren(h("span", null, "Paused"));
    const again = player.reason && button("Try WebRTC again", () => player.tryVideo());
    way.replaceChildren(h("span", null, player.way === "WebRTC" ? "WebRTC" : player.reason ? "JPEG frames instead of WebRTC" : "Connecting"),
      player.reason && h("span.muted", null, player.reason), again || "");
  }

  /** The newest frame of the server at its full size; while paused, the picture that is shown. */
  async function download() {
    const stamp = new Date().toISOString().replace(/[:.]/g, "-");
    try {
      const query = { boxes: settings.boxes || settings.labels || undefined };
      const newest = () => request("GET", `/cameras/${encodeURIComponent(name)}/snapshot.jpg`, { query, signal });
      const href = URL.createObjectURL(paused ? await stage.snapshot() : await (await newest()).blob());
      h("a", { href, download: `${name}-${stamp}.jpg` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000); // the browser may still ask the user where to save it
    } catch (error) {
      toastError(error);
    }
  }

  document.addEventListener("visibilitychange", play, { signal });
  showWay();
  play();
  return () => {
    unfollow();
    player.stop();
    stage.close();
  };
}

/** The settings of the overlay, kept in this browser. `layers`: which can be switched. */
export function overlayPanel(settings, changed, layers = LAYERS) {
  const save = () => {
    saveSettings(settings);
    changed();
  };
  const score = h("output.number", null, `${Math.round(100 * settings.score)}%`);
  return h("section.card.overlay-settings", null, h("h2", null, "Overlay"),
    layers.map(([key, label]) => check(label, settings[key], ({ target }) => {
      settings[key] = target.checked;
      save();
    })),
    h("label.field", null, h("span.label", null, "Minimum score ", score), h("input", {
      type: "range", min: 0, max: 95, step: 5, value: Math.round(100 * settings.score),
      oninput: ({ target }) => {
        settings.score = target.valueAsNumber / 100;
        setText(score, `${target.value}%`);
        save();
      },
    })));
}

function figuresOf({ frames = {}, ...camera }) {
  return [
    ["Source", camera.source],
    ["Size", camera.width && `${camera.width}x${camera.height}`],
    ["Detector", camera.detector],
    ["Age of the picture", camera.age_s && latencyText(camera.age_s)],
    ["Frames received", frames.entered?.toLocaleString()],
    ["Detected", frames.detected?.toLocaleString()],
    ["Dropped", frames.dropped?.toLocaleString()],
    ["Damaged", frames.corrupt || ""],
    ["Restarts", camera.restarts || ""],
    ["Last event", lastEventText(camera)],
  ];
}

function links(name) {
  const one = encodeURIComponent(name);
  return h("div.actions", null, h("a.button", { href: `#/events?camera=${one}` }, "Events"),
    isAdmin() && [h("a.button", { href: `#/rules/${one}` }, "Lines and zones"), h("a.button", { href: `#/cameras/${one}` }, "Settings")]);
}
