"""Logging in and out, and what a viewer is not offered."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]

PASSWORD = "correct horse 7"
REFUSED = "status of 401", "WebSocket connection"


@pytest.fixture
def guarded(site: Site, console: Console) -> Site:
    """A site with an admin `ada` and a viewer `vic`, who have the same password."""
    console.allow(*REFUSED)
    site.add_user("ada", PASSWORD, "admin")
    site.add_user("vic", PASSWORD, "viewer")
    return site


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_a_wrong_password_is_told_and_a_right_one_shows_the_view(guarded: Site, page: Page) -> None:
    page.goto(f"{guarded.url}#/live/yard")
    log_in(page, "ada", "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_role("navigation")).to_be_hidden()
    log_in(page, "ada")
    expect(page.get_by_role("heading", name="yard")).to_be_visible()
    expect(page.locator("#account")).to_contain_text("ada")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(0)


def test_a_viewer_is_offered_no_changes(guarded: Site, page: Page) -> None:
    page.goto(f"{guarded.url}#/live/yard")
    log_in(page, "vic")
    expect(page.get_by_role("link", name="Events", exact=True).last).to_be_visible()
    expect(page.get_by_role("link", name="Lines and zones")).to_have_count(0)
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)


def test_a_session_that_has_ended_leads_to_the_login(guarded: Site, page: Page) -> None:
    page.goto(guarded.url)
    log_in(page, "vic")
    expect(page.get_by_role("listitem")).to_have_count(2)
    page.context.clear_cookies()
    page.get_by_role("link", name="door").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    log_in(page, "vic")
    expect(page.get_by_role("heading", name="door")).to_be_visible()


def test_a_session_that_ends_while_the_page_is_open_is_no_lost_server(guarded: Site, page: Page) -> None:
    page.goto(guarded.url)
    log_in(page, "vic")
    expect(page.get_by_role("listitem")).to_have_count(2)
    page.context.request.delete(f"{guarded.url}api/v1/session", headers={"Origin": guarded.url.rstrip("/")})
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.locator("#connection")).to_be_hidden()
