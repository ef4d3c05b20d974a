"""The shell of the page: navigation and themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

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


@pytest.mark.parametrize("address", ["#/live/%", "#/live/100%25%2F%C3%BC", "#/constructor", "#/live/<b>door</b>"])
def test_an_address_of_no_camera_shows_a_view(site: Site, page: Page, console: Console, address: str) -> None:
    console.allow("404", "503", "WebSocket connection")
    page.goto(f"{site.url}{address}")
    expect(page.locator("h1")).to_be_visible()
    assert page.locator("#view b").count() == 0


def test_a_connection_that_is_silent_is_made_again(site: Site, page: Page, console: Console) -> None:
    sockets = []

    def first_is_silent(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) > 1:
            socket.connect_to_server()

    console.allow("WebSocket connection")
    page.clock.install()
    page.route_web_socket(re.compile("/status$"), first_is_silent)
    page.goto(site.url)
    expect(page.get_by_text("Connecting to the server.")).to_be_visible()
    page.clock.fast_forward(20_000)
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert len(sockets) == 2
