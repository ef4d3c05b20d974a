"""The store of events with a million rows: queries, inserts meanwhile, and the deletion of 10,000 clips.

    python -m benchmarks.store [--events 1000000] [--clips 10000] [--clip-kb 100] [--folder DIR]

1. Fills a store with events of 8 cameras and 4 classes, 10 s apart; the rarest class has 1% of them.
2. While one thread saves events through the store as fast as it takes them, another one reads the newest 100 events of
   a random camera, class and time. Goals: p95 at most 50 ms, at least 500 events a second. Beside it, page 1,000 of all
   events, from its cursor and with OFFSET.
3. A live source of 25 frames a second is shown. In each of several rounds the retention deletes a part of the clips,
   then it does nothing for as long. Goal: the longest time between two frames in a round is longer by at most one frame
   interval (40 ms), in the median of the rounds: a single longest time is that of whatever else the machine does.
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
ROUNDS = 10
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
    """Goal 3: the longest time between two frames while clips are deleted, and in turn as long without that."""
    folders = [folder / str(number) for number in range(ROUNDS)]
    for one in folders:
        write_clips(one, count // ROUNDS, clip_kb)
    deleting, alone, all_deleting, all_alone = [], [], [], []
    took_s = busy_s = 0.0
    with showing() as gaps_since:
        for number, one in enumerate(folders):
            gaps_since()
            lasted_s, worked_s = delete_all(one)
            gaps = gaps_since()
            time.sleep(lasted_s)
            gaps_alone = gaps_since()
            print(
                f"round {number + 1}: longest while deleting {gaps[-1] * 1e3:.0f}, alone {gaps_alone[-1] * 1e3:.0f} ms"
            )
            deleting.append(gaps[-1])
            alone.append(gaps_alone[-1])
            all_deleting += gaps
            all_alone += gaps_alone
            took_s, busy_s = took_s + lasted_s, busy_s + worked_s
    print(f"deleted {count:,} clips of {clip_kb} kB in {took_s:.1f} s, {busy_s / took_s:.0%} of a core")
    print(f"time between frames, while deleting: {figures(sorted(all_deleting))}, late {late(all_deleting):.1%}")
    print(f"time between frames, alone:          {figures(sorted(all_alone))}, late {late(all_alone):.1%}")
    more_s = statistics.median(deleting) - statistics.median(alone)
    verdict = "reached" if more_s <= FRAME_S else "missed"
    print(f"the longest of a round, median: {more_s * 1e3:+.0f} ms (goal: <= {FRAME_S * 1e3:.0f} ms: {verdict})")


def write_clips(folder: Path, count: int, clip_kb: int) -> None:
    """A store of events with clips."""
    folder.mkdir()
    content = bytes(clip_kb * 1000)
    connection = open_for_writing(folder / DATABASE)
    connection.execute("BEGIN")
    for record in events(count, random.Random(3)):
        changes.save(connection, record, EventPhase.END)
        path = folder / record.clip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    connection.execute("COMMIT")
    connection.close()


def delete_all(folder: Path) -> tuple[float, float]:
    """Let the retention delete all clips: how long that takes, and the CPU time of the store's threads, seconds."""
    began_s, busy_s = time.monotonic(), 0.0
    with EventStore(StoreSettings(folder=folder, keep_days=None, keep_gb=1e-9, min_free_gb=0)):
        while any(folder.glob("*/*/*.mp4")):
            busy_s = cpu_s("streamer-store") + cpu_s("streamer-retention")
            time.sleep(0.2)
    return time.monotonic() - began_s, busy_s


def cpu_s(name: str) -> float:
    """The CPU time of a thread of this process, seconds; 0 where the system does not tell it."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return 0.0
    idents = [thread.ident for thread in threading.enumerate() if thread.name == name and thread.ident is not None]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(ident)) for ident in idents)


def late(gaps: list[float]) -> float:
    """The share of frames that come more than one frame interval late."""
    return sum(gap > 2 * FRAME_S for gap in gaps) / len(gaps)


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
