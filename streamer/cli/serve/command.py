"""The command `serve`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
from streamer.cli.options import Assign, Overwrite, Quiet, value
from streamer.cli.run_options import LogFormat, LogFormatName
from streamer.errors import StreamerError
from streamer.observe.run_name import camera_name
from streamer.system.suggestions import counted

if TYPE_CHECKING:
    from streamer.cli.serve.site_status import SiteStatus
    from streamer.cli.terminal import Terminal
    from streamer.config.site import SiteSettings
    from streamer.serve.site import Site
    from streamer.serve.status import CameraStatus
    from streamer.system.service_notify import ServiceNotify


def serve(
    config: Annotated[Path, value("--config", "FILE", "YAML file with the cameras of the site.")],
    assign: Assign = None,
    overwrite: Overwrite = False,
    log_format: LogFormatName = LogFormat.text,
    quiet: Quiet = False,
) -> None:
    """Watch several cameras with detectors that they share."""
    with command(quiet=quiet, json_logs=log_format is LogFormat.json) as (terminal, interrupts):
        from streamer.cli.serve.site_status import SiteStatus
        from streamer.config.loading import load_site
        from streamer.serve.control.paths import default_path
        from streamer.serve.control.server import ControlSocket
        from streamer.serve.metrics import SitePages
        from streamer.serve.site import Site
        from streamer.system.service_notify import ServiceNotify

        def load() -> SiteSettings:
            return load_site(config, assign or [])

        settings, notify = load(), ServiceNotify()
        with ExitStack() as stack:
            status = stack.enter_context(SiteStatus(terminal))
            site = Site(settings, load, _Reporter(terminal, status, notify), overwrite=overwrite)
            stack.enter_context(ControlSocket(settings.control.socket or default_path(config), site))
            if settings.metrics.address is not None:
                pages = stack.enter_context(SitePages(settings.metrics.address, site.cameras))
                terminal.message(f"metrics at {pages.url}, health at {pages.url.removesuffix('metrics')}healthz")
            interrupts.stop_with(site.stop)
            interrupts.reload_with(lambda: _reload(site, terminal, notify))
            site.run()


def _reload(site: Site, terminal: Terminal, notify: ServiceNotify) -> None:
    """Reload at SIGHUP, where nobody waits for the answer."""
    with notify.reloading():
        try:
            terminal.message(f"reload: {site.reload()}")
        except StreamerError as error:
            terminal.error(f"reload: {error}; nothing is changed")


class _Reporter:
    """Shows what happens at a site on the terminal."""

    def __init__(self, terminal: Terminal, status: SiteStatus, notify: ServiceNotify) -> None:
        self._terminal = terminal
        self._status = status
        self._notify = notify

    def started(self, cameras: Sequence[CameraStatus]) -> None:
        self._notify.ready(f"watching {counted(len(cameras), 'camera')}")

    def ending(self) -> None:
        self._notify.stopping()

    def say(self, text: str) -> None:
        self._terminal.message(text)

    def message(self, name: str, text: str) -> None:
        with camera_name(name):
            self._terminal.message(text)

    def refresh(self, cameras: Sequence[CameraStatus]) -> None:
        self._status.update(cameras)
        self._notify.beat()
