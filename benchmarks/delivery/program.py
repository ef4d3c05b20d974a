"""The program that is killed saves numbered events and delivers them: `python -m benchmarks.delivery.program FILE`.

It continues with the number behind the last one in the store, prints each number that it has handed to the store, and
ends when its standard input does.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.section import validated
from streamer.notify.notifier import Notifier
from streamer.store.database.folder import DATABASE
from streamer.store.event_store import EventStore
from streamer.store.ids import new_id
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind, EventPhase


def last_number(folder: Path) -> int:
    """The number of the last event in the store."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        return int(connection.execute("SELECT coalesce(max(track), 0) FROM events").fetchone()[0])


def event(number: int) -> EventRecord:
    """The event of a number, which is the id of its track."""
    now = time.time()
    return EventRecord(
        new_id(),
        "gate",
        "door",
        EventKind.CROSSING,
        now,
        float(number),
        track=number,
        label="Person",
        direction="in",
        end_time=now,
        end_s=float(number),
        score=0.9,
        ending=Ending.RULE,
    )


def main(file: str) -> None:
    """Save events, and deliver them until the standard input ends."""
    given = json.loads(Path(file).read_text(encoding="utf-8"))
    folder, ended = Path(given["folder"]), threading.Event()
    settings = validated(NotifySettings, given["notify"], "notify")
    with EventStore(StoreSettings(folder=folder)) as store, Notifier(settings, store, folder) as notifier:
        for number in range(last_number(folder) + 1, given["events"] + 1):
            record = event(number)
            store.save(record, EventPhase.MOMENT, notifier.targets_for(record, EventPhase.MOMENT))
            print(number, flush=True)
            ended.wait(1 / given["events_per_s"])
        print("saved", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
