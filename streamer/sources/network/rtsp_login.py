"""Logs in to an RTSP server whose kind of login FFmpeg does not support: Digest with SHA-256 (RFC 7616), without MD5.

FFmpeg connects to a port of this machine, and a relay forwards both directions, with the `Authorization` header that
the server requires. One thread per connection, started and ended by the thread of the connection.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from streamer.network.login import Challenge, Login, challenges
from streamer.system.threads import Thread

_TIMEOUT_S = 10.0
_TEARDOWN_S = 1.0
_PIECE_BYTES = 1 << 16
_MAX_HEADERS_BYTES = 64 << 10
_AUTHENTICATE = re.compile(rb"^www-authenticate:\s*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_REFUSED = re.compile(rb"RTSP/\d\.\d 401")


@dataclass(frozen=True, slots=True)
class RtspServer:
    """An RTSP server and the login for it.

    Attributes:
        host, port: where it listens.
        target: path and query.
        user, password: the login.
        tls: how its certificate is checked; None without TLS.
    """

    host: str
    port: int
    target: str
    user: str
    password: str
    tls: ssl.SSLContext | None = None

    @property
    def base(self) -> str:
        """Its address without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"rtsp{'s' if self.tls else ''}://{host}:{self.port}"

    def connect(self, timeout_s: float) -> socket.socket:
        """Connect to it. Raises OSError."""
        plain = socket.create_connection((self.host, self.port), timeout_s)
        try:
            return self.tls.wrap_socket(plain, server_hostname=self.host) if self.tls else plain
        except BaseException:
            plain.close()
            raise


def offered(server: RtspServer, timeout_s: float) -> list[Challenge]:
    """The login challenges of a server; empty if it does not answer."""
    answer = b""
    try:
        with server.connect(timeout_s) as connection:
            request = f"DESCRIBE {server.base}{server.target} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
            connection.sendall(request.encode())
            while b"\r\n\r\n" not in answer and len(answer) < _MAX_HEADERS_BYTES:
                if not (piece := connection.recv(_PIECE_BYTES)):
                    break
                answer += piece
    except OSError:
        return []
    return challenges(header.decode("latin-1") for header in _AUTHENTICATE.findall(answer))


def is_beyond_ffmpeg(asked: list[Challenge]) -> bool:
    """Whether FFmpeg supports none of these challenges, and `Login` supports one."""
    ffmpeg = any(one.scheme == "basic" or (one.scheme == "digest" and one.algorithm == "md5") for one in asked)
    return not ffmpeg and Login("user", "").accept(asked)


class RtspRelay:
    """Relays one connection.

    Args:
        server: the server to connect to.

    Raises:
        OSError: the server does not answer.

    Attributes:
        url: what FFmpeg opens instead of the server's address.
    """

    def __init__(self, server: RtspServer) -> None:
        self._server = server
        self._login = Login(server.user, server.password)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._own = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = f"{self._own}{server.target}"
        self._client: socket.socket | None = None
        self._request = b""  # the last request, without a login
        try:
            self._camera = server.connect(_TIMEOUT_S)
        except BaseException:
            self._listening.close()
            raise
        self._ended, self._end = socket.socketpair()
        self._thread = Thread("rtsp-login", self._run)
        self._thread.start()

    def close(self) -> None:
        """End the relay after the client has disconnected, so that its TEARDOWN reaches the server."""
        self._thread.join(_TEARDOWN_S)
        self._end.close()  # wakes the thread
        with contextlib.suppress(OSError):
            self._camera.shutdown(socket.SHUT_RDWR)
        self._thread.join(_TIMEOUT_S)

    def _run(self) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.enter_context(self._ended)
            stack.enter_context(self._camera)
            with self._listening, selectors.DefaultSelector() as waiting:
                waiting.register(self._listening, selectors.EVENT_READ)
                waiting.register(self._ended, selectors.EVENT_READ)
                if any(key.fileobj is self._ended for key, _ in waiting.select()):
                    return
                self._client = stack.enter_context(self._listening.accept()[0])
            self._client.settimeout(_TIMEOUT_S)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._relay(self._client)

    def _relay(self, client: socket.socket) -> None:
        requests, answers = bytearray(), bytearray()
        with selectors.DefaultSelector() as waiting:
            for end in (client, self._camera, self._ended):
                waiting.register(end, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in waiting.select()}
                if self._ended in ready:
                    return
                if client in ready and not self._from_client(client, requests):
                    return
                if self._camera in ready and not self._from_camera(client, answers):
                    return

    def _from_client(self, client: socket.socket, requests: bytearray) -> bool:
        piece = client.recv(_PIECE_BYTES)
        requests += piece
        while (message := _message(requests)) is not None:
            kind, end = message
            whole = bytes(requests[:end])
            del requests[:end]
            if kind == "text" and not whole.startswith(b"RTSP/"):
                self._request = whole.replace(self._own.encode(), self._server.base.encode())
                whole = self._authorized()
            self._camera.sendall(whole)
        return bool(piece)

    def _authorized(self) -> bytes:
        """The last request with an `Authorization` header."""
        line, _, rest = self._request.partition(b"\r\n")
        method, uri = line.split(b" ")[:2]
        answer = self._login.authorization(method.decode(), uri.decode("utf-8", "surrogateescape"))
        if answer is None:
            return self._request
        return line + b"\r\nAuthorization: " + answer.encode("utf-8", "surrogateescape") + b"\r\n" + rest

    def _from_camera(self, client: socket.socket, answers: bytearray) -> bool:
        while True:
            piece = self._received()
            if piece is None:
                return True
            answers += piece
            passed = bytearray()
            while (message := _message(answers)) is not None:
                kind, end = message
                whole = answers[:end]
                del answers[:end]
                if kind == "text" and _REFUSED.match(whole) and self._accepts(bytes(whole)):
                    self._camera.sendall(self._authorized())
                else:
                    passed += whole
            if passed:
                client.sendall(passed)
            if not piece:
                client.sendall(answers)
                return False
            # A selector does not report data that OpenSSL has already decrypted.
            if not (isinstance(self._camera, ssl.SSLSocket) and self._camera.pending()):
                return True

    def _received(self) -> bytes | None:
        """What the server sent; None if it was only for TLS (a session ticket, RFC 8446, 4.6.1)."""
        self._camera.settimeout(0)
        try:
            return self._camera.recv(_PIECE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        finally:
            self._camera.settimeout(_TIMEOUT_S)

    def _accepts(self, refusal: bytes) -> bool:
        headers = refusal.partition(b"\r\n\r\n")[0]
        return self._login.accept(challenges(one.decode("latin-1") for one in _AUTHENTICATE.findall(headers)))


def _message(data: bytearray) -> tuple[Literal["packet", "text", "noise"], int] | None:
    """The kind of the first message in an RTSP stream (RFC 2326, 10.12) and its end; None if it is incomplete."""
    if not data:
        return None
    if data[0] == 0x24:  # $, the channel, and the length of a packet
        end = 4 + int.from_bytes(data[2:4], "big")
        return ("packet", end) if len(data) >= max(end, 4) else None
    if not data[:1].isalpha():  # some cameras send bytes between packets; FFmpeg skips them
        return "noise", 1
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return ("noise", len(data)) if len(data) > _MAX_HEADERS_BYTES else None
    length = _LENGTH.search(bytes(data[:head]))
    end = head + 4 + (int(length[1]) if length else 0)
    return ("text", end) if len(data) >= end else None
