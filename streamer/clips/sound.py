"""The audio of a camera for its clips. Used by the thread of the clips.

The source puts audio on the clock of its frames. Packets of the pre-roll wait here; those of a clip go to its file.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from streamer.media.passthrough import Passthrough, Subscription
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sinks.segments.streams import SegmentStreams


class Sound:
    """The recent packets of all audio streams.

    Args:
        passthrough: of the source; None if it has no other streams.
    """

    def __init__(self, passthrough: Passthrough | None = None) -> None:
        self._source = passthrough
        self._subscription: Subscription | None = None if passthrough is None else passthrough.subscribe()
        self._packets: deque[tuple[Fraction, PassthroughStream, PassthroughPacket]] = deque()
        self._parts: list[SegmentStreams] = []
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """The memory of the packets."""
        return self._bytes

    def collect(self) -> None:
        """Take the new packets."""
        if self._subscription is None:
            return
        for stream, packet in self._subscription.take(None):
            if stream.kind == "audio":
                self._packets.append((packet.ticks * stream.time_base, stream, packet))
                self._bytes += len(packet.data)
                for part in self._parts:
                    part.put(stream, packet)

    def forget_before(self, time: Fraction) -> None:
        """Drop the packets before a media time, seconds."""
        while self._packets and self._packets[0][0] < time:
            self._bytes -= len(self._packets.popleft()[2].data)

    def part(self, begin: Fraction) -> SegmentStreams | None:
        """The audio for a file whose time 0 is a media time, from now until `drop`; None if there is none so far."""
        if self._source is None:
            return None
        heard = {stream for time, stream, _ in self._packets if time >= begin}
        if not heard:
            return None
        part = SegmentStreams(self._source, begin, [one for one in self._source.streams if one not in heard])
        for _, stream, packet in self._packets:
            part.put(stream, packet)
        self._parts.append(part)
        return part

    def drop(self, part: SegmentStreams | None) -> None:
        """A file needs no more audio."""
        self._parts = [one for one in self._parts if one is not part]

    def close(self) -> None:
        """Take no more packets."""
        if self._subscription is not None:
            self._subscription.close()
