"""The shell of the page: navigation and themes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Console
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


def test_a_view_looks_the_same_after_other_views(
    make_site: Callable[..., Site], browser: Browser, console: Console
) -> None:
    site = make_site(None)
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    console.watch(page)
    views = ("live", "cameras?add", "my-camera")
    fresh = {}
    for view in views:
        page.goto("about:blank")
        page.goto(f"{site.url}#/{view}")
        fresh[view] = styles_of(page, view)
    for view in (*views, "events", "system"):
        page.goto(f"{site.url}#/{view}")
        expect(page.get_by_role("heading", level=1)).to_be_attached()
    for view in views:
        page.goto(f"{site.url}#/{view}")
        assert styles_of(page, view) == fresh[view]
    context.close()


def styles_of(page: Page, view: str) -> list[list[str]]:
    """How each element of the view is laid out."""
    expect(page.locator(f"main.view-{view.partition('?')[0]} :is(button, .choices)").first).to_be_visible()
    found: list[list[str]] = page.evaluate("""
        [...document.querySelectorAll("main *")].map((element) => {
          const { position, display, padding, fontSize, background, boxShadow } = getComputedStyle(element);
          const name = `${element.tagName}.${element.className}`;
          return [name, position, display, padding, fontSize, background, boxShadow];
        })""")
    return found


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
