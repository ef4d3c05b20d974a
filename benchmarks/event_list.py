"""The list of events over HTTP, with many events in the store: what the page of a site waits for.

    python -m benchmarks.event_list [--events 100000] [--requests 100] [--folder DIR]

1. Fills a store with events of 8 cameras and 4 classes, 10 s apart; one in 2,000 was in the zone `vault`.
2. Starts a site with this store and asks its API over one connection: the newest 100 events, the same with filters,
   the names for filters, and the timeline of all events. Goal: p95 of the list at most 300 ms.
3. Follows `next` from page to page of 100. Goal: the last 10 pages take at most twice as long as the first 10.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.store import BEGIN, STEP_S, events
from streamer.store import changes
from streamer.store.database.connections import open_for_writing
from streamer.store.database.folder import DATABASE
from streamer.store.event_json import time_text
from streamer.values.events import EventPhase
from tests.api.sites import served_site

BASE = "/api/v1"
ZONES = (("drive",), ("drive", "lawn"), ("lawn",), ())
RARE, ONE_IN = ("vault",), 2000
PAGE = 100
COMPARED = 10
GOAL_S, GOAL_RATIO = 0.3, 2.0
QUERIES = {
    "newest 100 events": "",
    "of a camera and a rare class": "&camera=camera-1&label=Truck",
    "of two cameras and two classes": "&camera=camera-1&camera=camera-2&label=Dog&label=Car",
    "of a rare zone": "&zone=vault",
    "of a zone and a camera": "&zone=lawn&camera=camera-7",
    "with a text that a rare name has": "&text=truck",
    "with a text that no event has": "&text=submarine",
}


def fill(folder: Path, count: int, choose: random.Random) -> None:
    """Write events with zones in large transactions."""
    folder.mkdir(parents=True)
    with closing(open_for_writing(folder / DATABASE)) as connection:
        made = events(count, choose)
        for first in range(0, count, 10_000):
            connection.execute("BEGIN")
            for number in range(first, min(first + 10_000, count)):
                zones = choose.choice(ZONES) if number % ONE_IN else RARE
                changes.save(connection, replace(next(made), zones=zones), EventPhase.END)
            connection.execute("COMMIT")


class Api:
    """Asks over one connection, as a browser does."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def get(self, path: str) -> tuple[float, Any]:
        """How long the answer took, seconds, and its JSON."""
        began_s = time.perf_counter()
        self._connection.request("GET", BASE + path)
        answer = self._connection.getresponse()
        content = answer.read()
        took_s = time.perf_counter() - began_s
        assert answer.status == 200, content
        return took_s, json.loads(content)


def measure(api: Api, name: str, path: str, requests: int) -> float:
    """Print the times of a request; the p95, seconds."""
    times = sorted(api.get(path)[0] for _ in range(requests))
    p95_s = times[int(0.95 * (len(times) - 1))]
    print(f"  {name:34} p50 {statistics.median(times) * 1e3:6.1f} ms   p95 {p95_s * 1e3:6.1f} ms")
    return p95_s


def follow(api: Api) -> list[float]:
    """The time of each page, from the newest to the oldest."""
    times, after = [], ""
    while True:
        took_s, page = api.get(f"/events?limit={PAGE}{after}")
        times.append(took_s)
        if page["next"] is None:
            return times
        after = f"&after={quote(page['next'])}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fill(folder / "events", options.events, random.Random(1))
        store = {"folder": str(folder / "events"), "keep_days": None, "min_free_gb": 0}
        client, _ = stack.enter_context(served_site(folder, store=store))
        api = Api(stack.enter_context(closing(http.client.HTTPConnection(*client.address))))
        print(f"{options.events:,} events, {options.requests} requests each")
        worst_s = max(
            measure(api, name, f"/events?limit={PAGE}{query}", options.requests) for name, query in QUERIES.items()
        )
        measure(api, "names for filters", "/events/names", options.requests)
        span = f"since={time_text(BEGIN)}&until={time_text(BEGIN + options.events * STEP_S)}"
        measure(api, "timeline of all events", f"/events/timeline?{span}", options.requests)
        times = follow(api)
        first, last = statistics.median(times[:COMPARED]), statistics.median(times[-COMPARED:])
        print(f"  page 1 {first * 1e3:.1f} ms, page {len(times):,} {last * 1e3:.1f} ms, ratio {last / first:.2f}")
        print(f"p95 of the list at most {GOAL_S * 1e3:.0f} ms: {worst_s <= GOAL_S}")
        print(f"ratio at most {GOAL_RATIO:g}: {last / first <= GOAL_RATIO}")


if __name__ == "__main__":
    main()
