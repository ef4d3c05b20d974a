/** Requests to the API and its WebSockets. Everything that the page knows comes from here. */

export const BASE = "/api/v1";
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000; // the page is back within 3 s of the server
const channels = new Set(); // functions that connect the open sockets again

/** A request that was refused, or that found no server (`status` 0). `problems` has one line per invalid value. */
export class ApiError extends Error {
  constructor(message, status = 0, problems = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/**
 * Send a request.
 * @param {string} path below /api/v1, or an absolute path of the API such as a URL of an event's files
 * @param {{body?: any, text?: string, type?: string, headers?: object, query?: object|URLSearchParams, signal?: AbortSignal, keepalive?: boolean}} options
 *   `body` is sent as JSON, `text` as it is with the media type `type`
 * @returns {Promise<Response>}
 * @throws {ApiError} also raises the event "login" of the window if nobody is logged in
 */
export async function request(method, path, { body, text, type, headers = {}, query, signal, keepalive } = {}) {
  const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
  if (content !== undefined) headers = { "Content-Type": type ?? "application/json", ...headers };
  let answer;
  try {
    answer = await fetch(address(path, query), { method, headers, body: content, signal, keepalive });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. It may be restarting; try again in a moment.");
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && path !== "/session") window.dispatchEvent(new Event("login"));
  const problem = await answer.json().catch(() => ({}));
  throw new ApiError(problem.detail || problem.title || `The server answered ${answer.status}.`, answer.status, problem.problems);
}

/** The JSON of an answer. */
export async function get(path, options) {
  return (await request("GET", path, options)).json();
}

/** The JSON of an answer with the revision of the settings file, for the `If-Match` of a change. */
export async function getWithRevision(path, options) {
  const answer = await request("GET", path, options);
  return { value: await answer.json(), revision: answer.headers.get("ETag") };
}

/** Absolute path and query of an API path. A list in `query` repeats its name. */
export function address(path, query) {
  const full = path.startsWith("/api/") ? path : BASE + path;
  if (!query) return full;
  const pairs = query instanceof URLSearchParams ? query : new URLSearchParams(Object.entries(query)
    .flatMap(([name, value]) => [value].flat().filter((one) => one !== undefined && one !== null && one !== "").map((one) => [name, one])));
  const text = pairs.toString();
  return text ? `${full}?${text}` : full;
}

/**
 * A WebSocket that connects again by itself, with growing waits and jitter, until it is closed.
 * @param {{open?: Function, message: (data: any) => void, lost?: (reason: string) => void, failed?: Function}} handlers
 *   text messages arrive as parsed JSON, binary ones as ArrayBuffer; `lost` follows each `open`, `failed` is called for
 *   each attempt that does not connect
 * @returns {{send: (data: any) => void, close: () => void}} `send` drops data while not connected
 */
export function socket(path, { open = () => {}, message, lost = () => {}, failed = () => {} }) {
  let channel, timer, wait = FIRST_WAIT_MS, opened = false;

  function connect() {
    clearTimeout(timer);
    const url = new URL(address(path), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const mine = channel = new WebSocket(url);
    mine.binaryType = "arraybuffer";
    mine.onopen = () => {
      if (mine !== channel) return;
      opened = true;
      wait = FIRST_WAIT_MS;
      open();
    };
    mine.onmessage = ({ data }) => mine === channel && message(typeof data === "string" ? JSON.parse(data) : data);
    mine.onclose = ({ reason }) => {
      if (mine !== channel) return;
      leave(reason);
      timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
      wait = Math.min(LONGEST_WAIT_MS, wait * 2);
    };
  }

  function leave(reason) {
    if (opened) lost(reason);
    else failed();
    opened = false;
  }

  function again() {
    const old = channel;
    connect();
    old.close();
    leave("");
  }

  connect();
  channels.add(again);
  return {
    send: (data) => channel?.readyState === WebSocket.OPEN && channel.send(data),
    close: () => {
      channels.delete(again);
      clearTimeout(timer);
      channel?.close();
      channel = null;
    },
  };
}

/** Connect all sockets again: after a sleep, or in another network, the browser would notice only after minutes. */
export function reconnect() {
  for (const again of [...channels]) again();
}
