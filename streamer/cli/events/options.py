"""The options that the commands of `events` share: the store, and which events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.options import flag, value
from streamer.errors import ConfigError

if TYPE_CHECKING:
    import sqlite3

    from streamer.store.records import EventFilter

STORE, WHICH = "Store", "Which events"

Store = Annotated[
    Path | None, value("--store", "DIR", "Folder of the store.", STORE, default="the current folder, if it is a store")
]
Config = Annotated[
    Path | None, value("--config", "FILE", "YAML file of 'serve' or 'run', whose store.folder is used.", STORE)
]
Camera = Annotated[list[str] | None, value("--camera", "NAME", "Of this camera. Repeatable.", WHICH)]
Rule = Annotated[list[str] | None, value("--rule", "NAME", "Of this line, zone or other rule. Repeatable.", WHICH)]
Class = Annotated[list[str] | None, value("--class", "NAME", "About an object of this class. Repeatable.", WHICH)]
Kind = Annotated[
    list[str] | None, value("--kind", "KIND", "crossing, enter, appear, above, camera_lost, ... Repeatable.", WHICH)
]
Since = Annotated[
    str | None,
    value("--since", "TIME", "Started then or later: '2 hours ago', today, 14:30, '2026-11-26 14:30'.", WHICH),
]
Until = Annotated[str | None, value("--until", "TIME", "Started before then.", WHICH)]
Favourite = Annotated[bool, flag("--favourite", "Favourites only.", WHICH)]
AsJson = Annotated[bool, flag("--json", "Print JSON lines: one object per event.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Ids as 'list' shows them.", show_default=False)]


def store_folder(store: Path | None, config: Path | None) -> Path:
    """The folder of the store: of an option, of a settings file, or the current one.

    Raises:
        ConfigError: none is meant, or the settings file has none.
    """
    from streamer.config.loading import is_site, load_settings, load_site
    from streamer.store.database.folder import DATABASE

    if store is not None and config is not None:
        raise ConfigError("give --store or --config, not both")
    if config is not None:
        settings = load_site(config) if is_site(config) else load_settings(config)
        if settings.store.folder is None:
            raise ConfigError(f"{config}: store.folder is not set, so this file stores no events")
        return settings.store.folder
    if store is None and not Path(DATABASE).is_file():
        raise ConfigError(f"no events here (no {DATABASE}); give the folder with --store DIR or --config FILE")
    return store or Path()


def event_filter(
    *,
    camera: Iterable[str] | None = None,
    rule: Iterable[str] | None = None,
    label: Iterable[str] | None = None,
    kind: Iterable[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    favourite: bool = False,
) -> EventFilter:
    """The filter of the options.

    Raises:
        ConfigError: an unknown kind, one with which no event begins, a time in another form, or an end that is not
            after the begin.
    """
    from streamer.cli.events.times import local, moment_of
    from streamer.notify.payload import begun_by
    from streamer.store.records import EventFilter
    from streamer.system.suggestions import nearest
    from streamer.values.events import EventKind

    now = datetime.now(UTC).astimezone()
    begin = None if since is None else moment_of(since, now)
    end = None if until is None else moment_of(until, now, after=begin)
    if begin is not None and end is not None and end <= begin:
        raise ConfigError(
            f"--until is {local(end.timestamp())}, which is not after --since, {local(begin.timestamp())}"
        )
    kinds = {one.value: one for one in EventKind}
    for unknown in (one for one in kind or () if one not in kinds):
        raise ConfigError(f"--kind: no kind {unknown!r}{nearest(unknown, kinds)}")
    for later in kind or ():
        if begins := begun_by(kinds[later]):
            options = ", ".join(f"--kind {one.value}" for one in begins)
            raise ConfigError(f"--kind {later}: events are found by what they began with; use {options}")
    return EventFilter(
        cameras=tuple(camera or ()),
        rules=tuple(rule or ()),
        labels=tuple(label or ()),
        kinds=tuple(kinds[one] for one in kind or ()),
        since=None if begin is None else begin.timestamp(),
        until=None if end is None else end.timestamp(),
        favourite=True if favourite else None,
    )


def none_found(connection: sqlite3.Connection, wanted: EventFilter) -> str:
    """`no events`, with a name of the filter that no event of the store has."""
    from streamer.store import queries
    from streamer.system.suggestions import nearest

    chosen = {"camera": ("camera", wanted.cameras), "rule": ("rule", wanted.rules), "label": ("class", wanted.labels)}
    for column, (noun, names) in chosen.items():
        known = queries.names(connection, column) if names else []
        for name in names:
            if name not in known:
                return f"no events: none has the {noun} {name!r}{nearest(name, known)}"
    return "no events"


def require_limit(limit: int, least: int) -> None:
    """Check --limit.

    Raises:
        ConfigError: it is less than `least`.
    """
    if limit < least:
        raise ConfigError(f"--limit is {limit}; it is at least {least}")


def whole_ids(connection: sqlite3.Connection, typed: Iterable[str]) -> list[str]:
    """The ids that are meant by whole ids or their last characters.

    Raises:
        ConfigError: no event has such an id, or several.
    """
    from streamer.store import queries

    found = []
    for text in typed:
        ids = queries.ids_ending_in(connection, text.upper(), most=2)
        if not ids:
            raise ConfigError(f"no event has the id {text}; 'streamer events list' shows them")
        if len(ids) > 1:
            raise ConfigError(f"several events have an id that ends in {text}; give more of its characters")
        found += ids
    return found
