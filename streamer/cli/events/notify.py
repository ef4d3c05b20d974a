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
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from streamer.config.settings import Settings
    from streamer.config.site import SiteSettings
    from streamer.store.outbox import Backlog

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

        targets = _settings(config, assign).notify.targets
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


def list_targets(config: Config, assign: Assign = None) -> None:
    """List the targets, with the messages that wait for them and why the oldest was not delivered."""
    with command(prints=True) as (terminal, _):
        settings = _settings(config, assign)
        if not settings.notify.targets:
            raise ConfigError(f"{config}: there are no targets; notify.targets has them")
        terminal.table(_table(settings, _backlogs(settings)))


def _backlogs(settings: Settings | SiteSettings) -> dict[str, Backlog]:
    from streamer.store.commands.access import reading
    from streamer.store.database.folder import DATABASE
    from streamer.store.outbox import backlogs

    folder = settings.store.folder
    if folder is None or not (folder / DATABASE).is_file():  # nothing was stored yet
        return {}
    with reading(folder) as connection:
        return {one.target: one for one in backlogs(connection)}


def _table(settings: Settings | SiteSettings, waiting: Mapping[str, Backlog]) -> Table:
    from rich.table import Table

    from streamer.cli.events.times import local

    rows = Table(box=None, pad_edge=False)
    for name in ("target", "type", "waiting", "since"):
        rows.add_column(name, no_wrap=True, justify="right" if name == "waiting" else "left")
    rows.add_column("last error of the oldest")
    targets = settings.notify.targets
    for name in (*targets, *(one for one in waiting if one not in targets)):
        kind = targets[name].type if name in targets else "(former)"
        backlog = waiting.get(name)
        if backlog is None:
            rows.add_row(name, kind, "0", "", "")
        else:
            since = local(backlog.time)
            rows.add_row(name, kind, str(backlog.waiting), since, SECRETS.hide(readable(backlog.error)))
    return rows


def _settings(config: Path, assign: list[str] | None) -> Settings | SiteSettings:
    from streamer.config.loading import is_site, load_settings, load_site

    assign = assign or []
    return load_site(config, assign) if is_site(config, assign) else load_settings(config, assign)
