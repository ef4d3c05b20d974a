/** What all views share: who is logged in, and the state of the site once a second. */

import { get, socket } from "./api.js";

const listeners = new Set();
let session = null, status = null, connected = true, channel = null;

/** `{user: {name, role} or null, login_required, version}`; null before the first answer. */
export const currentSession = () => session;

/** Whether the user may change the site. */
export const isAdmin = () => session?.user?.role === "admin";

/** Whether the server sends its state. */
export const isConnected = () => connected;

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

/** Follow the state of the site. `changed(connected)` is called when the server is lost, and when it is back. */
export function followStatus(changed) {
  channel?.close();
  channel = socket("/status", {
    open: () => tell(true),
    message: (data) => {
      status = data;
      for (const listener of [...listeners]) listener(status);
    },
    lost: () => tell(false),
    failed: checkSession,
  });

  function tell(now) {
    if (now !== connected) changed(connected = now);
  }
}

/** The server refuses the channel: the session may have expired. */
async function checkSession() {
  const found = await loadSession().catch(() => null); // no answer: the server is away
  if (found?.login_required && !found.user) window.dispatchEvent(new Event("login"));
}

/** End it: nobody is logged in. */
export function leaveStatus() {
  channel?.close();
  channel = status = null;
}
