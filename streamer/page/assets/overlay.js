/**
 * Draws boxes, labels, trails, lines and zones on a canvas over a picture, with the colours and sizes of
 * `streamer/render`. Lengths are CSS pixels, so labels have the same size on a phone and on a 4K display.
 */

import { store, stored } from "./dom.js";

/** `streamer/render/colours/palette.py` */
export const PALETTE = [
  "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#a50069",
  "#b4f0a5", "#00f0ff", "#b40000", "#2d693c", "#7878ff", "#5a00ff", "#ff4b69", "#ffb4c3",
];
const LINE_COLOUR = "#ffd200", ZONE_COLOUR = "#00c8ff"; // streamer/render/overlays/rules.py
const TRAIL_MS = 2000;
const SIDES = ["above", "inside", "below"];
const PASSING_MS = 1500; // objects that pass one another mostly do so within this time: a covered label stays
const RETURNS_AFTER_MS = 1000; // a label that had no room returns when a place has been free for this time
const FORGOTTEN_MS = 3000;
const KEY = "overlay";
const DEFAULTS = { boxes: true, labels: true, trails: false, zones: true, score: 0 };

/** The overlay settings of this viewer: `{boxes, labels, trails, zones, score}`. */
export const loadSettings = () => stored(KEY, DEFAULTS);

/** Keep them in this browser. */
export const saveSettings = (settings) => store(KEY, settings);

/** The colour of a track: that of the server, else by its id alone. */
const colourOf = ({ id, colour }) => colour ?? PALETTE[(((id - 1) % PALETTE.length) + PALETTE.length) % PALETTE.length];

/** Draws one stream. It keeps where labels are, so that they do not jump, and the paths of tracks. */
export class Painter {
  #tracks = new Map(); // by id: {side, blockedAt, freeAt, mean, percent, path, seenAt}
  #widths = new Map();

  /**
   * Draw the objects of one frame.
   * @param {CanvasRenderingContext2D} context its unit is a CSS pixel; the caller has cleared it
   * @param {{x: number, y: number, width: number, height: number}} rect where the picture is shown
   * @param {{tracks: Array<{id, label, score, box, colour?}>, lines?: Array, zones?: Array}} scene
   *   boxes, and points of lines and zones, are relative to the picture
   * @param {object} settings as of `loadSettings`
   * @param {number} now milliseconds, of any clock that goes forward
   */
  draw(context, rect, scene, settings, now = performance.now()) {
    const tracks = (scene.tracks ?? []).filter((track) => track.score >= settings.score);
    const size = Math.min(20, Math.max(11, rect.width / 80));
    context.save();
    context.beginPath();
    context.rect(rect.x, rect.y, rect.width, rect.height);
    context.clip();
    context.translate(rect.x, rect.y);
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const line = Math.max(1.5, size / 7);
    if (settings.zones) drawRules(context, rect, scene, line, size);
    for (const track of tracks) this.#remember(track, now);
    if (settings.trails) for (const track of tracks) this.#drawTrail(context, rect, track, line, now);
    if (settings.boxes) for (const track of [...tracks].sort((a, b) => a.box[3] - b.box[3])) drawBox(context, rect, track, line);
    if (settings.labels) this.#drawLabels(context, rect, tracks, size, now);
    context.restore();
    for (const [id, track] of this.#tracks) if (now - track.seenAt > FORGOTTEN_MS || now < track.seenAt) this.#tracks.delete(id);
  }

  #remember({ id, score, box: [x1, , x2, y2] }, now) {
    const known = this.#tracks.get(id) ?? { side: SIDES[0], blockedAt: null, freeAt: null, mean: score, percent: Math.round(100 * score), path: [], seenAt: now };
    known.mean += (1 - Math.exp((known.seenAt - now) / 700)) * (score - known.mean);
    if (Math.abs(100 * known.mean - known.percent) >= 3) known.percent = Math.round(100 * known.mean);
    known.seenAt = now;
    known.path.push([(x1 + x2) / 2, y2, now]);
    while (known.path[0][2] < now - TRAIL_MS) known.path.shift();
    this.#tracks.set(id, known);
  }

  #drawTrail(context, { width, height }, track, line, now) {
    const { path } = this.#tracks.get(track.id);
    context.strokeStyle = colourOf(track);
    context.lineWidth = line + 1;
    for (let at = 1; at < path.length; at++) {
      context.globalAlpha = Math.max(0, 1 - (now - path[at][2]) / TRAIL_MS);
      context.beginPath();
      context.moveTo(path[at - 1][0] * width, path[at - 1][1] * height);
      context.lineTo(path[at][0] * width, path[at][1] * height);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** Labels of older tracks come first; one that finds no free place is left out. */
  #drawLabels(context, rect, tracks, size, now) {
    const placed = [];
    for (const track of [...tracks].sort((a, b) => a.id - b.id)) {
      const known = this.#tracks.get(track.id);
      const text = rect.width < 480 ? track.label : `${track.label} #${track.id}  ${known.percent}%`;
      const area = this.#place(known, track, rect, this.#width(context, text) + 0.7 * size, Math.round(1.45 * size), placed, now);
      if (area) placed.push({ ...area, text, colour: colourOf(track) });
    }
    for (const { x, y, width, height, text, colour } of placed.reverse()) {
      context.fillStyle = colour;
      context.fillRect(x, y, width, height);
      context.fillStyle = textColourOn(colour);
      context.fillText(text, x + 0.35 * size, y + height / 2 + 0.5);
    }
  }

  #width(context, text) {
    const key = context.font + text;
    if (!this.#widths.has(key)) {
      if (this.#widths.size > 500) this.#widths.clear();
      this.#widths.set(key, context.measureText(text).width);
    }
    return this.#widths.get(key);
  }

  /** Where the label is drawn; null if there is no room. It keeps its side of the box as long as it can. */
  #place(known, { box: [x1, y1, x2, y2] }, rect, width, height, placed, now) {
    const left = Math.max(0, Math.min(x1 * rect.width, rect.width - width));
    const tops = { above: y1 * rect.height - height, inside: Math.max(0, y1 * rect.height), below: y2 * rect.height };
    const areas = SIDES.filter((side) => x2 > 0 && x1 < 1 && tops[side] >= 0 && tops[side] + height <= rect.height)
      .map((side) => ({ side, x: left, y: tops[side], width, height }));
    const free = areas.find((area) => !placed.some((other) => overlap(area, other)));
    const current = areas.find(({ side }) => side === known.side);
    if (current && current === free) known.blockedAt = null;
    else if (current && !placed.some((other) => overlap(current, other))) return current;
    else known.blockedAt ??= now;
    if (current && (known.blockedAt === null || now - known.blockedAt < PASSING_MS)) return current;
    if (known.side === null) {
      known.freeAt = free ? known.freeAt ?? now : null;
      if (!free || now - known.freeAt < RETURNS_AFTER_MS) return null;
    }
    known.side = free?.side ?? null;
    known.blockedAt = known.freeAt = null;
    return free ?? null;
  }
}

function overlap(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function drawBox(context, { width, height }, track, line) {
  const [x1, y1, x2, y2] = track.box;
  const inset = line / 2;
  const box = [x1 * width + inset, y1 * height + inset, Math.max(1, (x2 - x1) * width - line), Math.max(1, (y2 - y1) * height - line)];
  context.strokeStyle = "rgb(20 20 20 / 75%)";
  context.lineWidth = line + 2;
  context.strokeRect(...box);
  context.strokeStyle = colourOf(track);
  context.lineWidth = line;
  context.strokeRect(...box);
}

function drawRules(context, { width, height }, { lines = [], zones = [] }, line, size) {
  const scaled = (points) => points.map(([x, y]) => [x * width, y * height]);
  for (const { name, points, text } of zones) {
    const corners = scaled(points);
    context.fillStyle = "rgb(0 200 255 / 10%)";
    stroke(context, [...corners, corners[0]], ZONE_COLOUR, line, true);
    drawName(context, text ?? name, corners[0], size, width, height);
  }
  for (const { name, points, text } of lines) {
    const path = scaled(points);
    stroke(context, path, LINE_COLOUR, line);
    for (const part of arrow(path, 1.5 * size)) stroke(context, part, LINE_COLOUR, line);
    drawName(context, text ?? name, path[0], size, width, height);
  }
}

/** The shaft and the head of an arrow from the middle of a line to its right-hand side, the direction `in`. */
export function arrow(path, length) {
  const middle = Math.floor(path.length / 2), [ax, ay] = path[middle - 1], [bx, by] = path[middle];
  const distance = Math.hypot(bx - ax, by - ay) || 1, dx = (bx - ax) / distance, dy = (by - ay) / distance;
  const foot = [(ax + bx) / 2, (ay + by) / 2], tip = [foot[0] - length * dy, foot[1] + length * dx], barb = length / 3;
  return [[foot, tip], [[tip[0] + barb * (dy - dx), tip[1] - barb * (dx + dy)], tip, [tip[0] + barb * (dy + dx), tip[1] - barb * (dx - dy)]]];
}

function stroke(context, points, colour, line, filled = false) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  if (filled) context.fill();
  context.strokeStyle = "rgb(0 0 0 / 75%)";
  context.lineWidth = line + 3;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = line + 1;
  context.stroke();
}

function drawName(context, text, [x, y], size, width, height) {
  const high = 1.6 * size, wide = context.measureText(text).width + 0.8 * size;
  const left = Math.max(0, Math.min(x, width - wide)), top = Math.max(0, Math.min(y, height - high));
  context.fillStyle = "rgb(0 0 0 / 65%)";
  context.fillRect(left, top, wide, high);
  context.fillStyle = "#ffffff";
  context.fillText(text, left + 0.4 * size, top + high / 2 + 0.5);
}

/** Black or white, whichever has the higher contrast (WCAG 2.2, 1.4.3). */
function textColourOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? "#000000" : "#ffffff";
}
