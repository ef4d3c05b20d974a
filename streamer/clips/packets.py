"""The packets of a camera's video, and the media time of each.

A packet has the time stamps of its sender. The media time of its picture is known once the decoder has returned the
frame: `PacketTimes` finds the packet of each frame. So a clip has the times of the frames that were shown, whatever the
clock of the camera does. Not thread-safe: the ring holds its lock.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

import av
from av.video.stream import VideoStream

from streamer.media.ffmpeg_log import capture_log
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream, describe_streams
from streamer.values.frame import Frame

MOST_REORDERED = 32
"""A packet this far behind the packet of a frame gets no frame: 16 places of reordering (H.264, A.3.1), two fields."""


_RAW_FORMATS = {"h264": "h264", "hevc": "hevc", "mjpeg": "mjpeg", "mpeg4": "m4v"}
"""FFmpeg's formats of a codec without a container."""
_SEQUENCE = {"h264": (0x1F, 7), "hevc": (0x7E, 33 << 1)}
"""Mask and value of the first byte of a sequence parameter set (H.264, 7.3.1; H.265, 7.3.1.2)."""
_HEAD_BYTES = 1024
"""Parameter sets come before the picture."""
_JUMP_S = 5
"""Times that are further apart are of different clocks: a frame is not reordered so far."""
LEAST_DELAY_S = Fraction(1, 500)
"""A picture is decoded this long before it is shown, if nothing else is known: room for some ticks."""


@dataclass(frozen=True, slots=True, eq=False)
class RingStream:
    """The video of one connection.

    Attributes:
        number: of the stream, from 0, over all connections of a run.
        description: with the codec parameters; independent of the input.
        parameters: streams with equal ones can follow each other in one file.
        size: width and height in pixels, as they are encoded.
    """

    number: int
    description: PassthroughStream
    parameters: tuple[object, ...]
    size: tuple[int, int]

    @classmethod
    def of(cls, number: int, stream: VideoStream) -> RingStream:
        """Describe an open stream whose decoder is configured."""
        (description,) = describe_streams([stream])
        return cls(number, description, *_parameters_of(stream))

    def of_keyframe(self, key: bytes) -> RingStream:
        """The stream with the parameters that a keyframe has: some cameras send their size with the video only.

        Args:
            key: the data of the packet.
        """
        form = _RAW_FORMATS.get(self.description.codec)
        if form is None:
            return self
        try:
            with capture_log(av.logging.ERROR), av.open(io.BytesIO(key), format=form) as read:
                stream = read.streams.video[0]
                (found,) = describe_streams([stream])
                parameters, size = _parameters_of(stream)
        except (av.error.FFmpegError, ValueError, IndexError):
            return self
        description = replace(self.description, template=found.template)
        return RingStream(self.number, description, parameters, size) if all(size) else self


@dataclass(slots=True, eq=False)
class RingPacket:
    """A packet in the ring.

    Attributes:
        number: over all streams, in decoding order.
        stream: its stream.
        content: with the sender's time stamps, which may be missing.
        arrived_s: monotonic clock, seconds.
        time: media time of its picture in seconds; None until it is known. Under the lock of the ring.
    """

    number: int
    stream: RingStream
    content: PassthroughPacket
    arrived_s: float
    time: Fraction | None = None

    @property
    def sent(self) -> Fraction | None:
        """The sender's presentation time in seconds; None if it has none."""
        return None if self.content.pts is None else self.content.pts * self.stream.description.time_base

    @property
    def delay(self) -> Fraction | None:
        """From its decoding to its presentation, seconds; None if the sender's times do not say it."""
        pts, dts = self.content.pts, self.content.dts
        return None if pts is None or dts is None or pts < dts else (pts - dts) * self.stream.description.time_base


class _Clock(NamedTuple):
    """The last frame of a stream.

    Attributes:
        time: its media time, seconds.
        offset: media time minus the sender's time, seconds; None if the sender sent none.
        arrived_s: monotonic clock when its packet arrived; None for a source that is not live.
    """

    time: Fraction
    offset: Fraction | None
    arrived_s: float | None


class PacketTimes:
    """Finds the packet of each frame."""

    def __init__(self) -> None:
        self._waiting: deque[RingPacket] = deque()
        self._clocks: dict[int, _Clock] = {}  # by stream

    def add(self, packet: RingPacket) -> None:
        """A packet for the decoder."""
        self._waiting.append(packet)

    def place(self, frame: Frame) -> None:
        """A decoded frame: sets the time of its packet, and of earlier packets that gave no frame."""
        found = self._packet_of(frame)
        if found is None:
            return
        found.time = frame.pts * frame.time_base
        offset = None if found.sent is None else found.time - found.sent
        is_live = frame.arrival_wall_clock_s is not None
        self._clocks[found.stream.number] = _Clock(found.time, offset, found.arrived_s if is_live else None)
        kept: deque[RingPacket] = deque()
        for packet in self._waiting:
            if packet is found:
                continue
            if self._may_follow(packet, found):
                kept.append(packet)
            elif packet.time is None:
                self._estimate(packet)
        self._waiting = kept
        self._clocks = {found.stream.number: self._clocks[found.stream.number]}

    def estimate_all(self) -> None:
        """Set the time of every packet, although its frame may still come."""
        for packet in self._waiting:
            if packet.time is None:
                self._estimate(packet)

    def forget_before(self, number: int) -> None:
        """The packets before this one have left the ring."""
        while self._waiting and self._waiting[0].number < number:
            self._waiting.popleft()

    def _packet_of(self, frame: Frame) -> RingPacket | None:
        waiting = list(self._waiting)
        if frame.key is not None:
            waiting = [packet for packet in waiting if packet.stream.number == frame.key.stream]
        is_live = frame.arrival_wall_clock_s is not None
        pts = frame.raw_pts if is_live else frame.pts
        if pts is not None and (is_live or not waiting or waiting[0].stream.description.time_base == frame.time_base):
            found = next((packet for packet in reversed(waiting) if packet.content.pts == pts), None)
            if found is not None or is_live:
                return found
        if is_live:  # it was decoded as soon as it arrived
            return next((packet for packet in waiting if packet.arrived_s >= frame.captured_s), None)
        # Frames of a file come in presentation order.
        return min(waiting, key=lambda packet: (packet.sent or 0, packet.number), default=None)

    def _may_follow(self, packet: RingPacket, shown: RingPacket) -> bool:
        """Whether the frame of a packet may still come after the frame of another one."""
        if packet.stream.number != shown.stream.number:
            return packet.stream.number > shown.stream.number
        if packet.number < shown.number - MOST_REORDERED:
            return False
        if packet.content.pts is None or shown.content.pts is None:
            return packet.number > shown.number
        behind = (shown.content.pts - packet.content.pts) * packet.stream.description.time_base
        return behind < 0 or (packet.number > shown.number and behind > _JUMP_S)

    def _estimate(self, packet: RingPacket) -> None:
        own = self._clocks.get(packet.stream.number)
        clock = own or max(self._clocks.values(), key=lambda one: one.time, default=_Clock(Fraction(0), None, None))
        arrived = clock.time
        if clock.arrived_s is not None:
            arrived += Fraction(packet.arrived_s - clock.arrived_s).limit_denominator(1_000_000)
        packet.time = arrived
        if own is not None and own.offset is not None and packet.sent is not None:
            by_sender = packet.sent + own.offset
            if clock.arrived_s is None or abs(by_sender - arrived) < _JUMP_S:
                packet.time = by_sender


def sequence_parameters(codec: str, key: bytes) -> frozenset[bytes]:
    """The sequence parameter sets in a keyframe with start codes, which have the size; empty if there are none.

    Args:
        codec: FFmpeg's name.
        key: the data of the packet.
    """
    if codec not in _SEQUENCE or key[:2] != b"\0\0":
        return frozenset()
    mask, kind = _SEQUENCE[codec]
    units = key[:_HEAD_BYTES].split(b"\0\0\1")[1:-1]
    return frozenset(unit.rstrip(b"\0") for unit in units if unit and unit[0] & mask == kind)


def _parameters_of(stream: VideoStream) -> tuple[tuple[object, ...], tuple[int, int]]:
    """What streams of one file must have in common, and the size."""
    context = stream.codec_context
    extradata = bytes(context.extradata or b"")
    # Parameter sets with start codes come in any order, with three or four bytes before each.
    units = frozenset(unit.strip(b"\0") for unit in extradata.split(b"\0\0\1")) if extradata[:1] == b"\0" else extradata
    size = context.width, context.height
    return (context.name, *size, units), size


def exact(time_s: float) -> Fraction:
    """The media time that was rounded to a float: a keyframe of that time is not after it."""
    return Fraction(time_s).limit_denominator(1_000_000)


def next_shown(times: Sequence[Fraction]) -> list[Fraction]:
    """For each picture, in decoding order, when the next one is shown that is not decoded before it."""
    return list(accumulate(reversed(times), min))[::-1]


def reorder_delay(packets: Sequence[RingPacket]) -> Fraction:
    """How long before `next_shown` a picture is decoded, seconds: for packets without a decoding time.

    Args:
        packets: of one stream, in decoding order, with their times.
    """
    timed = [(packet, packet.time) for packet in packets if packet.time is not None]
    following = next_shown([shown for _, shown in timed])
    delays = [
        later - shown + packet.delay
        for (packet, shown), later in zip(timed, following, strict=True)
        if packet.delay is not None
    ]
    return max([*delays, LEAST_DELAY_S])
