"""Times, durations and sizes as the commands print them."""

from __future__ import annotations

from streamer.cli.events.times import duration, local, size
from tests.store.stores import NOON


def test_durations_and_sizes_are_short() -> None:
    assert [*map(duration, (0.04, 9.94, 9.96, 59.4, 59.6, 185, 3599, 7500, 86_400, 400_000))] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1:00 min", "3:05 min", "59 min", "2:05 h", "24:00 h", "4 d",
    ]  # fmt: skip
    assert [*map(size, (0, 12, 3400, 310_000, 3_240_000, 1_500_000_000))] == [
        "", "12 B", "3.4 KB", "310 KB", "3.2 MB", "1.5 GB",
    ]  # fmt: skip
    assert local(NOON) == "2026-11-26 12:00:00"
