"""The system view: figures of detectors, frames and latency, the log, accounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.site import CAMERAS, Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

SETTINGS = f"""\
{CAMERAS}store: {{folder: events}}
notify:
  targets:
    broker: {{type: mqtt, url: "mqtt://127.0.0.1:9"}}
"""
STARTS_MS = 60_000
"""The first camera loads the detector."""
DETECTED = re.compile(r"door: [\d,]+ detected")


@pytest.fixture
def system(make_site: Callable[..., Site], page: Page) -> Page:
    """The view of a site that stores events and has a target which is not there."""
    site = make_site(SETTINGS)
    page.goto(f"{site.url}#/system")
    expect(page.get_by_role("img", name="door:")).to_have_accessible_name(DETECTED, timeout=STARTS_MS)
    return page


def card(page: Page, title: str) -> Any:
    """A section of the view."""
    return page.locator("section").filter(has=page.get_by_role("heading", name=title, exact=True))


def test_the_system_shows_the_figures_of_the_site(system: Page) -> None:
    expect(card(system, "Detectors").get_by_role("row", name="starter")).to_contain_text("%")
    frames = card(system, "Frames since the start of each camera")
    expect(frames.get_by_role("heading", name="yard")).to_contain_text("frames")
    latency = card(system, "Latency in ms: mean (95th percentile)")
    expect(latency.get_by_role("row", name="detect", exact=False).first).to_contain_text("(")
    expect(card(system, "Events")).to_contain_text("Free on the disk")
    alerts = card(system, "Alerts")
    expect(alerts).to_contain_text("broker")


def test_the_figures_of_the_detectors_fit_a_phone(system: Page) -> None:
    system.set_viewport_size(PHONE)  # type: ignore[arg-type]
    table = system.get_by_role("group", name="Detector")
    assert table.evaluate("(table) => table.scrollWidth <= table.clientWidth")


def test_new_figures_keep_the_focus_and_the_place_in_a_table(system: Page) -> None:
    system.set_viewport_size(PHONE)  # type: ignore[arg-type]
    table = system.get_by_role("group", name="Detector")
    table.focus()
    table.evaluate("(one) => (one.scrollLeft = 20)")
    place = table.evaluate("(one) => one.scrollLeft")
    frames = system.get_by_role("img", name="door:")
    before = frames.get_attribute("aria-label")
    assert before is not None
    expect(frames).not_to_have_attribute("aria-label", before)
    expect(table).to_be_focused()
    assert table.evaluate("(one) => one.scrollLeft") == place


def test_the_log_is_filtered_and_followed(system: Page) -> None:
    log = system.get_by_role("group", name="Messages of the program")
    expect(log).to_contain_text("yard")
    system.get_by_label("Camera", exact=True).select_option("door")
    expect(log.get_by_text("running, 640x360")).to_be_visible()
    expect(log.get_by_text("running, 320x240")).to_have_count(0)
    system.get_by_label("Level").select_option("critical")
    expect(log).to_have_text("No messages.")


def test_the_system_says_how_to_add_users(system: Page) -> None:
    expect(card(system, "Accounts")).to_contain_text("Nobody has to log in")
    expect(card(system, "Accounts")).to_contain_text("streamer user add NAME")
    expect(system.get_by_role("main").get_by_role("button", name="Log out")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_system_is_accessible(system: Page, scheme: Any) -> None:
    system.emulate_media(color_scheme=scheme)
    for size in (system.viewport_size, PHONE):
        system.set_viewport_size(size)  # type: ignore[arg-type]
        results = Axe().run(system)
        assert results.violations_count == 0, results.generate_report()
        assert system.evaluate("document.documentElement.scrollWidth <= innerWidth")
