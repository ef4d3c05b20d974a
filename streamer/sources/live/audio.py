"""The audio of a live input, on the clock of its frames.

The thread of a connection adds packets as they arrive. For each frame, the capture thread reports the sender's time and
the media time, and packets up to that time go to the outputs. Audio and video share the sender's clock, so audio keeps
its distance to the video whatever the media clock does; where the time stamps do not fit, times of arrival are used.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from fractions import Fraction

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import PassthroughStream
from streamer.sources.live.clock_epochs import ClockEpoch
from streamer.sources.live.connection import LiveFrame, LivePacket

NEAR_S = 10.0
"""Time stamps of audio and video that are farther apart belong to different clocks."""
IN_STEP_S = Fraction(1, 50)
"""A packet this close to the end of the previous one follows it without a gap, because time stamps jitter."""
_MAX_EPOCHS = 4
_MAX_PENDING = 6000
"""Packets that wait for their frame, about two minutes of AAC: playlists deliver whole segments."""


class LiveAudio:
    """Passes audio packets from connections to a `Passthrough`. Any thread may call any method.

    Args:
        passthrough: gets the packets, on the clock of the frames.
    """

    def __init__(self, passthrough: Passthrough) -> None:
        self._passthrough = passthrough
        self._lock = threading.Lock()
        # All under the lock.
        self._connection = 0
        self._streams: dict[PassthroughStream, PassthroughStream] = {}  # of the connection, to those of the outputs
        self._pending: deque[LivePacket] = deque()
        self._ends: dict[PassthroughStream, Fraction] = {}
        self._shown: dict[ClockEpoch, tuple[Fraction | None, float, Fraction]] = {}  # last frame of each recent epoch

    def begin(self, connection: int, streams: Sequence[PassthroughStream]) -> None:
        """Start a new connection.

        Args:
            connection: its number; packets of other connections are ignored.
            streams: its audio streams. A stream with the same parameters as before stays the same for outputs.
        """
        with self._lock:
            self._connection = connection
            self._pending.clear()
            self._shown.clear()
            self._streams = {}
            self._take_up(streams)

    def change(self, connection: int, streams: Sequence[PassthroughStream]) -> None:
        """Change the streams of a connection, as for `begin`; waiting packets of its earlier streams stay."""
        with self._lock:
            if connection == self._connection:
                self._take_up(streams)

    def put(self, connection: int, packet: LivePacket) -> None:
        """The thread of a connection: add a packet."""
        with self._lock:
            if connection == self._connection:
                self._pending.append(packet)
                if len(self._pending) > _MAX_PENDING:
                    self._pending.popleft()

    def release(self, live: LiveFrame, media_s: Fraction) -> None:
        """The capture thread: pass on the packets up to a frame.

        Args:
            live: the frame with the sender's time.
            media_s: its media time, seconds.
        """
        shown_s = None if live.pts is None else live.pts * live.time_base
        with self._lock:
            self._shown.pop(live.epoch, None)
            self._shown[live.epoch] = shown_s, live.arrived_s, media_s
            while len(self._shown) > _MAX_EPOCHS:
                del self._shown[next(iter(self._shown))]
            later: deque[LivePacket] = deque()
            for packet in self._pending:
                placed_s = self._placed(packet, live.epoch)
                if placed_s is None or placed_s > media_s:
                    later.append(packet)
                else:
                    self._pass_on(packet, placed_s)
            self._pending = later

    def _placed(self, packet: LivePacket, now: ClockEpoch) -> Fraction | None:
        """The media time of a packet, by the last frame of its epoch; None if its epoch has no frame yet."""
        near = self._shown.get(packet.epoch)
        if near is None:
            arrived_s = self._shown[now][1]
            if packet.epoch > now and packet.arrived_s > arrived_s - NEAR_S:
                return None
            near = self._shown[now]  # the video has no frame of that epoch
            shown_s: Fraction | None = None
            _, arrived_s, media_s = near
        else:
            shown_s, arrived_s, media_s = near
        step_s = None if shown_s is None else packet.time_s - shown_s
        if step_s is None or abs(step_s) > NEAR_S:
            step_s = Fraction(packet.arrived_s - arrived_s).limit_denominator(1_000_000)
        return media_s + step_s

    def _take_up(self, streams: Sequence[PassthroughStream]) -> None:
        before = list(self._passthrough.streams)
        taken: dict[PassthroughStream, PassthroughStream] = {}
        for stream in streams:
            same = next((one for one in before if one is stream or _equal(one, stream)), None)
            if same is not None:
                before.remove(same)
            taken[stream] = same or stream
        gone = {one: known for one, known in self._streams.items() if known in taken.values()}
        self._streams = gone | taken  # waiting packets may belong to a stream that continues as another one
        if list(taken.values()) != list(self._passthrough.streams):
            self._passthrough.replace_streams(list(taken.values()))

    def _pass_on(self, live: LivePacket, media_s: Fraction) -> None:
        stream = self._streams.get(live.stream)
        if stream is None:
            return
        end_s = self._ends.get(stream)
        if end_s is not None and (media_s < end_s or media_s - end_s < IN_STEP_S):
            if end_s - media_s > NEAR_S:
                return  # the clock went back
            media_s = end_s
        if media_s < 0:
            return
        duration_s = live.packet.duration * stream.time_base or stream.packet_s
        self._ends[stream] = media_s + duration_s
        ticks = round(media_s / stream.time_base)
        self._passthrough.put(stream, dataclasses.replace(live.packet, pts=ticks, dts=ticks))


def _equal(one: PassthroughStream, other: PassthroughStream) -> bool:
    """Whether packets of one can follow those of the other in an output."""
    return _parameters(one) == _parameters(other)


def _parameters(stream: PassthroughStream) -> Mapping[str, object]:
    context = None if stream.template is None else stream.template.codec_context
    return {
        "kind": (stream.kind, stream.codec, stream.time_base, stream.sample_rate_hz),
        "channels": getattr(context, "channels", 0),
        "extradata": getattr(context, "extradata", None),
    }
