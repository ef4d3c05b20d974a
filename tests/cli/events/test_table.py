"""Events, times, durations and sizes as the commands print them."""

from __future__ import annotations

import re
from io import StringIO

from rich.console import Console

from streamer.cli.events.table import short_id, table
from streamer.cli.events.times import duration, local, size
from tests.store.stores import NOON, ended


def test_durations_and_sizes_are_short() -> None:
    assert [*map(duration, (0.04, 9.94, 9.96, 59.4, 59.6, 185, 3599, 7500, 86_400, 400_000))] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1:00 min", "3:05 min", "59 min", "2:05 h", "24:00 h", "4 d",
    ]  # fmt: skip
    assert [*map(size, (0, 12, 3400, 310_000, 3_240_000, 1_500_000_000))] == [
        "", "12 B", "3.4 KB", "310 KB", "3.2 MB", "1.5 GB",
    ]  # fmt: skip
    assert local(NOON) == "2026-11-26 12:00:00"


def test_a_narrow_terminal_cuts_names_and_no_ids_or_times() -> None:
    record = ended(NOON, camera="one-by-one-person-detection.mp4", rule="the yard behind the house", bytes=575_000)
    printed = StringIO()
    Console(file=printed, width=80).print(table([record]))
    heads, row = printed.getvalue().splitlines()
    assert heads.split() == ["id", "start", "camera", "rule", "event", "class", "lasts", "files"]
    assert re.match(rf"{short_id(record)}  (11-26 12:00:00|2026-11-26)  one-by", row)
    assert row.rstrip().endswith("enter         2.0 s  575 KB")
    assert "\N{HORIZONTAL ELLIPSIS}" in row
