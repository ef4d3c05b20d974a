"""Ends a read of FFmpeg that waits for data, at the moment in which nobody wants that data any more.

A read must not be cut for another reason: FFmpeg cannot go on in the middle of an interleaved RTP packet, nor with most
inputs that it reads through a buffer (HTTP, MPEG-TS over TCP, RTMP, HLS). Measured with cameras of one picture in 0.5,
1 and 5 seconds and reads of 0.25 s: RTSP over TCP ended with an error every 2.5 s, an MJPEG camera gave 4 pictures of
40. So a read waits for as long as it takes (docs/live.md), and ends when its connection is given up. Closing the
container from another thread would crash the process.

FFmpeg asks a callback of PyAV, at least every 100 ms, whether a time-out has passed. PyAV 12 to 18 read the clock for
it through `time.monotonic` of the module `av.container.core`, on the thread that reads. In its place stands a clock by
which, for a thread that is not wanted any more, every time-out has passed. Where a later PyAV does not ask it, a read
ends when its time-out passes (`LONGEST_READ_S`), and a test fails. Any thread may use it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from av.container import core

LONGEST_READ_S = 300.0
"""The time-out of a read: longer than any camera has nothing to say (one picture in 30 s, and what is lost of it)."""
_FAR_S = 1e9


class OpenTimeout:
    """PyAV's time-out of opening: until the server answered; then the streams may be looked for as long as the thread
    is wanted, because that needs pictures, and a slow camera sends them when it does.

    PyAV asks for the number once for each of both.

    Args:
        answer_s: until the server answered, seconds.
    """

    def __init__(self, answer_s: float) -> None:
        self._next_s = answer_s

    def __float__(self) -> float:
        """The time-out that begins now, seconds."""
        now_s, self._next_s = self._next_s, LONGEST_READ_S
        return now_s


class _Clock(threading.local):
    """Stands for the module `time` in PyAV; each thread has its own."""

    is_active: Callable[[], bool] | None = None
    _ahead_s = 0.0

    def monotonic(self) -> float:
        """Seconds, by which each call of a thread that is not wanted is long after the one before."""
        if self.is_active is not None and not self.is_active():
            self._ahead_s += _FAR_S
        return time.monotonic() + self._ahead_s


_clock = _Clock()
core.time = _clock  # type: ignore[attr-defined]


@contextmanager
def interruptible(is_active: Callable[[], bool]) -> Iterator[None]:
    """While this lasts, what this thread opens and reads with PyAV ends with `av.error.ExitError` once it is unwanted.

    Closing a container is not cut short: RTSP servers are told that the session ends.

    Args:
        is_active: asked by this thread, often; must be quick.
    """
    before, _clock.is_active = _clock.is_active, is_active
    try:
        yield
    finally:
        _clock.is_active = before


@contextmanager
def ended_also_by(unneeded: Callable[[], bool]) -> Iterator[None]:
    """While this lasts, a read of this thread ends also once it is unneeded, not only unwanted.

    Args:
        unneeded: asked by this thread, often; must be quick.
    """
    before = _clock.is_active
    with interruptible(lambda: not unneeded() and (before is None or before())):
        yield
