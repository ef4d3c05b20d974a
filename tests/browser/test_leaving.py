"""A view that is left ends what it began: connections, timers, listeners, pictures and cameras."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

VIEWS = ("#/live/door", "#/events", "#/cameras", "#/cameras?add", "#/rules/door", "#/system", "#/my-camera", "#/live")
COUNT_WHAT_IS_OPEN = """
  const open = { sockets: new Set(), peers: new Set(), intervals: new Set(), urls: new Set(), listeners: new Set(), tracks: new Set() };
  window.countOpen = () => {
    for (const track of open.tracks) if (track.readyState === "ended") open.tracks.delete(track);
    return Object.fromEntries(Object.entries(open).map(([name, all]) => [name, all.size]));
  };
  window.WebSocket = class extends WebSocket {
    constructor(...all) {
      super(...all);
      open.sockets.add(this);
      this.addEventListener("close", () => open.sockets.delete(this));
    }
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...all) { super(...all); open.peers.add(this); }
    close() { open.peers.delete(this); super.close(); }
  };
  const wrap = (owner, name, after) => {
    const plain = owner[name];
    owner[name] = function (...all) { const answer = plain.apply(this, all); after.call(this, answer, ...all); return answer; };
  };
  wrap(window, "setInterval", (id) => open.intervals.add(id));
  wrap(window, "clearInterval", (_, id) => open.intervals.delete(id));
  wrap(URL, "createObjectURL", (url) => open.urls.add(url));
  wrap(URL, "revokeObjectURL", (_, url) => open.urls.delete(url));
  wrap(EventTarget.prototype, "addEventListener", function (_, type, act, options) {
    if (this !== window && this !== document && this !== document.body) return;
    open.listeners.add(act);
    options?.signal?.addEventListener("abort", () => open.listeners.delete(act));
  });
  wrap(EventTarget.prototype, "removeEventListener", (_, type, act) => open.listeners.delete(act));
  if (navigator.mediaDevices) wrap(navigator.mediaDevices, "getUserMedia", (asked) => asked.then((stream) => stream.getTracks().forEach((track) => open.tracks.add(track))));
"""  # noqa: E501
VISIT = """async (views) => {
  for (const view of views) {
    location.hash = view;
    const until = performance.now() + 400;
    while (performance.now() < until) await new Promise(requestAnimationFrame);
    document.querySelector(".begin:not([hidden]) button")?.click();
    if (view === "#/my-camera") await new Promise((go) => setTimeout(go, 400));
  }
}"""

OPEN_AT_LAST = """async (expected) => {
  const until = performance.now() + 20_000, isMore = () => Object.entries(expected).some(([name, count]) => countOpen()[name] !== count);
  while (performance.now() < until && isMore()) await new Promise(requestAnimationFrame);
  return countOpen();
}"""  # noqa: E501
"""What is open once it is as expected, or after 20 s."""


def test_views_that_are_left_leave_nothing_open(site: Site, page: Page, console: Console) -> None:
    console.allow("404", "503", "WebSocket connection")
    page.add_init_script(COUNT_WHAT_IS_OPEN)
    page.goto(f"{site.url}#/system")
    expect(page.locator("h1")).to_have_text("System")
    expected = page.evaluate("countOpen()")
    for _ in range(3):
        page.evaluate(VISIT, [*VIEWS, "#/system"])
    assert page.evaluate(OPEN_AT_LAST, expected) == expected


def test_a_camera_that_opens_after_its_view_was_left_is_released(site: Site, page: Page) -> None:
    page.add_init_script(COUNT_WHAT_IS_OPEN)
    page.add_init_script("""
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (...all) => { await new Promise((go) => (window.allow = go)); return ask(...all); };
    """)  # noqa: E501
    page.goto(f"{site.url}#/my-camera")
    page.get_by_role("button", name="Start my camera").click()
    page.wait_for_function("() => 'allow' in window")
    page.goto(f"{site.url}#/system")
    expect(page.locator("h1")).to_have_text("System")
    page.evaluate("allow()")
    expected = {"tracks": 0, "peers": 0}
    assert page.evaluate(OPEN_AT_LAST, expected).items() >= expected.items()


def test_the_style_of_a_view_changes_no_other_view(site: Site, page: Page, console: Console) -> None:
    console.allow("404", "503", "WebSocket connection")
    places = """() => [...document.querySelectorAll("#view :is(h1, fieldset, label, input, button)")].filter((one) => one.checkVisibility())
      .map((one) => [one.tagName, ...["x", "y", "width", "height"].map((side) => Math.round(one.getBoundingClientRect()[side]))])"""  # noqa: E501
    page.goto(f"{site.url}#/cameras?add")
    expect(page.get_by_label("Address")).to_be_visible()
    alone = page.evaluate(places)
    page.evaluate(VISIT, [*VIEWS, "#/cameras?add"])
    expect(page.get_by_label("Address")).to_be_visible()
    assert page.evaluate(places) == alone
