// Beside the picture: the list of lines and zones, and the settings of the selected one.

import { button, field, h, morph, setText } from "../dom.js";
import { inwards } from "./rules-geometry.js";
import { problemOfShape } from "./rules-state.js";

const SECONDS = { type: "number", min: 0, max: 3600, step: "any", inputmode: "decimal" };
const WHOLE = { type: "number", min: 0, step: 1, inputmode: "numeric" };

const COMMON = [
  ["name", "Name", { type: "text", maxlength: 64, autocomplete: "off" }],
  ["classes", "Classes", { type: "text", placeholder: "all", autocomplete: "off" }, "Such as Person, Vehicle; all if empty"],
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

/** The lines and zones as a list of buttons. */
export class ShapeList {
  constructor(editor) {
    this.editor = editor;
    this.list = h("ul.shape-list", { "aria-label": "Lines and zones" });
    this.none = h("p.muted", null, "No lines or zones yet. A zone reports who enters, stays and leaves; a line counts who crosses it.");
    this.element = h("div", null, this.none, this.list);
  }

  show({ shapes, selected, live }) {
    this.none.hidden = shapes.length > 0;
    morph(this.list, shapes.map((shape, index) => h("li", null, button([
      h("span.swatch", { "aria-hidden": "true" }), h("span.what", null, h("span", null, shape.name), " ", h("span.muted", null, shape.kind)), " ",
      h("span.count", null, problemOfShape(shape, shapes) ? "needs a change" : (live[shape.name] ?? "")),
    ], () => this.editor.select(index), `shape-row.${shape.kind}`, { "aria-pressed": String(index === selected) }))));
  }

  focus(index) {
    this.list.children[index]?.firstChild.focus();
  }
}

/** The settings of the selected shape. */
export class ShapeForm {
  #inputs = {};

  constructor(editor, kind) {
    this.editor = editor;
    this.kind = kind;
    this.wrong = h("p.notice.bad");
    this.direction = h("span");
    this.remove = button("", () => editor.removePoint());
    this.schedule = h("p.muted", null, "It has a schedule, which is kept. Change it in the settings file.");
    this.anchor = h("select", { onchange: ({ target }) => this.change({ anchor: target.value }) }, Object.entries(ANCHORS).map(([value, text]) => h("option", { value }, text)));
    this.element = h("form.shape-form", { "aria-label": `Settings of the ${kind}`, onsubmit: (event) => event.preventDefault() },
      this.wrong,
      FIELDS[kind].map((one) => this.control(one)),
      kind === "line" && h("p.direction", null, this.direction, button("Flip direction", () => this.change({ points: this.shape.points.toReversed() }))),
      h("details", null, h("summary", null, "More settings"), field("What counts is an object's", this.anchor), MORE[kind].map((one) => this.control(one)), this.schedule),
      h("div.actions", null,
        button("Move points by keyboard", () => editor.focusPoint(0)), this.remove,
        button(`Delete ${kind}`, () => editor.change(null), "quiet.delete")));
  }

  control([name, label, attributes, hint]) {
    if (Array.isArray(name)) return h("div.pair", null, [name, label].map((one) => this.control(one)));
    const input = h("input", { ...attributes, onchange: () => this.change({ [name]: entered(name, input) }) });
    this.#inputs[name] = input;
    return field(label, input, hint);
  }

  change(values) {
    const { kind, ...shape } = { ...this.shape, ...values };
    this.editor.change({ kind, ...Object.fromEntries(Object.entries(shape).filter(([, value]) => value !== undefined)) });
  }

  show(shape, problem, size) {
    this.wrong.hidden = !problem;
    setText(this.wrong, problem);
    const { point } = this.editor;
    this.remove.hidden = point < 0 || point >= shape.points.length;
    setText(this.remove, `Delete point ${point + 1}`);
    if (shape === this.shape) return; // else counts that arrive would overwrite what is being typed
    this.shape = shape;
    for (const [name, input] of Object.entries(this.#inputs)) input.value = [shape[name] ?? ""].flat().join(", ");
    this.anchor.value = shape.anchor ?? "bottom";
    this.schedule.hidden = !shape.schedule;
    if (this.kind === "line" && shape.points.length > 1) setText(this.direction, `Who crosses ${inwards(shape.points, size)} counts as in.`);
  }

  focusName() {
    this.#inputs.name.focus({ preventScroll: true });
    this.#inputs.name.select();
  }
}

/** The value of an input; undefined, which is the default, for an empty number. */
function entered(name, input) {
  const text = input.value.trim();
  if (name === "name") return text;
  if (name === "classes") return text.split(",").map((one) => one.trim()).filter(Boolean);
  return input.validity.valid && text ? Number(text) : undefined;
}
