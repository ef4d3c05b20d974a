"""Services that tell persons, on free ports of 127.0.0.1: an ntfy, and a mail server."""

from __future__ import annotations

import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.notify.receiver import Reply, Request, receiving

DEADLINE_S = 20.0


@dataclass
class Notification:
    """What ntfy has published; `attachment` is b"" without one."""

    topic: str
    title: str
    message: str
    filename: str = ""
    attachment: bytes = b""


@dataclass
class Ntfy:
    """The publish API of ntfy (https://docs.ntfy.sh/publish/): JSON to `/`, or an attachment as the body of `/TOPIC`.

    Attributes:
        port: of the server.
        token: access token that a request must have; empty for none.
        status: answers with this error.
        got: what it has published.
    """

    port: int = 0
    token: str = ""
    status: int = 200
    got: queue.Queue[Notification] = field(default_factory=queue.Queue)

    def next(self) -> Notification:
        """The next notification."""
        return self.got.get(timeout=DEADLINE_S)

    def answer(self, request: Request, _: int) -> Reply:
        """Publish, or refuse as ntfy does."""
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, body=b'{"code":40101,"http":401,"error":"unauthorized"}')
        if self.status != 200:
            return Reply(self.status, body=b'{"code":%d,"error":"internal server error"}' % self.status)
        parts = urlsplit(request.path)
        if parts.path == "/":
            values: dict[str, Any] = request.json
            self.got.put(Notification(values["topic"], values.get("title", ""), values["message"]))
        else:
            query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
            topic, name = parts.path.strip("/"), query.get("filename", "")
            self.got.put(Notification(topic, query.get("title", ""), query["message"], name, request.body))
        return Reply(200, body=b'{"id":"abc"}')


@contextmanager
def ntfy(token: str = "") -> Iterator[Ntfy]:
    """A running server."""
    server = Ntfy(token=token)
    with receiving(server.answer) as receiver:
        server.port = urlsplit(receiver.url).port or 0
        yield server


class MailServer(socketserver.ThreadingTCPServer):
    """Accepts mail over SMTP (RFC 5321), without login and TLS; `got` has the mails."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.got: queue.Queue[EmailMessage] = queue.Queue()

    @property
    def port(self) -> int:
        """Of the server."""
        return int(self.server_address[1])


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 test ready")
        while line := self.rfile.readline():
            match line.split()[0].upper() if line.split() else b"":
                case b"DATA":
                    self._say("354 go on")
                    lines = []
                    while (one := self.rfile.readline()) != b".\r\n":
                        lines.append(one[1:] if one.startswith(b"..") else one)
                    mail = message_from_bytes(b"".join(lines), policy=policy.default)
                    assert isinstance(mail, EmailMessage)
                    self.server.got.put(mail)
                    self._say("250 accepted")
                case b"QUIT":
                    self._say("221 bye")
                    return
                case b"EHLO" | b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                    self._say("250 ok")
                case _:
                    self._say("502 not implemented")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A running server."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)
