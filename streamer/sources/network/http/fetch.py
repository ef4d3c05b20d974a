"""Asks a web server, and waits for it no longer than somebody wants what it says. Owned by the thread of a connection.

aiohttp rather than FFmpeg: it tells the headers, takes a wait up again after it was interrupted, and with `Login` knows
Digest with SHA-256. Its event loop runs only while the thread waits.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from streamer.errors import SourceLost, SourceUnavailable
from streamer.network import certificates, refusals
from streamer.network.login import Login, challenges
from streamer.system.secrets import redacted

_POLL_S = 0.25
_MOST_REDIRECTS = 10
_ODD = (400, 405, 501, 505)
"""What a server of RTSP says to a request of HTTP, which is like one of its own."""
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """What is asked for, and how.

    Attributes:
        url: without user and password.
        name: what to call it.
        user, password: "" if there are none.
        verify: check the server's certificate.
        authorities: a file of those believed; `certificates.authorities()` if None.
        headers: that every request has.
        open_timeout_s: the longest wait for an answer.
    """

    url: str
    name: str
    user: str = ""
    password: str = ""
    verify: bool = True
    authorities: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    open_timeout_s: float = 5.0


class Unspeakable(Exception):
    """What answers does not speak HTTP as it should."""


class HttpFetch:
    """A client of one server; keeps its connection from one request to the next.

    Args:
        address: what is asked for.
        is_active: asked now and then; once it is False every wait ends with SourceLost.
    """

    def __init__(self, address: HttpAddress, is_active: Callable[[], bool]) -> None:
        self._address = address
        self._is_active = is_active
        self._login = Login(address.user, address.password)
        self._url = address.url
        self._answer: aiohttp.ClientResponse | None = None
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, headers: Mapping[str, str] | None = None) -> aiohttp.ClientResponse:
        """The server's answer to a request: status and headers; `read` gives what follows.

        Raises:
            SourceUnavailable: a wrong login or path, a certificate that is not trusted.
            SourceLost: nobody answers, or not now.
            Unspeakable: it is no web server, or an odd one.
        """
        try:
            answer = self._run(self._get(headers or {}), self._address.open_timeout_s)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._explained(error) from error
        if answer.status in _ODD:
            another = refusals.another_protocol(self._address.name, did_answer=True)
            if another is not None:
                raise another
        if answer.status >= 400:
            asked = challenges(answer.headers.getall("WWW-Authenticate", []))
            raise refusals.refused(self._address.name, answer.status, answer.reason or "", asked)
        return answer

    def read(self, timeout_s: float | None = None) -> bytes:
        """What came next; b"" at the end.

        Args:
            timeout_s: the longest wait; None for as long as it is wanted.

        Raises:
            TimeoutError: nothing came in time.
            SourceLost: the connection failed.
        """
        assert self._answer is not None
        try:
            return self._run(self._answer.content.readany(), timeout_s)
        except (aiohttp.ClientError, ConnectionError, ssl.SSLError) as error:
            raise SourceLost(f"{self._address.name}: the connection broke off", "ended") from error

    def validators(self) -> dict[str, str]:
        """The headers by which the next request asks for what changed since this answer (RFC 9110, 13.1)."""
        assert self._answer is not None
        # Not If-Modified-Since: its second is too long for a camera, and in some the date never changes.
        tag = self._answer.headers.get("ETag")
        return {"If-None-Match": tag} if tag else {}

    def read_all(self, begun: bytes, most_bytes: int, timeout_s: float) -> bytes:
        """All that is left of the answer.

        Args:
            begun: what was read of it already.
            most_bytes: more than that is not read.
            timeout_s: the longest wait for all of it.

        Raises:
            SourceLost: it did not come in time, or is too much.
        """
        until_s = time.monotonic() + timeout_s
        pieces, size = [begun], len(begun)
        try:
            while piece := self.read(max(until_s - time.monotonic(), 0.0)):
                pieces.append(piece)
                size += len(piece)
                if size > most_bytes:
                    raise SourceLost(f"{self._address.name}: the picture is larger than {most_bytes >> 20} MB")
        except TimeoutError as error:
            raise SourceLost(f"{self._address.name}: the picture did not come in time", "no answer") from error
        return b"".join(pieces)

    def close(self) -> None:
        """End the connection."""
        if self._loop.is_closed():
            return
        if self._answer is not None:
            self._answer.close()
        if self._session is not None:
            self._loop.run_until_complete(self._session.close())
        self._loop.run_until_complete(asyncio.sleep(0))  # connections close in the loop's next turn
        self._loop.close()

    async def _get(self, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._new_session()
        if self._answer is not None:
            self._answer.release()
        url = self._url
        for _ in range(_MOST_REDIRECTS):
            answer = await self._session.get(
                url, headers={**self._address.headers, **headers, **self._authorization(url)}, allow_redirects=False
            )
            self._answer = answer
            if answer.status == 401 and self._is_own(url):
                if not self._login.accept(challenges(answer.headers.getall("WWW-Authenticate", []))):
                    return answer
                answer.release()
            elif answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                url = urljoin(url, answer.headers["Location"])
                if urlsplit(url).scheme not in ("http", "https"):
                    remedy = "give that address"
                    raise SourceUnavailable(f"{self._address.name}: the server points to {redacted(url)}; {remedy}")
                answer.release()
            else:
                return answer
        raise SourceUnavailable(f"{self._address.name}: the server sends from one address to the next without an end")

    def _new_session(self) -> aiohttp.ClientSession:
        trusted: ssl.SSLContext | bool = False
        if self._address.verify and self._address.url.lower().startswith("https"):
            trusted = certificates.context(self._address.authorities)
        elif self._address.verify:
            trusted = True
        connector = aiohttp.TCPConnector(limit=1, ssl=trusted, resolver=_Resolver())
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "streamer", "Accept": "*/*"},
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # cameras have no name, only a number
            trust_env=True,
        )

    def _is_own(self, url: str) -> bool:
        """Whether the login is for it: another host, or one that is not encrypted any more, gets none."""
        first, now = urlsplit(self._address.url), urlsplit(url)
        return first.hostname == now.hostname and (first.scheme == now.scheme or now.scheme == "https")

    def _authorization(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        answer = self._login.authorization("GET", uri) if self._is_own(url) else None
        return {} if answer is None else {"Authorization": answer}

    def _run(self, work: Coroutine[Any, Any, _Result], timeout_s: float | None) -> _Result:
        """Run it in the loop, looking now and then whether it is still wanted."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        task = self._loop.create_task(work)
        try:
            while True:
                left_s = _POLL_S if until_s is None else min(until_s - time.monotonic(), _POLL_S)
                self._loop.run_until_complete(asyncio.wait({task}, timeout=max(left_s, 0.0)))
                if task.done():
                    return task.result()
                if not self._is_active():
                    raise SourceLost(f"{self._address.name}: not wanted any more")
                if until_s is not None and time.monotonic() >= until_s:
                    raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait({task}))

    def _explained(self, error: BaseException) -> SourceLost | SourceUnavailable | Unspeakable:
        name = self._address.name
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            certificate = error.certificate_error
            reason = getattr(certificate, "verify_message", "") or str(certificate)
            return SourceUnavailable(f"{name}: {certificates.distrust(reason)}", "certificate")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return refusals.unknown_host(name)
        if isinstance(error, aiohttp.ClientSSLError):
            return refusals.no_tls(name)
        if isinstance(error, aiohttp.ClientConnectorError):
            return refusals.unreachable(name, error.os_error)
        if isinstance(error, TimeoutError):
            return refusals.unreachable(name, error)
        if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            return refusals.closed(name)
        if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
            return SourceUnavailable(f"{name}: the authorities cannot be read: {error.strerror or error}")
        return Unspeakable(type(error).__name__)


class _Resolver(AbstractResolver):
    """Asks the system on the thread that waits: a thread of a pool would keep the program from ending."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [
            ResolveResult(
                hostname=host, host=str(to[0]), port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, to in found
        ]

    async def close(self) -> None:
        """Nothing is kept."""
