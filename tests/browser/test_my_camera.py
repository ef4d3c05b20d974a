"""The view "My camera": Chromium sends its synthetic webcam, and draws the boxes that come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Console
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

WITHOUT_CAMERAS = "detector: {name: starter, workers: 1}\n"
SESSIONS = "fetch('/api/v1/browser-cameras').then((answer) => answer.json()).then((found) => found.browser_cameras)"
REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'));"


def open_view(page: Page, site: Site) -> None:
    page.goto(f"{site.url}#/my-camera")
    expect(page.get_by_role("heading", name="My camera", exact=True)).to_be_visible()


def start(page: Page) -> None:
    page.get_by_role("button", name="Start my camera").click()


def sessions(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(SESSIONS)
    return found


def test_webcam_goes_up_and_each_frame_comes_back(make_site: Callable[..., Site], page: Page) -> None:
    """At a site without cameras: the detector is loaded for the webcam."""
    site = make_site(WITHOUT_CAMERAS)
    open_view(page, site)
    start(page)
    expect(page.locator(".state")).to_have_text("Running")
    expect(page.locator(".toolbar .number")).to_contain_text("detections/s")
    page.wait_for_function("document.querySelector('canvas.still').width === 640")  # the picture that boxes belong to
    (session,) = sessions(page)
    assert (session["width"], session["height"], session["returns"]) == (640, 480, "boxes")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start my camera")).to_be_visible()
    page.wait_for_function(f"{SESSIONS}.then((found) => !found.length)")


def test_leaving_the_view_ends_the_session(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site(WITHOUT_CAMERAS)
    open_view(page, site)
    start(page)
    expect(page.locator(".state")).to_have_text("Running")
    page.get_by_role("link", name="Live").click()
    page.wait_for_function(f"{SESSIONS}.then((found) => !found.length)")


def test_quality_changes_while_the_camera_runs(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site(WITHOUT_CAMERAS)
    open_view(page, site)
    start(page)
    expect(page.locator(".state")).to_have_text("Running")
    page.get_by_label("Quality").select_option("high")
    page.wait_for_function(f"{SESSIONS}.then((found) => found[0].width === 1280)")
    assert len(sessions(page)) == 1


def test_end_by_the_server_is_told(make_site: Callable[..., Site], page: Page) -> None:
    site = make_site(WITHOUT_CAMERAS, "--set", "web.browser_camera.max_s=3")
    open_view(page, site)
    start(page)
    expect(page.locator(".begin")).to_contain_text("web.browser_camera.max_s", timeout=20_000)
    expect(page.get_by_role("button", name="Start my camera")).to_be_visible()


def test_refusal_by_the_server_is_told(make_site: Callable[..., Site], page: Page, console: Console) -> None:
    console.allow("503")
    site = make_site(WITHOUT_CAMERAS, "--set", "web.browser_camera.sessions=0")
    open_view(page, site)
    start(page)
    expect(page.locator(".begin")).to_contain_text("switched off (web.browser_camera.sessions: 0)")


@pytest.mark.parametrize(
    ("name", "told"),
    [("NotAllowedError", "Allow it"), ("NotFoundError", "has no camera"), ("NotReadableError", "in use by another")],
)
def test_camera_that_cannot_be_opened_is_told(site: Site, page: Page, name: str, told: str) -> None:
    page.add_init_script(REFUSED.format(name=name))
    open_view(page, site)
    start(page)
    expect(page.locator(".begin")).to_contain_text(told)
    assert sessions(page) == []


def test_page_without_https_says_how_to_get_the_camera(site: Site, page: Page) -> None:
    """Browsers hide `mediaDevices` from a page of another machine without HTTPS."""
    page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    open_view(page, site)
    expect(page.locator(".begin")).to_contain_text("web.tls: auto")


def test_phone_shows_the_start_without_scrolling(site: Site, page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    open_view(page, site)
    expect(page.get_by_role("button", name="Start my camera")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_clock_of_the_sender_gives_capture_times(site: Site, page: Page) -> None:
    """Frames of 15 fps from 1000 ms on, of which one takes 20 ms outside of the server and the others more."""
    open_view(page, site)
    found = page.evaluate(
        """async () => {
          const { SenderClock } = await import("/assets/webcam.js"), clock = new SenderClock();
          clock.overheadMs = 20;
          const origin = 2 ** 32 - 3000;  // wraps between the first two frames
          return [80, 20, 45, 30].map((late, number) => clock.capturedAt(
            (origin + 6000 * number) % 2 ** 32, 0.05, 1000 + number * 200 / 3 + 50 + late));
        }"""
    )
    assert found[1:] == pytest.approx([1000 + number * 200 / 3 for number in (1, 2, 3)], abs=0.1)
