"""The command `events export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
from streamer.cli.events.options import (
    Camera,
    Class,
    Config,
    Favourite,
    Kind,
    Rule,
    Since,
    Store,
    Until,
    event_filter,
    none_found,
    store_folder,
)
from streamer.cli.options import Overwrite, value
from streamer.errors import ConfigError
from streamer.system.suggestions import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.cli.terminal import Terminal
    from streamer.store.records import EventFilter, EventRecord

STANDARD_OUTPUT = "-"


def export(
    output: Annotated[
        Path, value("--output", "FILE", "JSON lines (.jsonl) or CSV (.csv); - is standard output.", None, "-o")
    ] = Path(STANDARD_OUTPUT),
    files: Annotated[
        Path | None,
        value("--files", "DIR", "Also copy clips and snapshots there, in a folder for each camera and day."),
    ] = None,
    camera: Camera = None,
    rule: Rule = None,
    label: Class = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    favourite: Favourite = False,
    overwrite: Overwrite = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Write events as JSON lines or CSV, the oldest first, and copy their files."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.store.commands import export as exporting

        writers = {".jsonl": exporting.json_lines, ".csv": exporting.csv_rows, STANDARD_OUTPUT: exporting.json_lines}
        kind_of_file = STANDARD_OUTPUT if str(output) == STANDARD_OUTPUT else output.suffix.casefold()
        if kind_of_file not in writers:
            raise ConfigError(f"--output {output}: events are written as .jsonl or .csv")
        wanted = event_filter(
            camera=camera, rule=rule, label=label, kind=kind, since=since, until=until, favourite=favourite
        )
        folder = store_folder(store, config)
        lines = writers[kind_of_file](_events(folder, wanted, files, terminal))
        if kind_of_file == STANDARD_OUTPUT:
            sys.stdout.writelines(lines)
        else:
            exporting.write(output, lines, overwrite=overwrite)


def _events(folder: Path, wanted: EventFilter, copies: Path | None, terminal: Terminal) -> Iterator[EventRecord]:
    """The events of the filter, the oldest first; their files are copied, and at the end the numbers are reported."""
    from streamer.store import queries
    from streamer.store.commands.access import reading
    from streamer.store.commands.export import copy_files

    events = copied = missing = 0
    with reading(folder) as connection:
        for record in queries.find_all(connection, wanted, newest_first=False):
            if copies is not None:
                here, gone = copy_files(folder, record, copies)
                copied, missing = copied + here, missing + gone
            events += 1
            yield record
        nothing = "" if events else none_found(connection, wanted)
    if nothing:
        terminal.message(nothing)
        return
    with_files = "" if copies is None else f" with {counted(copied, 'file')}"
    without = f"; {counted(missing, 'file')} missing" if missing else ""
    terminal.message(f"exported {counted(events, 'event')}{with_files}{without}")
