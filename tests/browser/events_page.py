"""A page of a browser that shows the events of a site. The thread of the test calls it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.api.sites import Served
from tests.browser.event_store import NEWEST, EventFiles, fill


def address_of(site: Served) -> str:
    """The address of the page of a site."""
    host, port = site.client.address
    return f"http://{host}:{port}/"


class EventsPage:
    """A site with a store, and a page of a browser that shows its events.

    Attributes:
        url: of the site.
        store: of the site.
        files: for events.
        page: of the browser; its clock says ten minutes after the newest event.
    """

    def __init__(self, site: Served, files: EventFiles, page: Page) -> None:
        self.url, self.store, self.files, self.page = address_of(site), site.store, files, page
        page.clock.set_fixed_time(NEWEST + 600)

    def fill(self, count: int) -> list[str]:
        """Store so many events. Their ids, the newest first."""
        return [record.id for record in fill(self.store, self.files, count)]

    def open(self, address: str = "#/events") -> None:
        """Open the view; returns when it shows its events."""
        self.page.goto(self.url + address)
        expect(self.page.locator(".event, .empty").first).to_be_visible()

    @property
    def events(self) -> Locator:
        """The events in the list."""
        return self.page.locator(".event")

    def ids(self) -> list[str]:
        """Their ids."""
        found: list[str] = self.events.evaluate_all("(all) => all.map((one) => one.dataset.id)")
        return found

    def choose(self, menu: str, name: str) -> None:
        """Choose a value of a filter."""
        summary = self.page.locator("summary", has_text=menu)
        summary.click()
        self.page.get_by_role("group", name=menu).get_by_label(name, exact=True).click()
        self.page.keyboard.press("Escape")
