/** Events in words, and times in the language and time zone of the browser. Pure functions. */

import { duration } from "../dom.js";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const DAY_MS = 86_400_000;

/** What each kind of event is called in filters. */
export const KINDS = {
  crossing: "Crossing", enter: "Zone entered", appear: "Appeared", above: "Too many", below: "Too few",
  camera_lost: "Camera lost", camera_moved: "Camera moved", camera_covered: "Camera covered",
};
const who = (event) => event.label || "Something";
const number = (count) => `${count ?? "?"} ${count === 1 ? "object" : "objects"}`;
/** By kind: what happened, and how long it lasted once it has ended or while it lasts. */
const WORDS = {
  crossing: [(event) => `${who(event)} crossed line ${event.rule}${event.direction ? ` (${event.direction})` : ""}`, "", ""],
  enter: [(event) => `${who(event)} entered zone ${event.rule}`, "stayed", "is still there"],
  appear: [(event) => `${who(event)} appeared`, "was seen for", "is still seen"],
  above: [(event) => `Up to ${number(event.value)}, more than ${event.rule} allows`, "lasted", "goes on"],
  below: [(event) => `Only ${number(event.value)}, fewer than ${event.rule} needs`, "lasted", "goes on"],
  camera_lost: [(event) => `Camera ${event.camera} was lost`, "lasted", "goes on"],
  camera_moved: [(event) => `Camera ${event.camera} was moved`, "lasted", "goes on"],
  camera_covered: [(event) => `Camera ${event.camera} was covered`, "lasted", "goes on"],
};
const OTHER = [(event) => `${event.rule}: ${event.kind}`, "lasted", "goes on"];

/** What happened: "Person entered zone door". */
export const sentence = (event) => (WORDS[event.kind] ?? OTHER)[0](event);

/** How long it lasted: "stayed 12 s", for a card "12 s"; empty for what has no duration. */
export function lasting(event, short = false) {
  const [, ended, open] = WORDS[event.kind] ?? OTHER;
  if (!event.end_time) return open;
  return ended && event.duration_s ? `${short ? "" : `${ended} `}${durationText(event.duration_s)}` : "";
}

/** "0.4 s", "12 s", "3 min", with a space that breaks no line. */
export const durationText = (seconds) => (seconds < 9.95 ? `${Number(seconds.toFixed(1))} s` : duration(seconds)).replace(" ", "\u00a0");

/** The whole event: "Person entered zone door at 14:03:22, stayed 12 s". */
export function fullSentence(event) {
  return [`${sentence(event)} at ${timeOfDay(event.start_time)}`, lasting(event)].filter(Boolean).join(", ");
}

/** "14:03:22" in the form of the browser's language. */
export const timeOfDay = (time) => clock.format(new Date(time));

/** "Today, Thursday 26 November 2026". */
export const dayText = (time) => [nearDay(time), long.format(new Date(time))].filter(Boolean).join(", ");

/** "Today, 14:03:22" or "24 Nov 2026, 14:03:22". */
export const dayAndTime = (time) => `${nearDay(time) ?? short.format(new Date(time))}, ${timeOfDay(time)}`;

function nearDay(time) {
  const [day, today] = [time, Date.now()].map((one) => new Date(one).setHours(0, 0, 0, 0));
  return { 0: "Today", 1: "Yesterday" }[Math.round((today - day) / DAY_MS)];
}

/** "1 event", "3 events". */
export const counted = (count) => `${count.toLocaleString()} ${count === 1 ? "event" : "events"}`;
