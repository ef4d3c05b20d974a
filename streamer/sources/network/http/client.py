"""The HTTP client of all sources. Owned by the thread of a connection or of a segment loader.

It is aiohttp and not FFmpeg: aiohttp returns the headers, a wait can be resumed after it was interrupted, and with
`Login` it supports Digest with SHA-256. The event loop runs only while the thread waits.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.network import certificates, refusals
from streamer.network.login import Login, challenges
from streamer.sources.live.connection import POLL_S, ConnectionCancelled
from streamer.sources.network.address import Address, headers_of
from streamer.system.secrets import redacted

_MAX_REDIRECTS = 10
_RTSP_LIKE = (400, 405, 501, 505)
"""What an RTSP server answers to an HTTP request, which resembles an RTSP request."""
_ENCODED = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_Result = TypeVar("_Result")


class NotHttp(SourceLost):
    """The server's answer is not valid HTTP."""


class HttpClient:
    """Sends GET requests, one after the other, and keeps its connection between them.

    The login is sent only to the server of `address`, once that asks for it.

    Args:
        address: the server and the login.
        settings: of the source.
        is_active: asked while waiting; every wait ends with ConnectionCancelled when it returns False.
    """

    def __init__(
        self, address: Address, settings: SourceSettings, is_active: Callable[[], bool] = lambda: True
    ) -> None:
        self.address = address
        self.settings = settings
        self._is_active = is_active
        self._login = Login(address.user, address.password)
        self._headers = headers_of(settings.options)
        self._answer: aiohttp.ClientResponse | None = None
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.close()

    def get(self, url: str | None = None, headers: Mapping[str, str] | None = None) -> aiohttp.ClientResponse:
        """Send a request and return the answer's status and headers; `read` returns its body.

        Args:
            url: absolute; the address itself if None. A login in it is removed.
            headers: for this request.

        Raises:
            SourceUnavailable: a wrong login or path, or an untrusted certificate.
            SourceLost: no answer, or a temporary failure.
            NotHttp: the answer is not valid HTTP.
        """
        try:
            answer = self._run(self._get(url or self.address.plain_url, headers or {}), self.settings.open_timeout_s)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._explained(error) from error
        if answer.status in _RTSP_LIKE:
            another = refusals.another_protocol(self.address.name, did_answer=True)
            if another is not None:
                raise another
        if answer.status >= 400:
            asked = challenges(answer.headers.getall("WWW-Authenticate", []))
            has_login = self.address.has_login
            raise refusals.refused(self.address.name, answer.status, answer.reason or "", asked, has_login=has_login)
        return answer

    def read(self, timeout_s: float | None = None) -> bytes:
        """The next bytes of the body; b"" at its end.

        Args:
            timeout_s: the longest wait; None for no limit.

        Raises:
            TimeoutError: nothing arrived in time.
            SourceLost: the connection failed.
        """
        assert self._answer is not None
        try:
            return self._run(self._answer.content.readany(), timeout_s)
        except (aiohttp.ClientError, ConnectionError, ssl.SSLError) as error:
            raise SourceLost(f"{self.address.name}: the connection broke off", "ended") from error

    def validators(self) -> dict[str, str]:
        """Headers by which the next request asks only for a changed body (RFC 9110, 13.1)."""
        assert self._answer is not None
        # Not If-Modified-Since: a second is too coarse for a camera, and some cameras never change the date.
        tag = self._answer.headers.get("ETag")
        return {"If-None-Match": tag} if tag else {}

    def read_all(self, begun: bytes, max_bytes: int, timeout_s: float | None = None) -> bytes:
        """The rest of the body.

        Args:
            begun: bytes of it that were read already.
            max_bytes: a larger body is an error.
            timeout_s: for all of it; if None, `open_timeout_s` for each read.

        Raises:
            SourceLost: it is incomplete after `timeout_s`, or too large.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        data = bytearray(begun)
        try:
            while piece := self.read(self._left_s(until_s)):
                data += piece
                if len(data) > max_bytes:
                    raise SourceLost(f"{self.address.name}: the answer is larger than {max_bytes >> 20} MB")
        except TimeoutError as error:
            raise SourceLost(f"{self.address.name}: no complete answer in time", "no answer") from error
        return bytes(data)

    def _left_s(self, until_s: float | None) -> float:
        return self.settings.open_timeout_s if until_s is None else max(until_s - time.monotonic(), 0.0)

    def close(self) -> None:
        """Close the connection. Closing twice is fine."""
        if self._loop.is_closed():
            return
        if self._answer is not None:
            self._answer.close()
        if self._session is not None:
            self._loop.run_until_complete(self._session.close())
        self._loop.run_until_complete(asyncio.sleep(0))  # connections close in the loop's next turn
        self._loop.close()

    async def _get(self, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._new_session()
        if self._answer is not None:
            self._answer.release()
        for _ in range(_MAX_REDIRECTS):
            target = _encoded(url)
            all_headers = {**self._headers, **headers, **self._authorization(target)}
            answer = self._answer = await self._session.get(target, headers=all_headers, allow_redirects=False)
            if answer.status == 401 and self._is_own(target):
                if not self._login.accept(challenges(answer.headers.getall("WWW-Authenticate", []))):
                    return answer
                answer.release()
            elif answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                url = urljoin(str(target), answer.headers["Location"])
                if urlsplit(url).scheme not in ("http", "https"):
                    remedy = "give that address"
                    raise SourceUnavailable(f"{self.address.name}: the server points to {redacted(url)}; {remedy}")
                answer.release()
            else:
                return answer
        raise SourceUnavailable(f"{self.address.name}: more than {_MAX_REDIRECTS} redirects; give the final address")

    def _new_session(self) -> aiohttp.ClientSession:
        trusted: ssl.SSLContext | bool = True
        try:
            trusted = certificates.context(self.settings.options.get("ca_file"), verify=self.settings.verify)
        except OSError:
            if self.address.scheme == "https":
                raise
        connector = aiohttp.TCPConnector(limit=1, ssl=trusted, resolver=_Resolver())
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "streamer", "Accept": "*/*"},
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # many cameras have an IP address and no name
            trust_env=True,
        )

    def _is_own(self, url: URL) -> bool:
        """Whether the login may be sent to it: the server of the address, or its encrypted version."""
        own = _encoded(self.address.plain_url)
        is_upgraded = own.scheme == "http" and url.scheme == "https"
        is_same_host = (own.host or "").lower() == (url.host or "").lower()
        return is_same_host and (is_upgraded or (own.scheme, own.port) == (url.scheme, url.port))

    def _authorization(self, url: URL) -> dict[str, str]:
        answer = self._login.authorization("GET", url.raw_path_qs) if self._is_own(url) else None
        return {} if answer is None else {"Authorization": answer}

    def _run(self, work: Coroutine[Any, Any, _Result], timeout_s: float | None) -> _Result:
        """Run it in the loop and ask every `POLL_S` whether the connection is still active."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        task = self._loop.create_task(work)
        try:
            while True:
                left_s = POLL_S if until_s is None else min(until_s - time.monotonic(), POLL_S)
                self._loop.run_until_complete(asyncio.wait({task}, timeout=max(left_s, 0.0)))
                if task.done():
                    return task.result()
                if not self._is_active():
                    raise ConnectionCancelled(f"{self.address.name}: cancelled")
                if until_s is not None and time.monotonic() >= until_s:
                    raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait({task}))

    def _explained(self, error: BaseException) -> SourceLost | SourceUnavailable:
        name = self.address.name
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
            return SourceUnavailable(f"{name}: the certificate authorities cannot be read: {error.strerror or error}")
        return NotHttp(f"{name}: the answer is not valid HTTP ({type(error).__name__})")


def _encoded(url: str) -> URL:
    """The URL without a login. Its path stays as it is, because a signature may depend on every character of it."""
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    return URL(plain, encoded=_ENCODED.fullmatch(plain) is not None)


class _Resolver(AbstractResolver):
    """Resolves names on the calling thread: a thread of a pool would keep the program from ending."""

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
        """Nothing to close."""
