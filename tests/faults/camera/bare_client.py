"""An RTSP client that returns the packets without decoding. Owned by the thread that made it."""

from __future__ import annotations

import itertools
import socket
import struct
from typing import NamedTuple, Self

RTP_CHANNEL, RTCP_CHANNEL = 0, 1
_WITHIN_S = 10.0


class Packet(NamedTuple):
    """An RTP packet, or with `is_report` an RTCP packet, with `timestamp` and `ntp_s` of the sender report."""

    is_report: bool
    kind: int
    sequence: int
    timestamp: int
    ntp_s: float


class BareClient:
    """A connection to the camera that plays, interleaved.

    Args:
        port: of the camera.
        path: of the stream.
        receive_bytes: of the receive buffer; a small one makes the client fall behind sooner.
    """

    def __init__(self, port: int, path: str = "/live", *, receive_bytes: int | None = None) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.settimeout(_WITHIN_S)
        self._socket.connect(("127.0.0.1", port))
        self._received = bytearray()
        self._url = f"rtsp://127.0.0.1:{port}{path}"
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._socket.close()

    def play(self) -> None:
        """Set up and play; then packets arrive."""
        self.ask("SETUP", "/track", f"Transport: RTP/AVP/TCP;unicast;interleaved={RTP_CHANNEL}-{RTCP_CHANNEL}")
        self.ask("PLAY")

    def say(self, method: str, under: str = "", *headers: str) -> None:
        """Send a request without waiting for the answer."""
        self._sequence += 1
        lines = [f"{method} {self._url}{under} RTSP/1.0", f"CSeq: {self._sequence}", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def ask(self, method: str, under: str = "", *headers: str) -> str:
        """The head of the answer to a request; messages before it are skipped."""
        self.say(method, under, *headers)
        while (message := self._message()) is not None:
            if isinstance(message, str) and f"CSeq: {self._sequence}\r\n" in message:
                return message
        raise ConnectionError(f"the camera closed the connection without an answer to {method}")

    def packet(self) -> Packet | None:
        """The next packet; None at the end of the connection. Raises TimeoutError after 10 s without one."""
        while isinstance(message := self._message(), str):
            pass
        return message

    def packets(self, count: int) -> list[Packet]:
        """The next packets; fewer only at the end of the connection."""
        return list(itertools.islice(iter(self.packet, None), count))

    def timestamps(self, count: int) -> list[int]:
        """The RTP timestamps of the next frames."""
        seen: list[int] = []
        while len(seen) < count and (packet := self.packet()) is not None:
            if not packet.is_report and packet.timestamp not in seen[-1:]:
                seen.append(packet.timestamp)
        return seen

    def is_silent(self, for_s: float) -> bool:
        """Whether nothing arrives for this time, after the data in flight was read."""
        self._socket.settimeout(for_s)
        try:
            # More data than that cannot be in flight: the camera still sends.
            for _ in range(100):
                self._fill()
            return False
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(_WITHIN_S)

    def _message(self) -> Packet | str | None:
        """The next packet or head of a message; None at the end of the connection."""
        try:
            while not self._received:
                self._fill()
            if self._received[:1] != b"$":
                while (end := self._received.find(b"\r\n\r\n")) < 0:
                    self._fill()
                return self._take(end + 4).decode()
            while len(self._received) < 4:
                self._fill()
            length = 4 + int.from_bytes(self._received[2:4], "big")
            while len(self._received) < length:
                self._fill()
        except ConnectionError:
            return None
        return _packet(self._take(length))

    def _fill(self) -> None:
        content = self._socket.recv(65536)
        if not content:
            raise ConnectionError("end of the connection")
        self._received += content

    def _take(self, length: int) -> bytes:
        content = bytes(self._received[:length])
        del self._received[:length]
        return content


def _packet(framed: bytes) -> Packet:
    channel, content = framed[1], framed[4:]
    if channel == RTP_CHANNEL:
        sequence, timestamp = struct.unpack_from(">HI", content, 2)
        return Packet(False, content[1] & 0x7F, sequence, timestamp, 0.0)
    seconds, fraction, timestamp = struct.unpack_from(">III", content.ljust(20, b"\0"), 8)
    return Packet(True, content[1], 0, timestamp, seconds - 2_208_988_800 + fraction / 2**32)
