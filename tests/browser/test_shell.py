"""The shell of the page: navigation and themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]


def test_each_entry_of_the_navigation_has_its_address(site: Site, page: Page, console: Console) -> None:
    console.allow("404", "WebSocket")
    page.goto(site.url)
    names = {"Live": "live", "Events": "events", "Cameras": "cameras", "System": "system", "My camera": "my-camera"}
    for name, head in names.items():
        link = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        link.click()
        assert page.url == f"{site.url}#/{head}"
        expect(link).to_have_attribute("aria-current", "page")


def test_the_chosen_theme_is_remembered(site: Site, page: Page, console: Console) -> None:
    console.allow("404", "WebSocket")
    page.emulate_media(color_scheme="light")
    page.goto(site.url)
    light = page.evaluate("getComputedStyle(document.body).color")
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate("getComputedStyle(document.body).color")
    assert dark != light
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).color") == dark
