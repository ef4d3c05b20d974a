"""The frames of a browser's webcam as a live source: the newest one only.

The web server's thread puts decoded frames in and never waits. The thread of the session enters and leaves the source,
the capture thread iterates it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import av

from streamer.errors import Interrupted, SourceUnavailable
from streamer.interfaces import Damage, Source, StreamInfo
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState

TIME_BASE = Fraction(1, 90_000)
"""The clock rate of video in RTP (RFC 3551)."""
_GAP_S = 10.0
_CLOCK = 1 << 32


@dataclass(frozen=True, slots=True)
class _Received:
    """A decoded frame.

    Attributes:
        picture: in 4:2:0.
        ticks: RTP time since the first frame, without wraps.
        arrived_s: monotonic clock, before decoding.
    """

    picture: av.VideoFrame
    ticks: int
    arrived_s: float


class BrowserSource(Source):
    """A queue of one frame: a newer frame replaces one that was not taken, which is counted as dropped.

    Args:
        name: of the source, readable.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._info: StreamInfo | None = None
        self._changed = threading.Condition()  # guards all below
        self._waiting: _Received | None = None
        self._replaced = 0
        self._ended = self._stopped = False
        self._origin = 0

    @property
    def info(self) -> StreamInfo:
        if self._info is None:
            raise RuntimeError("the source is not open: enter it first")
        return self._info

    def put(self, picture: av.VideoFrame, ticks: int, arrived_s: float, origin: int) -> None:
        """A frame was decoded. Never waits. Web server's thread.

        Args:
            picture: of any size, which may change.
            ticks: RTP time since the first frame, 1/90000 s, without wraps.
            arrived_s: monotonic clock when its last packet arrived.
            origin: RTP timestamp of the first frame.
        """
        with self._changed:
            self._replaced += self._waiting is not None
            self._waiting = _Received(picture, ticks, arrived_s)
            self._origin = origin
            self._changed.notify_all()

    def rtp(self, frame: Frame) -> int:
        """The RTP timestamp with which the browser sent a frame, 32 bits. Any thread."""
        with self._changed:
            return (self._origin + frame.pts) % _CLOCK

    def end(self) -> None:
        """No more frames come. Any thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """See `streamer.interfaces.Source`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        """Wait for the first frame.

        Raises:
            SourceUnavailable: the browser left before it.
            Interrupted: `stop` was called.
        """
        with self._changed:
            self._changed.wait_for(self._is_ready)
            if self._stopped:
                raise Interrupted
            if self._waiting is None:
                raise SourceUnavailable("the browser ended the connection before its first picture")
            picture = self._waiting.picture
        self._info = StreamInfo(
            self._name, picture.width, picture.height, picture.format.name, TIME_BASE, live=True, constant_rate=False
        )
        return self

    def __iter__(self) -> Iterator[Frame]:
        index = segment = 0
        before: _Received | None = None
        while (received := self._take()) is not None:
            if before is not None and _is_new_segment(before, received):
                segment += 1
            before = received
            yield Frame(
                received.picture,
                index,
                received.ticks,
                TIME_BASE,
                received.arrived_s,
                segment=segment,
                corrupt=received.picture.is_corrupt,
                arrival_wall_clock_s=time.time() - (time.monotonic() - received.arrived_s),
            )
            index += 1

    def take_damage(self) -> list[Damage]:
        """See `streamer.interfaces.Source`."""
        with self._changed:
            replaced, self._replaced = self._replaced, 0
        return [Damage(DropCause.NOT_TAKEN, replaced, state=FrameState.DROPPED)] if replaced else []

    def _take(self) -> _Received | None:
        """Wait for a frame; None at the end."""
        with self._changed:
            self._changed.wait_for(self._is_ready)
            received, self._waiting = self._waiting, None
            return None if self._stopped else received

    def _is_ready(self) -> bool:
        return self._waiting is not None or self._ended or self._stopped


def _is_new_segment(before: _Received, now: _Received) -> bool:
    """Whether tracks cannot go on: the browser sends another size (a rotated phone), or was silent for long."""
    was, size = before.picture, (now.picture.width, now.picture.height)
    return (was.width, was.height) != size or now.ticks - before.ticks > _GAP_S / TIME_BASE
