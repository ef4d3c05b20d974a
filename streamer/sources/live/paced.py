"""Plays a file in real time, like a camera: each frame is due at its own time, and dropped if it is not taken.

Opened, read and closed by the thread of its connection.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import ClassVar, Self

from streamer.config.source import SourceSettings
from streamer.features import SourceContext
from streamer.interfaces import PassthroughSource, Source, StreamInfo
from streamer.sources.live.clock_epochs import NO_EPOCH, ClockEpoch
from streamer.sources.live.connection import POLL_S, LiveFrame, LiveItem, LivePacket
from streamer.sources.live.live import LiveSource
from streamer.sources.selection import open_source
from streamer.system import paths
from streamer.system.secrets import redacted

_MAX_OFF_S = 60.0
_DELAYED_S = 1.0
_CATCH_UP = 0.5
"""Late frames follow each other at this fraction of their own interval: most frames of a burst would not be seen."""
_MAX_STEP_S = 1.0  # that is carried over into another epoch


class Pace:
    """Waits until frames are due; the first one is due at once. Used by one thread.

    Args:
        is_active: asked while waiting.
        delayed_s: a frame that is later than this was delayed: the following frames keep their intervals, as late.
        catch_up: the least interval between two frames, as a fraction of their own interval.
    """

    def __init__(self, is_active: Callable[[], bool], delayed_s: float = _MAX_OFF_S, catch_up: float = 0.0) -> None:
        self._is_active = is_active
        self._delayed_s = delayed_s
        self._catch_up = catch_up
        self._start_s: float | None = None  # the clock at media time 0
        self._epoch = NO_EPOCH
        self._last_s = 0.0  # media time of the previous frame
        self._step_s = 0.04  # the last interval; until it is known, that of the commonest frame rate
        self._released_s = 0.0  # the clock when the previous frame was released
        self._pause = threading.Event()  # never set: a wait with a deadline

    @classmethod
    def of_segments(cls, is_active: Callable[[], bool]) -> Pace:
        """For an input that arrives in segments."""
        return cls(is_active, _DELAYED_S, _CATCH_UP)

    def until(self, time_s: float, epoch: ClockEpoch = NO_EPOCH) -> Iterator[None]:
        """Wait for a media time in seconds; yields every `POLL_S`.

        Args:
            time_s: increases within an epoch.
            epoch: the first frame of another epoch follows the previous frame at the previous interval.
        """
        now_s = time.monotonic()
        if self._start_s is None:
            self._start_s = now_s - time_s
        elif epoch != self._epoch:
            self._start_s = max(self._released_s + min(self._step_s, _MAX_STEP_S), now_s) - time_s
        elif now_s - self._start_s - time_s > self._delayed_s or self._start_s + time_s - now_s > _MAX_OFF_S:
            self._start_s = now_s - time_s
        elif time_s > self._last_s:
            self._step_s = time_s - self._last_s
        follows = time_s > self._last_s and epoch == self._epoch
        least_s = self._released_s + self._catch_up * self._step_s if follows else 0.0
        self._epoch, self._last_s = epoch, time_s
        due_s = max(self._start_s + time_s, least_s)
        while (left_s := due_s - time.monotonic()) > 0 and self._is_active():
            self._pause.wait(min(left_s, POLL_S))
            yield None
        self._released_s = time.monotonic()


class PacedConnector:
    """Plays another source in real time; see `streamer.sources.live.connection.Connector`.

    Args:
        open_source: returns the source, not entered.
        name: readable.
    """

    ends = True
    least_stall_s = 2 * _MAX_OFF_S  # a slide show may have no new frame for as long as `Pace` waits

    def __init__(self, open_source: Callable[[], Source], name: str) -> None:
        self._open_source = open_source
        self.name = name

    def is_reachable(self) -> bool:
        """Always True."""
        return True

    def connect(self, is_active: Callable[[], bool]) -> PacedConnection:
        """See `streamer.sources.live.connection.Connector`."""
        return PacedConnection(self._open_source(), is_active)


class PacedConnection:
    """A source that is played.

    Args:
        source: entered and left here.
        is_active: asked while waiting for the time of a frame.
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
        """Info of the source, marked as live."""
        return dataclasses.replace(self._source.info, live=True, path=None, frame_count=None)

    def frames(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        for frame in self._source:
            yield from self._source.take_damage()
            yield from self._pace.until(frame.time_s)
            yield from self._packets(frame.pts * frame.time_base)
            live = LiveFrame(frame.picture, frame.pts, frame.time_base, time.monotonic(), key=frame.key)
            yield dataclasses.replace(live, sample_aspect_ratio=frame.sample_aspect_ratio)
        yield from self._source.take_damage()

    def _packets(self, until: Fraction) -> Iterator[LivePacket]:
        if self._subscription is not None:
            for stream, packet in self._subscription.take(until):
                if stream in self.streams:
                    yield LivePacket(stream, packet, time.monotonic())

    def close(self) -> None:
        """Leave the source."""
        self._source.__exit__(None, None, None)


class PacedSource(LiveSource):
    """The frames of a file, of pictures or of a filter graph, in real time; see `LiveSource`."""

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:
        """Whether the settings ask for a local input to be played in real time."""
        return settings.live is True and paths.is_local(uri)

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> Self:
        """See `streamer.features.SourceFeature`."""
        connector = PacedConnector(lambda: open_source(uri, settings, context, without=("paced",)), redacted(uri))
        return cls(connector, settings, context.stats)
