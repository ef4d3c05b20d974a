"""What the commands of `events` print: a row, a line or all fields of an event. Main thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from streamer.cli.events.times import duration, local, size
from streamer.store.files import place
from streamer.store.records import EventRecord
from streamer.store.rows import PATHS
from streamer.system.paths import readable
from streamer.values.events import EventPhase

SHORT_ID = 8
"""Characters at the end of an id: random, so they are enough to choose an event."""


def table(records: Sequence[EventRecord]) -> Table:
    """One row per event; favourites have a *. In a narrow terminal the names are shortened, and nothing else."""
    rows = Table(box=None, pad_edge=False)
    rows.add_column("id", no_wrap=True)
    rows.add_column("start", no_wrap=True)
    for name in ("camera", "rule", "event", "class"):
        rows.add_column(name)  # rich takes the width from columns that may wrap
    for name in ("lasts", "files"):
        rows.add_column(name, no_wrap=True, justify="right")
    if any(one.favourite for one in records):
        rows.add_column("", no_wrap=True)
    for one in records:
        names = (one.camera, one.rule, what(one), one.label)
        texts = (Text(readable(name), no_wrap=True, overflow="ellipsis") for name in names)
        mark = ["*"] if one.favourite else []
        rows.add_row(short_id(one), _start(one), *texts, lasts(one), size(one.bytes), *mark)
    return rows


def line(record: EventRecord, phase: EventPhase) -> str:
    """One line about the start or the end of an event, for `follow`."""
    at_end = phase is EventPhase.END and record.end_time is not None
    time = record.end_time if at_end and record.end_time is not None else record.start_time
    happened = f"{what(record)} ended after {lasts(record)}" if at_end else what(record)
    words = (local(time), record.camera, record.rule, happened, record.label, record.text)
    return "  ".join(readable(word) for word in words if word) + f"  {short_id(record)}"


def details(record: EventRecord, folder: Path) -> Iterator[str]:
    """All fields of an event that have a value, one line each."""
    if record.end_time is None:
        ended = "it lasts"
    else:
        ended = f"{local(record.end_time)}, ended by {record.ending.value}" if record.ending else local(record.end_time)
    fields = {
        "id": record.id,
        "camera": record.camera,
        "rule": record.rule,
        "event": what(record),
        "class": f"{record.label}, track {record.track}" if record.label else "",
        "score": "" if record.score is None else f"{record.score:.2f}",
        "objects": "" if record.value is None else str(record.value),
        "zones": ", ".join(record.zones),
        "start": f"{local(record.start_time)} ({record.start_s:.3f} s of its run)",
        "end": ended,
        "lasts": lasts(record) if record.end_time is not None else "",
        "text": record.text,
        "favourite": "yes" if record.favourite else "",
    }
    for name in PATHS:
        file = place(folder, getattr(record, name))
        fields[name] = "" if file is None else f"{file}{'' if file.is_file() else ' (missing)'}"
    if record.clip and record.clip_start_time is not None:
        length = duration(record.clip_duration_s or 0)
        fields["recorded"] = f"from {local(record.clip_start_time)}, {length}"
        fields["note"] = record.clip_note
    fields["size"] = size(record.bytes)
    for name, text in fields.items():
        if text:
            yield f"{name:10} {readable(text)}"


def what(record: EventRecord) -> str:
    """What happened: `crossing in`, `enter`, `above 5`."""
    value = "" if record.value is None else f" {record.value}"
    return f"{record.kind.value.replace('_', ' ')}{record.direction and f' {record.direction}'}{value}"


def lasts(record: EventRecord) -> str:
    """How long an event lasted; empty for one without a duration."""
    if record.end_time is None:
        return "open"
    return "" if record.end_time == record.start_time else duration(record.end_time - record.start_time)


def short_id(record: EventRecord) -> str:
    """The end of an id, which commands accept."""
    return record.id[-SHORT_ID:].lower()


def _start(record: EventRecord) -> str:
    start = datetime.fromtimestamp(record.start_time)
    return f"{start:%m-%d %H:%M:%S}" if start.year == datetime.now().year else f"{start:%Y-%m-%d}"
