"""A file that plays as if a camera gave it: each frame comes when its time has come, and is gone if nobody takes it.

Opened, read and closed by the thread of its connection.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from streamer.interfaces import PassthroughSource, Source, StreamInfo
from streamer.sources.live.clock_epochs import NO_EPOCH, ClockEpoch
from streamer.sources.live.connection import POLL_S, LiveFrame, LiveItem, LivePacket

_OFF_S = 60.0
_HELD_UP_S = 1.0
_CATCH_UP = 0.5
"""Late pictures follow one another in this part of their own distance: no burst, of which most would not be seen."""
_LONGEST_STEP_S = 1.0  # that is taken over into another epoch


class Pace:
    """Lets pictures go when their time has come, the first one at once. One thread's own.

    Args:
        is_active: asked while waiting.
        held_up_s: pictures that are later than that were held up: the others follow at their own pace, as late.
        catch_up: the least distance between two pictures, as a part of that of their times.
    """

    def __init__(self, is_active: Callable[[], bool], held_up_s: float = _OFF_S, catch_up: float = 0.0) -> None:
        self._is_active = is_active
        self._held_up_s = held_up_s
        self._catch_up = catch_up
        self._start_s: float | None = None  # the clock at media time 0
        self._epoch = NO_EPOCH
        self._last_s = 0.0  # media time of the picture before
        self._step_s = 0.04  # the last distance of two that rose; until it is known, that of the commonest rate
        self._went_s = 0.0  # the clock when it went
        self._pause = threading.Event()  # never set: a wait with a deadline

    @classmethod
    def of_segments(cls, is_active: Callable[[], bool]) -> Pace:
        """For an input that comes a segment at a time."""
        return cls(is_active, _HELD_UP_S, _CATCH_UP)

    def until(self, time_s: float, epoch: ClockEpoch = NO_EPOCH) -> Iterator[None]:
        """Wait for a media time in seconds; yields now and then.

        Args:
            time_s: rises within an epoch.
            epoch: of another one, the picture follows the one before by as much as that followed its own.
        """
        now_s = time.monotonic()
        if self._start_s is None:
            self._start_s = now_s - time_s
        elif epoch != self._epoch:
            self._start_s = max(self._went_s + min(self._step_s, _LONGEST_STEP_S), now_s) - time_s
        elif now_s - self._start_s - time_s > self._held_up_s or self._start_s + time_s - now_s > _OFF_S:
            self._start_s = now_s - time_s
        elif time_s > self._last_s:
            self._step_s = time_s - self._last_s
        least_s = (
            self._went_s + self._catch_up * self._step_s if time_s > self._last_s and epoch == self._epoch else 0.0
        )
        self._epoch, self._last_s = epoch, time_s
        due_s = max(self._start_s + time_s, least_s)
        while (left_s := due_s - time.monotonic()) > 0 and self._is_active():
            self._pause.wait(min(left_s, POLL_S))
            yield None
        self._went_s = time.monotonic()


class PacedConnector:
    """Plays what another source reads at the pace of its own times; see `streamer.sources.live.connection.Connector`.

    Args:
        open_source: gives the source, not entered.
        name: readable.
    """

    ends = True
    least_stall_s = 2 * _OFF_S  # a slide show may have nothing new for as long as it is waited for

    def __init__(self, open_source: Callable[[], Source], name: str) -> None:
        self._open_source = open_source
        self.name = name

    def is_reachable(self) -> bool:
        """A file does not come and go."""
        return True

    def connect(self, is_active: Callable[[], bool]) -> PacedConnection:
        """See `streamer.sources.live.connection.Connector`."""
        return PacedConnection(self._open_source(), is_active)


class PacedConnection:
    """A source that is played.

    Args:
        source: entered and left here.
        is_active: asked while waiting for a frame's time.
    """

    def __init__(self, source: Source, is_active: Callable[[], bool]) -> None:
        self._source = source.__enter__()
        self._pace = Pace(is_active)
        passthrough = source.passthrough if isinstance(source, PassthroughSource) else None
        self.streams = () if passthrough is None else tuple(one for one in passthrough.streams if one.kind == "audio")
        """See `streamer.sources.live.connection.AudioConnection`."""
        self._subscription = None if passthrough is None or not self.streams else passthrough.subscribe()

    @property
    def info(self) -> StreamInfo:
        """What the source tells, as a live one."""
        return dataclasses.replace(self._source.info, live=True, path=None, frame_count=None)

    def frames(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        for frame in self._source:
            yield from self._source.take_damage()
            yield from self._pace.until(frame.time_s)
            yield from self._packets(frame.pts * frame.time_base)
            picture = LiveFrame(frame.picture, frame.pts, frame.time_base, time.monotonic(), key=frame.key)
            yield dataclasses.replace(picture, sample_aspect_ratio=frame.sample_aspect_ratio)
        yield from self._source.take_damage()

    def _packets(self, until: Fraction) -> Iterator[LivePacket]:
        if self._subscription is not None:
            for stream, packet in self._subscription.take(until):
                if stream in self.streams:
                    yield LivePacket(stream, packet, time.monotonic())

    def close(self) -> None:
        """Leave the source."""
        self._source.__exit__(None, None, None)
