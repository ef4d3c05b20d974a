"""The command `serve`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
from streamer.cli.options import Assign, Overwrite, Quiet, value
from streamer.cli.run_options import LogFormat, LogFormatName

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal
    from streamer.config.site import SiteSettings
    from streamer.serve.status import CameraStatus


def serve(
    config: Annotated[Path, value("--config", "FILE", "YAML file with the cameras of the site.")],
    assign: Assign = None,
    overwrite: Overwrite = False,
    log_format: LogFormatName = LogFormat.text,
    quiet: Quiet = False,
) -> None:
    """Watch several cameras with detectors that they share."""
    with command(quiet=quiet, json_logs=log_format is LogFormat.json) as (terminal, interrupts):
        from streamer.config.loading import load_site
        from streamer.serve.site import Site

        def load() -> SiteSettings:
            return load_site(config, assign or [])

        site = Site(load(), load, _Reporter(terminal), overwrite=overwrite)
        interrupts.stop_with(site.stop)
        site.run()


class _Reporter:
    """Shows what happens at a site on the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def say(self, text: str) -> None:
        self._terminal.message(text)

    def message(self, name: str, text: str) -> None:
        self._terminal.message(f"{name}: {text}")

    def refresh(self, cameras: Sequence[CameraStatus]) -> None:
        pass
