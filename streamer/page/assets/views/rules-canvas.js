// The picture with its lines and zones as SVG: draws them, and turns pointers and keys into changes.
// The unit of the drawing is a pixel of the picture; `this.unit` of them are one CSS pixel, whatever the zoom.

import { arrow } from "../overlay.js";
import { distance, edges, inPixels, middle, moved, placed, problemOf } from "./rules-geometry.js";

const SVG = "http://www.w3.org/2000/svg";
const SNAP_PX = 8; // to the border, and to the first and last point while drawing
const DRAG_PX = 4; // a pointer that moves less clicks
const ARROW_PX = 26;
const STEP = 0.01;
const FINE_STEP = 0.001;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A point in words, for screen readers. */
export const inWords = ([x, y]) => `${(x * 100).toFixed(1)}% from the left, ${(y * 100).toFixed(1)}% from the top`;

export class Canvas {
  /**
   * @param {SVGSVGElement} svg
   * @param {object} editor shapes, selected (index or -1), drawing ({kind, points, cursor} or null), others (shapes of
   *   somebody else), live (name to text), and the functions select, change, finish, cancel, leave and say
   */
  constructor(svg, editor) {
    this.svg = svg;
    this.editor = editor;
    this.size = [16, 9];
    this.preview = null; // points of the selected shape while it is dragged
    this.drag = null;
    const on = (type, does) => svg.addEventListener(type, does.bind(this));
    on("pointerdown", this.press);
    on("pointermove", this.drawTo);
    on("pointerup", this.release);
    on("pointercancel", this.abort);
    on("keydown", this.key);
    on("focusin", ({ target }) => target.dataset.part === "point" && editor.choosePoint(Number(target.dataset.index)));
  }

  resize(width, height) {
    this.size = [width, height];
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.render();
  }

  get unit() {
    return this.size[0] / (this.svg.clientWidth || this.size[0]);
  }

  get reach() {
    return this.size.map((side) => (SNAP_PX * this.unit) / side);
  }

  get shape() {
    return this.editor.shapes[this.editor.selected];
  }

  focusPoint(index) {
    this.svg.querySelector(`[data-key="point-${index}"]`)?.focus();
  }

  // pointers

  at(event) {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  press(event) {
    if (event.button || this.drag) return;
    const start = this.at(event);
    const part = event.target.closest("[data-part]")?.dataset ?? {};
    this.drag = { start, id: event.pointerId, isClick: true, part: part.part, index: Number(part.index) };
    if (this.editor.drawing) return;
    if (part.part === "shape" && this.drag.index !== this.editor.selected) this.editor.select(this.drag.index);
    if (part.part) this.svg.setPointerCapture(event.pointerId);
    if (part.part === "point") this.editor.choosePoint(this.drag.index);
    this.points = this.shape?.points;
  }

  drawTo(event) {
    if (this.editor.drawing) return this.hover(this.at(event));
    const { drag } = this;
    if (drag?.id !== event.pointerId || !drag.part) return;
    const to = this.at(event);
    if (drag.isClick && distance(drag.start, to, this.size) < DRAG_PX * this.unit) return;
    drag.isClick = false;
    this.preview = this.dragged(to);
    this.render();
  }

  dragged(to) {
    const { part, index, start } = this.drag;
    if (part === "shape") return moved(this.points, [to[0] - start[0], to[1] - start[1]]);
    const point = placed(to, this.reach);
    return part === "point" ? this.points.with(index, point) : this.points.toSpliced(index + 1, 0, point);
  }

  release(event) {
    const { drag } = this;
    if (drag?.id !== event.pointerId) return;
    this.drag = null;
    if (this.editor.drawing) return this.add(placed(this.at(event), this.reach));
    if (this.preview) this.apply(this.preview);
    else if (drag.part === "middle") this.insert(drag.index);
    else if (!drag.part) this.editor.select(-1);
  }

  abort() {
    this.drag = this.preview = null;
    this.render();
  }

  apply(points) {
    this.preview = null;
    this.editor.change({ ...this.shape, points });
  }

  insert(edge) {
    const { kind, points } = this.shape;
    this.apply(points.toSpliced(edge + 1, 0, middle(edges(kind, points)[edge])));
    this.focusPoint(edge + 1);
  }

  // drawing of a new shape: a second point at the place of the first or last one finishes it

  hover(to) {
    this.editor.drawing.cursor = placed(to, this.reach);
    this.render();
  }

  add(point) {
    const { kind, points } = this.editor.drawing;
    const isAgain = [points.at(-1), points.length > 2 ? points[0] : null].some(
      (other) => other && distance(other, point, this.size) <= SNAP_PX * this.unit,
    );
    if (isAgain) return this.editor.finish();
    this.editor.drawing = { ...this.editor.drawing, points: [...points, point], cursor: point };
    const next = problemOf(kind, this.editor.drawing.points) ? "" : " Done finishes, or set another point.";
    this.editor.say(`Point ${points.length + 1}: ${inWords(point)}.${next}`);
    this.editor.update();
  }

  /** Take the last point of a new shape back. */
  takeBack() {
    this.editor.drawing = { ...this.editor.drawing, points: this.editor.drawing.points.slice(0, -1) };
    this.editor.update();
  }

  // keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = KEYS[event.key]?.map((way) => way * (event.shiftKey ? FINE_STEP : STEP));
    const done = this.editor.drawing ? this.keyWhileDrawing(event.key, step) : this.keyOnShape(event, step);
    if (done) event.preventDefault();
  }

  keyWhileDrawing(key, step) {
    const { cursor } = this.editor.drawing;
    if (step) {
      this.hover([cursor[0] + step[0], cursor[1] + step[1]]);
      this.editor.say(inWords(this.editor.drawing.cursor));
    } else if (key === "Enter" || key === " ") this.add(cursor);
    else if (key === "Backspace" || key === "Delete") this.takeBack();
    else if (key === "Escape") this.editor.cancel();
    else return false;
    return true;
  }

  keyOnShape({ key, target }, step) {
    if (key === "Escape") {
      if (this.drag) this.abort();
      else this.editor.leave();
      return true;
    }
    const { part, index: text } = target.dataset;
    if (!this.shape || !part) return false;
    const { kind, points } = this.shape;
    const index = Number(text);
    const isPoint = part === "point";
    if (step) {
      const [x, y] = isPoint ? points[index] : [];
      const to = isPoint ? points.with(index, placed([x + step[0], y + step[1]])) : moved(points, step);
      this.apply(to);
      this.editor.say(inWords(to[isPoint ? index : 0]));
    } else if (key === "Enter" && isPoint) this.insert(Math.min(index, edges(kind, points).length - 1));
    else if (key === "Enter") this.focusPoint(0);
    else if (key === "Delete" || key === "Backspace") this.remove(isPoint ? index : -1);
    else return false;
    return true;
  }

  remove(index) {
    if (index < 0) return this.editor.change(null);
    const { kind, points } = this.shape;
    const rest = points.toSpliced(index, 1);
    const few = kind === "zone" ? 3 : 2;
    if (rest.length < few) return this.editor.say(`${problemOf(kind, rest)} Delete the whole ${kind} instead.`, "warning");
    this.apply(rest);
    this.focusPoint(Math.min(index, rest.length - 1));
  }

  // drawing

  render() {
    const { shapes, selected, drawing, others } = this.editor;
    const drawn = shapes.map((shape, index) => this.drawnShape(shape, index)).filter((_, index) => index !== selected);
    const top = this.shape && !drawing ? [this.drawnShape(this.shape, selected), ...this.handles()] : [];
    const ghosts = others.map((shape, index) => this.path(`other-${index}`, shape, "other"));
    this.svg.classList.toggle("drawing", Boolean(drawing));
    patch(this.svg, [...ghosts, ...drawn, ...top, ...(drawing ? this.sketch(drawing) : [])]);
  }

  drawnShape(shape, index) {
    const isSelected = index === this.editor.selected;
    const points = (isSelected && this.preview) || shape.points;
    const state = `${shape.kind}${isSelected ? " selected" : ""}${problemOf(shape.kind, points) ? " wrong" : ""}`;
    const name = `${shape.kind === "zone" ? "Zone" : "Line"} ${shape.name}, ${points.length} points`;
    const focus = isSelected ? { tabindex: 0, role: "button", "aria-label": `${name}; arrow keys move it` } : { "aria-hidden": true };
    return {
      key: `shape-${index}`,
      tag: "g",
      attributes: { class: `shape ${state}`, "data-part": "shape", "data-index": index, ...focus },
      children: [
        ...["reach", "casing", "edge"].map((part) => this.path(part, { ...shape, points }, part)),
        ...(shape.kind === "line" && points.length > 1 ? this.arrows(points) : []),
        this.text("name", points[0], [shape.name, this.editor.live[shape.name]].filter(Boolean).join(": ")),
      ],
    };
  }

  pixels(points) {
    return inPixels(points, this.size).join(" ");
  }

  path(key, { kind, points }, name) {
    return { key, tag: kind === "zone" ? "polygon" : "polyline", attributes: { class: `${name} ${kind}`, points: this.pixels(points) } };
  }

  arrows(points) {
    const d = arrow(inPixels(points, this.size), ARROW_PX * this.unit).map((part) => `M${part.join("L")}`).join("");
    return ["casing", "edge"].map((part) => ({ key: `arrow-${part}`, tag: "path", attributes: { class: part, d } }));
  }

  text(key, [x, y], text) {
    const [left, top] = [x * this.size[0] + 12 * this.unit, y * this.size[1] - 12 * this.unit];
    const width = text.length * 8 * this.unit;
    const at = { x: Math.max(Math.min(left, this.size[0] - width), 0), y: Math.max(top, 18 * this.unit) };
    return { key, tag: "text", attributes: { class: "name", ...at, "font-size": 14 * this.unit }, text };
  }

  handles() {
    const { kind, points: kept } = this.shape;
    const points = this.preview ?? kept;
    const between = this.preview ? [] : edges(kind, points);
    return [
      ...between.map((edge, index) => this.handle("middle", index, middle(edge), { "aria-hidden": true })),
      ...points.map((point, index) => this.handle("point", index, point, { tabindex: 0, role: "button",
        "aria-label": `Point ${index + 1} of ${points.length}: ${inWords(point)}` })),
    ];
  }

  handle(part, index, [x, y], attributes) {
    const circle = (key, radius) => ({ key, tag: "circle", attributes: { class: key, r: radius * this.unit } });
    const plus = { key: "plus", tag: "path", attributes: { d: `M${-4 * this.unit},0h${8 * this.unit}M0,${-4 * this.unit}v${8 * this.unit}` } };
    return {
      key: `${part}-${index}`,
      tag: "g",
      attributes: { class: `handle ${part}`, "data-part": part, "data-index": index,
        transform: `translate(${x * this.size[0]},${y * this.size[1]})`, ...attributes },
      children: [circle("reach", part === "point" ? 22 : 16), circle("dot", part === "point" ? 8 : 7), ...(part === "middle" ? [plus] : [])],
    };
  }

  sketch({ kind, points, cursor }) {
    return [
      ...["casing", "edge"].map((part) => this.path(`sketch-${part}`, { kind: "line", points: [...points, cursor] }, `${part} of-${kind}`)),
      ...points.map((point, index) => this.handle("sketched", index, point, { "aria-hidden": true })),
      this.handle("cursor", 0, cursor, { "aria-hidden": true }),
    ];
  }
}

/** Make the children of an element those that are wanted. Elements with a key stay, so that they keep the focus. */
function patch(parent, wanted) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const elements = wanted.map(({ key, tag }) => {
    const found = before.get(key);
    return found?.tagName === tag ? (before.delete(key), found) : document.createElementNS(SVG, tag);
  });
  for (const gone of before.values()) gone.remove();
  wanted.forEach(({ key, attributes, children = [], text }, index) => {
    const element = elements[index];
    const values = { "data-key": key, ...attributes };
    for (const name of element.getAttributeNames()) if (!(name in values)) element.removeAttribute(name);
    for (const [name, value] of Object.entries(values)) if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    if (text === undefined) patch(element, children);
    else if (element.textContent !== text) element.textContent = text;
  });
}
