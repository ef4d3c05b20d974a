"""RTSP messages (RFC 2326), read from and written to one connection. Owned by the camera's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
}


@dataclass(frozen=True)
class Request:
    """A client's request; the names of the headers are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: str = ""
    repeated: Sequence[tuple[str, str]] = ()

    def encode(self, sequence: str) -> bytes:
        """Its bytes on the connection, as the answer to the request with this sequence number."""
        headers = {"CSeq": sequence, "Server": "Scripted camera", **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = [
            f"RTSP/1.0 {self.status} {REASONS[self.status]}",
            *(f"{k}: {v}" for k, v in (*headers.items(), *self.repeated)),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, skipping interleaved packets and answers; None at the end. Raises ValueError for other data."""
    while True:
        try:
            first = await reader.readexactly(1)
            if first == b"$":
                await reader.readexactly(int.from_bytes((await reader.readexactly(3))[1:], "big"))
                continue
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
            line, *rest = head.strip().split("\r\n")
            headers = {k.strip().lower(): v.strip() for k, _, v in (each.partition(":") for each in rest)}
            await reader.readexactly(int(headers.get("content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        if line.startswith("RTSP/"):
            continue
        method, url, _ = line.split(" ", 2)
        return Request(method, url, headers)
