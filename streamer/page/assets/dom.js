/** Elements of the page: make them, show messages, ask questions, format values. */

const PROPERTIES = new Set(["value", "checked", "indeterminate", "muted", "disabled", "srcObject", "textContent"]);

/**
 * Make an element.
 * @param {string} name tag and classes: "button.primary"
 * @param {object} attributes `onclick` and the like are listeners; null, undefined and false are left out;
 *   `style` is an object, because the policy of the page refuses style attributes
 * @param {...(Node|string|number|null|Array)} children
 */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else if (PROPERTIES.has(key)) element[key] = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that submits no form. */
export const button = (text, onclick, classes = "", attributes = {}) =>
  h(["button", classes].filter(Boolean).join("."), { type: "button", onclick, ...attributes }, text);

/** A checkbox with its text: the label, whose `control` is the checkbox. */
export const check = (text, checked, onchange, attributes = {}) =>
  h("label.check", null, h("input", { type: "checkbox", checked, onchange, ...attributes }), text);

/** A list of names and values, as in `dl`; those without a value are left out. */
export const facts = (rows) => rows.filter(([, value]) => value !== "" && value !== null && value !== undefined)
  .map(([name, value]) => h("div", null, h("dt", null, name), h("dd.number", null, value)));

/** A button that shows an element on the whole screen, and leaves it again; `signal` ends its listener. */
export function fullScreenButton(element, signal, attributes) {
  const toggle = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (element.requestFullscreen) element.requestFullscreen().catch(() => element.classList.toggle("filled"));
    else element.classList.toggle("filled"); // phones that have full screen for videos only
  };
  const full = button("Full screen", toggle, "", attributes);
  const name = () => setText(full, document.fullscreenElement ? "Leave full screen" : "Full screen");
  document.addEventListener("fullscreenchange", name, { signal });
  return full;
}

/** Set the text of an element only if it differs: a live region is then read once, and no layout is made. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const sheets = new Map(); // name to {link, loaded}

/** Load style sheets of `views/`, each once. Resolves when all are there. */
export function loadStyles(names) {
  for (const name of names.filter((one) => !sheets.has(one))) {
    const link = h("link", { rel: "stylesheet", href: `/assets/views/${name}.css` });
    const loaded = new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = (error) => {
        link.remove();
        sheets.delete(name);
        reject(error);
      };
    });
    sheets.set(name, { link, loaded });
    document.head.append(link);
  }
  return Promise.all(names.map((name) => sheets.get(name).loaded));
}

/** Apply these style sheets of views and no others, so that no view changes another one. */
export function useStyles(names) {
  for (const [name, { link }] of sheets) link.media = names.includes(name) ? "all" : "not all";
}

/** What this browser keeps under a key, over the defaults. */
export function stored(key, defaults) {
  try {
    return { ...defaults, ...JSON.parse(localStorage.getItem(key)) };
  } catch {
    return { ...defaults };
  }
}

/** Keep a value in this browser, if it keeps anything. */
export function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // it is as chosen until the page is closed
  }
}

/** Show a message for a while. kind: "info" or "error"; an error stays until it is closed. */
export function toast(text, kind = "info") {
  const close = button("Close", () => message.remove(), "quiet", { "aria-label": "Close message" });
  const message = h(`div.toast.${kind}`, { role: kind === "error" ? "alert" : null }, h("span", null, text), close);
  const place = document.getElementById("toasts");
  for (const other of [...place.children]) if (other.firstChild.textContent === text) other.remove(); // said once
  place.append(message);
  if (kind !== "error") setTimeout(() => message.remove(), 6000);
}

/** Show what an API request failed with: the detail, then one line for each invalid value. Not for a cancelled one. */
export function toastError(error) {
  if (error.name !== "AbortError") toast([error.message, ...(error.problems ?? [])].join("\n"), "error");
}

/** A notice in place of content that cannot be shown. */
export function errorNotice(error, retry = null) {
  return h("div.notice.bad", { role: "alert" },
    h("p", null, error.message),
    (error.problems ?? []).map((line) => h("p", null, line)),
    retry && button("Try again", retry));
}

/** What to show where there is nothing yet: a heading, one sentence, and what the user can do. */
export function emptyState(title, text, ...actions) {
  return h("section.empty", null, h("h2", null, title), h("p", null, text), h("div.actions", null, actions));
}

/**
 * A modal dialog that is removed when it closes; Escape closes it.
 * @returns {HTMLDialogElement} close it with `dialog.close(value)`; the event `close` has `dialog.returnValue`
 */
export function openDialog(title, ...content) {
  const dialog = h("dialog", { "aria-label": title }, h("h2", null, title), content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask before a change that cannot be undone. Resolves to whether the user agreed. */
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    const dialog = openDialog(title, h("p", null, text), h("form.actions", { method: "dialog" },
      h("button", { value: "" }, "Cancel"), h("button.danger", { value: "yes" }, action)));
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}

/** Make the children of an element like others; those of the same kind stay, with their focus and scroll position. */
export function morph(element, children) {
  const old = [...element.childNodes];
  children.forEach((child, at) => {
    const now = old[at];
    if (!now) element.append(child);
    else if (now.nodeName !== child.nodeName) now.replaceWith(child);
    else if (now.nodeType === Node.TEXT_NODE) now.data === child.data || (now.data = child.data);
    else {
      for (const name of now.getAttributeNames()) if (!child.hasAttribute(name)) now.removeAttribute(name);
      for (const { name, value } of child.attributes) {
        if (name === "style") now.style.cssText = child.style.cssText; // the policy of the page refuses style attributes
        else if (now.getAttribute(name) !== value) now.setAttribute(name, value);
      }
      morph(now, [...child.childNodes]);
    }
  });
  for (const rest of old.slice(children.length)) rest.remove();
}

/** A labelled form control; `hint` is one line below it. */
export function field(label, control, hint = "") {
  return h("label.field", null, h("span.label", null, label), control, hint && h("span.hint", null, hint));
}

/** A duration in seconds as "12 s", "3 min", "5 h", "2 days". */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** A time of the API (ISO 8601, UTC) in the browser's language and time zone; the date only if it is not today. */
export function timeText(iso) {
  const time = new Date(iso);
  const today = time.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(undefined, { dateStyle: today ? undefined : "medium", timeStyle: "medium" }).format(time);
}
