"""A live source: makes a connection, watches that frames arrive, and reconnects when they do not.

Each connection has a thread of its own, which opens, reads and closes it. The capture thread takes its items with a
deadline: only frames count as progress, not an open connection. A thread that hangs in a library is abandoned (no
other thread may close its container) and a new connection is made. Too many abandoned threads end the run, so that a
supervisor can restart the program.

Connections are threads and not child processes, which could be killed (measured: docs/engineering/reliability.md).
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Generator
from fractions import Fraction

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.flow.queues import Closed
from streamer.flow.stats import RunStats
from streamer.interfaces import Damage, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.live.analysis_watch import AnalysisWatch
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import Connector, LiveFrame
from streamer.sources.live.connection_thread import LATE, Ended, Item
from streamer.sources.live.connections import HUNG, Connections
from streamer.sources.live.media_clock import TIME_BASE, MediaClock
from streamer.sources.live.retries import Retries
from streamer.sources.live.stall import StallLimit
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState

log = logging.getLogger(__name__)

OPENING_S = 15.0
"""Time limit of opening a connection: resolving the name, connecting, negotiating."""
_KEYFRAME_FACTOR = 6
"""Data may arrive without a frame for this many stall limits: some cameras send a keyframe every 10 s or less often."""


class LiveSource(SourceBase):
    """The frames of a camera until it is stopped; see `streamer.interfaces.Source`.

    The media time of frames never goes back (`MediaClock`), `captured_s` and `arrival_wall_clock_s` are the time of
    arrival before decoding, and each reconnection and each change of size or pixel format starts a new `segment`.
    `take_damage` reports lost frames.

    Args:
        connector: opens the connections.
        settings: time limits and retries.
        stats: gets reconnections (`reconnect` by cause), `source_connected`, and decoding times.

    Raises:
        SourceUnavailable: on entering, if the first connection fails and is not retried, or not for longer.
        SourceLost: while iterating, after `retry_for_s`, or if too many threads are abandoned.
    """

    def __init__(
        self, connector: Connector, settings: SourceSettings | None = None, stats: RunStats | None = None
    ) -> None:
        super().__init__()
        self._connector = connector
        self._settings = settings or SourceSettings()
        self._stall = StallLimit(self._settings.stall_s, connector.least_stall_s)
        self._stats = stats or RunStats()
        self._passthrough = Passthrough(live=True)
        self._audio = LiveAudio(self._passthrough)
        self._connections = Connections(connector, self._count_lost, self._audio)
        self._analysis = AnalysisWatch(connector.name, self._stats.count)
        self._retries = Retries(connector, self._settings, self._connections.sleep)
        self._frame_s = 0.0  # capture thread: monotonic clock of the last frame

    def __enter__(self) -> LiveSource:
        self._check_unused()
        try:
            self._connect_first()
        except Closed as error:
            raise SourceLost(f"{self._connector.name}: stopped before the first frame") from error
        except SourceLost as error:
            self.stop()
            raise SourceUnavailable(str(error), error.cause) from error
        except BaseException:
            self.stop()
            raise
        self._frames = self._make_frames()
        return self

    def stop(self) -> None:
        """Any thread: wake every wait; the connections close themselves."""
        self._connections.stop()

    def _release(self) -> None:
        self._stats.gauge("source_connected", "", 0)
        self._connections.release()
        dropped = 0 if self._passthrough is None else self._passthrough.dropped
        if dropped:
            self._notes.append(f"{self._connector.name}: {dropped} audio packets were dropped: no output took them")

    # connecting

    def _connect_first(self) -> None:
        began_s = time.monotonic()
        while True:
            try:
                self._info = self._connect()
                self._connected()
                return
            except (SourceUnavailable, SourceLost) as error:
                if not self._settings.retry_at_start:
                    raise SourceUnavailable(str(error), error.cause) from error
                if error.cause == HUNG:
                    raise
                self._stats.set_source(fault=str(error), at_s=began_s)
                self._retries.log(f"{error}; trying again")
                self._retries.wait(error, began_s)

    def _connect(self) -> StreamInfo:
        """Start a new connection and wait for its first frame."""
        self._connections.connect()
        self._stall.begin()
        opened = False
        progress_s = began_s = time.monotonic()
        try:
            while True:
                item = self._connections.next(progress_s, self._stall.limit_s + (0.0 if opened else OPENING_S))
                if isinstance(item, StreamInfo):
                    return dataclasses.replace(item, time_base=TIME_BASE, start=Fraction(0))
                if isinstance(item, Ended):
                    raise SourceLost(f"{self._connector.name}: the stream ended before its first frame", "ended")
                # The first item means that the connection is open.
                if item is not None or not opened:
                    opened, progress_s = True, time.monotonic()
                self._check_keyframe(began_s + OPENING_S)
                # A frame before the info means that the info was dropped from a full queue.
                self._note(Damage(LATE, state=FrameState.DROPPED) if isinstance(item, LiveFrame) else item)
        except BaseException:
            self._connections.drop()
            raise

    def _reconnect(self, error: SourceLost | SourceUnavailable) -> None:
        lost_s = time.monotonic()
        cause: SourceLost | SourceUnavailable = error
        self._stats.set_source(fault=str(error), at_s=self._frame_s)
        self._retries.log(f"{error}; connecting again")
        while True:
            self._retries.wait(cause, lost_s)
            try:
                self._connect()
            except (SourceUnavailable, SourceLost) as again:
                if again.cause == HUNG:
                    raise
                cause = again
                self._stats.set_source(fault=str(again))
                self._retries.log(f"{again}; trying again")
                continue
            self._connected()
            log.warning("%s: back after %.1f s", self._connector.name, time.monotonic() - lost_s)
            return

    def _connected(self) -> None:
        self._retries.succeeded()
        self._analysis.connected()
        self._stats.set_source(fault="")

    # capture thread

    def _make_frames(self) -> Generator[Frame]:
        rate = self.info.average_fps
        clock, index, segment = MediaClock(float(1 / rate) if rate else None), 0, 0
        shape: tuple[object, ...] | None = None
        reconnected = False
        assert self._passthrough is not None
        self._passthrough.begin()
        while True:
            try:
                for live in self._live_frames():
                    size = live.picture.width, live.picture.height, live.picture.format.name
                    new_shape = *size, live.sample_aspect_ratio, live.orientation
                    if shape not in (None, new_shape):
                        segment += not reconnected  # which began a segment already
                        log.warning("%s: frames change to %dx%d %s", self._connector.name, *size)
                    shape, reconnected = new_shape, False
                    self._analysis.add_frame(live.arrived_s, live.damage, live.damage_detail)
                    frame = _frame(live, index, segment, clock)
                    self._audio.release(live, frame.pts * frame.time_base)
                    yield frame
                    index += 1
                if self._connector.ends:
                    return
                raise SourceLost(f"{self._connector.name}: the stream ended", "ended")
            except Closed:
                return
            except (SourceLost, SourceUnavailable) as error:
                self._connections.drop()
                if self._connector.ends:
                    raise
                self._stats.count("reconnect", error.cause)
                try:
                    self._reconnect(error)
                    reconnected = True
                except Closed:
                    return
                clock.restart()
                segment += 1

    def _live_frames(self) -> Generator[LiveFrame]:
        """The frames of the connection in use, until it ends."""
        progress_s = self._frame_s = time.monotonic()
        while True:
            item = self._connections.next(progress_s, self._stall.limit_s)
            if item is not None:
                progress_s = time.monotonic()
            if isinstance(item, LiveFrame):
                self._frame_s = progress_s
                self._stall.add_frame(item.arrived_s)
                if item.decode_s:
                    self._stats.add_time("decode", item.decode_s)
                yield item
            elif isinstance(item, Ended):
                return
            else:
                self._note(item)
                self._check_keyframe(self._frame_s)

    def _check_keyframe(self, frame_s: float) -> None:
        limit_s = _KEYFRAME_FACTOR * self._stall.limit_s
        if time.monotonic() - frame_s > limit_s:
            raise SourceLost(f"{self._connector.name}: stalled, data but no frame for {limit_s:.3g} s", "no key frame")

    def _note(self, item: Item) -> None:
        """Keep lost frames for `take_damage`, merged by cause: a camera may lose data for weeks without a frame."""
        if not isinstance(item, Damage):
            return
        if item.state is FrameState.CORRUPT:
            self._analysis.add_lost(time.monotonic(), item.cause, item.frames, item.detail)
        last = self._damage[-1] if self._damage else None
        if last is not None and (last.cause, last.state) == (item.cause, item.state):
            self._damage[-1] = dataclasses.replace(item, frames=last.frames + item.frames)
        else:
            self._damage.append(item)

    def _count_lost(self, item: Item) -> None:
        self._note(Damage(DropCause.CONNECTION_LOST, state=FrameState.DROPPED) if isinstance(item, LiveFrame) else item)


def _frame(live: LiveFrame, index: int, segment: int, clock: MediaClock) -> Frame:
    pts = clock.stamp(live.pts, live.time_base, live.arrived_s)
    live.picture.pts, live.picture.time_base = pts, TIME_BASE
    arrival_age_s = time.monotonic() - live.arrived_s
    return Frame(
        picture=live.picture,
        index=index,
        pts=pts,
        time_base=TIME_BASE,
        captured_s=live.arrived_s,
        segment=segment,
        damage=live.damage,
        raw_pts=live.pts,
        wall_clock_s=live.wall_clock_s,
        arrival_wall_clock_s=time.time() - arrival_age_s,
        key=live.key,
        sample_aspect_ratio=live.sample_aspect_ratio,
    )
