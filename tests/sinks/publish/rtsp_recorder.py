"""An RTSP server for one publisher over TCP, in plain Python; it records the description and every packet."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Self


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A packet of a media stream.

    Attributes:
        media: index of the stream in the description.
        timestamp: RTP time.
        marker: whether it ends a frame.
        payload: RTP payload.
    """

    media: int
    timestamp: int
    marker: bool
    payload: bytes


@dataclass
class RtspRecorder:
    """Accepts one publisher; `description` and `packets` may be read once `ended` is set.

    Attributes:
        description: the announced SDP.
        packets: received media packets, in order.
        reports: RTCP packets with the index of their stream.
        arrived: notified at every packet.
        ended: the publisher has disconnected.
        on_picture: called by the receiving thread at every complete frame.
    """

    description: str = ""
    packets: list[RtpPacket] = field(default_factory=list)
    reports: list[tuple[int, bytes]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)
    on_picture: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The address to publish to."""
        return f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/live"

    def pictures(self) -> int:
        """Number of complete frames."""
        return sum(1 for packet in list(self.packets) if packet.media == 0 and packet.marker)

    def wait_for_pictures(self, count: int, limit_s: float) -> bool:
        """Wait for this number of complete frames; False if they do not arrive in time."""
        with self.arrived:
            return self.arrived.wait_for(lambda: self.pictures() >= count, limit_s)

    def times(self, media: int, rate_hz: int, *, marked: bool = False) -> list[float]:
        """Presentation times of the packets of a stream, seconds of the publisher's clock (RFC 3550, 6.4.1)."""
        report = next(data for number, data in self.reports if number == media and data[1] == 200)
        seconds, fraction, reported = struct.unpack(">III", report[8:20])
        packets = [packet for packet in self.packets if packet.media == media and (packet.marker or not marked)]
        ticks = [(packet.timestamp - reported + 2**31) % 2**32 - 2**31 for packet in packets]
        return [seconds + fraction / 2**32 + one / rate_hz for one in ticks]

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._server.accept()
            with connection, connection.makefile("rb") as stream:
                while first := stream.read(1):
                    if first == b"$":
                        self._take(stream)
                    else:
                        connection.sendall(self._reply(first, stream))
        self.ended.set()

    def _take(self, stream: BinaryIO) -> None:
        channel, size = struct.unpack(">BH", stream.read(3))
        data = stream.read(size)
        with self.arrived:
            if channel % 2:
                self.reports.append((channel // 2, data))
            else:
                marker, _, timestamp = struct.unpack(">BHI", data[1:8])
                self.packets.append(RtpPacket(channel // 2, timestamp, bool(marker >> 7), data[12:]))
                if channel == 0 and marker >> 7 and self.on_picture is not None:
                    self.on_picture()
            self.arrived.notify_all()

    def _reply(self, first: bytes, stream: BinaryIO) -> bytes:
        method = (first + stream.readline()).split()[0]
        headers = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        more = ""
        if method == b"ANNOUNCE":
            self.description = body.decode()
        if method == b"SETUP":
            more = f"Transport: {headers['transport']}\r\n"
        return f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\nSession: 1\r\n{more}\r\n".encode()
