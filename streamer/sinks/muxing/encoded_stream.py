"""An audio stream that is encoded again, because the container cannot hold its codec.

Used by the thread that owns the sink.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet

from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sinks.muxing.audio import Transcoder


class EncodedStream:
    """An encoded stream in an output container, with the methods of `CopiedStream`.

    Args:
        container: the output before its header is written; it gets the stream.
        stream: of the input.

    Attributes:
        added: PyAV's stream of the output.
        codec: its codec.

    Raises:
        ValueError: it cannot be decoded, or the container has no audio codec.
    """

    moved = 0  # the transcoder keeps the times of packets

    def __init__(self, container: Any, stream: PassthroughStream) -> None:
        self._transcoder = Transcoder(container, stream)
        self.added = self._transcoder.stream
        self.codec = self._transcoder.codec
        self._refused = 0

    @property
    def lost(self) -> int:
        """Packets that could not be decoded or that the container refused."""
        return self._transcoder.lost + self._refused

    def try_with(self, packets: Sequence[PassthroughPacket]) -> None:
        """Do nothing: the container holds the encoder's codec."""

    def write(self, container: Any, packet: PassthroughPacket, shift: Fraction) -> None:
        """Decode a packet and mux the encoded ones, `shift` seconds later than in the input.

        Raises:
            OSError: the disk refuses.
        """
        self._mux(container, self._transcoder.encode(packet), shift)

    def finish(self, container: Any, shift: Fraction) -> None:
        """Mux the last packets of the encoder."""
        self._mux(container, self._transcoder.finish(), shift)

    def _mux(self, container: Any, packets: Sequence[Packet[Any]], shift: Fraction) -> None:
        moved = round(shift / self._transcoder.time_base)
        for packet in packets:
            assert packet.pts is not None
            packet.pts = packet.dts = packet.pts + moved
            packet.stream = self.added
            try:
                container.mux(packet)
            except (av.error.ArgumentError, av.error.InvalidDataError):
                self._refused += 1
