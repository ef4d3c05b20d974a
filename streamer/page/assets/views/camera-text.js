/** The state of a camera in words. Pure functions. */

import { duration, timeText } from "../dom.js";
import { KINDS } from "./events-text.js";

const STATES = { starting: "Starting", running: "Running", lost: "Lost", waiting: "Failed", ended: "Ended", stopped: "Stopped" };

const FAULTS = { lost: "No picture", waiting: "Failed", starting: "No connection" };

/** `text`: the state; `fault`: what is wrong and since when, empty if nothing is. */
export function stateText({ state, state_s: lasts, reason }) {
  const text = STATES[state] ?? state, what = FAULTS[state];
  if (!what || (state === "starting" && !reason)) return { text, fault: "" };
  const since = timeText(new Date(Date.now() - 1000 * lasts).toISOString());
  return { text, fault: `${what} since ${since} (${duration(lasts)})${reason ? `\n${reason[0].toUpperCase()}${reason.slice(1)}` : ""}` };
}

/** Frame rate, and the age of the frames that are shown. */
export function ageText({ state, fps, age_s: age }) {
  if (state !== "running" || !fps) return "";
  return `${fps.toFixed(fps < 10 ? 1 : 0)} fps${age === null || age === undefined ? "" : `, ${latencyText(age)} old`}`;
}

/** A short time in seconds as "45 ms" or "1.2 s". */
export const latencyText = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

/** The last event: "Car, zone entered, 14:02:11"; empty without one. */
export function lastEventText({ last_event: event }) {
  if (!event) return "";
  return [event.label, (KINDS[event.kind] ?? event.kind).toLowerCase(), timeText(event.start_time)].filter(Boolean).join(", ");
}
