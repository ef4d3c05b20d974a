"""The store of events with a million rows: queries, inserts meanwhile, and the deletion of 10,000 clips.

    python -m benchmarks.store [--events 1000000] [--clips 10000] [--clip-kb 100] [--folder DIR]

1. Fills a store with events of 8 cameras and 4 classes, 10 s apart; the rarest class has 1% of them.
2. While one thread saves events through the store as fast as it takes them, another one reads the newest 100 events of
   a random camera, class and time. Goals: p95 at most 50 ms, at least 500 events a second. Beside it, page 1,000 of all
   events, from its cursor and with OFFSET.
3. A live source of 25 frames a second is shown while the retention deletes the clips, and as long without that. Goal:
   the longest time between two frames is longer by at most one frame interval (40 ms).
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import streamer
from streamer.config.events import StoreSettings
from streamer.store import changes, queries
from streamer.store.database.connections import open_for_reading, open_for_writing
from streamer.store.database.folder import DATABASE
from streamer.store.event_store import EventStore
from streamer.store.ids import Ulids
from streamer.store.queries import Cursor
from streamer.store.records import Ending, EventFilter, EventRecord
from streamer.values.events import EventKind, EventPhase

BEGIN, STEP_S = 1_780_000_000.0, 10.0
CAMERAS = tuple(f"camera-{number}" for number in range(8))
LABELS = {"Person": 70, "Car": 25, "Dog": 4, "Truck": 1}
"""Classes and their shares, percent."""
READ_S = 20.0
PAGE = 100
GOAL_P95_S, GOAL_PER_S, FRAME_S = 0.05, 500.0, 0.04


def events(count: int, choose: random.Random, begin: float = BEGIN) -> Iterator[EventRecord]:
    """Events with clips, `STEP_S` apart."""
    names, weights = [*LABELS], [*LABELS.values()]
    for number in range(count):
        start = begin + number * STEP_S
        event_id, camera = Ulids(lambda start=start: start)(), choose.choice(CAMERAS)  # type: ignore[misc]
        yield EventRecord(
            event_id,
            camera,
            f"{camera}-{choose.randrange(4)}",
            choose.choice((EventKind.ENTER, EventKind.CROSSING, EventKind.APPEAR)),
            start,
            number * STEP_S,
            track=number,
            label=choose.choices(names, weights)[0],
            end_time=start + 5,
            end_s=number * STEP_S + 5,
            score=0.75,
            ending=Ending.RULE,
            clip=f"{camera}/2026-11-26/{event_id}.mp4",
            snapshot=f"{camera}/2026-11-26/{event_id}.jpg",
            bytes=3_000_000,
        )


def fill(folder: Path, count: int, choose: random.Random) -> None:
    """Write events in large transactions, without the store."""
    connection, began_s, made = open_for_writing(folder / DATABASE), time.monotonic(), events(count, choose)
    for first in range(0, count, 10_000):
        connection.execute("BEGIN")
        for _ in range(min(10_000, count - first)):
            changes.save(connection, next(made), EventPhase.END)
        connection.execute("COMMIT")
    connection.close()
    size = (folder / DATABASE).stat().st_size / 1e6
    print(f"{count:,} events written in {time.monotonic() - began_s:.0f} s, {size:.0f} MB")


def read_while_writing(folder: Path, count: int, choose: random.Random) -> None:
    """Goal 1: the times of queries, and events a second that are on the disk meanwhile."""
    limits = StoreSettings(folder=folder, keep_days=None, min_free_gb=0)
    saved, ending = [0], threading.Event()
    with EventStore(limits) as store:

        def save() -> None:
            made = events(10_000_000, random.Random(2), BEGIN + count * STEP_S)
            while not ending.is_set():
                for _ in range(500):
                    store.save(next(made), EventPhase.END, ("mqtt",))
                store.flush()
                saved[0] += 500

        def read() -> float:
            since = BEGIN + choose.random() * count * STEP_S
            wanted = EventFilter(
                cameras=(choose.choice(CAMERAS),),
                labels=(choose.choice([*LABELS]),),
                since=since,
                until=since + choose.choice((3600, 86_400, 30 * 86_400)),
            )
            return timed(lambda: store.find(wanted, limit=PAGE))

        alone = sorted(read() for _ in range(500))
        thread = threading.Thread(target=save)
        thread.start()
        began_s, times = time.monotonic(), []
        while time.monotonic() - began_s < READ_S:
            times.append(read())
        ending.set()
        thread.join()
        per_s, times = saved[0] / (time.monotonic() - began_s), sorted(times)
    print(f"find, nothing else running: {figures(alone)}")
    print(f"find, while events are saved: {figures(times)} (goal: p95 <= {GOAL_P95_S * 1e3:.0f} ms)")
    print(f"saved meanwhile: {per_s:,.0f} events a second with one delivery each (goal: >= {GOAL_PER_S:.0f})")


def read_page_1000(folder: Path) -> None:
    """A late page from its cursor, and with OFFSET."""
    connection = open_for_reading(folder / DATABASE)
    skipped = min(1000 * PAGE, queries.count(connection, EventFilter()) // 2)
    sql = "SELECT start_time, id FROM events ORDER BY start_time DESC, id DESC LIMIT 1 OFFSET ?"
    cursor = Cursor(*connection.execute(sql, (skipped - 1,)).fetchone())
    with_offset = "SELECT * FROM events ORDER BY start_time DESC, id DESC LIMIT ? OFFSET ?"
    times = [timed(lambda: queries.find(connection, EventFilter(), limit=PAGE, after=cursor)) for _ in range(20)]
    offset = [timed(lambda: connection.execute(with_offset, (PAGE, skipped)).fetchall()) for _ in range(20)]
    connection.close()
    ratio = statistics.median(offset) / statistics.median(times)
    print(f"page {skipped // PAGE:,}: {statistics.median(times) * 1e3:.1f} ms; with OFFSET {ratio:.0f} times as long")


def delete_clips(folder: Path, count: int, clip_kb: int) -> None:
    """Goal 3: the longest time between two frames, alone and while clips are deleted."""
    made = list(events(count, random.Random(3)))
    content = bytes(clip_kb * 1000)
    connection = open_for_writing(folder / DATABASE)
    connection.execute("BEGIN")
    for record in made:
        changes.save(connection, record, EventPhase.END)
        path = folder / record.clip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    connection.execute("COMMIT")
    connection.close()
    paths = [folder / record.clip for record in made]
    del made
    with showing() as gaps_since:
        began_s = time.monotonic()
        with EventStore(StoreSettings(folder=folder, keep_days=None, keep_gb=1e-9, min_free_gb=0)):
            while any(path.exists() for path in paths):
                time.sleep(0.2)
        took_s, meanwhile = time.monotonic() - began_s, gaps_since()
        time.sleep(took_s)
        alone = gaps_since()
    more_s = max(meanwhile) - max(alone)
    print(f"deleted {count:,} clips of {clip_kb} kB in {took_s:.1f} s")
    print(f"time between frames, while deleting:  {figures(meanwhile)}")
    print(f"time between frames, as long without: {figures(alone)}")
    print(f"the longest one is {more_s * 1e3:+.0f} ms (goal: <= {FRAME_S * 1e3:.0f} ms)")


@contextmanager
def showing() -> Iterator[Callable[[], list[float]]]:
    """A live source on a thread; the function returns the times between frames since its last call, sorted."""
    shown: list[float] = []

    def detect(picture: np.ndarray) -> tuple[list[list[float]], list[float], list[str]]:
        height, width = picture.shape[:2]
        return [[width * 0.2, height * 0.2, width * 0.5, height * 0.5]], [0.9], ["Car"]

    source = "lavfi:testsrc2=size=1280x720:rate=25"
    scenes = streamer.open(source, detector=detect, draw=True, settings={"source.live": True})

    def show() -> None:
        for _ in scenes:
            shown.append(time.monotonic())

    thread = threading.Thread(target=show)
    thread.start()
    while len(shown) < 50:
        time.sleep(0.1)
    shown.clear()

    def gaps() -> list[float]:
        times = shown.copy()
        shown.clear()
        return sorted(after - before for before, after in itertools.pairwise(times))

    try:
        yield gaps
    finally:
        scenes.stop()
        thread.join()


def timed(call: Callable[[], object]) -> float:
    """How long a call takes, seconds."""
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s


def figures(times: list[float]) -> str:
    """Median, p95, p99 and the longest of sorted times."""
    p50, p95, p99 = (times[min(int(len(times) * share), len(times) - 1)] * 1e3 for share in (0.5, 0.95, 0.99))
    return f"p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, longest {times[-1] * 1e3:.1f} ms"


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--clip-kb", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="an empty folder on the disk to measure; a temporary one if absent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, choose = Path(name), random.Random(1)
        (folder / "queries").mkdir()
        (folder / "clips").mkdir()
        fill(folder / "queries", options.events, choose)
        read_while_writing(folder / "queries", options.events, choose)
        read_page_1000(folder / "queries")
        delete_clips(folder / "clips", options.clips, options.clip_kb)


if __name__ == "__main__":
    main()
