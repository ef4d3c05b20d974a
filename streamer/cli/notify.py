"""The commands of the group `notify`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import Assign, value
from streamer.errors import ConfigError
from streamer.system.suggestions import nearest

if TYPE_CHECKING:
    from streamer.config.notify import NotifySettings

Config = Annotated[Path, value("--config", "FILE", "YAML file of 'run' or 'serve', with notify.targets.")]


def send_test(
    name: Annotated[str, typer.Argument(metavar="TARGET", help="Name of the target.", show_default=False)],
    config: Config,
    assign: Assign = None,
) -> None:
    """Send a test message with a picture to a target now, and show the answer.

    Exit code 0: it was delivered. 1: it was not. 2: an invalid setting. Filters and quiet hours do not apply.
    """
    with command(prints=True) as (terminal, interrupts):
        from streamer.notify.notifier import build
        from streamer.notify.sample import sample_message
        from streamer.notify.target import DeliveryError

        targets = _settings(config, assign).targets
        if name not in targets:
            raise ConfigError(f"{config}: notify.targets has no {name!r}{nearest(name, targets)}")
        target = build(name, targets[name], None, shows_readings=False)
        interrupts.stop_with(target.cancel)
        with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
            started_s = time.monotonic()
            try:
                answer = target.deliver(sample_message(Path(folder)))
            except DeliveryError as error:
                raise DeliveryError(f"not delivered to {name}: {error}") from error
            finally:
                target.close()
        terminal.line(f"delivered to {name} in {time.monotonic() - started_s:.2f} s: {answer}")


def _settings(config: Path, assign: list[str] | None) -> NotifySettings:
    from streamer.config.loading import is_site, load_settings, load_site

    assign = assign or []
    return (load_site(config, assign) if is_site(config, assign) else load_settings(config, assign)).notify
