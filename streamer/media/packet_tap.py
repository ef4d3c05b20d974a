"""The packets of a stream before they are decoded, for observers such as the recorder of clips.

The thread that reads a stream calls its tap: a connection thread of a live source, the capture thread of a file.
"""

from __future__ import annotations

from typing import Protocol

from av.packet import Packet
from av.video.stream import VideoStream


class StreamTap(Protocol):
    """Gets the packets of one opened stream, in decoding order. Called by the thread that reads the stream.

    Attributes:
        number: of the stream, from 0, over all connections of a run.
    """

    @property
    def number(self) -> int: ...

    def packet(self, packet: Packet[VideoStream]) -> None:
        """The next packet for the decoder. The caller keeps using it, so the tap must copy what it needs."""
        ...


class PacketTap(Protocol):
    """Gets each stream that is opened, before its first packet. A live source opens one for each connection.

    Attributes:
        exact: the packets must decode to the same frames again, so one thread decodes them.
    """

    @property
    def exact(self) -> bool: ...

    def begin(self, stream: VideoStream) -> StreamTap | None:
        """Start to read a stream.

        Args:
            stream: its decoder is configured, and has no packet yet.

        Returns:
            The tap for its packets, None if they are not needed.
        """
        ...
