"""The events view in a real browser, with real clips: list, filters, live changes, selection, timeline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from streamer.accounts.account_store import AccountStore
from streamer.accounts.passwords import password_hash
from streamer.accounts.roles import Role, User
from streamer.values.events import EventPhase
from tests.browser import event_store
from tests.browser.conftest import DESKTOP, PHONE, Console
from tests.browser.event_store import NEWEST, EventFiles, event
from tests.browser.events_page import EventsPage, address_of

pytestmark = pytest.mark.slow

SCROLL_DOWN = """
async () => {
  scrollTo(0, 600);
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame); // events get their heights
}
"""
READ_THE_TOP = "() => { const one = [...document.querySelectorAll('.event')].find((each) => each.getBoundingClientRect().top > 100); return [one.dataset.id, one.getBoundingClientRect().top] }"  # noqa: E501
"""The event that the user reads, and where it is on the screen."""


def test_events_are_told_in_words_and_grouped_by_day(events_page: EventsPage) -> None:
    events_page.fill(60)
    events_page.open()
    first = events_page.events.first
    expect(first.locator(".what")).to_have_text("Person entered zone porch")
    expect(first.locator(".facts")).to_contain_text("door · 2 s")
    expect(events_page.events.nth(1).locator(".what")).to_have_text("Car crossed line gate (in)")
    expect(events_page.events.nth(3).locator(".what")).to_have_text("Up to 7 objects, more than queue allows")
    expect(events_page.events.nth(5).locator(".what")).to_have_text("Camera door was lost")
    days = events_page.page.locator(".day h2")
    expect(days).to_have_text(["Today, Thursday, November 26, 2026", "Yesterday, Wednesday, November 25, 2026"])
    expect(first.locator("img")).to_have_js_property("naturalWidth", event_store.SIZE[0])


def test_times_are_those_of_the_browser(events_page: EventsPage, browser: Browser, console: Console) -> None:
    events_page.fill(2)
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    events_page.page = context.new_page()
    console.watch(events_page.page)
    events_page.open()
    expect(events_page.events.first.locator("time")).to_have_text("21:00:00")
    context.close()


def test_scrolling_fetches_all_pages_once(events_page: EventsPage) -> None:
    ids = events_page.fill(200)
    events_page.open()
    assert events_page.events.count() < 200
    while events_page.events.count() < 200:
        before = events_page.events.count()
        events_page.events.last.scroll_into_view_if_needed()
        expect(events_page.events.nth(before)).to_be_attached()
    assert events_page.ids() == ids


def test_filters_are_in_the_address_and_back_undoes_them(events_page: EventsPage) -> None:
    events_page.fill(24)
    events_page.open()
    events_page.choose("Camera", "yard")
    expect(events_page.events).to_have_count(12)
    events_page.choose("Kind", "Crossing")
    expect(events_page.events).to_have_count(4)
    address, ids = events_page.page.url, events_page.ids()
    assert address.endswith("#/events?camera=yard&kind=crossing")
    events_page.page.go_back()
    expect(events_page.events).to_have_count(12)
    events_page.page.go_back()
    expect(events_page.events).to_have_count(24)
    events_page.page.go_forward()
    expect(events_page.events).to_have_count(12)
    events_page.page.goto("about:blank")
    events_page.page.goto(address)
    expect(events_page.events).to_have_count(4)
    assert events_page.ids() == ids
    expect(events_page.page.locator("summary", has_text="Kind")).to_have_text("Kind: Crossing")
    events_page.page.get_by_role("button", name="Clear filters").click()
    expect(events_page.events).to_have_count(24)


def test_each_filter_limits_the_list(events_page: EventsPage) -> None:
    ids = events_page.fill(12)
    events_page.store.favourite([ids[2]], True)
    assert events_page.store.flush()
    for query, wanted in (
        ("label=Dog", [2, 8]),
        ("zone=lawn", [2, 8]),
        ("rule=queue&rule=visitors", [3, 4, 9, 10]),
        ("favourite=true", [2]),
        ("text=VISIT", [4, 10]),
        ("since=2026-11-26T11:30:00.000Z&until=2026-11-26T12:00:00.000Z", [1, 2]),
    ):
        events_page.page.goto("about:blank")
        events_page.open(f"#/events?{query}")
        assert events_page.ids() == [ids[number] for number in wanted], query


def test_search_waits_for_the_end_of_typing_and_is_one_step_back(events_page: EventsPage) -> None:
    events_page.fill(12)
    events_page.open()
    events_page.page.get_by_role("searchbox").press_sequentially("visitors")
    expect(events_page.events).to_have_count(2)
    expect(events_page.page).to_have_url(f"{events_page.url}#/events?text=visitors")
    events_page.page.get_by_role("searchbox").fill("nowhere")
    expect(events_page.page.get_by_role("heading", name="No event matches")).to_be_visible()
    events_page.page.go_back()
    expect(events_page.events).to_have_count(12)


def test_a_new_event_appears_at_the_top_and_changes_in_place(events_page: EventsPage) -> None:
    events_page.fill(6)
    events_page.open()
    expect(events_page.events).to_have_count(6)
    lasting = event(0, NEWEST + 60, end_time=None, ending=None)
    events_page.store.save(lasting, EventPhase.START)
    expect(events_page.events.first.locator(".facts")).to_contain_text("is still there")
    expect(events_page.events.first.locator(".badge")).to_be_visible()
    events_page.store.save(event(0, NEWEST + 60, end_time=NEWEST + 72, id=lasting.id), EventPhase.END)
    expect(events_page.events.first.locator(".facts")).to_contain_text("12 s")
    expect(events_page.events).to_have_count(7)
    events_page.store.delete([lasting.id])
    expect(events_page.events).to_have_count(6)


def test_live_changes_come_also_if_a_filter_was_chosen_while_the_list_loaded(events_page: EventsPage) -> None:
    events_page.fill(6)
    held: list[Route] = []
    first = re.compile(r"/api/v1/events\?limit=60$")
    events_page.page.route(first, lambda route: held.append(route))
    with events_page.page.expect_request(first):
        events_page.page.goto(f"{events_page.url}#/events")
    events_page.page.evaluate("location.hash = '#/events?camera=yard'")
    expect(events_page.events).to_have_count(3)
    held[0].continue_()
    events_page.store.save(event(1, NEWEST + 60), EventPhase.END)
    expect(events_page.events).to_have_count(4)


def test_a_list_that_could_not_be_fetched_is_live_once_it_could(events_page: EventsPage, console: Console) -> None:
    console.allow("ERR_FAILED")
    events_page.fill(6)
    first = re.compile(r"/api/v1/events\?limit=60$")
    events_page.page.route(first, lambda route: route.abort())
    events_page.page.goto(f"{events_page.url}#/events")
    expect(events_page.page.get_by_role("alert")).to_contain_text("The server does not answer")
    events_page.page.unroute(first)
    events_page.page.get_by_role("button", name="Try again").click()
    expect(events_page.events).to_have_count(6)
    events_page.store.save(event(1, NEWEST + 60), EventPhase.END)
    expect(events_page.events).to_have_count(7)


def test_a_time_in_the_address_that_is_none_is_left_out(events_page: EventsPage) -> None:
    events_page.fill(6)
    events_page.open("#/events?at=yesterday&until=never")
    expect(events_page.events).to_have_count(6)


def test_new_events_do_not_move_what_is_read(events_page: EventsPage) -> None:
    events_page.fill(60)
    events_page.open()
    expect(events_page.page.locator(".lane")).to_have_count(2)
    events_page.page.evaluate(SCROLL_DOWN)
    before = events_page.page.evaluate(READ_THE_TOP)
    for number in range(3):
        events_page.store.save(event(0, NEWEST + 60 + number), EventPhase.END)
    news = events_page.page.get_by_role("button", name="3 new")
    expect(news).to_be_visible()
    assert events_page.page.evaluate(READ_THE_TOP) == before
    news.click()
    expect(events_page.events.first.locator("time")).to_have_attribute("datetime", "2026-11-26T12:01:02.000Z")
    expect(news).to_be_hidden()
    assert events_page.page.evaluate("scrollY") == 0


def test_a_new_event_that_the_filter_excludes_is_not_shown(events_page: EventsPage) -> None:
    events_page.fill(12)
    events_page.open("#/events?camera=yard")
    expect(events_page.events).to_have_count(6)
    events_page.store.save(event(0, NEWEST + 60), EventPhase.END)
    events_page.store.save(event(4, NEWEST + 61), EventPhase.END)
    expect(events_page.events).to_have_count(7)
    expect(events_page.events.first.locator(".what")).to_have_text("Person appeared")


def test_events_of_a_lost_connection_are_fetched(
    tmp_path: Path, event_files: EventFiles, page: Page, console: Console
) -> None:
    console.allow("WebSocket", "ERR_CONNECTION_REFUSED", "Failed to load resource")
    with event_store.event_site(tmp_path) as site:
        events_page = EventsPage(site, event_files, page)
        events_page.fill(6)
        events_page.open()
        expect(events_page.events).to_have_count(6)
        _, port = site.client.address
    with event_store.event_site(tmp_path, port=port) as site:
        site.store.save(event(0, NEWEST + 60), EventPhase.END)
        expect(events_page.events).to_have_count(7)


def test_selected_events_are_deleted_after_a_question(events_page: EventsPage) -> None:
    ids = events_page.fill(6)
    events_page.open()
    for number in (1, 2):
        events_page.events.nth(number).hover()
        events_page.events.nth(number).get_by_role("checkbox").check()
    bar = events_page.page.get_by_role("region", name="Selected events")
    expect(bar).to_contain_text("2 events selected")
    bar.get_by_role("button", name="Delete").click()
    events_page.page.get_by_role("dialog", name="Delete 2 events?").get_by_role("button", name="Cancel").click()
    expect(events_page.events).to_have_count(6)
    bar.get_by_role("button", name="Delete").click()
    events_page.page.get_by_role("dialog", name="Delete 2 events?").get_by_role("button", name="Delete").click()
    expect(events_page.events).to_have_count(4)
    expect(bar).to_be_hidden()
    assert [events_page.store.get(one) is None for one in ids[:4]] == [False, True, True, False]


def test_a_star_makes_a_favourite(events_page: EventsPage) -> None:
    ids = events_page.fill(3)
    events_page.open()
    star = events_page.events.nth(1).get_by_role("button", name="Favourite")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    assert events_page.store.flush()
    assert [record.favourite for record in map(events_page.store.get, ids) if record] == [False, True, False]


def test_a_viewer_changes_nothing(tmp_path: Path, event_files: EventFiles, page: Page, console: Console) -> None:
    console.allow("401", "WebSocket")
    AccountStore(tmp_path / "accounts.db").add(User("eva", Role.VIEWER), password_hash("correct horse battery"), NEWEST)
    with event_store.event_site(tmp_path) as site:
        events_page = EventsPage(site, event_files, page)
        events_page.fill(2)
        page.goto(f"{events_page.url}#/events")
        page.get_by_label("Name").fill("eva")
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Log in").click()
        expect(events_page.events).to_have_count(2)
        expect(page.locator(".pick, button.star")).to_have_count(0)
        events_page.events.first.locator("a").click()
        expect(page.get_by_role("dialog").get_by_role("link", name="Clip", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        page.goto("about:blank")


def test_a_click_on_the_timeline_jumps_there(events_page: EventsPage) -> None:
    events_page.fill(90)
    events_page.open()
    area = events_page.page.get_by_role("slider", name="Timeline of events")
    expect(area.locator(".lane")).to_have_count(2)
    box = area.bounding_box()
    assert box
    area.click(position={"x": box["width"] / 2, "y": 10})  # 12 h before the clock of the page
    expect(events_page.page.get_by_text("Events before")).to_be_visible()
    expect(events_page.events.first.locator("time")).to_have_attribute("datetime", "2026-11-26T00:15:00.000Z")
    assert "at=2026-11-26T00" in events_page.page.url
    events_page.page.get_by_role("button", name="Show the newest").click()
    expect(events_page.events.first.locator("time")).to_have_attribute("datetime", "2026-11-26T12:00:00.000Z")


def test_the_timeline_zooms_and_pans_by_mouse_and_keyboard(events_page: EventsPage) -> None:
    events_page.fill(90)
    events_page.open()
    area = events_page.page.get_by_role("slider", name="Timeline of events")
    told = events_page.page.locator(".told")
    expect(told).to_have_text("Nov 25, 12:10 PM to Nov 26, 12:10 PM: 90 events")
    events_page.page.get_by_role("button", name="Zoom in").click()
    expect(told).to_contain_text("Nov 25, 6:10 PM to Nov 26, 6:10 AM: 48 events")
    area.focus()
    events_page.page.keyboard.press("-")
    expect(told).to_contain_text("90 events")
    events_page.page.keyboard.press("PageDown")
    expect(told).to_contain_text("Nov 24, 12:10 PM to Nov 25, 12:10 PM")
    box = area.bounding_box()
    assert box
    middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    events_page.page.mouse.move(middle, y)
    events_page.page.mouse.down()
    events_page.page.mouse.move(middle - box["width"] / 2, y, steps=5)
    events_page.page.mouse.up()
    events_page.page.mouse.move(0, 0)
    expect(told).to_contain_text(re.compile("Nov 25, 12:(09|10) AM to Nov 26, 12:(09|10) AM: 4[12] events"))
    assert "at=" not in events_page.page.url  # a drag is no click
    before = events_page.page.url
    events_page.page.mouse.move(middle, y)
    events_page.page.keyboard.down("Control")
    events_page.page.mouse.wheel(0, -200)
    events_page.page.keyboard.up("Control")
    expect(events_page.page).not_to_have_url(before)


def test_enter_on_the_timeline_jumps_to_the_chosen_time(events_page: EventsPage) -> None:
    events_page.fill(90)
    events_page.open()
    area = events_page.page.get_by_role("slider", name="Timeline of events")
    expect(area.locator(".lane")).to_have_count(2)
    area.focus()
    for _ in range(6):  # of 12 minutes
        events_page.page.keyboard.press("ArrowLeft")
    expect(area).to_have_attribute("aria-valuetext", "Nov 26, 10:46 AM to 10:58 AM: 0 events")
    events_page.page.keyboard.press("ArrowLeft")
    expect(area).to_have_attribute("aria-valuetext", "Nov 26, 10:34 AM to 10:46 AM: 1 event (door 1)")
    events_page.page.keyboard.press("Enter")
    expect(events_page.events.first.locator("time")).to_have_attribute("datetime", "2026-11-26T10:45:00.000Z")


def test_two_fingers_zoom_the_timeline(events_page: EventsPage, browser: Browser, console: Console) -> None:
    events_page.fill(90)
    context = browser.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    events_page.page = context.new_page()
    console.watch(events_page.page)
    events_page.page.clock.set_fixed_time(NEWEST + 600)
    events_page.open()
    told = events_page.page.locator(".told")
    expect(told).to_contain_text("90 events")
    box = events_page.page.get_by_role("slider", name="Timeline of events").bounding_box()
    assert box
    client, y = context.new_cdp_session(events_page.page), box["y"] + 20
    for left, right in ((150, 250), (130, 270), (100, 300)):
        kind = "touchStart" if left == 150 else "touchMove"
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate((left, right))]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(told).not_to_contain_text("90 events")
    expect(events_page.page).to_have_url(re.compile("from="))
    assert "at=" not in events_page.page.url
    context.close()


def test_only_this_time_limits_the_list(events_page: EventsPage) -> None:
    events_page.fill(90)
    events_page.open()
    events_page.page.get_by_role("button", name="Zoom in").click()
    events_page.page.get_by_role("button", name="Show only the events of this time in the list").click()
    expect(events_page.events.first.locator("time")).to_have_attribute("datetime", "2026-11-26T06:00:00.000Z")
    expect(events_page.events).to_have_count(48)


def test_a_site_without_a_store_says_how_to_get_one(tmp_path: Path, page: Page) -> None:
    with event_store.event_site(tmp_path, stored=False) as site:
        page.goto(f"{address_of(site)}#/events")
        expect(page.get_by_role("heading", name="Events are not stored")).to_be_visible()
        expect(page.locator("main")).to_contain_text("store.folder")


def test_a_store_without_events_says_where_they_come_from(events_page: EventsPage) -> None:
    events_page.open()
    expect(events_page.page.get_by_role("heading", name="No events yet")).to_be_visible()
    events_page.store.save(event(0), EventPhase.END)
    expect(events_page.events).to_have_count(1)
    expect(events_page.page.get_by_role("heading", name="No events yet")).to_be_hidden()
    expect(events_page.page.locator("summary", has_text="Camera")).to_be_visible()


@pytest.mark.parametrize("size", [PHONE, DESKTOP, {"width": 3840, "height": 2160}], ids=["phone", "desktop", "4k"])
def test_the_view_fits_the_screen(size: dict[str, int], events_page: EventsPage) -> None:
    events_page.fill(30)
    events_page.page.set_viewport_size(size)  # type: ignore[arg-type]
    events_page.open()
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert events_page.page.evaluate(fits)
    events_page.events.first.locator("a").click()
    dialog = events_page.page.get_by_role("dialog")
    expect(dialog.locator("video")).to_be_visible()
    assert events_page.page.evaluate(fits)
    assert dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth + 1")
