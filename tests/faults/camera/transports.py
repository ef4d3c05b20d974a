"""The two transports from the camera to a client: inside the RTSP connection, or as datagrams. Owned by the camera's
event loop.

Neither ever waits: packets that a client does not accept are dropped, so that other clients are not affected.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Sequence
from typing import Protocol


class Loss:
    """Packets that are dropped on purpose.

    Args:
        fraction: of the packets, 0 to 1.
        seed: the same seed drops the same packets of a client, counted from here.
    """

    def __init__(self, fraction: float, seed: int) -> None:
        self._fraction = fraction
        self._random = random.Random(seed)

    def keeps(self) -> bool:
        """Whether the next packet is sent."""
        return self._random.random() >= self._fraction


class Garbage:
    """Bytes that some cameras send between interleaved packets: empty lines, zeros, packets on another channel.

    FFmpeg skips them to the next packet, and after zeros it skips packets too.

    Args:
        fraction: of the packets that have some before them, 0 to 1.
        seed: the same seed sends the same bytes.
    """

    def __init__(self, fraction: float, seed: int) -> None:
        self._fraction = fraction
        self._random = random.Random(seed)

    def before(self) -> bytes:
        """The bytes before the next packet; mostly none."""
        if self._random.random() >= self._fraction:
            return b""
        return self._random.choice((b"\r\n\r\n", bytes(7), _framed(9, self._random.randbytes(20))))


class Transport(Protocol):
    """A connection to one client."""

    def send(self, packets: Sequence[bytes], *, is_key: bool) -> list[int]:
        """Send the RTP packets of one frame; returns the indices of those dropped on purpose."""
        ...

    def send_report(self, packet: bytes) -> None:
        """Send one RTCP packet."""
        ...

    def lose(self, loss: Loss | None) -> None:
        """Drop packets on purpose from now on, or stop it; no effect on a reliable transport."""
        ...

    def insert_garbage(self, garbage: Garbage | None) -> None:
        """Send bytes between packets that are not packets, or stop it; no effect on datagrams."""
        ...

    def close(self) -> None:
        """Release everything except the RTSP connection."""
        ...


class Interleaved:
    """Packets in the RTSP connection (RFC 2326, 10.12).

    Args:
        transport: of the connection.
        channels: for RTP and for RTCP.
    """

    FULL_BYTES = 512 * 1024
    """Limit of the data that waits for a client that does not read, beyond the system's buffers."""

    def __init__(self, transport: asyncio.WriteTransport, channels: tuple[int, int]) -> None:
        self._transport = transport
        self._channels = channels
        self._behind = False
        self._garbage: Garbage | None = None

    def send(self, packets: Sequence[bytes], *, is_key: bool) -> list[int]:
        """Send a frame, or drop it and the frames that depend on it if the client does not read."""
        if self._transport.get_write_buffer_size() > self.FULL_BYTES:
            self._behind = True
        elif is_key:
            self._behind = False
        if not self._behind and not self._transport.is_closing():
            framed = (_framed(self._channels[0], packet) for packet in packets)
            if self._garbage is None:
                self._transport.write(b"".join(framed))
            else:
                self._transport.write(b"".join(self._garbage.before() + packet for packet in framed))
        return []

    def send_report(self, packet: bytes) -> None:
        """Send one RTCP packet."""
        if not self._behind and not self._transport.is_closing():
            self._transport.write(_framed(self._channels[1], packet))

    def lose(self, loss: Loss | None) -> None:
        """Does nothing: TCP loses no packets."""

    def insert_garbage(self, garbage: Garbage | None) -> None:
        """Send bytes that are not packets between the packets from now on, or stop it."""
        self._garbage = garbage

    def close(self) -> None:
        """Does nothing: another object owns the connection."""


class Datagrams:
    """Packets from an even port and the odd one above it to two ports of the client.

    Args:
        host: of the client.
        ports: of the client, for RTP and for RTCP.
    """

    def __init__(self, host: str, ports: tuple[int, int]) -> None:
        self._targets = (host, ports[0]), (host, ports[1])
        self._sockets = _port_pair()
        self._loss: Loss | None = None

    @property
    def ports(self) -> tuple[int, int]:
        """The camera's own two ports."""
        rtp, rtcp = (int(end.getsockname()[1]) for end in self._sockets)
        return rtp, rtcp

    def send(self, packets: Sequence[bytes], *, is_key: bool) -> list[int]:  # noqa: ARG002
        """Send the packets of a frame that the loss keeps."""
        lost = [index for index in range(len(packets)) if self._loss is not None and not self._loss.keeps()]
        for index, packet in enumerate(packets):
            if index not in lost:
                self._post(0, packet)
        return lost

    def send_report(self, packet: bytes) -> None:
        """Send one RTCP packet; the loss does not apply."""
        self._post(1, packet)

    def lose(self, loss: Loss | None) -> None:
        """Drop RTP packets on purpose from now on, or stop it."""
        self._loss = loss

    def insert_garbage(self, garbage: Garbage | None) -> None:
        """Does nothing: each datagram is a packet."""

    def close(self) -> None:
        """Close both ports."""
        for end in self._sockets:
            end.close()

    def _post(self, index: int, packet: bytes) -> None:
        # A client that is gone, or a full buffer: datagrams may be lost.
        with contextlib.suppress(OSError):
            self._sockets[index].sendto(packet, self._targets[index])


def _framed(channel: int, packet: bytes) -> bytes:
    return b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet


def _port_pair() -> tuple[socket.socket, socket.socket]:
    while True:
        rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        rtp.bind(("127.0.0.1", 0))
        port = rtp.getsockname()[1]
        with contextlib.suppress(OSError):
            if port % 2 == 0:
                rtcp.bind(("127.0.0.1", port + 1))
                for end in (rtp, rtcp):
                    end.setblocking(False)
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                return rtp, rtcp
        rtp.close()
        rtcp.close()
