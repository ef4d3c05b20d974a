// The editor of the lines and zones of a camera: loads them, saves them, and asks before changes are lost.

import { address, getWithRevision, request, socket } from "../api.js";
import { button, confirmed, errorNotice, h, setText } from "../dom.js";
import { isAdmin, onStatus } from "../state.js";
import { Canvas } from "./rules-canvas.js";
import { problemOf } from "./rules-geometry.js";
import { ShapeForm, ShapeList } from "./rules-panel.js";
import { History, freeName, problemOfShape, rulesOf, shapesOf } from "./rules-state.js";

const ZOOMS = [1, 1.5, 2, 3, 4];
const HOW = matchMedia("(pointer: coarse)").matches
  ? "Drag points or whole shapes. Tap a + to add a point, tap a point to delete it with the button below."
  : "Drag points or whole shapes; drag a + to add a point. With the keyboard: Tab to a point, arrows move it by 1% (with Shift by 0.1%), Enter adds a point, Delete removes it.";
const DRAWING = {
  zone: "Click the corners. Click the first one, press Enter or choose Done to finish; Escape cancels.",
  line: "Click the points of the line. Press Enter or choose Done to finish; Escape cancels.",
};

export const styles = ["rules"];

/** `#/rules/NAME` */
export function view(root, { name, signal }) {
  const editor = new Editor(root, name, signal);
  getWithRevision(`${editor.path}/rules`, { signal }).then(
    (answer) => signal.aborted || editor.open(answer),
    (error) => error.name === "AbortError" || root.append(errorNotice(error)),
  );
  return () => editor.close();
}

class Editor {
  selected = -1;
  point = -1; // of the selected shape: the one that "Delete point" deletes
  drawing = null;
  others = []; // shapes of somebody else, or my own after theirs were loaded; drawn dashed
  live = {};
  #zoom = 0;

  constructor(root, name, signal) {
    this.root = root;
    this.signal = signal;
    this.path = `/cameras/${encodeURIComponent(name)}`;
    this.name = name;
    this.history = new History([]);
    this.canChange = isAdmin();
  }

  get shapes() {
    return this.history.shapes;
  }

  /** Whether something would be lost with the page; the points of a shape that is being drawn count. */
  get isUnsaved() {
    return this.history.isChanged || Boolean(this.drawing?.points.length);
  }

  open({ value, revision }) {
    this.known = textOf(value);
    this.revision = revision;
    this.history = new History(shapesOf(value));
    this.build();
    this.canvas = new Canvas(this.svg, this);
    this.fit(1280, 720); // until there is a picture
    this.observer = new ResizeObserver(() => this.canvas.render());
    this.observer.observe(this.svg);
    this.leaveStatus = onStatus(({ cameras }) => {
      const camera = cameras.find(({ name }) => name === this.name);
      this.fault.hidden = !camera?.reason;
      setText(this.fault, `The camera does not run: ${camera?.reason}`);
      if (camera && camera.last_frame_age_s !== null && !this.hasPicture) this.showStill();
    });
    this.channel = socket(`${this.path}/overlay`, { message: (data) => this.showCounts(data.counts) });
    const { signal } = this;
    this.root.addEventListener("leaving", (event) => this.askBeforeLeaving(event), { signal });
    window.addEventListener("beforeunload", (event) => this.isUnsaved && event.preventDefault(), { signal });
    window.addEventListener("keydown", (event) => this.undoByKey(event), { signal });
    this.select(-1);
  }

  close() {
    this.channel?.close();
    this.observer?.disconnect();
    this.leaveStatus?.();
    if (this.image) this.showPicture(""); // ends live video
  }

  build() {
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.image = h("img", { alt: "", onload: () => this.fit(this.image.naturalWidth, this.image.naturalHeight) });
    this.sheet = h("div.sheet", { style: { "--aspect": 16 / 9, "--zoom": 1 } }, this.image, this.svg);
    this.message = h("p.message", { role: "status" });
    this.unsaved = h("span.muted", null, "Unsaved changes");
    this.conflict = h("div");
    this.fault = h("p.notice.bad", { hidden: true });
    this.list = new ShapeList(this);
    this.formPlace = h("div");
    this.buttons = {
      undo: button("Undo", () => this.move(-1), "", { title: "Ctrl+Z" }),
      redo: button("Redo", () => this.move(1), "", { title: "Ctrl+Y" }),
      out: button("−", () => this.zoom(-1), "", { "aria-label": "Zoom out" }),
      in: button("+", () => this.zoom(1), "", { "aria-label": "Zoom in" }),
      live: button("Live", () => this.showLive(), "", { "aria-pressed": "false" }),
      save: button("Save", () => this.save(), "primary"),
      done: button("Done", () => this.finish(), "primary"),
    };
    const { undo, redo, out, in: zoomIn, live, save, done } = this.buttons;
    this.tools = h("div.toolbar", { role: "toolbar", "aria-label": "Draw" }, button("Add zone", () => this.draw("zone")), button("Add line", () => this.draw("line")),
      h("span.group", null, undo, redo));
    this.drawingTools = h("div.toolbar", { role: "toolbar", "aria-label": "New shape" }, done, button("Cancel", () => this.cancel()));
    this.root.replaceChildren(
      h("div.toolbar", null, h("h1", null, `Lines and zones of ${this.name}`), h("a.button", { href: `#/live/${encodeURIComponent(this.name)}` }, "Watch live"),
        this.canChange && h("div.save", null, this.unsaved, save)),
      h("div.editor", null,
        h("div.work", null,
          h("div.bar", null, this.canChange && this.tools, this.canChange && this.drawingTools, h("div.toolbar", { role: "toolbar", "aria-label": "Picture" },
            h("span.group", null, out, zoomIn), button("New picture", () => this.showStill()), live)),
          h("div.stage", null, this.sheet),
          this.message),
        h("aside.panel", { "aria-label": "Lines and zones" }, this.fault, this.conflict, this.list.element, this.formPlace,
          !this.canChange && h("p.muted", null, "Only an admin can change lines and zones."))));
    for (const [attribute, value] of Object.entries({ role: "application", tabindex: 0, "aria-label": `Picture of ${this.name} with lines and zones` })) this.svg.setAttribute(attribute, value);
    this.say(this.canChange ? HOW : "");
  }

  /** Show the state everywhere. The controls of the panel stay, so that a click or a key on one of them is not lost. */
  update() {
    const shape = this.canChange && !this.drawing ? this.shapes[this.selected] : undefined;
    if (this.form?.kind !== shape?.kind || this.formOf !== this.selected) {
      this.form = shape && new ShapeForm(this, shape.kind);
      this.formOf = this.selected;
      this.formPlace.replaceChildren(...(this.form ? [this.form.element] : []));
    }
    this.form?.show(shape, problemOfShape(shape, this.shapes), this.canvas.size);
    this.list.show(this);
    this.tools.hidden = Boolean(this.drawing);
    this.drawingTools.hidden = !this.drawing;
    this.unsaved.hidden = !this.isUnsaved;
    this.buttons.undo.disabled = !this.history.canUndo;
    this.buttons.redo.disabled = !this.history.canRedo;
    this.buttons.out.disabled = this.#zoom === 0;
    this.buttons.in.disabled = this.#zoom === ZOOMS.length - 1;
    this.canvas.render();
  }

  say(text, kind = "") {
    this.message.className = `message ${kind}`;
    setText(this.message, text);
  }

  // what the canvas and the panel call

  select(index) {
    if (this.canChange) this.selected = index;
    this.point = -1;
    this.update();
  }

  /** Replace the selected shape; null deletes it. */
  change(shape) {
    const { shapes, selected } = this;
    this.history.commit(shape ? shapes.with(selected, shape) : shapes.toSpliced(selected, 1));
    if (!shape) {
      this.selected = this.point = -1;
      this.say(`Deleted ${shapes[selected].name}. Undo brings it back.`);
      this.svg.focus();
    } else this.say(problemOfShape(shape, this.shapes) || HOW, problemOfShape(shape, this.shapes) && "warning");
    this.update();
  }

  focusPoint(index) {
    this.canvas.focusPoint(index);
  }

  choosePoint(index) {
    this.point = index;
    this.update();
  }

  removePoint() {
    this.canvas.remove(this.point);
  }

  leave() {
    this.list.focus(this.selected);
  }

  draw(kind) {
    this.drawing = { kind, points: [], cursor: [0.5, 0.5] };
    this.selected = -1;
    this.say(DRAWING[kind]);
    this.update();
    this.svg.focus();
  }

  finish() {
    const { kind, points } = this.drawing;
    const problem = problemOf(kind, points);
    if (problem) return this.say(problem, "warning");
    this.drawing = null;
    this.selected = this.shapes.length;
    this.history.commit([...this.shapes, { kind, name: freeName(kind, this.shapes), points }]);
    this.update();
    this.say(`Added a ${kind}. Give it a name, then save.`);
    this.form.focusName();
  }

  cancel() {
    this.drawing = null;
    this.say(HOW);
    this.update();
  }

  move(steps) {
    this.history.move(steps);
    if (this.selected >= this.shapes.length) this.selected = -1;
    this.update();
  }

  // the picture

  zoom(steps) {
    this.#zoom += steps;
    this.sheet.style.setProperty("--zoom", ZOOMS[this.#zoom]);
    this.update();
  }

  fit(width, height) {
    this.sheet.style.setProperty("--aspect", width / height);
    this.canvas.resize(width, height);
  }

  /** Show the newest frame. If there is none, the next state of the camera with a frame tries again. */
  async showStill() {
    this.setLive(false);
    this.hasPicture = true;
    try {
      const picture = await (await request("GET", `${this.path}/snapshot.jpg`, { signal: this.signal })).blob();
      if (!this.isLive) this.showPicture(URL.createObjectURL(picture));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.hasPicture = false;
      this.say(`There is no picture now: ${error.message} Lines and zones can be drawn all the same.`, "warning");
    }
  }

  showLive() {
    if (this.isLive) return this.showStill();
    this.setLive(true);
    this.showPicture(address(`${this.path}/stream.mjpg`));
  }

  setLive(is) {
    this.isLive = is;
    this.buttons.live.setAttribute("aria-pressed", String(is));
  }

  showPicture(url) {
    URL.revokeObjectURL(this.image.src);
    this.image.src = url;
  }

  showCounts(counts) {
    if (!counts) return;
    const live = countTexts(counts);
    if (JSON.stringify(live) === JSON.stringify(this.live)) return;
    this.live = live;
    this.update();
  }

  // saving

  async save() {
    if (this.drawing?.points.length) this.finish();
    else if (this.drawing) this.cancel();
    if (this.drawing) return; // it has too few points, and the message says so
    const wrong = this.shapes.findIndex((shape) => problemOfShape(shape, this.shapes));
    if (wrong >= 0) {
      this.select(wrong);
      return this.say(`${this.shapes[wrong].name}: ${problemOfShape(this.shapes[wrong], this.shapes)}`, "warning");
    }
    const sent = this.shapes;
    this.buttons.save.disabled = true;
    this.say("Saving…");
    try {
      const answer = await request("PUT", `${this.path}/rules`, { body: rulesOf(sent), headers: { "If-Match": this.revision } });
      this.saved(sent, await answer.json(), answer.headers.get("ETag"));
    } catch (error) {
      if (error.status === 412) await this.compare().catch((other) => this.say(other.message, "warning"));
      else this.say([error.message, ...error.problems].join(" "), "warning");
      this.update();
    }
    this.buttons.save.disabled = false;
  }

  saved(sent, value, revision) {
    this.known = textOf(value);
    this.revision = revision;
    this.history.markSaved(sent);
    this.others = [];
    this.conflict.replaceChildren();
    this.say("Saved. The camera starts again with them; their counts appear in a moment.", "good");
    this.update();
  }

  /** The file has changed since it was read: save all the same if the rules have not, else ask. */
  async compare() {
    const { value, revision } = await getWithRevision(`${this.path}/rules`);
    this.revision = revision;
    if (textOf(value) === this.known) return this.save();
    this.known = textOf(value);
    const [mine, theirs] = [this.shapes, shapesOf(value)];
    this.others = theirs;
    this.say("");
    this.conflict.replaceChildren(h("div.notice.bad", { role: "alert" },
      h("p", null, "Somebody else has saved other lines and zones of this camera. Theirs are dashed on the picture."),
      h("div.actions", null,
        button("Load theirs", () => this.load(theirs, mine)), button("Replace theirs with mine", () => this.save()))));
  }

  load(theirs, mine) {
    this.selected = -1;
    this.history.commit(theirs);
    this.history.markSaved();
    this.others = mine;
    this.conflict.replaceChildren(h("div.notice", null,
      h("p", null, "Theirs are loaded. Yours are dashed on the picture; Undo brings them back."),
      button("Hide mine", () => { this.others = []; this.conflict.replaceChildren(); this.update(); })));
    this.update();
  }

  // leaving

  askBeforeLeaving(event) {
    if (!this.isUnsaved) return;
    event.preventDefault();
    confirmed("Leave without saving?", `The changes of the lines and zones of ${this.name} are not saved.`, "Leave").then((leaves) => {
      if (!leaves) return;
      this.history.markSaved();
      this.drawing = null;
      location.href = event.detail;
    });
  }

  undoByKey(event) {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, select") || !["z", "y"].includes(key)) return;
    event.preventDefault();
    if (this.drawing) return this.canvas.takeBack();
    this.move(key === "y" || event.shiftKey ? 1 : -1);
  }
}

/** The rules of an answer, to see whether they have changed. */
function textOf({ zones, lines }) {
  return JSON.stringify({ zones, lines });
}

/** The counts of the overlay as texts by name: "2 inside", "in 5, out 3". */
function countTexts({ lines = {}, zones = {} }) {
  return Object.fromEntries([
    ...Object.entries(zones).map(([name, inside]) => [name, `${inside} inside`]),
    ...Object.entries(lines).map(([name, [entered, left]]) => [name, `in ${entered}, out ${left}`]),
  ]);
}
