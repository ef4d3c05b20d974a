// The geometry of lines and zones: pure functions.
// A point is [x, y], shares 0..1 of the width and height of the picture, from its upper left corner.
// The checks are those of streamer/config/analytics/shapes.py.

import { arrow } from "../overlay.js";

const DECIMALS = 1e4;
const FEWEST = { zone: 3, line: 2 };

/** The point inside the picture, rounded to 0.01%; on the border if it is nearer to it than `reach` (shares). */
export function placed([x, y], reach = [0, 0]) {
  return [along(x, reach[0]), along(y, reach[1])];
}

function along(at, reach) {
  if (at <= reach) return 0;
  return at >= 1 - reach ? 1 : Math.round(at * DECIMALS) / DECIMALS;
}

/** All points moved by the same step, as far as the picture allows. */
export function moved(points, step) {
  const [dx, dy] = step.map((by, axis) => {
    const all = points.map((point) => point[axis]);
    return Math.min(Math.max(by, -Math.min(...all)), 1 - Math.max(...all));
  });
  return points.map(([x, y]) => placed([x + dx, y + dy]));
}

/** Pairs of points that an edge joins: edge i begins at point i. */
export function edges(kind, points) {
  const ends = kind === "zone" ? [...points.slice(1), points[0]] : points.slice(1);
  return ends.map((end, at) => [points[at], end]);
}

export function middle([a, b]) {
  return placed([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
}

/** Pixels between two points. */
export function distance(a, b, size) {
  return Math.hypot((a[0] - b[0]) * size[0], (a[1] - b[1]) * size[1]);
}

/** Shares of the width and height as pixels. */
export const inPixels = (points, [width, height]) => points.map(([x, y]) => [x * width, y * height]);

/** The direction of `in` in words: "downwards", "upwards", "to the right", "to the left". */
export function inwards(points, size) {
  const [[foot, tip]] = arrow(inPixels(points, size), 1);
  const [dx, dy] = [tip[0] - foot[0], tip[1] - foot[1]];
  if (Math.abs(dy) >= Math.abs(dx)) return dy > 0 ? "downwards" : "upwards";
  return dx > 0 ? "to the right" : "to the left";
}

/** What is wrong with the points of a zone or line, one sentence; empty if nothing is. */
export function problemOf(kind, points) {
  const few = FEWEST[kind];
  if (points.length < few) return `A ${kind} needs at least ${few === 3 ? "three" : "two"} points.`;
  const all = edges(kind, points);
  if (all.some(([a, b]) => a[0] === b[0] && a[1] === b[1])) return `Two points of the ${kind} are at the same place.`;
  return kind === "zone" && crosses(all) ? "The edges of the zone cross. Move a point so that they do not." : "";
}

function crosses(all) {
  return all.some((one, i) =>
    all.some((other, j) => {
      if (j <= i) return false;
      if (j - i === 1) return foldsBack(one, other);
      return j - i === all.length - 1 ? foldsBack(other, one) : meet(...one, ...other);
    }),
  );
}

function turn(a, b, c) {
  const area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  return Math.abs(area) < 1e-12 ? 0 : Math.sign(area);
}

function meet(a, b, c, d) {
  const turns = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
  if (turns[0] * turns[1] < 0 && turns[2] * turns[3] < 0) return true;
  const ends = [[a, b, c], [a, b, d], [c, d, a], [c, d, b]];
  return turns.some((one, at) => one === 0 && isBetween(...ends[at]));
}

function isBetween(a, b, p) {
  return [0, 1].every((axis) => Math.min(a[axis], b[axis]) <= p[axis] && p[axis] <= Math.max(a[axis], b[axis]));
}

function foldsBack([a, b], [, c]) {
  const ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]);
  return turn(a, b, c) === 0 && ahead < 0;
}
