"""Cameras that send pictures over HTTP: in irregular parts, one per request, with logins and TLS.

A server of its own on a free port of 127.0.0.1. Pictures carry their number (`tests.clips`); the server notes which it
sent. All methods may be called from any thread.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import cv2

from tests import clips

USER, PASSWORD = "admin", "p@ss/w:o#rd?%"
FORMS = (
    *("good", "nofirst", "wrong", "dashes", "quoted", "octet", "jpegct", "mixed", "noct", "chunked", "extra", "nolen"),
    *("lower", "headers", "bare", "linefeeds", "shortlen", "thumbnail"),
)
"""What is odd about the MJPEG at `/mjpeg/FORM`; see `_Handler._part`."""
_TYPES = {"octet": "application/octet-stream", "jpegct": "image/jpeg", "bare": "image/jpeg", "noct": ""}
_BOUNDARIES = {"wrong": "another", "dashes": "--picture", "quoted": '"picture"'}


def jpeg(number: int, size: tuple[int, int] = (160, 120), *, thumbnail: bool = False) -> bytes:
    """A JPEG file of a numbered picture, optionally with a thumbnail inside, as some cameras send it."""
    file = cv2.imencode(".jpg", clips.picture(number, size)[..., ::-1])[1].tobytes()
    if not thumbnail:
        return file
    inner = b"thumbnail\0" + jpeg(0, (32, 24))
    return file[:2] + b"\xff\xe4" + (len(inner) + 2).to_bytes(2, "big") + inner + file[2:]


def png(number: int, size: tuple[int, int] = (160, 120)) -> bytes:
    """A PNG file of a numbered picture."""
    return cv2.imencode(".png", clips.picture(number, size)[..., ::-1])[1].tobytes()


class HttpCamera:
    """A camera that films from when it is made; it answers inside `with`.

    Args:
        fps: pictures a second, of which the number is that of the moment.
        tls: the server's certificate.

    Attributes:
        sent: the numbers of the single pictures in the order in which they were sent.
        streams: likewise of each stream, the last one last.
        requests: method, path and kind of `Authorization` of each request.
        fails: the status that answers everything, while it is not 0...
        failures: ...or so many requests more.
        silent: while it is set nothing is answered.
        still: the number of the picture, while it is not None.
    """

    def __init__(self, fps: float = 20.0, tls: ssl.SSLContext | None = None) -> None:
        self.fps = fps
        self.sent: list[int] = []
        self.streams: list[list[int]] = []
        self.requests: list[tuple[str, str, str]] = []
        self.fails = 0
        self.failures = 1 << 30
        self.silent = threading.Event()
        self.still: int | None = None
        self.done = threading.Event()
        self._began_s = time.monotonic()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.camera = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.done.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str, login: str = "") -> str:
        """The address of a path; `login` goes before the host as it is."""
        return f"{self.scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}{path}"

    @property
    def number(self) -> int:
        """The number of the current picture."""
        return int((time.monotonic() - self._began_s) * self.fps) if self.still is None else self.still


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    camera: HttpCamera

    def handle_error(self, *_: Any) -> None:
        """A client may close the connection, or reject the certificate."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        camera = self.server.camera
        given = self.headers.get("Authorization", "")
        camera.requests.append((self.command, self.path, given.partition(" ")[0]))
        while camera.silent.is_set() and not camera.done.wait(0.02):
            pass
        path = self.path.partition("?")[0].strip("/").split("/")
        if camera.fails and camera.failures > 0:
            camera.failures -= 1
            return self._give(camera.fails, {}, b"")
        if path[0] == "auth":
            if not _is_let_in(given, self.command, path[1]):
                challenges = [("WWW-Authenticate", challenge) for challenge in _CHALLENGES[path[1]]]
                return self._give(401, challenges, b"")
            path = path[2:]
        if path[0] == "redirect":
            return self._give(302, {"Location": "/" + "/".join(path[1:])}, b"")
        if path[0] == "mjpeg":
            return self._stream(path[1])
        return self._picture(path[0])

    def _picture(self, name: str) -> None:
        camera = self.server.camera
        number = camera.number
        tag = f'"{number}"'
        if name == "tagged" and self.headers.get("If-None-Match") == tag:
            camera.sent.append(number)
            return self._give(304, {"ETag": tag}, b"")
        if name not in ("snapshot.jpg", "tagged", "picture.png", "unsized", "broken"):
            return self._give(404, {}, b"")
        body = png(number) if name == "picture.png" else jpeg(number)
        headers = {"Content-Type": "image/png" if name == "picture.png" else "image/jpeg"}
        headers |= {"ETag": tag} if name == "tagged" else {}
        camera.sent.append(number)
        if name == "broken":
            body = body[: len(body) // 2]
        if name == "unsized":
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True
            return None
        return self._give(200, headers, body)

    def _give(self, status: int, headers: dict[str, str] | list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, form: str) -> None:
        camera = self.server.camera
        kind = "multipart/mixed" if form == "mixed" else "multipart/x-mixed-replace"
        kind = _TYPES.get(form, f"{kind}; boundary={_BOUNDARIES.get(form, 'picture')}")
        self.send_response(200)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header(*("Transfer-Encoding", "chunked") if form == "chunked" else ("Connection", "close"))
        self.end_headers()
        last, is_first, sent = -1, True, list[int]()
        camera.streams.append(sent)
        try:
            while not camera.done.wait(0.002):
                if (number := camera.number) == last or camera.silent.is_set():
                    continue
                sent.append(number)
                part = self._part(form, number, is_first=is_first)
                last, is_first = number, False
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if form == "chunked" else part)
        except OSError:
            pass
        self.close_connection = True

    def _part(self, form: str, number: int, *, is_first: bool) -> bytes:
        picture = jpeg(number, thumbnail=form == "thumbnail")
        if form == "bare":
            return picture
        lines = [] if form == "nofirst" and is_first else ["--picture"]
        if form == "extra" and number % 3 == 0:
            lines += ["Content-Type: text/plain", "Content-Length: 5", "", "hello", "--picture"]
        lines += ["X-Timestamp: 1"] if form == "headers" else []
        lines += ["Content-Type: image/jpeg"]
        length = len(picture) // 2 if form == "shortlen" else len(picture)
        lines += [] if form == "nolen" else [f"Content-Length: {length}"]
        lines += ["X-More: 2"] if form == "headers" else []
        end = "\n" if form == "linefeeds" else "\r\n"
        head = end.join([*lines, "", ""])
        return (head.lower() if form == "lower" else head).encode() + picture + end.encode()


_REALM, _NONCE = "camera", "0123456789abcdef"
_CHALLENGES = {
    "basic": [f'Basic realm="{_REALM}"'],
    "md5": [f'Digest realm="{_REALM}", nonce="{_NONCE}", qop="auth"'],
    "old": [f'Digest realm="{_REALM}", nonce="{_NONCE}"'],
    "sha256": [f'Digest realm="{_REALM}", nonce="{_NONCE}", qop="auth", algorithm=SHA-256'],
    "both": [
        f'Digest realm="{_REALM}", nonce="{_NONCE}", qop="auth, auth-int", algorithm=SHA-256, opaque="x"',
        f'Digest realm="{_REALM}", nonce="other", qop="auth"',
    ],
    "oneline": [f'Basic realm="{_REALM}", Digest realm="{_REALM}", nonce="{_NONCE}", algorithm=SHA-256, qop="auth"'],
}
LOGINS = tuple(_CHALLENGES)
"""What `/auth/LOGIN/...` asks for."""


def _is_let_in(given: str, method: str, login: str) -> bool:
    if login == "basic":
        return given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    fields = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', given)}
    is_sha = login in ("sha256", "both", "oneline")

    def hashed(text: str) -> str:
        return (hashlib.sha256 if is_sha else hashlib.md5)(text.encode()).hexdigest()

    secret, asked = hashed(f"{USER}:{_REALM}:{PASSWORD}"), hashed(f"{method}:{fields.get('uri')}")
    middle = "" if login == "old" else f"{fields.get('nc')}:{fields.get('cnonce')}:{fields.get('qop')}:"
    return (
        given.startswith("Digest ")
        and fields.get("nonce") == _NONCE
        and (fields.get("algorithm") == "SHA-256") == is_sha
        and fields.get("response") == hashed(f"{secret}:{_NONCE}:{middle}{asked}")
    )
