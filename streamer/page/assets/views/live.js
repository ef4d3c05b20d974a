/** All cameras side by side; without a camera, the choices of a first start. */

import { h, setText } from "../dom.js";
import { loadSettings } from "../overlay.js";
import { Player } from "../player.js";
import { Stage } from "../stage.js";
import { isAdmin, onStatus } from "../state.js";
import { ageText, lastEventText, stateText } from "./camera-text.js";

export const styles = ["live"];

export function view(root) {
  const tiles = new Map();
  const grid = h("div.grid", { role: "list" });
  const news = h("p.hidden-text", { role: "status" });
  const summary = h("p.muted");
  const head = h("div.toolbar", null, h("h1", null, "Live"), summary);
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) tiles.get(target.dataset.camera)?.setVisible(isIntersecting);
  }, { rootMargin: "120px" });
  let first = null;
  root.append(h("p.muted", { role: "status" }, "Connecting to the server."));

  function update({ cameras }) {
    if (!cameras.length) {
      clear();
      if (!first) root.replaceChildren(first = firstStart());
      return;
    }
    if (first || !grid.isConnected) root.replaceChildren(head, grid, news);
    first = null;
    const names = new Set(cameras.map(({ name }) => name));
    for (const name of [...tiles.keys()]) if (!names.has(name)) drop(name);
    const changes = cameras.map((camera) => tileOf(camera.name).update(camera)).filter(Boolean);
    if (changes.length) setText(news, changes.join(". "));
    const running = cameras.filter(({ state }) => state === "running").length;
    setText(summary, `${running} of ${cameras.length} running`);
  }

  function tileOf(name) {
    if (!tiles.has(name)) {
      const tile = new Tile(name);
      tiles.set(name, tile);
      grid.append(tile.element);
      seen.observe(tile.element);
    }
    return tiles.get(name);
  }

  function drop(name) {
    seen.unobserve(tiles.get(name).element);
    tiles.get(name).close();
    tiles.delete(name);
  }

  function clear() {
    for (const name of [...tiles.keys()]) drop(name);
  }

  const hide = () => tiles.forEach((tile) => tile.play());
  document.addEventListener("visibilitychange", hide);
  const unfollow = onStatus(update);
  return () => {
    unfollow();
    document.removeEventListener("visibilitychange", hide);
    seen.disconnect();
    clear();
  };
}

/** One camera of the grid. It plays small JPEG frames while it is on the screen. */
class Tile {
  #visible = false;
  #player = null;
  #state = null;
  #settings = { ...loadSettings(), zones: false, trails: false };

  constructor(name) {
    this.name = name;
    this.stage = new Stage(`Picture of ${name}`, () => this.#settings);
    this.fault = h("p.fault");
    this.state = h("span.state");
    this.figures = h("span.figures.number");
    this.event = h("span.event");
    this.element = h("div.tile", { role: "listitem", "data-camera": name }, h("a", { href: `#/live/${encodeURIComponent(name)}` },
      this.stage.element, this.fault,
      h("span.caption", null, h("strong", null, name), this.state, this.figures, this.event)));
  }

  /** Show the state; returns a sentence if it has changed, for screen readers. */
  update(camera) {
    const { text, fault } = stateText(camera);
    setText(this.state, text);
    this.state.className = `state ${camera.state}`;
    setText(this.fault, fault);
    this.element.classList.toggle("away", Boolean(fault));
    setText(this.figures, ageText(camera));
    setText(this.event, lastEventText(camera));
    const before = this.#state;
    this.#state = camera.state;
    return before && before !== camera.state ? `${this.name}: ${fault || text}` : "";
  }

  setVisible(visible) {
    this.#visible = visible;
    this.play();
  }

  play() {
    if (!this.#visible || document.hidden) {
      this.#player?.stop();
      return;
    }
    this.#player ??= new Player(this.stage, { camera: this.name, small: true });
    this.#player.start();
  }

  close() {
    this.#player?.stop();
    this.stage.close();
    this.element.remove();
  }
}

function firstStart() {
  const choice = (href, title, text) => h("a.choice", { href }, h("strong", null, title), h("span", null, text));
  return h("section.first", null, h("h1", null, "There is no camera yet"),
    h("div.choices", null,
      choice("#/my-camera", "Use my camera", "The webcam of this device. Objects are found on the server and drawn here; nothing is stored."),
      isAdmin() && choice("#/cameras?add", "Add a camera or file", "An RTSP or HTTP camera, a webcam of the server, or a video file.")));
}
