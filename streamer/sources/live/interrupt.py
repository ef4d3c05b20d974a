"""Ends a read of FFmpeg that waits for data, as soon as its connection is cancelled.

A read must not end for any other reason: FFmpeg cannot continue in the middle of an interleaved RTP packet, nor with
most buffered inputs (HTTP, MPEG-TS over TCP, RTMP, HLS). Measured with cameras that send a frame every 0.5, 1 and 5
seconds, and a read time-out of 0.25 s: RTSP over TCP failed every 2.5 s, and an MJPEG camera gave 4 frames of 40. So a
read waits for as long as needed (docs/engineering/live.md) and ends when its connection is cancelled. Closing the
container from another thread would crash the process.

FFmpeg calls a PyAV callback at least every 100 ms, which checks whether a time-out has passed. PyAV 12 to 18 read the
clock for it through `time.monotonic` of the module `av.container.core`, on the thread that reads. This module replaces
that clock: on a thread whose connection is cancelled, every time-out has passed. If a later PyAV uses another clock, a
read ends after its time-out (`LONGEST_READ_S`), and a test fails. Any thread may use it.

FFmpeg reads an RTP packet of an RTSP connection in three steps and calls twice for each: 140 times per frame of
1280x720 at 3.6 Mbit/s. So the connection is asked only every `ASK_EVERY_S`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from av.container import core

LONGEST_READ_S = 300.0
"""Time-out of a read: longer than the frame interval of any camera (30 s), even if several frames are lost."""
ASK_EVERY_S = 0.05
"""Between two questions whether the connection is active."""
_FAR_S = 1e9


class OpenTimeout:
    """PyAV's time-out of opening: limited until the server answers, and nearly unlimited for the stream analysis, which
    needs frames, and a slow camera may send them late.

    PyAV converts it to a number once for each of the two steps.

    Args:
        answer_s: time limit for the server's answer, seconds.
    """

    def __init__(self, answer_s: float) -> None:
        self._next_s = answer_s

    def __float__(self) -> float:
        """The time-out of the step that starts now, seconds."""
        now_s, self._next_s = self._next_s, LONGEST_READ_S
        return now_s


class _Clock(threading.local):
    """Replaces the module `time` in PyAV; each thread has its own."""

    is_active: Callable[[], bool] | None = None
    ask_s = 0.0  # when `is_active` is asked next
    _ahead_s = 0.0

    def monotonic(self) -> float:
        """Seconds; on a thread whose connection is cancelled, each call jumps far ahead."""
        now_s = time.monotonic()
        if now_s >= self.ask_s:
            if self.is_active is None or self.is_active():
                self.ask_s = now_s + ASK_EVERY_S
            else:
                self._ahead_s += _FAR_S
        return now_s + self._ahead_s


_clock = _Clock()
core.time = _clock  # type: ignore[attr-defined]


@contextmanager
def interruptible(is_active: Callable[[], bool]) -> Iterator[None]:
    """Within this context, opening and reading with PyAV raises `av.error.ExitError` once the connection is inactive.

    Closing a container is not interrupted, so that RTSP servers get the end of the session.

    Args:
        is_active: called often by this thread; must be quick.
    """
    before, _clock.is_active, _clock.ask_s = _clock.is_active, is_active, 0.0
    try:
        yield
    finally:
        _clock.is_active, _clock.ask_s = before, 0.0


@contextmanager
def ended_also_by(has_ended: Callable[[], bool]) -> Iterator[None]:
    """Within this context, a read of this thread ends for a second reason too.

    Args:
        has_ended: called often by this thread; must be quick.
    """
    before = _clock.is_active
    with interruptible(lambda: not has_ended() and (before is None or before())):
        yield
