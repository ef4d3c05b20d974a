// Beside the picture: the list of zones and lines, and the settings of the selected one.

import { field, h } from "../dom.js";
import { inwards } from "./rules-geometry.js";
import { problemOfShape } from "./rules-state.js";

const SECONDS = { type: "number", min: 0, max: 3600, step: "any", inputmode: "decimal" };
const WHOLE = { type: "number", min: 0, step: 1, inputmode: "numeric" };

const COMMON = [
  ["name", "Name", { type: "text", maxlength: 64, autocomplete: "off" }],
  ["classes", "Classes", { type: "text", list: "rule-classes", placeholder: "all", autocomplete: "off" }, "Such as Person, Vehicle; all if empty"],
];
const FIELDS = {
  line: COMMON,
  zone: [
    ...COMMON,
    ["dwell_s", "Dwell time, seconds", { ...SECONDS, placeholder: "none" }, "Reports who stays for longer"],
    [
      ["max_inside", "Most inside", { ...WHOLE, placeholder: "no limit" }, "Reports more"],
      ["min_inside", "Fewest inside", { ...WHOLE, min: 1, placeholder: "no limit" }, "Reports fewer"],
    ],
  ],
};
const MORE = {
  line: [["min_score", "Least score, 0 to 1", { ...SECONDS, max: 1, step: 0.05, placeholder: "0" }]],
  zone: [
    [
      ["enter_s", "Entered after, seconds", { ...SECONDS, placeholder: "0.2" }],
      ["leave_s", "Left after, seconds", { ...SECONDS, placeholder: "1" }],
    ],
    ["for_s", "Limits are passed after, seconds", { ...SECONDS, placeholder: "1" }],
    ["min_score", "Least score, 0 to 1", { ...SECONDS, max: 1, step: 0.05, placeholder: "0" }],
  ],
};
const ANCHORS = { bottom: "feet (lower edge)", centre: "centre", top: "top" };

/** The zones and lines as a list of buttons. */
export function listOf(editor) {
  const { shapes, selected, live } = editor;
  if (!shapes.length) return h("p.muted", null, "No zones or lines yet. A zone reports who enters, stays and leaves; a line counts who crosses it.");
  const rows = shapes.map((shape, index) =>
    h("li", null, h(`button.shape-row.${shape.kind}`, { type: "button", "data-row": index, "aria-pressed": String(index === selected), onclick: () => editor.select(index) },
      h("span.swatch", { "aria-hidden": "true" }),
      h("span.what", null, shape.name, h("span.muted", null, shape.kind)),
      h("span.count", null, problemOfShape(shape, shapes) ? "needs a change" : (live[shape.name] ?? "")))));
  return h("ul.shape-list", { "aria-label": "Zones and lines" }, rows);
}

/** The form of the selected shape; nothing if there is none. */
export function formOf(editor, size) {
  const shape = editor.shapes[editor.selected];
  if (!shape) return "";
  const { kind, points } = shape;
  const control = ([name, label, attributes, hint]) => {
    if (Array.isArray(name)) return h("div.pair", null, [name, label].map(control));
    const onchange = ({ target }) => editor.change(changed(shape, name, target));
    return field(label, h("input", { ...attributes, name, value: shown(shape[name]), onchange }), hint);
  };
  const wrong = problemOfShape(shape, editor.shapes);
  return h("form.shape-form", { "aria-label": `Settings of ${shape.name}`, onsubmit: (event) => event.preventDefault() },
    wrong && h("p.notice.bad", null, wrong),
    FIELDS[kind].map(control),
    kind === "line" && h("p.direction", null, `Who crosses ${inwards(points, size)} counts as in.`,
      h("button", { type: "button", onclick: () => editor.change({ ...shape, points: points.toReversed() }) }, "Flip direction")),
    h("details", { open: editor.showsMore, ontoggle: ({ target }) => { editor.showsMore = target.open; } }, h("summary", null, "More settings"),
      field("What counts is an object's", h("select", { name: "anchor", onchange: ({ target }) => editor.change({ ...shape, anchor: target.value }) },
        Object.entries(ANCHORS).map(([value, text]) => h("option", { value, selected: value === (shape.anchor ?? "bottom") }, text)))),
      MORE[kind].map(control),
      shape.schedule && h("p.muted", null, "It has a schedule, which is kept. Change it in the settings file.")),
    h("div.actions", null,
      h("button", { type: "button", onclick: () => editor.focusPoint(0) }, "Move points by keyboard"),
      h("button.quiet.delete", { type: "button", onclick: () => editor.change(null) }, `Delete ${kind}`)));
}

const shown = (value) => (Array.isArray(value) ? value.join(", ") : (value ?? ""));

function changed(shape, name, input) {
  const text = input.value.trim();
  if (name === "name") return { ...shape, name: text };
  if (name === "classes") return { ...shape, classes: text.split(",").map((one) => one.trim()).filter(Boolean) };
  const { [name]: _, ...rest } = shape; // an empty number is the default
  return input.validity.valid && text ? { ...rest, [name]: Number(text) } : rest;
}
