// What the editor edits: lines and zones, with undo and redo. A shape is {kind, name, points, ...}: its kind, and its
// settings as the API gives them; those that the page does not show are kept. Shapes are never changed, but replaced.

import { problemOf } from "./rules-geometry.js";

const KINDS = { zones: "zone", lines: "line" };

export function shapesOf(rules) {
  return Object.entries(KINDS).flatMap(([section, kind]) => rules[section].map((rule) => ({ kind, ...rule })));
}

export function rulesOf(shapes) {
  const of = (wanted) => shapes.filter(({ kind }) => kind === wanted).map(({ kind, ...rule }) => rule);
  return { zones: of("zone"), lines: of("line") };
}

/** The first of zone, zone-2, ... that no shape has. */
export function freeName(kind, shapes) {
  const names = new Set(shapes.map(({ name }) => name));
  for (let number = 1; ; number++) {
    const name = number === 1 ? kind : `${kind}-${number}`;
    if (!names.has(name)) return name;
  }
}

/** What is wrong with a shape, one sentence; empty if nothing is. */
export function problemOfShape(shape, shapes) {
  const { name, min_inside: least, max_inside: most } = shape;
  if (!/^[^\s=,][^=,\n\r]{0,63}$/.test(name)) return "Give it a name of 1 to 64 characters, without = and ,";
  if (name === "camera") return "The name camera is taken by events about the camera itself. Choose another one.";
  if (shapes.some((other) => other !== shape && other.name === name)) return `Two are called ${name}. Rename one.`;
  if (least != null && most != null && least > most) return "“Fewer than” is above “more than”. Swap the two numbers.";
  return problemOf(shape.kind, shape.points);
}

/** The shapes with undo and redo. */
export class History {
  #states;
  #at = 0;
  #saved;

  constructor(shapes) {
    this.#states = [shapes];
    this.#saved = shapes;
  }

  get shapes() {
    return this.#states[this.#at];
  }

  get isChanged() {
    return this.shapes !== this.#saved;
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#states.length - 1;
  }

  commit(shapes) {
    this.#states = [...this.#states.slice(0, this.#at + 1), shapes];
    this.#at += 1;
  }

  move(steps) {
    this.#at = Math.min(Math.max(this.#at + steps, 0), this.#states.length - 1);
  }

  /** The shapes of now, or others, are those of the file. */
  markSaved(shapes = this.shapes) {
    this.#saved = shapes;
  }
}
