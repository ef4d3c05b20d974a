"""A webhook receiver for tests: keeps all requests, and answers as a test says."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """One request, with header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """An answer. `slow_s`: before it, or until the receiver closes; `reset`: close the connection instead. `close`:
    close it afterwards, without a word in the answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    slow_s: float = 0.0
    reset: bool = False
    close: bool = False


Answer = Callable[[Request, int], Reply]
"""Gets a request and its number, from 0."""


class Receiver:
    """See the module. `got` has the requests in order."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/hook"
        self.got: queue.Queue[Request] = queue.Queue()
        self.connections = 0
        self.closing = threading.Event()
        self.closed = threading.Semaphore(0)

    def next(self, within_s: float = 20.0) -> Request:
        return self.got.get(timeout=within_s)

    def all(self, count: int) -> list[Request]:
        return [self.next() for _ in range(count)]


@contextmanager
def receiving(answer: Answer = lambda request, number: Reply(), *, tls: Any = None) -> Iterator[Receiver]:  # noqa: ARG005
    """A receiver on a free port of this machine; `tls` is a server's `ssl.SSLContext`."""
    numbers = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            receiver.connections += 1

        def finish(self) -> None:
            super().finish()
            self.connection.close()
            receiver.closed.release()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            names = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, names, body)
            reply = answer(request, next(numbers))
            receiver.got.put(request)
            if reply.slow_s:
                receiver.closing.wait(reply.slow_s)
            if reply.reset:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = reply.close

        do_POST = do_PUT = do_GET = _answer  # noqa: N815

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(server, "http" if tls is None else "https")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
