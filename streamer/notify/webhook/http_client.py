"""HTTP requests of a target: a connection that is kept, a time limit for the whole request, a limited answer.

It does not follow redirects: they could send messages and logins to another server. Thread of the target.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.errors import ConfigError
from streamer.network import certificates
from streamer.notify.own_loop import OwnLoop, addresses_of
from streamer.notify.target import DeliveryError

if TYPE_CHECKING:
    import aiohttp

LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read; the connection is closed after a longer one."""
_TICKS = 4
"""Turns of the event loop until the end of a TLS connection has passed all its layers."""
SHOWN = 200
"""Characters of an answer in a message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered.

    Attributes:
        status: such as 200.
        reason: such as OK.
        headers: with names in lower case.
        text: the beginning of the body in one line.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    text: str


class HttpClient:
    """Sends requests to one address, one after the other.

    Args:
        url: the address.
        shown: the address in messages.
        verify: check the certificate of the server.
        ca_file: certificates of authorities that are accepted instead of the system's; None for the system's.
        path: of the settings, for messages.

    Raises:
        ConfigError: the file of authorities cannot be read.
    """

    def __init__(
        self, url: str, shown: str, *, verify: bool = True, ca_file: Path | None = None, path: str = ""
    ) -> None:
        self._url, self._shown = url, shown
        self._path = path
        self._loop = OwnLoop()
        self._ssl = _context(verify, ca_file, path)
        self._session: aiohttp.ClientSession | None = None

    def request(self, method: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """Send a request and read the answer.

        Raises:
            DeliveryError: there is no answer, or not in time.
        """
        import aiohttp

        try:
            return self._loop.run(self._request(method, headers, body), timeout_s)
        except TimeoutError as error:
            raise DeliveryError(f"{self._shown} does not answer within {timeout_s:g} s") from error
        except aiohttp.InvalidURL as error:
            raise DeliveryError(f"{self._shown} is no address") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise DeliveryError(f"no answer from {self._shown}: {_reason(error, self._path)}") from error

    def cancel(self) -> None:
        """Any thread: end the request, and refuse others."""
        self._loop.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._loop.close(self._session.close() if self._session is not None else None)
        self._session = None

    async def _request(self, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
        import aiohttp

        # The loop stands still between messages: now it notices that the server has closed the connection meanwhile.
        for _ in range(_TICKS):
            await asyncio.sleep(0)

        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._ssl, resolver=_resolver())
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),  # `OwnLoop` has the limit
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=True,  # proxies of the environment
                headers={"User-Agent": "streamer"},
            )
        async with self._session.request(
            method, self._url, data=body, headers=dict(headers), allow_redirects=False
        ) as response:
            said = b""
            async for chunk in response.content.iter_any():
                said += chunk
                if len(said) > LONGEST_ANSWER:
                    response.close()
                    break
            names = {name.lower(): value for name, value in response.headers.items()}
            text = " ".join(said.decode("utf-8", "replace").split())
            return Answer(response.status, response.reason or "", names, text[:SHOWN])


def _resolver() -> Any:
    from aiohttp.abc import AbstractResolver

    class Resolver(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[Any]:
            found = await addresses_of(host, port, family)
            return [
                {"hostname": host, "host": at[0], "port": at[1], "family": kind, "proto": protocol, "flags": 0}
                for kind, _, protocol, _, at in found
            ]

        async def close(self) -> None:
            pass

    return Resolver()


def _context(verify: bool, ca_file: Path | None, path: str) -> ssl.SSLContext:
    try:
        return certificates.context(None if ca_file is None else str(ca_file), verify=verify)
    except OSError as error:  # also what has no certificate
        reason = "it has no certificate (PEM)" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{path}.ca_file: cannot use {ca_file}: {reason}") from error


def _reason(error: Exception, path: str) -> str:
    """The cause of an error in a few words."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        return certificates.distrust(reason, f"{path}.verify")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno).lower()  # asyncio's text has only the address
    return str(getattr(cause, "strerror", None) or cause) or type(cause).__name__
