"""The sound of a live input, on the clock of its frames.

The thread of a connection puts packets in as they come; the capture thread tells at each frame what became of the
camera's time stamps, and packets up to that frame go to the outputs. Both clocks are the camera's own, so sound keeps
its distance to the picture whatever the media clock does; where that cannot be, the times of arrival stand in.
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
"""Time stamps of sound and picture that are farther apart have nothing to do with each other."""
IN_STEP_S = Fraction(1, 50)
"""A packet that comes so near to the end of the one before it follows it without a gap: time stamps jitter."""
_MAX_EPOCHS = 4
_MOST_PENDING = 6000
"""Packets that wait for their frame, about two minutes of AAC: playlists give a segment at a time."""


class LiveAudio:
    """Between connections and a `Passthrough`; any thread may call any method.

    Args:
        passthrough: where packets go, on the clock of the frames.
    """

    def __init__(self, passthrough: Passthrough) -> None:
        self._passthrough = passthrough
        self._lock = threading.Lock()
        # All under the lock.
        self._connection = 0
        self._streams: dict[PassthroughStream, PassthroughStream] = {}  # of the connection: as outputs know them
        self._pending: deque[LivePacket] = deque()
        self._ends: dict[PassthroughStream, Fraction] = {}
        self._shown: dict[ClockEpoch, tuple[Fraction | None, float, Fraction]] = {}  # the last frame of each of late

    def begin(self, connection: int, streams: Sequence[PassthroughStream]) -> None:
        """A connection is open.

        Args:
            connection: its number; what others still say is dropped.
            streams: those besides its video. One that is as before stays the same for outputs.
        """
        with self._lock:
            self._connection = connection
            self._pending.clear()
            self._shown.clear()
            self._streams = {}
            self._take_up(streams)

    def change(self, connection: int, streams: Sequence[PassthroughStream]) -> None:
        """The connection goes on with other streams, as `begin` takes them; what waits of the earlier ones stays."""
        with self._lock:
            if connection == self._connection:
                self._take_up(streams)

    def put(self, connection: int, packet: LivePacket) -> None:
        """The thread of a connection: a packet came."""
        with self._lock:
            if connection == self._connection:
                self._pending.append(packet)
                if len(self._pending) > _MOST_PENDING:
                    self._pending.popleft()

    def release(self, picture: LiveFrame, media_s: Fraction) -> None:
        """The capture thread: a picture became a frame; sound up to it goes on.

        Args:
            picture: as it came.
            media_s: the frame's media time, seconds.
        """
        shown_s = None if picture.pts is None else picture.pts * picture.time_base
        with self._lock:
            self._shown.pop(picture.epoch, None)
            self._shown[picture.epoch] = shown_s, picture.arrived_s, media_s
            while len(self._shown) > _MAX_EPOCHS:
                del self._shown[next(iter(self._shown))]
            later: deque[LivePacket] = deque()
            for packet in self._pending:
                placed_s = self._placed(packet, picture.epoch)
                if placed_s is None or placed_s > media_s:
                    later.append(packet)
                else:
                    self._pass_on(packet, placed_s)
            self._pending = later

    def _placed(self, packet: LivePacket, now: ClockEpoch) -> Fraction | None:
        """The media time of a packet by the last frame of its epoch; None if there was no frame of it yet."""
        near = self._shown.get(packet.epoch)
        if near is None:
            arrived_s = self._shown[now][1]
            if packet.epoch > now and packet.arrived_s > arrived_s - NEAR_S:
                return None
            near = self._shown[now]  # the pictures know nothing of that epoch
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
        self._streams = gone | taken  # those that wait may be of a stream that goes on under another name
        if list(taken.values()) != list(self._passthrough.streams):
            self._passthrough.replace_streams(list(taken.values()))

    def _pass_on(self, live: LivePacket, media_s: Fraction) -> None:
        stream = self._streams.get(live.stream)
        if stream is None:
            return
        end_s = self._ends.get(stream)
        if end_s is not None and (media_s < end_s or media_s - end_s < IN_STEP_S):
            if end_s - media_s > NEAR_S:
                return  # a clock that went back
            media_s = end_s
        if media_s < 0:
            return
        lasts_s = live.packet.duration * stream.time_base or stream.packet_s
        self._ends[stream] = media_s + lasts_s
        ticks = round(media_s / stream.time_base)
        self._passthrough.put(stream, dataclasses.replace(live.packet, pts=ticks, dts=ticks))


def _equal(one: PassthroughStream, other: PassthroughStream) -> bool:
    """Whether packets of the one can follow those of the other in an output."""
    return _parameters(one) == _parameters(other)


def _parameters(stream: PassthroughStream) -> Mapping[str, object]:
    context = None if stream.template is None else stream.template.codec_context
    return {
        "kind": (stream.kind, stream.codec, stream.time_base, stream.sample_rate_hz),
        "channels": getattr(context, "channels", 0),
        "extradata": getattr(context, "extradata", None),
    }
