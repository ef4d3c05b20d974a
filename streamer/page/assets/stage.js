/** The picture of a camera with the overlay on it: a snapshot first, then video or JPEG frames, or the last picture. */

import { h } from "./dom.js";
import { Painter } from "./overlay.js";

const MOST_DENSE = 2; // device pixels per CSS pixel of the overlay; more is not visible on moving boxes

/** Three layers of the same place: `still` (JPEG frames, the last picture), `video`, and the overlay. */
export class Stage {
  video = h("video", { muted: true, playsinline: true, disablepictureinpicture: true, "aria-hidden": "true", hidden: true });
  #still = h("canvas.still", { width: 16, height: 9, "aria-hidden": "true" });
  #overlay;
  #painter = new Painter();
  #scene = null;
  #hasPicture = false;
  #observer = new ResizeObserver(() => this.#fit());

  /**
   * @param {string} label what the picture shows, for screen readers
   * @param {() => object} settings of the overlay
   * @param {() => {lines, zones}} rules of the camera
   */
  constructor(label, settings, rules = () => ({})) {
    this.settings = settings;
    this.rules = rules;
    this.#overlay = h("canvas.overlay", { role: "img", "aria-label": label });
    this.element = h("div.stage", null, this.#still, this.video, this.#overlay);
    this.#observer.observe(this.element);
  }

  /** Whether a picture is shown. */
  get hasPicture() {
    return this.#hasPicture;
  }

  /** Show a picture in place of the video: an ImageBitmap or an image that has loaded. */
  showPicture(picture) {
    this.#still.width = picture.width;
    this.#still.height = picture.height;
    this.#still.getContext("2d", { alpha: false }).drawImage(picture, 0, 0);
    this.#showStill(true);
  }

  /** Show the video, whose first frame is there. */
  showVideo() {
    this.#showStill(false);
  }

  /** Keep the last picture of the video, which ends. */
  freeze() {
    if (this.video.hidden || !this.video.videoWidth) return;
    this.#still.width = this.video.videoWidth;
    this.#still.height = this.video.videoHeight;
    this.#still.getContext("2d", { alpha: false }).drawImage(this.video, 0, 0);
    this.#showStill(true);
  }

  #showStill(is) {
    this.#hasPicture = true;
    this.#still.hidden = !is;
    this.video.hidden = is;
    this.element.classList.add("shown");
    const { width, height } = this.#size();
    this.element.style.setProperty("--shape", (width / height).toFixed(4));
  }

  /** Draw the overlay of a frame, as of a message of the API; without one, draw the last one again; null draws nothing. */
  paint(scene = this.#scene, now = performance.now()) {
    this.#scene = scene;
    const { width, height } = this.#overlay, dense = this.#density();
    const context = this.#overlay.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!scene) return;
    context.setTransform(dense, 0, 0, dense, 0, 0);
    const { lines = [], zones = [] } = this.rules(), { counts = {} } = scene;
    this.#painter.draw(context, this.pictureArea(), {
      tracks: scene.tracks,
      lines: lines.map((line) => ({ ...line, text: lineText(line.name, counts.lines) })),
      zones: zones.map((zone) => ({ ...zone, text: zoneText(zone.name, counts.zones) })),
    }, this.settings(), now);
  }

  /** Where the picture is within the element, CSS pixels: the largest rectangle of its shape, in the middle. */
  pictureArea() {
    const { clientWidth, clientHeight } = this.element, { width, height } = this.#size();
    const scale = Math.min(clientWidth / width, clientHeight / height);
    return { x: (clientWidth - width * scale) / 2, y: (clientHeight - height * scale) / 2, width: width * scale, height: height * scale };
  }

  /** The shown picture with its overlay as a JPEG. */
  async snapshot() {
    const area = this.pictureArea(), dense = this.#density(), { width, height } = this.#size();
    const canvas = h("canvas", { width, height }), context = canvas.getContext("2d");
    context.drawImage(this.video.hidden ? this.#still : this.video, 0, 0);
    context.drawImage(this.#overlay, area.x * dense, area.y * dense, area.width * dense, area.height * dense, 0, 0, width, height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  }

  close() {
    this.#observer.disconnect();
    this.video.srcObject = null;
    this.element.remove();
  }

  #size() {
    const { videoWidth, videoHeight } = this.video;
    return this.video.hidden ? this.#still : { width: videoWidth, height: videoHeight };
  }

  #density() {
    return Math.min(MOST_DENSE, window.devicePixelRatio || 1);
  }

  #fit() {
    const dense = this.#density();
    this.#overlay.width = Math.round(this.element.clientWidth * dense);
    this.#overlay.height = Math.round(this.element.clientHeight * dense);
    this.paint();
  }
}

function lineText(name, counts) {
  const [entered, left] = counts?.[name] ?? [];
  return entered === undefined ? name : `${name}  in ${entered}  out ${left}`;
}

function zoneText(name, counts) {
  return counts?.[name] === undefined ? name : `${name}  ${counts[name]}`;
}
