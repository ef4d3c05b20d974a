"""Times, durations and sizes as the commands print them."""

from __future__ import annotations

from rich.console import Console

from streamer.cli.events.table import short_id, table
from streamer.cli.events.times import duration, local, size
from tests.store.stores import NOON, ended


def test_long_names_are_shortened_and_nothing_else() -> None:
    names = {"camera": "parking-deck-level-2", "rule": "driveway-entrance-left", "label": "Land vehicle"}
    records = [ended(NOON, end_time=NOON + 185, bytes=465_000, **names), ended(NOON, bytes=1234, **names)]
    console = Console(width=80)
    with console.capture() as written:
        console.print(table(records))
    _, *rows = written.get().splitlines()
    for row, record, end in zip(rows, records, ("3:05 min  465 KB", "2.0 s  1.2 KB"), strict=True):
        assert row.startswith(short_id(record))
        assert row.endswith(end)
        assert len(row) == 80
        assert row.count("…") >= 2


def test_durations_and_sizes_are_short() -> None:
    assert [*map(duration, (0.04, 9.94, 9.96, 59.4, 59.6, 185, 3599, 7500, 86_400, 400_000))] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1:00 min", "3:05 min", "59 min", "2:05 h", "24:00 h", "4 d",
    ]  # fmt: skip
    assert [*map(size, (0, 12, 3400, 310_000, 3_240_000, 1_500_000_000))] == [
        "", "12 B", "3.4 KB", "310 KB", "3.2 MB", "1.5 GB",
    ]  # fmt: skip
    assert local(NOON) == "2026-11-26 12:00:00"
