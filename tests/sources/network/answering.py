"""Servers with one answer: RTSP servers that refuse, and servers of other protocols. On 127.0.0.1, free ports."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track\r\n"
)
Answer = Callable[[bytes], bytes | None]
"""Maps a request to the answer; None closes the connection."""


@contextmanager
def answering(answer: Answer, banner: bytes = b"") -> Iterator[int]:
    """The port of a server that sends `banner` and then the answer to each request."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=_serve, args=(listening, answer, banner, done), daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()


def refusing(method: str, status: int, words: str) -> Answer:
    """An RTSP server that refuses one method, and does what it can with the others."""

    def answer(request: bytes) -> bytes:
        asked = request.split(b" ")[0].decode()
        sequence = re.search(rb"CSeq: *(\d+)", request)
        head = f"CSeq: {sequence[1].decode() if sequence else 0}\r\n"
        if asked == method:
            return f"RTSP/1.0 {status} {words}\r\n{head}\r\n".encode()
        if asked == "DESCRIBE":
            head += f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n"
            return f"RTSP/1.0 200 OK\r\n{head}\r\n{SDP}".encode()
        if asked == "SETUP":
            transport = re.search(rb"Transport: ([^\r\n]+)", request)
            ports = ";server_port=5000-5001" if b"client_port" in request else ""
            head += f"Transport: {transport[1].decode() if transport else ''}{ports}\r\nSession: 1\r\n"
        return f"RTSP/1.0 200 OK\r\n{head}Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n".encode()

    return answer


def _serve(listening: socket.socket, answer: Answer, banner: bytes, done: threading.Event) -> None:
    with contextlib.ExitStack() as clients:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = listening.accept()
                clients.enter_context(client)
                client.settimeout(None)
                threading.Thread(target=_talk, args=(client, answer, banner), daemon=True).start()


def _talk(client: socket.socket, answer: Answer, banner: bytes) -> None:
    with contextlib.suppress(OSError):
        client.sendall(banner)
        while request := client.recv(65536):
            said = answer(request)
            if said is None:
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(said)
