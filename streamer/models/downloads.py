"""Opens http(s) addresses for reading, with errors in a few words that hold no login. Called by the main thread.

Through `requests`, which honours HTTPS_PROXY, HTTP_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE (its manual,
"Proxies" and "SSL Cert Verification"); SSL_CERT_FILE, which Python's own `ssl` reads, is added here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from streamer.errors import ModelError
from streamer.models.archive import Readable, remedy_by_hand
from streamer.models.handles import without_login

if TYPE_CHECKING:
    import requests

MAX_REDIRECTS = 10
"""tfhub.dev forwards to Kaggle, Kaggle to its storage; who forwards more often goes in a circle."""

_LATER = (408, 425, 429)  # and all from 500 on: the server may answer differently in a moment
_LOGIN = (401, 403, 407)


class Transient(ModelError):
    """A failure that trying again may mend."""


@dataclass(frozen=True, slots=True)
class Body:
    """What an address or a file gives.

    Attributes:
        source: its bytes; a read raises ModelError when the connection fails.
        size_bytes: as announced; None if it was not.
        origin: where it came from in the end, without login and query.
    """

    source: Readable
    size_bytes: int | None
    origin: str


@contextmanager
def open_url(url: str, *, timeout_s: float) -> Iterator[Body]:
    """Ask for an address and give its body as it was sent, whatever its Content-Encoding.

    Args:
        url: may hold a login.
        timeout_s: the most that connecting, and each wait for the next bytes, may take.

    Raises:
        Transient: no connection, a server that is silent or fails.
        ModelError: the server refuses, or cannot be trusted.
    """
    # Imported here: 0.1 s that a start with a filled cache does not pay.
    import requests

    with requests.Session() as session:
        session.verify = os.environ.get("SSL_CERT_FILE") or True  # REQUESTS_CA_BUNDLE goes before it
        session.max_redirects = MAX_REDIRECTS
        with _ask(session, url, timeout_s) as response:
            length = response.headers.get("Content-Length", "")
            source = _Stream(response.raw.read, without_login(url), timeout_s)
            yield Body(source, int(length) if length.isdecimal() else None, without_login(response.url))


def _ask(session: requests.Session, url: str, timeout_s: float) -> requests.Response:
    import requests

    shown = without_login(url)
    try:
        # What is compressed on the way would have another checksum.
        headers = {"Accept-Encoding": "identity"}
        response = session.get(url, stream=True, timeout=(timeout_s, timeout_s), headers=headers)
    except (requests.RequestException, ValueError) as error:
        raise _failed(shown, error, timeout_s) from error
    except OSError as error:  # requests' way to say that a file of certificates is not there
        raise ModelError(f"cannot fetch {shown}: REQUESTS_CA_BUNDLE or SSL_CERT_FILE names no file") from error
    if response.status_code < 400:
        return response
    response.close()
    told = f"cannot fetch {shown} (HTTP {response.status_code} {response.reason})"
    if response.status_code >= 500 or response.status_code in _LATER:
        raise Transient(f"{told}; try again later")
    if response.status_code in _LOGIN:
        raise ModelError(f"{told}: it wants a login or a consent; {remedy_by_hand()}")
    raise ModelError(f"{told}: no module there; check the address, or {remedy_by_hand()}")


@contextmanager
def open_file(path: Path) -> Iterator[Body]:
    """A file in the same form.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    with file:
        yield Body(_File(file, path), path.stat().st_size, str(path))


class _Stream:
    """The body of an answer, as it was sent."""

    def __init__(self, read: Callable[..., bytes], shown: str, timeout_s: float) -> None:
        self._read = read
        self._shown = shown
        self._timeout_s = timeout_s

    def read(self, size: int = -1, /) -> bytes:
        import urllib3

        try:
            return self._read(None if size < 0 else size, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _failed(self._shown, error, self._timeout_s) from error


class _File:
    """A file whose reading fails in words."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise ModelError(f"cannot read {self._path}: {error.strerror}") from error


def _failed(shown: str, error: Exception, timeout_s: float) -> ModelError:
    import requests
    import urllib3

    message = f"cannot fetch {shown} ({reason(error, timeout_s)})"
    lasting = (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ValueError, requests.TooManyRedirects)
    if isinstance(error, lasting):
        return ModelError(f"{message}; check the address")
    return Transient(f"{message}; check the network, or {remedy_by_hand()}")


def reason(error: Exception, timeout_s: float) -> str:
    """A few words for what `requests` or `urllib3` met, without the URL that the library's own text holds."""
    import requests
    import urllib3

    response = getattr(error, "response", None)
    if response is not None and not isinstance(error, requests.TooManyRedirects):
        return f"HTTP {response.status_code} {response.reason}".rstrip()
    inner = error.args[0] if error.args else None
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError)
    if isinstance(error, timeouts) or isinstance(inner, urllib3.exceptions.TimeoutError):
        return f"no answer for {timeout_s:g} s"
    for kinds, words in _WORDS:
        if type(error).__name__ in kinds:
            return words
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


_WORDS = (
    (("SSLError",), "its certificate is not trusted; REQUESTS_CA_BUNDLE names a file with others"),
    (("ProxyError", "InvalidProxyURL"), "the proxy cannot be used"),
    (("ChunkedEncodingError", "ProtocolError", "IncompleteRead"), "the connection broke off"),
    (("TooManyRedirects",), "it redirects without end"),
)
