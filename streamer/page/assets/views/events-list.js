/** The list of events: cards by day, the newest first. It grows by pages as it is scrolled, and changes while it is read. */

import { button, errorNotice, h } from "../dom.js";
import { dayText, lasting, sentence, timeOfDay } from "./events-text.js";

const AHEAD = "1200px"; // the next page is fetched when its place is so near
const order = (event) => `${event.start_time} ${event.id}`;

/**
 * @param {{page: (after: string|null) => Promise<{events: object[], next: string|null}>, again: Function, empty: () => Node,
 *   address: (id: string) => string, open: (event: object) => void, star: (event: object) => void,
 *   picked: (ids: Set<string>) => void, admin: boolean}} actions
 *   `page` fetches events, `again` is what the user asks for if the first page failed, `picked` gets the ids that are selected after each change
 */
export function eventList({ page, again, empty, address, open, star, picked, admin }) {
  const days = h("div.days"), end = h("div.end");
  const element = h("div", { onkeydown: moveFocus }, days, end);
  const shown = new Map(), ids = new Set(); // id to event and card; the selected ones
  let next = null, turn = 0, growing = null;
  const watcher = new IntersectionObserver(([entry]) => entry.isIntersecting && grow(), { rootMargin: AHEAD });

  /** Show the first page of what `page` fetches now. Resolves to whether it could be fetched. */
  function reload() {
    turn += 1;
    growing = next = null;
    return grow(true);
  }

  function grow(first = false) {
    growing ??= first || next ? fetchPage(first, turn) : null;
    return growing;
  }

  async function fetchPage(first, mine) {
    watcher.disconnect();
    element.setAttribute("aria-busy", "true");
    try {
      const found = await page(first ? null : next);
      if (mine !== turn) return false;
      if (first) clear();
      end.replaceChildren();
      found.events.forEach(put);
      next = found.next;
      if (!shown.size) end.replaceChildren(empty());
      return true;
    } catch (error) {
      if (mine !== turn || error.name === "AbortError") return false;
      if (first) clear();
      end.replaceChildren(errorNotice(error, first ? again : () => grow()));
      return false;
    } finally {
      if (mine === turn) {
        growing = null;
        element.removeAttribute("aria-busy");
        if (next) watcher.observe(end);
      }
    }
  }

  function clear() {
    days.replaceChildren();
    shown.clear();
    ids.clear();
    picked(ids);
  }

  /** Add an event at its place, or show it as it is now. */
  function put(event) {
    const old = shown.get(event.id);
    if (old && JSON.stringify(old.event) === JSON.stringify(event)) return;
    const card = cardOf(event);
    shown.set(event.id, { event, card });
    if (old) {
      const focused = old.card.contains(document.activeElement) && document.activeElement.tagName;
      old.card.replaceWith(card);
      if (focused) card.querySelector(focused)?.focus();
      return;
    }
    if (end.querySelector(".empty")) end.replaceChildren();
    const list = dayOf(event);
    const later = list.lastElementChild && order(shown.get(list.lastElementChild.dataset.id).event) < order(event)
      ? [...list.children].find((one) => order(shown.get(one.dataset.id).event) < order(event)) : null;
    list.insertBefore(card, later);
  }

  /** The list of the day of an event. */
  function dayOf(event) {
    const day = new Date(event.start_time).setHours(0, 0, 0, 0);
    const sections = [...days.children], same = sections.find((one) => Number(one.dataset.day) === day);
    if (same) return same.lastElementChild;
    const list = h("ol.events", { role: "list" });
    const section = h("section.day", { "data-day": day }, h("h2", null, dayText(day)), list);
    days.insertBefore(section, sections.find((one) => Number(one.dataset.day) < day) ?? null);
    return list;
  }

  function remove(id) {
    const card = shown.get(id)?.card, section = card?.closest(".day");
    if (!card) return;
    const beside = card.nextElementSibling ?? card.previousElementSibling;
    if (card.contains(document.activeElement)) beside?.querySelector("a").focus();
    card.remove();
    shown.delete(id);
    if (ids.delete(id)) picked(ids);
    if (!section.querySelector(".event")) section.remove();
    if (!shown.size && !next) end.replaceChildren(empty());
  }

  function cardOf(event) {
    const text = sentence(event), picture = event.files.snapshot ?? event.files.crop;
    const opened = (click) => {
      if (click.ctrlKey || click.metaKey || click.shiftKey) return; // a new tab
      click.preventDefault();
      open(event);
    };
    return h(`li.event${event.end_time ? "" : ".open"}`, { "data-id": event.id },
      h("a.show", { href: address(event.id), onclick: opened },
        h("span.picture", null, !event.end_time && h("span.badge", null, "now"),
          picture ? h("img", { src: picture, alt: "", loading: "lazy", decoding: "async" }) : h("span.none", null, "No picture")),
        h("span.what", null, text),
        h("span.facts", null, h("time", { datetime: event.start_time }, timeOfDay(event.start_time)), ` · ${event.camera}`,
          lasting(event, true) && ` · ${lasting(event, true)}`)),
      admin && h("label.pick", null, h("input", {
        type: "checkbox", checked: ids.has(event.id), "aria-label": `Select: ${text}, ${timeOfDay(event.start_time)}`,
        onchange: ({ target }) => pick(event.id, target.checked),
      })),
      starOf(event, admin && star));
  }

  function pick(id, on) {
    if (on) ids.add(id);
    else ids.delete(id);
    picked(ids);
  }

  function pickAll(on) {
    for (const [id, { card }] of shown) {
      card.querySelector(".pick").control.checked = on;
      if (on) ids.add(id);
    }
    if (!on) ids.clear();
    picked(ids);
  }

  function moveFocus(key) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key.key], links = by ? [...days.querySelectorAll("a.show")] : [];
    const at = links.indexOf(document.activeElement);
    if (at < 0 || !links[at + by]) return;
    key.preventDefault();
    links[at + by].focus();
  }

  /** Whether an event belongs among the shown ones: it is not on a page that is still to come. */
  function covers(event) {
    const last = [...days.querySelectorAll(".event:last-child")].at(-1);
    return !next || !last || order(event) > order(shown.get(last.dataset.id).event);
  }

  /** The event that is `by` places behind another one in the list; fetches a page if it needs one. */
  async function neighbour(id, by) {
    const at = () => [...days.querySelectorAll(".event")].findIndex((card) => card.dataset.id === id);
    const place = at();
    if (place < 0) return null;
    if (place + by >= shown.size) await grow();
    const card = days.querySelectorAll(".event")[at() + by];
    return card ? shown.get(card.dataset.id).event : null;
  }

  return {
    element, reload, put, remove, pickAll, neighbour,
    get: (id) => shown.get(id)?.event,
    first: () => shown.get(days.querySelector(".event")?.dataset.id)?.event,
    covers,
    focus: (id) => shown.get(id)?.card.querySelector("a").focus({ preventScroll: true }),
    close: () => watcher.disconnect(),
  };
}

/** The star of an event: a button if `star` is given, with its text if `worded`. */
export function starOf(event, star, worded = false) {
  const text = event.favourite ? "Favourite" : "Keep as favourite", sign = event.favourite ? "★" : "☆";
  if (!star) return event.favourite && h("span.star", { role: "img", "aria-label": text }, sign);
  const pressed = { "aria-pressed": String(event.favourite) }, act = () => star(event);
  if (worded) return button(`${sign} ${text}`, act, "", pressed);
  return button(sign, act, "star", { ...pressed, "aria-label": "Favourite", title: event.favourite ? "Favourite: it is kept" : text });
}
