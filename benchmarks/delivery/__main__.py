"""What is lost, repeated and reordered while receivers fail and the program is killed, and how fast a backlog drains.

    python -m benchmarks.delivery [--events N] [--kills N] [--outage S] [--seed S] [--json FILE]

A program saves numbered events for a webhook and for an MQTT broker (Mosquitto) and is killed N times with SIGKILL at
random moments. During the first half of the kills the web server changes between working, answers with 500, answers
that come too late, and connections that it resets, and the broker is stopped and started. Then both are down, for at
least the outage. At the end both work, and the backlog drains. Every event in the store must have arrived at both
receivers, in order; repeated messages must have the id and the content of the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.clips import machine
from benchmarks.delivery.receivers import MOSQUITTO, SLOW_S, Arrival, Broker, WebServer
from streamer.registry import TARGETS
from streamer.store.database.folder import DATABASE

FAULTS = ("", "500", "", "slow", "", "reset")
FAULT_S = 0.2
"""How long the web server works, or fails in one way."""
LONGEST_LIFE_S = 1.5
LONGEST_WAIT_S = 5.0
"""Of both targets; by default a webhook is tried again after up to 60 s."""
DRAINED_WITHIN_S = 120.0


class Program:
    """The program that delivers."""

    def __init__(self, settings: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.delivery.program", str(settings)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.said: list[str] = [self._line()]

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> int:
        """Kill it; the last number that it had handed to the store, 0 if all were saved before."""
        self._process.kill()
        assert self._process.stdout is not None
        self.said += self._process.stdout.read().split()
        self._process.wait()
        return max((int(one) for one in self.said if one.isdecimal()), default=0)

    def wait_until_saved(self) -> None:
        """Until it has saved all events."""
        while self.said[-1] != "saved":
            self.said.append(self._line())

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the store."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        return connection.execute(sql).fetchall()


def judged(arrivals: Sequence[Arrival], events: set[int]) -> dict[str, int]:
    """Events that are lost, messages that are repeated, repeated with another content, and out of order."""
    first: dict[str, Arrival] = {}
    changed = 0
    for one in arrivals:
        changed += first.setdefault(one.id, one).body != one.body
    numbers = [one.number for one in first.values()]  # in the order of their first arrivals
    return {
        "events": len(events),
        "lost": len(events - set(numbers)),
        "repeated": len(arrivals) - len(first),
        "repeated with another id or content": changed + len(numbers) - len(set(numbers)),
        "out of order": sum(one > other for one, other in itertools.pairwise(numbers)),
    }


def kill_often(settings: Path, options: argparse.Namespace, server: WebServer, broker: Broker | None) -> int:
    """Start and kill the program; how many events it had handed over in its last milliseconds that were not saved."""
    jitter, unsaved = random.Random(options.seed), 0
    folder = Path(json.loads(settings.read_text())["folder"])
    for number in range(options.kills):
        is_down = number >= options.kills // 2
        server.fault = (lambda: "500") if is_down else (lambda: FAULTS[int(time.monotonic() / FAULT_S) % len(FAULTS)])
        if broker is not None and (is_down or number % 2):
            broker.stop()
        program = Program(settings)
        if broker is not None and not is_down and number % 2:
            broker.start()
        time.sleep(jitter.uniform(0, LONGEST_LIFE_S))
        handed = program.kill()
        ((saved,),) = query(folder, "SELECT coalesce(max(track), 0) FROM events")
        unsaved += max(0, handed - saved)
    return unsaved


def drain(
    folder: Path, receivers: dict[str, WebServer | Broker], counts: dict[str, int], events: int
) -> dict[str, dict[str, float]]:
    """Wait until all events have arrived; the size of each backlog, and how fast it drained."""
    began_s, backlog = time.monotonic(), dict(counts)
    # The row of a message is removed after its arrival.
    waiting = "SELECT target, count(*) FROM deliveries GROUP BY target"
    while (left := dict(query(folder, waiting))) or any(
        len({one.id for one in receiver.arrivals}) < events for receiver in receivers.values()
    ):
        if time.monotonic() - began_s > DRAINED_WITHIN_S:
            break
        time.sleep(0.1)
    found = {}
    for name, receiver in receivers.items():
        times = [one.at_s for one in receiver.arrivals if one.at_s >= began_s]
        span_s = times[-1] - times[0] if len(times) > 1 else float("nan")
        found[name] = {
            "backlog": backlog.get(name, 0),
            "first after s": round(times[0] - began_s, 2) if times else float("nan"),
            "messages/s": round((len(times) - 1) / span_s, 1),
        }
    assert not left, left
    return found


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run all phases."""
    server = WebServer()
    broker = Broker(folder) if MOSQUITTO and "mqtt" in TARGETS else None
    common = {"longest_wait_s": LONGEST_WAIT_S}
    targets = {
        "webhook": {**common, "type": "webhook", "url": server.url, "timeout_s": SLOW_S / 2, "first_wait_s": 0.1}
    }
    receivers: dict[str, WebServer | Broker] = {"webhook": server}
    if broker is not None:
        targets["mqtt"] = {**common, "type": "mqtt", "url": broker.url}
        receivers["mqtt"] = broker
        broker.start()
    given = {"folder": str(folder / "store"), "events": options.events, "events_per_s": options.rate}
    settings = folder / "settings.json"
    settings.write_text(json.dumps({**given, "notify": {"targets": targets}}))
    began_s = time.monotonic()
    unsaved = kill_often(settings, options, server, broker)
    down_s = time.monotonic()
    program = Program(settings)
    program.wait_until_saved()
    time.sleep(max(0.0, options.outage - (time.monotonic() - down_s)))
    counts = dict(query(folder / "store", "SELECT target, count(*) FROM deliveries GROUP BY target"))
    if broker is not None:
        broker.start()
    server.fault = lambda: ""
    drained = drain(folder / "store", receivers, counts, options.events)
    program.end()
    events = {number for (number,) in query(folder / "store", "SELECT track FROM events")}
    for one in receivers.values():
        one.close()
    return {
        "machine": machine(),
        "duration s": round(time.monotonic() - began_s, 1),
        "kills": options.kills,
        "handed over and not saved at a kill": unsaved,
        "requests": server.requests,
        "receivers": {name: judged(receiver.arrivals, events) | drained[name] for name, receiver in receivers.items()},
    }


def main() -> None:
    """Print the figures; exit code 1 if an event is lost or out of order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=60.0, help="events saved per second")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--outage", type=float, default=60.0, help="seconds that both are down after the last kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, Path(folder))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    receivers = found.pop("receivers")
    for name, value in found.items():
        print(f"{name}: {value}")
    keys = list(next(iter(receivers.values())))
    for key in keys:
        print(f"{key:38}" + "".join(f"{figures[key]:>12}" for figures in receivers.values()))
    sys.exit(any(one["lost"] or one["out of order"] for one in receivers.values()))


if __name__ == "__main__":
    main()
