"""Events and stores for tests."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.config.events import StoreSettings
from streamer.store.event_store import EventStore
from streamer.store.ids import Ulids
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind, EventPhase

NOON = 1_795_694_400.0
"""2026-11-26 12:00 UTC."""
DAY_S = 86_400.0
DEADLINE_S = 30.0


def event(start_time: float = NOON, **fields: Any) -> EventRecord:
    """An event that lasts; its id is of its start."""
    values = {"camera": "gate", "rule": "door", "kind": EventKind.ENTER, "start_s": 5.0, **fields}
    return EventRecord(id=Ulids(lambda: start_time)(), start_time=start_time, **values)


def ended(start_time: float = NOON, **fields: Any) -> EventRecord:
    """An event of two seconds."""
    return event(start_time, **{"end_time": start_time + 2, "end_s": 7.0, "ending": Ending.RULE, **fields})


def settings(folder: Path, **limits: Any) -> StoreSettings:
    """A store that keeps everything, but for the limits that are given."""
    return StoreSettings(**{"folder": folder, "keep_days": None, "min_free_gb": 0, **limits})


def add_clip(store: EventStore, record: EventRecord, size: int = 1000) -> Path:
    """Write the clip of an event, and tell the store; its path."""
    day = datetime.fromtimestamp(record.start_time, UTC).date().isoformat()
    relative = f"{record.camera}/{day}/{record.id}.mp4"
    path = store.folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    store.attach(record.id, clip=relative, clip_start_time=record.start_time - 5, clip_duration_s=12.0, bytes=size)
    return path


def filled(store: EventStore, count: int, *, size: int = 1000, begin: float = NOON) -> list[tuple[EventRecord, Path]]:
    """Store events with clips, an hour apart, the oldest first."""
    made = []
    for number in range(count):
        record = ended(begin + 3600 * number)
        store.save(record, EventPhase.END)
        made.append((record, add_clip(store, record, size)))
    assert store.flush(DEADLINE_S)
    return made


def until(reached: Callable[[], bool]) -> None:
    """Wait until another thread has done something."""
    ended_at_s, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not reached():
        assert time.monotonic() < ended_at_s, "not reached"
        pause.wait(0.01)


def rows(folder: Path, sql: str) -> list[Any]:
    """The result of a query of the database."""
    connection = sqlite3.connect(folder / "events.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
