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

/** Set the text of an element only if it differs: a live region is then read once, and no layout is made. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const sheets = new Map(); // promises of the style sheets of views, by name

/** Load the style sheets of a view, by name. They have no effect before `useStyles`. */
export function loadStyles(names) {
  const load = (name) => new Promise((resolve) => {
    const onload = ({ target }) => { target.sheet.disabled = true; resolve(); };
    const onerror = ({ target }) => { sheets.delete(name); target.remove(); resolve(); };
    document.head.append(h("link", { rel: "stylesheet", href: `/assets/views/${name}.css`, "data-view": name, onload, onerror }));
  });
  return Promise.all(names.map((name) => sheets.get(name) ?? sheets.set(name, load(name)).get(name)));
}

/** Use these style sheets and those of no other view, so that two views may have a class of the same name. */
export function useStyles(names) {
  for (const { sheet, dataset } of document.querySelectorAll("link[data-view]")) {
    if (sheet) sheet.disabled = !names.includes(dataset.view);
  }
}

/** Show a message for a while. kind: "info" or "error"; an error stays until it is closed. */
export function toast(text, kind = "info") {
  const close = h("button.quiet", { type: "button", "aria-label": "Close message", onclick: () => message.remove() }, "Close");
  const message = h(`div.toast.${kind}`, { role: kind === "error" ? "alert" : null }, h("span", null, text), close);
  document.getElementById("toasts").append(message);
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
    retry && h("button", { type: "button", onclick: retry }, "Try again"));
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
