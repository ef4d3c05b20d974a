"""The other streams of an input on their way into the files of a recording: each packet into the file it begins in.

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
"""How far sound may come behind its picture: a file waits for its own until then."""

_LATE_AGAIN_S = 1
"""Sound that comes back later than this behind its picture is late, not silent now and then."""


class SegmentStreams:
    """What one file gets of the other streams.

    Args:
        source: of the input.
        begin: media time of the file's first frame, seconds: its time 0.
        without: streams that it is not to have.

    Attributes:
        passthrough: of the file, for its `StreamCopy`; times count from `begin`.
        begin: as given.
        end: when the next file begins, seconds; None as long as that is not known.
    """

    def __init__(self, source: Passthrough, begin: Fraction, without: Collection[PassthroughStream] = ()) -> None:
        self.begin = begin
        self.end: Fraction | None = None
        self._streams = tuple(stream for stream in source.streams if stream not in without)
        self._silent = {stream for stream in self._streams if stream.timed}
        self._awaited = {stream for stream in self._streams if stream.kind == "audio"}
        # Chapters belong to the whole.
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
        """Streams of which nothing came yet."""
        return frozenset(self._silent)

    def holds(self, stream: PassthroughStream) -> bool:
        """Whether the stream was there when the file began."""
        return stream in self._streams

    def put(self, stream: PassthroughStream, packet: PassthroughPacket) -> None:
        """Take a packet if it begins in this file."""
        time = packet.ticks * stream.time_base
        if self.end is not None and time >= self.end:
            self._awaited.discard(stream)
        elif time >= self.begin and self.holds(stream):
            self._silent.discard(stream)
            moved = round(self.begin / stream.time_base)
            pts, dts = (None if ticks is None else ticks - moved for ticks in (packet.pts, packet.dts))
            self.passthrough.put(stream, dataclasses.replace(packet, pts=pts, dts=dts))

    def is_complete(self, now: Fraction) -> bool:
        """Whether all sound has come that the file is to have, or is not worth waiting for at a media time `now`."""
        return self.end is None or not self._awaited or now > self.end + LATE_S


class RecordedStreams:
    """Hands the packets of an input to the files that are being recorded: the one in hand, and the one before it.

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
        """What a file gets that begins at a time, seconds."""
        return SegmentStreams(self._source, begin, self._left_out)

    def leave_out(self, streams: Collection[PassthroughStream]) -> bool:
        """Files that begin from now on do not have these, until something comes of them: whether that helps.

        What comes, but always that late, is not left out a second time: there would be no end of new files.
        """
        new = set(streams) - self._late
        self._left_out.update(new)
        return bool(new)

    def take(self, until: Fraction, part: SegmentStreams | None = None, *, last: bool = False) -> bool:
        """Get the packets up to a time, seconds: whether one is of a stream that a file began without.

        Args:
            until: seconds.
            part: of that file.
            last: the recording ends: also those that stand behind their time in the input.

        Raises:
            SinkError: the disk refuses packets that wait on it.
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
        """Give what was taken to the files in which it begins; what begins in none of them is dropped."""
        for stream, packet in self._taken:
            for part in parts:
                if part is not None:
                    part.put(stream, packet)
        self._taken.clear()

    def close(self) -> None:
        """Take no more. Fine a second time."""
        self._subscription.close()
