/** What all views share: who is logged in, and the state of the site once a second. */

import { get, reconnect, socket } from "./api.js";

const TOLD_AFTER_MS = 1000; // a connection that is back sooner is no news
const SILENT_MS = 10_000; // the server sends its state each second
const listeners = new Set();
let session = null, status = null, connected = true, channel = null, timer = null, watch = null, heardAt = 0, changed = () => {};

/** `{user: {name, role} or null, login_required, version}`; null before the first answer. */
export const currentSession = () => session;

/** Whether the user may change the site. */
export const isAdmin = () => session?.user?.role === "admin";

/** Ask who is logged in. Throws ApiError. */
export async function loadSession() {
  session = await get("/session");
  return session;
}

/**
 * Be called with `{cameras, detectors, ...}` of WebSocket /status once a second, and at once with the newest.
 * @returns {Function} ends it
 */
export function onStatus(listener) {
  listeners.add(listener);
  if (status) listener(status);
  return () => listeners.delete(listener);
}

/** Follow the state of the site. `told(connected)` is called when the server is lost, and when it is back. */
export function followStatus(told) {
  leaveStatus();
  changed = told;
  heardAt = Date.now();
  watch = setInterval(() => {
    if (document.hidden || Date.now() - heardAt < SILENT_MS) return;
    heardAt = Date.now();
    reconnect();
  }, 1000);
  channel = socket("/status", {
    open: () => tell(true),
    message: (data) => {
      heardAt = Date.now();
      status = data;
      for (const listener of [...listeners]) listener(status);
    },
    lost: () => (timer = setTimeout(tell, TOLD_AFTER_MS, false)),
    failed: checkSession,
  });
}

/** End it: nobody is logged in. */
export function leaveStatus() {
  clearInterval(watch);
  channel?.close();
  channel = status = null;
  tell(true);
}

function tell(now) {
  clearTimeout(timer);
  if (now !== connected) changed(connected = now);
}

/** The server is away, or it refuses the channel because the session has ended. */
async function checkSession() {
  const mine = channel, found = await loadSession().catch(() => null);
  if (mine !== channel) return;
  if (!found) tell(false);
  else if (found.login_required && !found.user) window.dispatchEvent(new Event("login"));
}
