"""Fetching playlists, segments and keys over HTTP, with the login of the source, and failures in words.

One for a connection; its threads share it. Credentials go to the server that the user named and to no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from streamer.errors import SourceLost, SourceUnavailable
from streamer.sources.network.hls.playlist import Part
from streamer.system.secrets import split_credentials

_CHUNK_BYTES = 64 * 1024
_MOST_BYTES = 256 * 1024 * 1024
"""Of one file: nothing that plays is larger, and an endless answer would fill the memory."""
_HEADERS = {"user_agent": "User-Agent", "referer": "Referer"}
"""FFmpeg's options for what goes into the head of a request; `headers` has lines of any."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server gave.

    Attributes:
        data: the content.
        url: where it came from, after redirects.
    """

    data: bytes
    url: str


class ConnectionCancelled(SourceLost):
    """The connection was given up meanwhile."""


class Web:
    """Fetches for one source.

    Args:
        url: of the source, whose user and password are sent to its server.
        name: of the source, without secrets, for errors.
        is_active: asked while data come.
        timeout_s: for a connection, and for the next data.
        options: of FFmpeg's HTTP, as far as they apply: `user_agent`, `referer`, `headers`, `cookies`.
        authorities: the file of those that may vouch for the server; False to trust whoever answers.
    """

    def __init__(
        self,
        url: str,
        name: str,
        is_active: Callable[[], bool],
        timeout_s: float,
        options: Mapping[str, str],
        authorities: str | bool = True,
    ) -> None:
        self._authorities = authorities
        self._name = name
        self._is_active = is_active
        self._timeout_s = timeout_s
        _, user, password = split_credentials(url)
        self._login = (user, password) if user or password else None
        self._origin = _origin(url)
        self._lock = threading.Lock()
        self._auth: AuthBase | None = None if self._login is None else HTTPBasicAuth(*self._login)  # under the lock
        self._headers = _headers(options)
        self._local = threading.local()  # a session is not for two threads

    def text(self, url: str) -> tuple[str, str]:
        """A playlist, and where it came from."""
        fetched = self.get(Part(url))
        return fetched.data.decode("utf-8", "replace"), fetched.url

    def get(self, part: Part) -> Fetched:
        """A file or a range of it.

        Raises:
            SourceUnavailable: what a user must mend: the login, the path.
            SourceLost: what may mend itself.
            ConnectionCancelled: the connection was given up.
        """
        try:
            return self._get(part)
        except requests.exceptions.Timeout as error:
            raise SourceLost(f"{self._name}: no answer in time", "no answer") from error
        except requests.exceptions.SSLError as error:
            raise SourceLost(
                f"{self._name}: its certificate is not accepted; see source.verify", "certificate"
            ) from error
        except requests.exceptions.ConnectionError as error:
            raise _unreachable(self._name, error) from error
        except (requests.exceptions.RequestException, ValueError) as error:
            raise SourceLost(f"{self._name}: the request failed ({type(error).__name__})", "failed") from error

    def _get(self, part: Part) -> Fetched:
        response = self._ask(part)
        if response.status_code == 401 and self._login is not None and _is_own(part.url, self._origin):
            response = self._with_digest(response, self._login, part)
        with response:
            if response.status_code >= 400:
                raise _refused(self._name, response.status_code)
            data = bytearray()
            for chunk in response.iter_content(_CHUNK_BYTES):
                if not self._is_active():
                    raise ConnectionCancelled(f"{self._name}: not wanted any more")
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise SourceUnavailable(f"{self._name}: a part of the playlist has no end; see what it lists")
            whole = bytes(data)
            if part.length is not None and response.status_code == 200:  # a server that gives no ranges
                whole = whole[part.first : part.first + part.length]
            return Fetched(whole, response.url)

    def _with_digest(self, response: requests.Response, login: tuple[str, str], part: Part) -> requests.Response:
        """The answer to another try where the server wants the login in another way; else the one it gave."""
        if "digest" not in response.headers.get("WWW-Authenticate", "").lower():
            return response
        response.close()
        with self._lock:
            if not isinstance(self._auth, HTTPDigestAuth):
                self._auth = HTTPDigestAuth(*login)
        return self._ask(part)

    def _ask(self, part: Part) -> requests.Response:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers.update(self._headers)
        headers = {}
        if part.length is not None:
            headers["Range"] = f"bytes={part.first}-{part.first + part.length - 1}"
        with self._lock:
            auth = self._auth if _is_own(part.url, self._origin) else None
        address = _without_login(part.url)
        timeout = (self._timeout_s, self._timeout_s)
        return session.get(address, headers=headers, auth=auth, timeout=timeout, stream=True, verify=self._authorities)


def _headers(options: Mapping[str, str]) -> dict[str, str]:
    headers = {header: options[option] for option, header in _HEADERS.items() if option in options}
    for line in options.get("headers", "").replace("\\r\\n", "\n").splitlines():
        key, found, value = line.partition(":")
        if found:
            headers[key.strip()] = value.strip()
    # FFmpeg takes lines as of Set-Cookie, of which only the first part is the cookie.
    cookies = [line.partition(";")[0].strip() for line in options.get("cookies", "").splitlines()]
    if any(cookies):
        headers["Cookie"] = "; ".join(one for one in cookies if one)
    return headers


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(_without_login(url))
    usual = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return parts.scheme.lower(), parts.hostname or "", parts.port or usual


def _is_own(url: str, origin: tuple[str, str, int | None]) -> bool:
    return _origin(url) == origin


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _refused(name: str, status: int) -> SourceUnavailable | SourceLost:
    if status in (401, 403):
        remedy = "give both in the URL, in source.user and source.password_file, or in the environment"
        return SourceUnavailable(f"{name}: wrong user or password; {remedy}", "login refused")
    if status in (404, 410):
        return SourceUnavailable(
            f"{name}: the server has nothing at this path; check the address, and that the encoder runs",
            "no such path",
        )
    return SourceLost(f"{name}: the server refuses ({status})", "server error")


def _unreachable(name: str, error: BaseException) -> SourceLost:
    said = str(error)
    if "Connection refused" in said:
        return SourceLost(f"{name}: nobody listens at that port (connection refused)", "refused")
    if "NameResolution" in said or "getaddrinfo" in said or "Name or service" in said:
        return SourceLost(f"{name}: the host's name is not known; check it, and the network", "unknown host")
    return SourceLost(f"{name}: the connection broke", "failed")
