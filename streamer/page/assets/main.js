/** The shell of the page: login, navigation, themes, and one view at a time. */

import { request } from "./api.js";
import { button, errorNotice, h, loadStyles, setText, store, toastError, useStyles } from "./dom.js";
import { followStatus, leaveStatus, loadSession } from "./state.js";

/** First part of the address after `#/`: title, module of the list, module of one. */
const VIEWS = {
  live: ["Live", "live", "camera"],
  events: ["Events", "events", "events"],
  cameras: ["Cameras", "cameras", "cameras"],
  rules: ["Cameras", "cameras", "rules"],
  system: ["System", "system", "system"],
  "my-camera": ["My camera", "my-camera", "my-camera"],
};
const root = document.getElementById("view"), systemDark = matchMedia("(prefers-color-scheme: dark)");
let leave = () => {}, aborter = new AbortController(), shown = 0, current = "", starting = null;

/** Show the view of the address; resolves to whether it is another view: `#/live`, `#/live/NAME`, `#/events?camera=NAME`. */
async function show() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [wanted, name = ""] = path.split("/").map(decoded);
  const head = Object.hasOwn(VIEWS, wanted) ? wanted : "live", [title, list, one] = VIEWS[head];
  markCurrent(head === "rules" ? "cameras" : head);
  document.title = `${name || title} - Streamer`;
  return render(name ? one : list, { name, query: new URLSearchParams(query) });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a typed "%"
  }
}

/**
 * Replace the view by that of a module: `view(root, params)`, which returns a function that cleans up. If this function
 * has a method `update(params)`, another address of the same module is shown by it. `styles` of a module are its style sheets.
 */
async function render(name, params) {
  const turn = ++shown;
  if (name === current && leave.update) {
    leave.update(params);
    return false;
  }
  const module = await load(name);
  if (turn !== shown) return false; // the user has gone on
  clear();
  current = name;
  root.className = `view-${name}`;
  useStyles(module.styles);
  leave = module.view(root, { ...params, signal: aborter.signal }) ?? (() => {});
  window.scrollTo(0, 0);
  return true;
}

async function load(name) {
  try {
    const { view, styles = [] } = await import(`./views/${name}.js`);
    await loadStyles(styles);
    return { view, styles };
  } catch { // the server is away; a browser may remember a module that it could not load
    const error = new Error("This view could not be loaded. The server may be restarting.");
    return { view: (where) => where.append(errorNotice(error, () => location.reload())), styles: [] };
  }
}

/** Leave the view that is shown. */
function clear() {
  aborter.abort();
  leave();
  aborter = new AbortController();
  leave = () => {};
  current = "";
  root.replaceChildren();
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
    clear();
    root.append(errorNotice(error, start));
    return;
  }
  followStatus(showConnection);
  await show();
}

function showAccount(user) {
  const logOut = () => request("DELETE", "/session").then(start, toastError);
  document.getElementById("account").replaceChildren(...(user?.name ? [h("span.muted", null, user.name), button("Log out", logOut, "quiet")] : []));
}

function showConnection(connected) {
  const line = document.getElementById("connection");
  line.hidden = connected;
  setText(line, connected ? "" : "The server does not answer. The page connects again by itself.");
}

const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";

function chooseTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  store("theme", document.documentElement.dataset.theme);
  nameTheme();
}

function nameTheme() {
  setText(document.getElementById("theme"), isDark() ? "Light theme" : "Dark theme");
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
systemDark.addEventListener("change", nameTheme);
nameTheme();
start();
