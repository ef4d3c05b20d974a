"""The command `serve`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
from streamer.cli.options import Assign, Overwrite, Quiet, ReportFile, value
from streamer.cli.run_options import LogFormat, LogFormatName
from streamer.errors import StreamerError

if TYPE_CHECKING:
    from streamer.cli.serve.site_status import SiteStatus
    from streamer.serve.site import Site

ARENAS = 2
"""Of the C library, for all threads: a further camera needs 14 MiB instead of 65 (benchmarks.cameras, 1280x720)."""


def serve(
    config: Annotated[
        Path | None,
        value(
            "--config",
            "FILE",
            "YAML file with the cameras of the site.",
            default="a file of this user, which the page writes",
        ),
    ] = None,
    assign: Assign = None,
    report: ReportFile = None,
    overwrite: Overwrite = False,
    log_format: LogFormatName = LogFormat.text,
    quiet: Quiet = False,
) -> None:
    """Watch cameras, and show them on a page (http://127.0.0.1:8080).

    The cameras share their detectors. A terminal shows a line for each camera: rates, age, drops, the last event.
    """
    with command(quiet=quiet, json_logs=log_format is LogFormat.json, has_options=False) as (terminal, interrupts):
        import cv2

        from streamer.broadcast.broadcasts import Broadcasts
        from streamer.cli.serve.running import PageParts, run_site
        from streamer.cli.serve.site_status import SiteStatus
        from streamer.observe.log_tail import LogTail
        from streamer.serve.control.paths import default_path
        from streamer.serve.control.server import ControlSocket
        from streamer.serve.settings_file.settings_file import SettingsFile
        from streamer.serve.site import Site
        from streamer.system.memory import share_arenas
        from streamer.system.service_notify import ServiceNotify

        file = SettingsFile(config or default_file(), assign or (), events=None if config else default_events())
        tail = LogTail()
        logging.getLogger().addHandler(tail)
        share_arenas(ARENAS)
        cv2.setNumThreads(1)  # the cameras' threads use all cores; more for one picture would wait for one another
        settings, service = file.load(), ServiceNotify()
        status = SiteStatus(terminal, tail)
        broadcasts = Broadcasts(settings.web.live)
        # Who opens the page of an own site comes back to it, and adds the next file.
        stays = config is None and settings.web.address is not None
        site = Site(settings, file.load, status, service, overwrite=overwrite, viewers=broadcasts, stays=stays)
        with ControlSocket(settings.control.socket or default_path(file.path), site):
            interrupts.stop_with(site.stop)
            interrupts.reload_with(lambda: _reload(site, status))
            page = PageParts(broadcasts, file, tail)
            run_site(site, status, terminal, settings, page, report=report, overwrite=overwrite)


def default_file() -> Path:
    """The settings of the site of this user, which the page writes; it may not exist yet."""
    import platformdirs

    return platformdirs.user_config_path("streamer") / "site.yaml"


def default_events() -> Path:
    """The folder for events of a site that has no settings file yet."""
    import platformdirs

    return platformdirs.user_data_path("streamer") / "events"


def _reload(site: Site, status: SiteStatus) -> None:
    """Reload at SIGHUP, where nobody waits for the answer."""
    try:
        status.say(f"reload: {site.reload(wait=True)}")
    except StreamerError as error:
        status.error(f"reload: {error}; nothing is changed")
