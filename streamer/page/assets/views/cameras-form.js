// The form of a new or a known camera. Its fields and the JSON below "All settings" show the same settings.

import { get, request } from "../api.js";
import { button, check, errorNotice, h, setText, toast } from "../dom.js";

const RECORDINGS = "recordings/{camera}/%Y%m%d-%H%M%S.mp4";
const KINDS = {
  network: { label: "Network camera", address: "Address", example: "rtsp://192.0.2.10/stream1",
    hint: "RTSP, HTTP or HLS. The manual of the camera has its address." },
  webcam: { label: "Webcam", address: "Number or device", example: "0",
    hint: "Of the machine that runs Streamer: 0 is the first one. The webcam of this browser is under My camera." },
  file: { label: "Video file", address: "Path", example: "/videos/traffic.mp4",
    hint: "On the machine that runs Streamer." },
};
const HIDDEN = "***"; // a password that the API does not show, and keeps

/** Show the form in `root`: of a camera, or of a new one if `name` is empty. */
export async function openForm(root, name, signal) {
  const path = name ? `/cameras/${encodeURIComponent(name)}` : "/cameras";
  const value = await get(path, { signal });
  const names = name ? [] : value.cameras.map((camera) => camera.name);
  root.replaceChildren(new Form(name, name ? value.settings : { source: { uri: undefined } }, value.revision, names).element);
}

class Form {
  constructor(name, settings, revision, names) {
    this.old = name;
    this.settings = settings;
    this.revision = revision;
    this.names = names;
    this.isNamed = Boolean(name);
    this.kind = name ? kindOf(settings.source?.uri) : "network";
    this.element = this.build();
    this.show();
  }

  build() {
    const kinds = Object.entries(KINDS).map(([kind, { label }]) => h("label.choice", null,
      h("input", { type: "radio", name: "kind", value: kind, checked: kind === this.kind, onchange: () => this.choose(kind) }), label));
    this.address = this.field("source.uri", "Address", { required: true, spellcheck: false, autocapitalize: "off" });
    this.user = this.field("source.user", "User", { autocomplete: "off" });
    this.password = this.field("source.password", "Password", { type: "password", autocomplete: "new-password" });
    this.name = this.field("name", "Name", { required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]*", disabled: Boolean(this.old) },
      this.old ? "A camera keeps its name." : "Letters, digits, - and _. It is in events and recordings.");
    this.classes = this.field("detector.classes", "Classes", { placeholder: "all" }, "What to look for, such as Person, Vehicle; everything if empty.");
    this.rate = this.field("detector.fps", "Detections per second, at most", { type: "number", min: 0, step: "any", placeholder: "as many as possible" });
    this.record = this.field("outputs", "Record to", { placeholder: "nothing is recorded", list: "recordings" }, "A file name with the time; {camera} is the name.");
    this.json = this.field("", "The camera's section of the settings file, as JSON", {}, "", h("textarea.mono", { rows: 12, spellcheck: false }));
    this.pace = check("Play it at its own pace, as a camera would", false, ({ target }) => this.set("source.live", target.checked || undefined));
    this.login = h("details", { open: Boolean(this.settings.source?.user) }, h("summary", null, "User and password"), h("div.pair", null, this.user.element, this.password.element));
    this.result = h("div.probe", { role: "status" });
    this.problems = h("div");
    this.test = button("Test", () => this.probe());
    this.submit = h("button.primary", { type: "submit" }, this.old ? "Save" : "Add camera");
    return h("form.camera-form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.save(); } },
      h("h1", null, this.old ? `Edit ${this.old}` : "Add a camera"),
      h("fieldset", null, h("legend", null, "What to watch"), h("div.choices", null, kinds)),
      this.address.element, this.login, this.pace,
      h("div.actions", null, this.test), this.result,
      this.name.element, this.classes.element,
      h("details", null, h("summary", null, "Detection rate and recording"), this.rate.element, this.record.element, h("datalist", { id: "recordings" }, h("option", { value: RECORDINGS }))),
      h("details.advanced", null, h("summary", null, "All settings"), this.json.element),
      this.problems,
      h("div.actions", null, this.submit, h("a.button", { href: "#/cameras" }, "Cancel")));
  }

  /** A control with a place for what is wrong with it. */
  field(path, label, attributes, hint = "", control = h("input", { type: "text", ...attributes })) {
    const id = `camera-${path.replace(".", "-") || "json"}`;
    const fault = h("span.fault", { id: `${id}-fault` });
    const text = h("label.label", { for: id }, label);
    const note = h("span.hint", { id: `${id}-hint` }, hint);
    control.id = id;
    control.setAttribute("aria-describedby", `${note.id} ${fault.id}`);
    control.addEventListener("input", () => this.changed(path, control)); // before a click can move what it is about
    return { path, control, fault, label: text, hint: note, element: h("div.field", null, text, control, note, fault) };
  }

  get fields() {
    return [this.address, this.user, this.password, this.name, this.classes, this.rate, this.record, this.json];
  }

  choose(kind) {
    this.kind = kind;
    this.set("source.live", kind === "file" ? true : undefined);
    if (kind !== "network") for (const path of ["source.user", "source.password"]) this.set(path, undefined);
    this.show();
  }

  /** Write the settings into all controls. */
  show() {
    const { settings, kind } = this;
    const { address, example, hint } = KINDS[kind];
    const outputs = settings.outputs ?? [];
    setText(this.address.label, address);
    setText(this.address.hint, `${hint} Example: ${example}`);
    this.address.control.value = settings.source?.uri ?? "";
    this.login.hidden = kind !== "network";
    this.pace.hidden = kind !== "file";
    this.pace.control.checked = Boolean(settings.source?.live);
    this.user.control.value = settings.source?.user ?? "";
    this.password.control.value = "";
    this.password.control.placeholder = settings.source?.password === HIDDEN ? "unchanged" : "";
    this.name.control.value = this.old || this.name.control.value;
    this.classes.control.value = [settings.detector?.classes ?? []].flat().join(", ");
    this.rate.control.value = settings.detector?.fps ?? "";
    this.record.control.value = outputs.length === 1 ? outputs[0].to : "";
    this.record.control.disabled = outputs.length > 1;
    if (outputs.length > 1) setText(this.record.hint, `The camera has ${outputs.length} outputs; they are under All settings.`);
    this.showJson();
  }

  showJson() {
    this.syntax = "";
    if (document.activeElement !== this.json.control) this.json.control.value = JSON.stringify(this.settings, null, 2);
  }

  changed(path, control) {
    this.clear();
    const text = control.value.trim();
    if (path === "name") this.isNamed = Boolean(text);
    else if (!path) this.readJson(text);
    else if (path === "detector.classes") this.set(path, text ? text.split(",").map((one) => one.trim()).filter(Boolean) : undefined);
    else if (path === "detector.fps") this.set(path, text ? Number(text) : undefined);
    else if (path === "outputs") this.set(path, text ? [{ ...this.settings.outputs?.[0], to: text }] : undefined);
    else this.set(path, text || undefined);
    if (path === "source.uri" && !this.isNamed && text) this.name.control.value = suggestedName(text, this.names);
  }

  set(path, value) {
    this.settings = withValue(this.settings, path.split("."), value);
    this.showJson();
  }

  readJson(text) {
    try {
      const settings = JSON.parse(text);
      if (settings?.constructor !== Object) throw new Error("give a section in { }");
      this.settings = settings;
      this.kind = kindOf(this.settings.source?.uri);
      this.element.querySelector(`[name="kind"][value="${this.kind}"]`).checked = true;
      this.show();
    } catch (error) {
      this.syntax = `This is not JSON: ${error.message}`;
      setText(this.json.fault, this.syntax);
    }
  }

  async probe() {
    this.clear();
    this.test.disabled = true;
    setText(this.result, "Connecting…");
    try {
      const answer = await request("POST", "/probe", { body: { source: this.settings.source ?? {}, camera: this.old || undefined } });
      const { reason, width, height, fps, codec, live, still } = await answer.json();
      if (reason) throw new Error(reason);
      const facts = [`${width}x${height}`, fps && `${Number(fps.toFixed(2))} fps`, codec, live ? "live" : "a recording"].filter(Boolean).join(", ");
      this.result.replaceChildren(...[still && h("img", { src: still, alt: "The newest picture" }), h("p", null, `It works: ${facts}`)].filter(Boolean));
    } catch (error) {
      this.result.replaceChildren();
      if (error.problems) this.fail(error);
      else if (/password/.test(error.message) && !this.login.hidden) this.mark(this.user, `${error.message.split(";")[0]}.`); // the rest is about the file
      else this.mark(this.address, error.message);
    }
    this.test.disabled = false;
  }

  async save() {
    this.clear();
    if (this.syntax) return this.mark(this.json, this.syntax);
    const { settings, revision } = this;
    const name = this.name.control.value.trim();
    const missing = [[this.address, settings.source?.uri], [this.name, name]].find(([, value]) => !value);
    if (missing) return this.mark(missing[0], "It is needed.");
    if (!this.name.control.validity.valid) return this.mark(this.name, "Up to 64 letters, digits, - and _; the first is a letter or a digit.");
    const headers = { "If-Match": `"${revision}"` };
    this.submit.disabled = true;
    try {
      if (this.old) await request("PUT", `/cameras/${encodeURIComponent(name)}`, { body: { settings }, headers });
      else await request("POST", "/cameras", { body: { name, settings }, headers });
      toast(this.old ? `Saved ${name}.` : `Added ${name}.`);
      location.hash = this.old ? "#/cameras" : `#/live/${encodeURIComponent(name)}`;
    } catch (error) {
      this.fail(error);
    }
    this.submit.disabled = false;
  }

  clear() {
    this.problems.replaceChildren();
    for (const { control, fault } of this.fields) {
      control.removeAttribute("aria-invalid");
      setText(fault, "");
    }
  }

  mark({ control, fault }, text) {
    control.setAttribute("aria-invalid", "true");
    setText(fault, text);
    control.closest("details")?.setAttribute("open", "");
    control.focus();
  }

  /** Show each problem at the field of its path, and the others below. */
  fail(error) {
    if (error.status === 412) return this.problems.replaceChildren(this.outdated());
    const lines = error.problems?.length ? error.problems : [error.message];
    const others = lines.filter((line) => {
      const [, path, text] = /^(?:cameras\.[^.:]+\.)?([\w.]+): (.*)$/s.exec(line) ?? [];
      const field = path && this.fields.find((one) => one.path && (path === one.path || path.startsWith(`${one.path}.`)));
      if (field) this.mark(field, text);
      return !field;
    });
    if (others.length) this.problems.replaceChildren(errorNotice({ message: others[0], problems: others.slice(1) }));
    if (others.some((line) => /^cameras\./.test(line))) this.json.control.closest("details").open = true;
  }

  /** Somebody else has changed the file: take its new revision, and leave the choice to the user. */
  outdated() {
    const again = async () => {
      this.revision = (await get("/cameras")).revision;
      await this.save();
    };
    return h("div.notice.bad", { role: "alert" },
      h("p", null, "Somebody else has changed the settings file since this form was opened."),
      h("div.actions", null,
        button("Save mine all the same", again), this.old && button("Load theirs", () => location.reload())));
  }
}

function kindOf(uri = "") {
  if (/^\d+$|^\/dev\/|^(webcam|camera|v4l2):/.test(uri)) return "webcam";
  return /^[a-z][a-z0-9+.-]*:/i.test(uri) && !uri.startsWith("file:") ? "network" : "file";
}

/** A name from an address, which no other camera has: "stream1" is none, but "192.0.2.10" and "traffic.mp4" are. */
function suggestedName(uri, names) {
  const kind = kindOf(uri);
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/]*@)?([^:/?#]+)/i.exec(uri)?.[1] ?? "";
  const last = uri.split(/[\\/]/).at(-1).replace(/\.[^.]+$/, "");
  const word = kind === "file" ? last : /^[\d.]+$/.test(host) ? `camera-${host.split(".").at(-1)}` : host.split(".")[0];
  const base = (kind === "webcam" ? "webcam" : word).replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^[-_]+|-+$/g, "").slice(0, 60) || "camera";
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!names.includes(name)) return name;
  }
}

/** A copy of nested settings with a value at a path; without it if it is undefined. Empty sections are left out. */
function withValue(settings, [key, ...rest], value) {
  const { [key]: before, ...others } = settings;
  const now = rest.length ? withValue(before ?? {}, rest, value) : value;
  const isEmpty = now === undefined || (rest.length && Object.keys(now).length === 0);
  return isEmpty ? others : { ...settings, [key]: now };
}
