"""Runs the command line in this process, and reports its figures to the process that started it.

    python -m benchmarks.cameras.observed DESCRIPTOR COMMAND ...

The main thread runs the command exactly as `python main.py COMMAND ...` does. One thread waits at the inherited
connection (a socket with this descriptor) and answers commands; between them it costs nothing. The figures of every run
and the site are found because their constructors are wrapped.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from streamer.cli import main as run_command_line
from streamer.flow.stats import RunStats

_found: list[weakref.ref[RunStats]] = []
_first_shown_s: dict[str, float] = {}
_sites: list[Any] = []


def _watch_runs() -> None:
    """Remember the figures of each run, and when its first frame was shown."""
    construct, add_age = RunStats.__init__, RunStats.add_age

    def constructed(stats: RunStats, stream: str = "") -> None:
        construct(stats, stream)
        _found.append(weakref.ref(stats))

        def first_age(where: str, age_s: float) -> None:
            if where == "shown":
                _first_shown_s.setdefault(stream, time.monotonic())
                del stats.add_age  # the method of the class again
            add_age(stats, where, age_s)

        stats.add_age = first_age  # type: ignore[method-assign]

    RunStats.__init__ = constructed  # type: ignore[assignment, method-assign]


def _watch_sites() -> None:
    """Remember the site of `serve`; only in programs that have one."""
    from streamer.serve.site import Site

    construct = Site.__init__

    def constructed(site: Site, *arguments: Any, **options: Any) -> None:
        construct(site, *arguments, **options)
        _sites.append(site)

    Site.__init__ = constructed  # type: ignore[assignment, method-assign]


def _figures() -> dict[str, Any]:
    """The figures of all streams; of a stream that ran several times those of the last run."""
    _found[:] = [reference for reference in _found if reference() is not None]
    streams: dict[str, Any] = {}
    for stats in filter(None, [reference() for reference in _found]):
        entered, settled = stats.ledger.snapshot()
        streams[stats.stream] = {
            "shown": stats.shown,
            "entered": entered,
            "settled": {(str(state), str(cause)): count for (state, cause), count in settled.items()},
            "reconnects": sum(count for (what, _), count in stats.counts.items() if what == "reconnect"),
            "ages": {place: dict(ages.bins) for place, ages in stats.ages.items()},
            "stages": {name: (times.count, times.total_s, dict(times.bins)) for name, times in stats.stages.items()},
            "first_shown_s": _first_shown_s.get(stats.stream),
        }
    return {"at_s": time.monotonic(), "streams": streams, "threads": _threads()}


def _threads() -> dict[int, str]:
    """The names of Python's threads by the id that the system gives them."""
    return {thread.native_id: thread.name for thread in threading.enumerate() if thread.native_id is not None}


def _change(name: str, *arguments: Any) -> float:
    """Change the running site; returns how long it took, seconds."""
    if name == "add":
        from streamer.config.camera import CameraSettings

        arguments = arguments[0], CameraSettings.model_validate(arguments[1])
    change: Callable[..., Any] = getattr(_sites[-1], name)
    began_s = time.monotonic()
    change(*arguments)
    return time.monotonic() - began_s


def answer(connection: Connection) -> None:
    """Answer at a connection until its other end is closed."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, *arguments = connection.recv()
            try:
                connection.send(_figures() if name == "figures" else _change(name, *arguments))
            except Exception as error:
                connection.send(error)


def run_observed(descriptor: int, command: list[str]) -> None:
    """Run a command; its figures are asked for at the socket with this descriptor."""
    sys.argv[:] = ["main.py", *command]
    _watch_runs()
    if command[0] == "serve":
        _watch_sites()
    threading.Thread(target=answer, args=(Connection(descriptor),), name="figures", daemon=True).start()
    run_command_line()


if __name__ == "__main__":
    run_observed(int(sys.argv[1]), sys.argv[2:])
