"""The commands `events list`, `show`, `follow`, `delete`, `favourite` and `check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.events.options import (
    AsJson,
    Camera,
    Class,
    Config,
    Favourite,
    Ids,
    Kind,
    Rule,
    Since,
    Store,
    Until,
    event_filter,
    none_found,
    require_limit,
    store_folder,
    whole_ids,
)
from streamer.cli.options import flag, value
from streamer.errors import ConfigError, StreamerError
from streamer.system.suggestions import counted

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal
    from streamer.store.records import EventRecord

LOOKS_EVERY_S = 0.2
"""How often `follow` looks for a change of the database."""
Id = Annotated[str, typer.Argument(metavar="ID", help="Id as 'list' shows it.", show_default=False)]


def list_events(
    camera: Camera = None,
    rule: Rule = None,
    label: Class = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    favourite: Favourite = False,
    limit: Annotated[int, value("--limit", "N", "The newest N.")] = 50,
    as_json: AsJson = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """List stored events, the newest first. Times are local."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.cli.events import table
        from streamer.store import queries
        from streamer.store.commands.access import reading

        require_limit(limit, 1)
        wanted = event_filter(
            camera=camera, rule=rule, label=label, kind=kind, since=since, until=until, favourite=favourite
        )
        with reading(store_folder(store, config)) as connection:
            found = queries.find(connection, wanted, limit=limit)
            total = queries.count(connection, wanted) if len(found) == limit and not as_json else len(found)
            nothing = "" if found else none_found(connection, wanted)
        if as_json:
            for one in found:
                print_json(terminal, one)
        elif found:
            terminal.table(table.table(found))
        if total > len(found):
            terminal.message(f"{len(found)} of {total:,} events; --limit shows more")
        elif nothing:
            terminal.message(nothing)


def show(event: Id, as_json: AsJson = False, store: Store = None, config: Config = None) -> None:
    """Show all about one event, with the paths of its files."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.cli.events import table
        from streamer.store import queries
        from streamer.store.commands.access import reading

        folder = store_folder(store, config)
        with reading(folder) as connection:
            record = queries.get(connection, *whole_ids(connection, [event]))
        assert record is not None  # the id was found
        if as_json:
            print_json(terminal, record)
            return
        for line in table.details(record, folder):
            terminal.line(line)


def follow(
    camera: Camera = None,
    rule: Rule = None,
    label: Class = None,
    kind: Kind = None,
    limit: Annotated[int, value("--limit", "N", "First the newest N that are stored.")] = 10,
    as_json: AsJson = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Print events when they start and end, until Ctrl-C."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.cli.events import table
        from streamer.store.commands import following
        from streamer.system import standard_streams

        def wait() -> bool:
            return not standard_streams.reader_leaves(LOOKS_EVERY_S)

        require_limit(limit, 0)
        wanted = event_filter(camera=camera, rule=rule, label=label, kind=kind)
        for record, phase in following.follow(store_folder(store, config), wanted, latest=limit, wait=wait):
            if as_json:
                print_json(terminal, record)
            else:
                terminal.line(table.line(record, phase))


def delete(
    events: Ids = None,
    camera: Camera = None,
    rule: Rule = None,
    label: Class = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    favourite: Favourite = False,
    yes: Annotated[bool, flag("--yes", "Delete them; otherwise only their number is shown.")] = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Delete events and their files.

    By ids, or by options. By options favourites are kept unless --favourite is given. Events that last are kept.
    """
    with command(prints=True, has_options=False) as (terminal, _):
        from dataclasses import replace

        from streamer.cli.events.times import size
        from streamer.store.commands import deletion
        from streamer.store.records import EventFilter

        wanted = event_filter(
            camera=camera, rule=rule, label=label, kind=kind, since=since, until=until, favourite=favourite
        )
        if bool(events) == (wanted != EventFilter()):
            raise ConfigError("give the ids of events, or options such as --camera and --until; not both")
        wanted = replace(wanted, favourite=favourite, open=False)
        folder = store_folder(store, config)
        chosen = deletion.choose(folder, (lambda connection: whole_ids(connection, events)) if events else wanted)
        with_files = f"with {size(chosen.bytes)} of files" if chosen.bytes else "without files"
        about = f"{counted(len(chosen.ids), 'event')} {with_files}"
        if chosen.ids and not yes:
            raise ConfigError(f"this deletes {about}; add --yes to delete them")
        deletion.delete(folder, chosen.ids)
        terminal.line(f"deleted {about}" if chosen.ids else "no events to delete")
        if chosen.open:
            terminal.line(f"{counted(chosen.open, 'event')} kept, which last still")


def favourite(
    events: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids as 'list' shows them.", show_default=False)],
    off: Annotated[bool, flag("--off", "They are favourites no longer.")] = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Keep events: favourites are not deleted by age, size or free space."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.store import changes
        from streamer.store.commands.access import changing

        with changing(store_folder(store, config)) as connection:
            count = changes.favourite(connection, whole_ids(connection, events), not off)
        terminal.line(f"{counted(count, 'favourite')} {'removed' if off else 'added'}")


def check(
    repair: Annotated[bool, flag("--repair", "Mend what is found.")] = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Check the database, and that events and files belong together.

    Exit code 1: something is wrong, and is not mended.
    """
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.store.commands.check import check as check_store

        found = check_store(store_folder(store, config), repair=repair)
        for line in found.lines:
            terminal.line(line)
        if not found.is_sound:
            number = counted(found.problems, "problem")
            raise StreamerError(f"{number} left" if repair else f"{number} found; --repair mends what it can")


def print_json(terminal: Terminal, record: EventRecord) -> None:
    """Print an event as one line of JSON."""
    from streamer.store.event_json import event_json

    terminal.line(json.dumps(event_json(record), ensure_ascii=False))
