"""A program under measurement, in a process of its own: its figures, CPU time, memory, threads and descriptors.

`Program` runs a command of the command line (`benchmarks.cameras.observed`). Used by the main thread.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import psutil

from streamer.flow.stats import DurationHistogram

_ROOT = Path(__file__).parents[2]
ENDS_WITHIN_S = 10.0


class ProgramFailed(RuntimeError):
    """A program under measurement ended, or did not do what it was told."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: its memory, threads and descriptors.

    Attributes:
        memory_mib: proportional set size: a page that several processes share counts in parts.
        own_mib: unique set size: the pages of this process alone, whatever other processes do.
    """

    memory_mib: float
    own_mib: float
    threads: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of one or several programs at one moment.

    Attributes:
        at_s: monotonic clock.
        cpu_s: CPU time of their processes since the start, user and system.
        streams: the figures by stream (`benchmarks.cameras.observed`).
        thread_cpu_s: CPU time by thread: its name in Python, else that in the system.
    """

    at_s: float
    cpu_s: float
    streams: Mapping[str, Any]
    thread_cpu_s: Mapping[str, float] = field(default_factory=dict)


class Program:
    """A running command; it ends with the context.

    Args:
        arguments: of the command line.
        stream: the name of the stream, for a command that has one stream and gives it no name.
        log: gets what the program prints.
        module: runs the arguments, after the descriptor of a connection.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, *, stream: str = "", module: str = "benchmarks.cameras.observed"
    ) -> None:
        own, other = socket.socketpair()
        self._stream = stream
        self.log = log
        self.started_s = time.monotonic()
        with other, log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(other.fileno()), *arguments],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[other.fileno()],
            )
        self._connection = Connection(own.detach())
        self._system = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()

    def ask(self, name: str, *arguments: Any) -> Any:
        """Let the process do something.

        Raises:
            ProgramFailed: it has ended, or refuses.
        """
        try:
            self._connection.send((name, *arguments))
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            lines = self.log.read_text(errors="replace").splitlines() or ["it printed nothing"]
            raise ProgramFailed("the program ended: " + "\n".join(lines[-10:])) from error
        if isinstance(answer, Exception):
            raise ProgramFailed(f"{name}: {type(answer).__name__}: {answer}") from answer
        return answer

    def read(self) -> Reading:
        """Its state now."""
        told = self.ask("figures")
        cpu = self._system.cpu_times()
        names: dict[int, str] = told["threads"]
        thread_cpu_s: Counter[str] = Counter()
        for thread in self._system.threads():
            thread_cpu_s[names.get(thread.id, "native")] += thread.user_time + thread.system_time
        streams = {name or self._stream: figures for name, figures in told["streams"].items()}
        return Reading(told["at_s"], cpu.user + cpu.system, streams, thread_cpu_s)

    def held(self) -> Held:
        """What its process holds now."""
        memory = self._system.memory_full_info()
        return Held(memory.pss / 2**20, memory.uss / 2**20, self._system.num_threads(), self._system.num_fds())

    def end(self) -> float:
        """Send SIGTERM; returns how long the end took, seconds."""
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(ENDS_WITHIN_S * 2)
        return time.monotonic() - began_s


class Programs:
    """Several programs that are measured as one."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self.all = tuple(programs)

    def read(self) -> Reading:
        """Their state now."""
        readings = [program.read() for program in self.all]
        streams = {name: figures for reading in readings for name, figures in reading.streams.items()}
        thread_cpu_s: Counter[str] = Counter()
        for reading in readings:
            thread_cpu_s.update(reading.thread_cpu_s)
        return Reading(readings[0].at_s, sum(reading.cpu_s for reading in readings), streams, thread_cpu_s)

    @property
    def only(self) -> Program:
        """The program, if it is only one."""
        (program,) = self.all
        return program

    @property
    def memory_mib(self) -> float:
        """The memory of all of them: proportional set sizes, so that shared libraries count once."""
        return sum(program.held().memory_mib for program in self.all)

    def wait_for(self, cameras: Sequence[str], within_s: float = 60.0) -> Reading:
        """Wait until each camera has shown a frame."""
        until_s = time.monotonic() + within_s
        while True:
            reading = self.read()
            missing = [name for name in cameras if not reading.streams.get(name, {"shown": 0})["shown"]]
            if not missing:
                return reading
            if time.monotonic() > until_s:
                lines = "\n".join(program.log.read_text(errors="replace")[-2000:] for program in self.all)
                raise ProgramFailed(f"no frame of {', '.join(missing)} within {within_s:g} s\n{lines}")
            time.sleep(0.1)


def percentile_s(bins: Mapping[int, int], percent: float) -> float:
    """The duration that `percent` of the durations in the bins of a `DurationHistogram` do not exceed, seconds."""
    return DurationHistogram(sum(bins.values()), bins=Counter(bins)).percentile_s(percent)
