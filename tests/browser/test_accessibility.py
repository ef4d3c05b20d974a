"""Every view is usable by keyboard and screen reader, in both themes, on a phone and on a desktop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

VIEWS = {
    "#/live": "Live",
    "#/live/door": "door",
    "#/events": "Events",
    "#/cameras": "Cameras",
    "#/cameras?add": "Add",
    "#/rules/door": "door",
    "#/system": "System",
    "#/my-camera": "camera",
}
"""Address, and a part of the first heading."""


def assert_accessible(page: Page) -> None:
    """axe-core finds no violation."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_violation_in_any_view(
    site: Site, page: Page, scheme: Literal["dark", "light"], size: dict[str, int]
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(size)  # type: ignore[arg-type]
    for address, heading in VIEWS.items():
        page.goto(f"{site.url}{address}")
        expect(page.locator("h1").first).to_contain_text(heading)
        assert_accessible(page)


def test_axe_finds_no_violation_at_a_first_start(make_site: Callable[..., Site], page: Page) -> None:
    page.goto(make_site("cameras: {}\n").url)
    expect(page.get_by_role("link", name="Use my camera")).to_be_visible()
    assert_accessible(page)
