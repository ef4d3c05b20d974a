"""What a source tells of the packets that it decodes, for those who keep them. Called by the thread that reads."""

from __future__ import annotations

from typing import Protocol

from av.packet import Packet
from av.video.stream import VideoStream


class StreamTap(Protocol):
    """Told of the packets of one opened stream, in the order in which its decoder gets them.

    Attributes:
        number: of the stream, from 0, over all connections of a run.
    """

    @property
    def number(self) -> int: ...

    def packet(self, packet: Packet[VideoStream]) -> None:
        """The next packet for the decoder. It is not kept: the caller goes on using it."""
        ...


class PacketTap(Protocol):
    """Told of each stream that is opened."""

    def begin(self, stream: VideoStream) -> StreamTap | None:
        """A stream whose decoder is set up and has had no packet yet; None if nobody wants its packets."""
        ...
