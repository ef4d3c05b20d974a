"""Distributes the packets of the other streams to the files of a recording: each to the file in which it begins.

Used by the thread that writes the recording.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from fractions import Fraction

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sinks.muxing.audio import spill_failure

LATE_S = 2
"""How long a file waits for late audio, in media time."""

_LATE_AGAIN_S = 1
"""Audio that returns with a larger delay is late, not intermittent."""


class SegmentStreams:
    """The other streams of one file.

    Args:
        source: of the input.
        begin: media time of the file's first frame in seconds, its time 0.
        without: streams that the file does not get.

    Attributes:
        passthrough: for the file's `StreamCopy`, with times relative to `begin`.
        begin: as given.
        end: when the next file begins, seconds; None until it is known.
    """

    def __init__(self, source: Passthrough, begin: Fraction, without: Collection[PassthroughStream] = ()) -> None:
        self.begin = begin
        self.end: Fraction | None = None
        self._streams = tuple(stream for stream in source.streams if stream not in without)
        self._silent = {stream for stream in self._streams if stream.timed}
        self._awaited = {stream for stream in self._streams if stream.kind == "audio"}
        # Chapters are for the whole input.
        self.passthrough = Passthrough(
            self._streams,
            tags=source.tags,
            video_tags=source.video_tags,
            video_disposition=source.video_disposition,
            live=True,
        )
        for stream, cover in source.covers.items():
            self.passthrough.put(stream, cover)

    @property
    def silent(self) -> frozenset[PassthroughStream]:
        """Streams without a packet."""
        return frozenset(self._silent)

    def holds(self, stream: PassthroughStream) -> bool:
        """Whether the file has the stream."""
        return stream in self._streams

    def put(self, stream: PassthroughStream, packet: PassthroughPacket) -> None:
        """Take a packet that begins in this file; ignore others."""
        time = packet.ticks * stream.time_base
        if self.end is not None and time >= self.end:
            self._awaited.discard(stream)
        elif time >= self.begin and self.holds(stream):
            self._silent.discard(stream)
            moved = round(self.begin / stream.time_base)
            pts, dts = (None if ticks is None else ticks - moved for ticks in (packet.pts, packet.dts))
            self.passthrough.put(stream, dataclasses.replace(packet, pts=pts, dts=dts))

    def is_complete(self, now: Fraction) -> bool:
        """Whether the file has all of its audio at a media time `now`, or does not wait for it any longer."""
        return self.end is None or not self._awaited or now > self.end + LATE_S


class RecordedStreams:
    """Gives the packets of an input to the open file and the one before it.

    Args:
        source: of the input.
    """

    def __init__(self, source: Passthrough) -> None:
        self._source = source
        self._subscription = source.subscribe()
        self._taken: list[tuple[PassthroughStream, PassthroughPacket]] = []
        self._left_out: set[PassthroughStream] = set()
        self._late: set[PassthroughStream] = set()

    def part(self, begin: Fraction) -> SegmentStreams:
        """The streams of a file that begins at a time, seconds."""
        return SegmentStreams(self._source, begin, self._left_out)

    def leave_out(self, streams: Collection[PassthroughStream]) -> bool:
        """Leave streams out of new files until they have a packet. Returns whether any stream is left out.

        A stream whose packets are always late is left out only once, else new files would begin without end.
        """
        new = set(streams) - self._late
        self._left_out.update(new)
        return bool(new)

    def take(self, until: Fraction, part: SegmentStreams | None = None, *, last: bool = False) -> bool:
        """Get the packets up to a time. Returns whether one is from a stream that the open file does not have.

        Args:
            until: seconds.
            part: the streams of the open file.
            last: the recording ends: read the input further for packets that are late in it.

        Raises:
            SinkError: packets in a temporary file cannot be read.
        """
        if last:
            self._source.read_to(until)
        try:
            self._taken += self._subscription.take(until)
        except OSError as error:
            raise spill_failure(error) from error
        for stream, packet in self._taken:
            if stream in self._left_out:
                self._left_out.discard(stream)
                if until - packet.ticks * stream.time_base > _LATE_AGAIN_S:
                    self._late.add(stream)
        return part is not None and not all(part.holds(stream) for stream, _ in self._taken)

    def hand_out(self, *parts: SegmentStreams | None) -> None:
        """Give the packets to the files in which they begin; others are dropped."""
        for stream, packet in self._taken:
            for part in parts:
                if part is not None:
                    part.put(stream, packet)
        self._taken.clear()

    def close(self) -> None:
        """Take no more packets. Does nothing the second time."""
        self._subscription.close()
