/** The shell of the page: login, navigation, themes, and one view at a time. */

import { request } from "./api.js";
import { errorNotice, h, loadStyles, setText, toastError, useStyles } from "./dom.js";
import { followStatus, leaveStatus, loadSession } from "./state.js";

/** First part of the address after `#/`: title, module of the list, module of one. */
const VIEWS = {
  live: ["Live", "live", "camera"],
  events: ["Events", "events", "events"],
  cameras: ["Cameras", "cameras", "cameras"],
  rules: ["Lines and zones", "rules", "rules"],
  system: ["System", "system", "system"],
  "my-camera": ["My camera", "my-camera", "my-camera"],
};
const root = document.getElementById("view");
let leave = () => {}, aborter = new AbortController(), shown = 0, current = "", starting = null;

/** Show the view of the address; resolves to whether it is another view: `#/live`, `#/live/NAME`, `#/events?camera=NAME`. */
async function show() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [head, name = ""] = path.split("/").map(decodeURIComponent);
  const [title, list, one] = VIEWS[head] ?? VIEWS.live;
  markCurrent(VIEWS[head] ? (head === "rules" ? "cameras" : head) : "live");
  document.title = `${name || title} - Streamer`;
  return render(name ? one : list, { name, query: new URLSearchParams(query), signal: null });
}

/**
 * Replace the view by that of a module: `view(root, params)`, which returns a function that cleans up. If this function
 * has a method `update(params)`, another address of the same module is shown by it. `styles` are its style sheets; those
 * of other views have no effect on it.
 */
async function render(module, params) {
  const turn = ++shown;
  if (module === current && leave.update) {
    leave.update(params);
    return false;
  }
  const { view, styles = [] } = await import(`./views/${module}.js`).catch((error) => ({ view: (where) => where.append(errorNotice(error, show)) }));
  await loadStyles(styles);
  if (turn !== shown) return false; // the user has gone on
  aborter.abort();
  leave();
  useStyles(styles);
  current = module;
  aborter = new AbortController();
  root.replaceChildren();
  root.className = `view-${module}`;
  leave = view(root, { ...params, signal: aborter.signal }) ?? (() => {});
  window.scrollTo(0, 0);
  return true;
}

function markCurrent(head) {
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.hash === `#/${head}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Ask who is logged in, and show the view or the login. */
async function start() {
  try {
    const { user, login_required: required } = await loadSession();
    showAccount(user);
    document.body.classList.toggle("login", required && !user);
    if (required && !user) {
      leaveStatus();
      await render("login", { done: start });
      return;
    }
  } catch (error) {
    root.replaceChildren(errorNotice(error, start));
    return;
  }
  followStatus(showConnection);
  await show();
}

function showAccount(user) {
  const account = document.getElementById("account");
  account.replaceChildren();
  if (!user?.name) return;
  account.append(h("span.muted", null, user.name), h("button.quiet", {
    type: "button",
    onclick: () => request("DELETE", "/session").then(start, toastError),
  }, "Log out"));
}

function showConnection(connected) {
  const line = document.getElementById("connection");
  line.hidden = connected;
  setText(line, connected ? "" : "The server does not answer. The page connects again by itself.");
}

function chooseTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  nameTheme();
}

function nameTheme() {
  const dark = (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  setText(document.getElementById("theme"), dark ? "Light theme" : "Dark theme");
}

window.addEventListener("hashchange", async ({ oldURL, newURL }) => {
  if (document.body.classList.contains("login")) return;
  // A view with unsaved changes prevents `leaving`, asks, and goes on to `detail` itself.
  if (!root.dispatchEvent(new CustomEvent("leaving", { cancelable: true, detail: newURL }))) {
    history.pushState(null, "", oldURL);
    return;
  }
  if (await show()) root.focus({ preventScroll: true });
});
window.addEventListener("login", () => {
  if (!document.body.classList.contains("login")) starting ??= start().finally(() => (starting = null)); // once for many refusals
});
document.getElementById("theme").addEventListener("click", chooseTheme);
document.getElementById("skip").addEventListener("click", () => root.focus());
nameTheme();
start();
