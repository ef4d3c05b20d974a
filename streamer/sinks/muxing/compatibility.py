"""Checks whether a container can hold a stream: writes its first packets to memory and reads them back.

FFmpeg's tables exclude codecs that its muxers can write (G.711 in Matroska), and its muxers accept streams that cannot
be read back (data tracks of phones in QuickTime files) or that play at other times (G.726 in AVI). Used by the thread
that owns the sink.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import av
from av.packet import Packet

from streamer.media.ffmpeg_log import capture_log
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream, describe_streams
from streamer.sinks.muxing.tags import own_tags
from streamer.sinks.muxing.timing import MonotonicTicks

CHECKED_PACKETS = 8
"""Enough to see a wrong duration, and for AC-3 and E-AC-3, whose muxers need some packets."""
SYNC = Fraction(1, 25)
"""Audio with a smaller offset is in sync (EBU R37: 40 ms early to 60 ms late)."""
JITTER = Fraction(1, 200)
"""Larger than the rounding of any container's time base."""
_LATE = Fraction(2)  # seconds; longer than any shift by a muxer
_GAP = Fraction(4)
# The headers of the packets have the layer of MPEG audio, so some containers do not store it.
_SAME_CODEC = {"mp1": "mp3", "mp2": "mp3"}
# Other containers drop a cover picture without an error, or show it as a video of one frame.
_COVER_CONTAINERS = frozenset({"mp4", "ipod", "matroska"})


@dataclass(frozen=True, slots=True)
class Fit:
    """How a container holds a stream.

    Attributes:
        holds: the stream is read back with the same codec and the same times between packets.
        late: it may begin after the other streams.
        gaps: it may have gaps.
        tried: packets were written; otherwise only the header.
    """

    holds: bool
    late: bool = True
    gaps: bool = True
    tried: bool = False


class _Found(NamedTuple):
    """A packet that was read back: time and duration in seconds, and data."""

    time: Fraction
    duration: Fraction
    data: bytes


REFUSED = Fit(holds=False, tried=True)


def check_stream(kind: str, stream: PassthroughStream, packets: Sequence[PassthroughPacket]) -> Fit:
    """How a container holds a stream, from its first packets, or from its header alone if there are none.

    Args:
        kind: FFmpeg's name of the container.
        stream: of the input.
        packets: its first ones.
    """
    if stream.template is None or stream.kind not in ("audio", "video", "subtitle", "data", "attachment"):
        return REFUSED
    if stream.is_cover:
        return Fit(kind in _COVER_CONTAINERS and _accepts(kind, stream))
    if stream.kind == "attachment":
        return Fit(_attaches(kind, stream))
    if not packets and stream.kind == "data":  # muxers do not parse data, so any bytes are fine
        packets = [PassthroughPacket(bytes(64), 0, 0, 1)]
    if not packets:
        return Fit(_accepts(kind, stream) and not _is_renamed(kind, stream))
    return _fit_of(kind, stream, _with_durations(packets[:CHECKED_PACKETS]))


def _fit_of(kind: str, stream: PassthroughStream, packets: Sequence[PassthroughPacket]) -> Fit:
    tick = stream.time_base
    start = packets[0].ticks
    length = max(packet.ticks + packet.duration for packet in packets) - start
    late = round(_LATE / tick)
    again = late + length + round(_GAP / tick)
    try:
        # The stream is written twice: the first copy begins at 0, the second late and with a gap.
        content = _written(kind, stream, [(0, -start), (1, late - start), (1, again - start)], packets)
        found = _read(content, stream)
    except (av.error.FFmpegError, ValueError, OSError, IndexError):
        return REFUSED
    if found is None:
        return REFUSED
    prompt, second = found
    count = len(second) // 2
    if stream.kind == "data" and [one.data for one in prompt] != [packet.data for packet in packets]:
        return REFUSED
    if stream.kind == "subtitle":
        return Fit(holds=True, tried=True)
    shown = sorted(packet.ticks if packet.pts is None else packet.pts for packet in packets if packet.data)
    wanted = [(ticks - shown[0]) * tick for ticks in shown]
    if not prompt or not second or not _alike(prompt, wanted, length * tick):
        return REFUSED
    late_by = second[0].time - prompt[0].time
    gap = second[count].time - second[0].time
    return Fit(
        holds=True,
        late=abs(late_by - _LATE) <= SYNC,
        gaps=abs(gap - (again - late) * tick) <= SYNC + length * tick / 2,
        tried=True,
    )


def _with_durations(packets: Sequence[PassthroughPacket]) -> list[PassthroughPacket]:
    """The packets, with a duration where the input has none."""
    times = [packet.ticks for packet in packets]
    steps = [after - before for before, after in pairwise(times)]
    known = zip(packets, [*steps, steps[-1] if steps else 0], strict=True)
    return [packet if packet.duration else replace(packet, duration=max(step, 0)) for packet, step in known]


def _attaches(kind: str, stream: PassthroughStream) -> bool:
    """Whether an attachment is read back from a file that also has video: WebM's muxer drops it."""
    buffer = io.BytesIO()
    container: Any = av.open(buffer, "w", format=kind)
    with capture_log(av.logging.ERROR):
        try:
            video = container.add_mux_stream("vp8", width=16, height=16)
            stream.add_to(container).metadata.update(own_tags(stream.tags))
            container.start_encoding()
            packet: Packet[Any] = Packet(bytes(16))
            packet.pts, packet.dts, packet.stream = 0, 0, video
            container.mux(packet)
            container.close()
            with av.open(io.BytesIO(buffer.getvalue()), metadata_errors="replace") as read:
                return any(one.type == "attachment" for one in read.streams)
        except (av.error.FFmpegError, ValueError):
            return False
        finally:
            buffer.close()


def _accepts(kind: str, stream: PassthroughStream) -> bool:
    try:
        _written(kind, stream, [], [])
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True


def _is_renamed(kind: str, stream: PassthroughStream) -> bool:
    """Whether a stream without packets yet is read back as another kind of stream, usually as private data."""
    letter = PassthroughPacket(b"\0\1-", 0, 0, 1)  # one character in mov_text, and text in other formats
    try:
        return _read(_written(kind, stream, [(0, 0), (1, 0)], [letter]), stream) is None
    except (av.error.FFmpegError, ValueError, OSError, IndexError):
        return False  # the muxer needs real packets


def _written(
    kind: str,
    stream: PassthroughStream,
    copies: Sequence[tuple[int, int]],
    packets: Sequence[PassthroughPacket],
) -> bytes:
    """A file of that kind with the packets once per copy, which is a stream number and an offset in ticks."""
    buffer = io.BytesIO()
    container: Any = av.open(buffer, "w", format=kind)
    with capture_log(av.logging.ERROR):
        try:
            streams = [stream.add_to(container) for _ in range(2 if copies else 1)]
            for added in streams:
                added.metadata.update(own_tags(stream.tags))
            container.start_encoding()
            rising = [MonotonicTicks(added) for added in streams]
            for number, moved in copies:
                for packet in packets:
                    made = _moved(packet, stream.time_base, moved, rising[number])
                    made.stream = streams[number]
                    container.mux(made)
            container.close()
            return buffer.getvalue()
        finally:
            buffer.close()  # else the trailer is written again when the container is collected


def _moved(packet: PassthroughPacket, tick: Fraction, moved: int, rising: MonotonicTicks) -> Packet[Any]:
    made = packet.packet()
    later = 0 if packet.pts is None else packet.pts - packet.ticks
    made.dts = ticks = rising.place((packet.ticks + moved) * tick)
    made.pts = ticks + round(later * tick / rising.time_base)
    made.duration = round(packet.duration * tick / rising.time_base)
    made.time_base = rising.time_base
    return made


def _read(content: bytes, stream: PassthroughStream) -> tuple[list[_Found], list[_Found]] | None:
    """The packets of both copies; None if the streams are not those that were written."""
    found: tuple[list[_Found], list[_Found]] = ([], [])
    opened: Any
    with capture_log(av.logging.ERROR), av.open(io.BytesIO(content), metadata_errors="replace") as opened:
        described = describe_streams(list(opened.streams))
        if len(described) != len(found) or any(_name(one) != _name(stream) for one in described):
            return None
        for one in opened.streams:
            if one.type in ("audio", "video") and one.codec_context is not None:
                one.codec_context.open()  # fails if the container did not store a header that the codec needs
        for packet in opened.demux():
            ticks = packet.dts if packet.pts is None else packet.pts  # the demuxer may have guessed the dts
            if packet.size and ticks is not None:
                tick = packet.time_base
                found[packet.stream_index].append(_Found(ticks * tick, (packet.duration or 0) * tick, bytes(packet)))
    for packets in found:
        packets.sort(key=lambda one: one.time)
    return found


def _name(stream: PassthroughStream) -> tuple[str, str, str]:
    return stream.kind, _SAME_CODEC.get(stream.codec, stream.codec), stream.codec_tag


def _alike(found: Sequence[_Found], wanted: Sequence[Fraction], length: Fraction) -> bool:
    """Whether the times between packets are kept; a demuxer may cut uncompressed audio into other packets."""
    start = found[0].time
    if len(found) == len(wanted):
        return all(abs((one.time - start) - other) <= JITTER for one, other in zip(found, wanted, strict=True))
    return abs(found[-1].time + found[-1].duration - start - length) <= JITTER
