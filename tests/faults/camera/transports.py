"""The two ways from the camera to a client: in the RTSP connection, or in datagrams. Owned by the camera's event loop.

Neither ever waits: what a client does not take is dropped, so that it disturbs nobody else.
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

    def spares(self) -> bool:
        """Whether the next packet gets through."""
        return self._random.random() >= self._fraction


class Garbage:
    """Bytes that some cameras send between interleaved packets: empty lines, zeros, packets on a channel of their own.

    FFmpeg passes over them to the next packet, and behind zeros over packets too.

    Args:
        fraction: of the packets that have some before them, 0 to 1.
        seed: the same seed sends the same.
    """

    def __init__(self, fraction: float, seed: int) -> None:
        self._fraction = fraction
        self._random = random.Random(seed)

    def before(self) -> bytes:
        """What goes before the next packet; mostly nothing."""
        if self._random.random() >= self._fraction:
            return b""
        return self._random.choice((b"\r\n\r\n", bytes(7), _framed(9, self._random.randbytes(20))))


class Wire(Protocol):
    """A way to one client."""

    def send(self, packets: Sequence[bytes], *, is_key: bool) -> list[int]:
        """Send the RTP packets of one picture; returns the indices of those dropped on purpose."""
        ...

    def send_report(self, packet: bytes) -> None:
        """Send one RTCP packet."""
        ...

    def lose(self, loss: Loss | None) -> None:
        """Drop packets on purpose from now on, or no longer; nothing where the way is reliable."""
        ...

    def litter(self, garbage: Garbage | None) -> None:
        """Send bytes between packets that are none, or no longer; nothing where packets are apart by themselves."""
        ...

    def close(self) -> None:
        """Release what is not the RTSP connection's."""
        ...


class Interleaved:
    """Packets in the RTSP connection (RFC 2326, 10.12).

    Args:
        transport: of the connection.
        channels: for RTP and for RTCP.
    """

    FULL_BYTES = 512 * 1024
    """What may wait for a client that does not read, beyond what the system holds, before pictures are left out."""

    def __init__(self, transport: asyncio.WriteTransport, channels: tuple[int, int]) -> None:
        self._transport = transport
        self._channels = channels
        self._behind = False
        self._garbage: Garbage | None = None

    def send(self, packets: Sequence[bytes], *, is_key: bool) -> list[int]:
        """Send a picture, or leave it and those that depend on it out if the client does not read."""
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
        """Nothing: TCP loses nothing."""

    def litter(self, garbage: Garbage | None) -> None:
        """Send bytes between the packets that are none, from now on, or no longer."""
        self._garbage = garbage

    def close(self) -> None:
        """Nothing: the connection is not this one's."""


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
        """Send those packets of a picture that the loss spares."""
        lost = [index for index in range(len(packets)) if self._loss is not None and not self._loss.spares()]
        for index, packet in enumerate(packets):
            if index not in lost:
                self._post(0, packet)
        return lost

    def send_report(self, packet: bytes) -> None:
        """Send one RTCP packet; the loss leaves them alone."""
        self._post(1, packet)

    def lose(self, loss: Loss | None) -> None:
        """Drop RTP packets on purpose from now on, or no longer."""
        self._loss = loss

    def litter(self, garbage: Garbage | None) -> None:
        """Nothing: each datagram is a packet."""

    def close(self) -> None:
        """Close both ports."""
        for end in self._sockets:
            end.close()

    def _post(self, index: int, packet: bytes) -> None:
        # A client that is gone, or a full buffer: that is what datagrams are like.
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
