"""Runs a site from start to end with its web pages, and reports the result. Main thread."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from streamer.broadcast.broadcasts import Broadcasts
from streamer.cli.serve import report_table
from streamer.cli.serve.site_status import SiteStatus
from streamer.cli.terminal import Terminal
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError, Interrupted, SinkUnavailable
from streamer.observe.log_tail import LogTail
from streamer.run.outputs import STANDARD_OUTPUT
from streamer.serve.checks.file import check_site
from streamer.serve.checks.page import page_problems
from streamer.serve.report import SiteReport, site_report
from streamer.serve.settings_file.settings_file import SettingsFile
from streamer.serve.site import Site
from streamer.system.partial_file import PartialFile, make_folder
from streamer.system.paths import encodable


class PageParts(NamedTuple):
    """What the page needs besides the site.

    Attributes:
        broadcasts: live video of the cameras; they view the site.
        settings_file: of the site.
        log: the last messages of the program.
    """

    broadcasts: Broadcasts
    settings_file: SettingsFile
    log: LogTail

    @property
    def file(self) -> Path:
        """The path of the settings file."""
        return self.settings_file.path


def run_site(
    site: Site,
    status: SiteStatus,
    terminal: Terminal,
    settings: SiteSettings,
    page: PageParts,
    *,
    report: Path | None,
    overwrite: bool,
) -> None:
    """Run until the site is stopped, or all of its sources have ended.

    Args:
        site: reports to `status`.
        status: shows the cameras meanwhile.
        terminal: gets the report.
        settings: of the site.
        page: what the page needs besides the site.
        report: a file for the report; it is written if a camera has shown a frame.
        overwrite: replace the file.

    Raises:
        ConfigError: the report is to be written to standard output.
        Interrupted: the site was stopped.
        StreamerError: it cannot run.
    """
    # A report that cannot be written is refused before the work begins.
    file = None if report is None else _report_file(report, overwrite=overwrite)
    began_s, state = time.monotonic(), "failed"
    try:
        with ExitStack() as stack:
            check_site(settings)  # before its pages are there
            if settings.metrics.address is not None:
                _serve_metrics(settings.metrics.address, site, terminal, stack)
            if settings.web.address is not None:
                _serve_page(settings, site, page, terminal, stack)
            stack.enter_context(status)
            site.run()
        state = "complete"
    except (Interrupted, KeyboardInterrupt):
        state = "interrupted"
        raise
    finally:
        made = site_report(state, time.monotonic() - began_s, site.cameras(), site.reports())
        if not any(one.report.stats.ledger.entered for one in made.cameras):
            if file is not None:
                file.discard()
        else:
            _report(made, terminal, file)


def _report_file(path: Path, *, overwrite: bool) -> PartialFile:
    if str(path) == STANDARD_OUTPUT:
        raise ConfigError("the report cannot be written to standard output, which has the table; name a file")
    make_folder(path.parent)
    return PartialFile(path, overwrite=overwrite)


def _serve_metrics(address: str, site: Site, terminal: Terminal, stack: ExitStack) -> None:
    from streamer.serve.metrics import SitePages  # here: it imports aiohttp, which takes 0.1 s

    pages = stack.enter_context(SitePages(address, site.cameras, site.targets, lambda: site.settings.awaits_cameras))
    terminal.message(f"metrics at {pages.url}, health at {pages.health_url}")


def _serve_page(settings: SiteSettings, site: Site, page: PageParts, terminal: Terminal, stack: ExitStack) -> None:
    from streamer.accounts.site_access import guard_of, tls_of
    from streamer.api.context import ApiContext
    from streamer.browser_camera.sessions import BrowserCameras
    from streamer.page.site_page import SitePage
    from streamer.web.address import urls_elsewhere

    if problems := page_problems(settings):  # only of the default address: others are refused
        terminal.message(f"no page: {problems[0]}")
        return
    stack.callback(page.broadcasts.close)
    guard, tls = stack.enter_context(guard_of(settings.web, page.file)), tls_of(settings.web, page.file)
    webcams = BrowserCameras(site, settings.web, page.broadcasts.viewers)
    context = ApiContext(site, page.broadcasts, settings.web, page.settings_file, guard, webcams, page.log)
    shown = SitePage(context, tls)
    try:
        stack.enter_context(shown)
    except SinkUnavailable as error:
        if "address" in settings.web.model_fields_set or not settings.cameras:
            raise
        terminal.message(f"no page: {error}; set web.address")  # the cameras matter more than a default
    else:
        terminal.message(f"page at {shown.url}")
        if elsewhere := urls_elsewhere(shown.url, shown.address[0]):
            terminal.message(f"from other machines: {', '.join(elsewhere)}")
        if tls is not None:
            terminal.message(f"SHA-256 fingerprint of its certificate: {tls.fingerprint}")


def _report(report: SiteReport, terminal: Terminal, file: PartialFile | None) -> None:
    if file is not None:
        file.complete(json.dumps(encodable(report.to_dict()), indent=2) + "\n")
    if terminal.quiet:
        return
    terminal.line(report_table.head(report))
    terminal.table(report_table.table(report))
    for line in (*report_table.found(report), *report_table.notes(report), *report_table.written(report)):
        terminal.paragraph(line)
    if file is not None:
        terminal.paragraph(f"report: {file.final}")
