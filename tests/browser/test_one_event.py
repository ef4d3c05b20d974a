"""The dialog of one event in a real browser: clip, boxes, pictures, facts, downloads, keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from streamer.values.events import EventPhase
from tests.browser.conftest import PHONE, Console
from tests.browser.event_store import BEFORE_S, CLIP_FRAMES, NEWEST, RATE_FPS, box, event
from tests.browser.events_page import EventsPage
from tests.browser.test_accessibility import assert_accessible
from tests.clips import NUMBER_BITS

pytestmark = pytest.mark.slow

READ_NUMBER = """
(video, bits) => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  pen.drawImage(video, 0, 0);
  let number = 0;
  for (let bit = 0; bit < bits; bit++) {
    const [red] = pen.getImageData(((bit + 0.5) * canvas.width) / bits, canvas.height / 8, 1, 1).data;
    number = number * 2 + (red > 128);
  }
  return number;
}
"""
"""The number that the shown picture has."""
READ_BOX = """
(canvas) => {
  const { width, height } = canvas;
  const row = canvas.getContext("2d").getImageData(0, Math.round(height * 0.7), width, 1).data;
  const drawn = [...Array(width).keys()].filter((x) => row[4 * x + 3] > 128);
  return [drawn[0] / width, drawn.at(-1) / width];
}
"""
"""The left and right edge of the drawn box in 0..1; null without a box."""


def opened(events_page: EventsPage, number: int = 0) -> Locator:
    """The dialog of an event of the list, with a clip that can be played."""
    events_page.events.nth(number).locator("a").click()
    dialog = events_page.page.get_by_role("dialog")
    expect(dialog.locator("video")).to_have_js_property("readyState", 4)
    return dialog


def shown_number(dialog: Locator) -> int:
    number: int = dialog.locator("video").evaluate(READ_NUMBER, NUMBER_BITS)
    return number


def at_frame(dialog: Locator, number: int) -> None:
    """Wait until the clip and its boxes show a frame."""
    expect(dialog.locator(".stage")).to_have_attribute("data-frame", str(number))
    assert shown_number(dialog) == number
    left, right = dialog.locator(".overlay").evaluate(READ_BOX)
    assert left == pytest.approx(box(number)[0], abs=0.01)
    assert right == pytest.approx(box(number)[2], abs=0.01)


def test_boxes_are_drawn_on_their_frames(events_page: EventsPage) -> None:
    events_page.fill(1)
    events_page.open()
    dialog = opened(events_page)
    at_frame(dialog, 0)
    events_page.page.keyboard.press(".")
    at_frame(dialog, 1)
    for number in (2, 3):
        dialog.get_by_role("button", name="Frame forward").click()
        at_frame(dialog, number)
    events_page.page.keyboard.press(",")
    at_frame(dialog, 2)
    position = dialog.get_by_role("slider", name="Position in the clip")
    for number in (75, 133, 40):
        position.evaluate(
            "(it, time) => { it.value = time; it.dispatchEvent(new Event('input')); }", (number + 0.5) / RATE_FPS
        )
        at_frame(dialog, number)


def test_boxes_can_be_hidden(events_page: EventsPage) -> None:
    events_page.fill(1)
    events_page.open()
    dialog = opened(events_page)
    at_frame(dialog, 0)
    drawn = "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    assert dialog.locator(".overlay").evaluate(drawn)
    dialog.get_by_label("Boxes").uncheck()
    assert not dialog.locator(".overlay").evaluate(drawn)
    events_page.page.keyboard.press("b")
    assert dialog.locator(".overlay").evaluate(drawn)


def test_the_clip_plays_at_the_chosen_speed_and_boxes_follow(events_page: EventsPage) -> None:
    events_page.fill(1)
    events_page.open()
    dialog = opened(events_page)
    dialog.get_by_label("Speed").select_option("8")
    dialog.get_by_role("button", name="Play").click()
    video = dialog.locator("video")
    expect(video).to_have_js_property("ended", True)
    assert video.evaluate("(it) => it.playbackRate") == 8
    at_frame(dialog, shown_number(dialog))  # at this speed the browser may leave the last ones out
    assert shown_number(dialog) > CLIP_FRAMES / 2


def test_an_event_is_told_with_all_its_facts(events_page: EventsPage) -> None:
    events_page.fill(3)
    events_page.open()
    dialog = opened(events_page, 2)
    expect(dialog.get_by_role("heading")).to_have_text("Dog entered zone porch at 11:30:00 AM, stayed 2 s")
    facts = dialog.locator("dl")
    for text in ("Zone entered", "Dog, up to 87%", "porch, lawn", "Today, 11:30:02 AM", "2 s", "8.0 s", "#7"):
        expect(facts).to_contain_text(text)
    expect(facts.get_by_role("link", name="door live")).to_have_attribute("href", "#/live/door")


def test_keys_lead_to_the_next_and_the_previous_event(events_page: EventsPage) -> None:
    ids = events_page.fill(90)
    events_page.open()
    dialog = opened(events_page, 58)
    for number in (59, 60, 61):  # the list had 60
        events_page.page.keyboard.press("ArrowRight")
        expect(dialog.locator("dl")).to_contain_text(ids[number])
    events_page.page.keyboard.press("ArrowLeft")
    expect(dialog.locator("dl")).to_contain_text(ids[60])
    expect(events_page.page).to_have_url(f"{events_page.url}#/events/{ids[60]}")
    events_page.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(events_page.events.nth(60).locator("a")).to_be_focused()
    expect(events_page.page).to_have_url(f"{events_page.url}#/events")


def test_a_link_opens_an_event_and_back_closes_it(events_page: EventsPage) -> None:
    ids = events_page.fill(12)
    events_page.open("#/events?camera=yard")
    opened(events_page, 0)
    address = events_page.page.url
    assert address.endswith(f"#/events/{ids[1]}?camera=yard")
    events_page.page.go_back()
    expect(events_page.page.get_by_role("dialog")).to_be_hidden()
    expect(events_page.events).to_have_count(6)
    events_page.page.go_forward()
    expect(events_page.page.get_by_role("dialog").locator("dl")).to_contain_text(ids[1])
    events_page.page.goto("about:blank")
    events_page.page.goto(address)
    dialog = events_page.page.get_by_role("dialog")
    expect(dialog.locator("dl")).to_contain_text(ids[1])
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect(events_page.page).to_have_url(f"{events_page.url}#/events?camera=yard")
    expect(events_page.events).to_have_count(6)


def test_clip_snapshot_and_object_are_shown_and_downloaded(events_page: EventsPage) -> None:
    events_page.fill(1)
    events_page.open()
    dialog = opened(events_page)
    for name, width in (("Picture", 640), ("Object", 200)):
        dialog.get_by_role("button", name=name, exact=True).click()
        expect(dialog.locator(".media img")).to_have_js_property("naturalWidth", width)
    dialog.get_by_role("button", name="Clip", exact=True).click()
    expect(dialog.locator("video")).to_be_visible()
    for name, begin in (("Clip", b"ftyp"), ("Clip with boxes", b"ftyp"), ("Picture", b"JFIF")):
        with events_page.page.expect_download() as download:
            dialog.get_by_role("link", name=name, exact=True).click()
        assert begin in Path(download.value.path()).read_bytes()[:16]


def test_the_clip_of_an_open_event_appears_when_it_is_complete(events_page: EventsPage) -> None:
    lasting = event(0, end_time=None, ending=None)
    events_page.store.save(lasting, EventPhase.START)
    events_page.files.attach(events_page.store, lasting, ["snapshot"])
    assert events_page.store.flush()
    events_page.open()
    events_page.events.first.locator("a").click()
    dialog = events_page.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text("is still there")
    expect(dialog.locator(".media img")).to_be_visible()
    expect(dialog.get_by_role("status")).to_contain_text("Its clip appears here when it is complete")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    events_page.store.save(event(0, end_time=NEWEST + 12, id=lasting.id), EventPhase.END)
    expect(dialog.get_by_role("heading")).to_contain_text("stayed 12 s")
    expect(dialog.get_by_role("status")).to_contain_text("not ready yet")
    events_page.files.attach(events_page.store, lasting, ["clip", "boxes"])
    expect(dialog.locator("video")).to_have_js_property("readyState", 4)
    expect(dialog.get_by_role("status")).to_be_hidden()


def test_a_clip_that_is_gone_is_told(events_page: EventsPage, console: Console) -> None:
    console.allow("404")
    [one] = events_page.fill(1)
    record = events_page.store.get(one)
    assert record
    (events_page.store.folder / record.clip).unlink()
    events_page.open()
    events_page.events.first.locator("a").click()
    dialog = events_page.page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_contain_text("The clip is gone")
    dialog.get_by_role("button", name="Picture", exact=True).click()
    expect(dialog.locator(".media img")).to_have_js_property("naturalWidth", 640)


def test_an_event_that_does_not_exist_shows_the_list(events_page: EventsPage, console: Console) -> None:
    console.allow("404")
    events_page.fill(3)
    events_page.open("#/events/01JDMZ3V7Q0000000000000000")
    expect(events_page.page.get_by_role("alert")).to_contain_text("event")
    expect(events_page.page.get_by_role("dialog")).to_be_hidden()
    expect(events_page.page).to_have_url(f"{events_page.url}#/events")


def test_a_deleted_event_gives_way_to_the_next_one(events_page: EventsPage) -> None:
    ids = events_page.fill(3)
    events_page.open()
    dialog = opened(events_page, 1)
    for number in (2, None):
        dialog.get_by_role("button", name="Delete").click()
        question = events_page.page.get_by_role("dialog", name="Delete 1 event?")
        question.get_by_role("button", name="Delete").click()
        if number is not None:
            expect(dialog.locator("dl").first).to_contain_text(ids[number])
    expect(events_page.page.get_by_role("dialog")).to_have_count(0)
    expect(events_page.events).to_have_count(1)
    expect(events_page.page).to_have_url(f"{events_page.url}#/events")


def test_the_mark_on_the_position_bar_is_the_time_of_the_event(events_page: EventsPage) -> None:
    events_page.fill(1)
    events_page.open()
    mark = opened(events_page).locator(".of-event")
    begin = float(mark.evaluate("(it) => it.style.getPropertyValue('--begin')"))
    assert begin == pytest.approx(BEFORE_S / (CLIP_FRAMES / RATE_FPS), abs=0.001)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [PHONE, None], ids=["phone", "desktop"])
def test_accessible(size: dict[str, int] | None, scheme: str, events_page: EventsPage) -> None:
    events_page.fill(30)
    events_page.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    if size is not None:
        events_page.page.set_viewport_size(size)  # type: ignore[arg-type]
    events_page.open()
    expect(events_page.page.locator(".lane").first).to_be_visible()
    events_page.events.first.get_by_role("checkbox").check(force=True)
    assert_accessible(events_page.page)
    events_page.page.locator("summary", has_text="Camera").click()
    assert_accessible(events_page.page)
    events_page.page.keyboard.press("Escape")
    opened(events_page)
    assert_accessible(events_page.page)


def test_the_view_can_be_used_by_keyboard_alone(events_page: EventsPage) -> None:
    events_page.fill(6)
    events_page.open()
    keyboard = events_page.page.keyboard
    expect(events_page.page.locator("summary", has_text="Camera")).to_be_visible()
    events_page.page.get_by_role("searchbox").focus()
    keyboard.press("Tab")
    expect(events_page.page.locator("summary", has_text="Camera")).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Tab")
    keyboard.press("Space")
    expect(events_page.events).to_have_count(3)
    keyboard.press("Escape")
    expect(events_page.page.locator("summary", has_text=re.compile("Camera: door"))).to_be_focused()
    events_page.events.first.locator("a").focus()
    keyboard.press("ArrowRight")
    expect(events_page.events.nth(1).locator("a")).to_be_focused()
    keyboard.press("Enter")
    dialog = events_page.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    keyboard.press("Space")
    expect(dialog.locator("video")).to_have_js_property("paused", False)
    keyboard.press("Space")
    expect(dialog.locator("video")).to_have_js_property("paused", True)
    keyboard.press("Escape")
    expect(events_page.events.nth(1).locator("a")).to_be_focused()
    expect(events_page.page).to_have_url(f"{events_page.url}#/events?camera=door")
