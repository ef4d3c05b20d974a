"""A running site, and a page of a real browser that fails the test on errors of its scripts and its policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.event_store import EventFiles, event_site
from tests.browser.events_page import EventsPage
from tests.browser.site import CAMERAS, Site

CHROMIUM = Path("/usr/bin/chromium")
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
_WAIT_MS = 30_000

expect.set_options(timeout=_WAIT_MS)  # on a busy machine a page may take seconds


@pytest.fixture
def make_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Site]]:
    """Starts a site with the given settings (YAML text; None: without a file) and options, in a home of its own."""
    for name in ("HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    sites: list[Site] = []

    def make(settings: str | None = CAMERAS, *options: str) -> Site:
        sites.append(Site(tmp_path, settings, *options))
        sites[-1].start()
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A running site with two synthetic cameras, `door` and `yard`, and the starter."""
    return make_site()


class Console:
    """The errors of a page's scripts: exceptions, failed requests, and what its policy (CSP) refuses."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._allowed = ["/snapshot.jpg)"]  # a camera that starts has no frame yet

    def allow(self, *parts: str) -> None:
        """Errors with one of these texts are expected, such as `WebSocket connection` when the server ends."""
        self._allowed.extend(parts)

    def watch(self, page: Page) -> None:
        """Collect the errors of a page."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def unexpected(self) -> list[str]:
        """The errors that are not allowed."""
        return [error for error in self.errors if not any(part in error for part in self._allowed)]

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
def console() -> Iterator[Console]:
    """The errors of all pages of the test; those that are not allowed fail it."""
    console = Console()
    yield console
    assert not console.unexpected()


# Not for the session: this interface keeps an event loop on the main thread, where `asyncio.run` of other tests fails.
@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Browser]]:
    """Starts a Chromium with the given flags; all end with the module."""
    if not CHROMIUM.exists():
        pytest.skip("no Chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        browsers: list[Browser] = []

        def start(*flags: str) -> Browser:
            browsers.append(playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *flags]))
            return browsers[-1]

        yield start
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Browser:
    """Chromium with a synthetic webcam, which it may use without asking."""
    return launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    """A page at desktop size with nothing opened; `page.goto(site.url)` is the first step."""
    yield from open_page(browser, console)


def open_page(browser: Browser, console: Console) -> Iterator[Page]:
    """A page in a profile of its own; it is closed when the iterator goes on."""
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(_WAIT_MS)
    page = context.new_page()
    console.watch(page)
    yield page
    context.close()


@pytest.fixture(scope="session")
def event_files(tmp_path_factory: pytest.TempPathFactory) -> EventFiles:
    """Clips, boxes and pictures for events."""
    return EventFiles(tmp_path_factory.mktemp("event-files"))


@pytest.fixture
def events_page(tmp_path: Path, event_files: EventFiles, page: Page) -> Iterator[EventsPage]:
    """A site with an empty store, and a page for its events; `events_page.open()` opens it."""
    with event_site(tmp_path) as site:
        yield EventsPage(site, event_files, page)
        page.goto("about:blank")  # before the site ends, which the page would notice
