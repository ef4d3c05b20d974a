"""Downloads a file with a progress bar; errors in a few words that have no login. Main thread.

`requests` honours HTTPS_PROXY, HTTP_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE (its manual, "Proxies" and
"SSL Cert Verification"); SSL_CERT_FILE, which Python's own `ssl` reads, is added here. The retries of `urllib3` are not
used: they do not cover the body, and they log addresses with their tokens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ModelError
from streamer.models.handles import without_login

if TYPE_CHECKING:
    import requests

MAX_REDIRECTS = 10
"""tfhub.dev redirects to Kaggle, Kaggle to its storage."""
STALL_TIMEOUT_S = 30.0
"""A server that sends nothing for so long has failed."""

_CHUNK_BYTES = 1 << 16
_LINE_EVERY_S = 5.0
_BAR_WIDTH = 16
_NUMBERS_WIDTH = _BAR_WIDTH + 37  # and percent, bytes and speed: "100% 144.5/144.5 MB 100.0 MB/s", with spaces
_SHORTEST = 12
_TEMPORARY = (408, 425, 429)  # and all from 500 on
_LOGIN = (401, 403, 407)
_REASONS = (
    (("SSLError",), "its certificate is not trusted; REQUESTS_CA_BUNDLE names a file with others"),
    (("ProxyError", "InvalidProxyURL"), "the proxy cannot be used"),
    (("ChunkedEncodingError", "ProtocolError", "IncompleteRead"), "the connection broke off"),
    (("TooManyRedirects",), "it redirects without end"),
)


class Transient(ModelError):
    """A failure that may not occur again."""


def download(url: str, target: Path, *, remedy: str, timeout_s: float, progress: bool | None = None) -> str:
    """Write the body of an address to a file as the server sent it, whatever its Content-Encoding.

    Args:
        url: may have a login.
        target: the file; incomplete after an error.
        remedy: what the user can do where this server does not help; the end of a message.
        timeout_s: the most that connecting, and each wait for the next bytes, may take.
        progress: show a bar on stderr; None: on a terminal; without one a line every few seconds.

    Returns:
        The address after all redirects, without login and query.

    Raises:
        Transient: no connection, or a server that is silent or fails.
        ModelError: the server refuses, or its certificate is not trusted.
        OSError: the file cannot be written.
    """
    # Imported here: 0.1 s that a start with a filled cache does not pay.
    import requests
    import urllib3

    with requests.Session() as session, target.open("wb") as file:
        session.verify = os.environ.get("SSL_CERT_FILE") or True  # REQUESTS_CA_BUNDLE goes before it
        session.max_redirects = MAX_REDIRECTS
        with _answer(session, url, timeout_s, remedy) as response:
            origin, length = without_login(response.url), response.headers.get("Content-Length", "")
            with _progress(origin, int(length) if length.isdecimal() else None, progress) as advance:
                while True:
                    try:
                        chunk = response.raw.read(_CHUNK_BYTES, decode_content=False)
                    except urllib3.exceptions.HTTPError as error:
                        raise _failure(url, error, timeout_s, remedy) from error
                    if not chunk:
                        return origin
                    file.write(chunk)
                    advance(len(chunk))


def _answer(session: requests.Session, url: str, timeout_s: float, remedy: str) -> requests.Response:
    import requests

    try:
        # A body that is compressed for the transfer would have another checksum.
        headers = {"Accept-Encoding": "identity"}
        response = session.get(url, stream=True, timeout=(timeout_s, timeout_s), headers=headers)
    except (requests.RequestException, ValueError) as error:
        raise _failure(url, error, timeout_s, remedy) from error
    except OSError as error:  # requests raises it for a file of certificates that does not exist
        raise ModelError(
            f"cannot fetch {without_login(url)}: REQUESTS_CA_BUNDLE or SSL_CERT_FILE names no file"
        ) from error
    if response.status_code < 400:
        return response
    response.close()
    refused = f"cannot fetch {without_login(url)} (HTTP {response.status_code} {response.reason})"
    if response.status_code >= 500 or response.status_code in _TEMPORARY:
        raise Transient(f"{refused}; try again later")
    if response.status_code in _LOGIN:
        raise ModelError(f"{refused}: a login or a consent is required; {remedy}")
    raise ModelError(f"{refused}: nothing there; check the address, or {remedy}")


def _failure(url: str, error: Exception, timeout_s: float, remedy: str) -> ModelError:
    import requests
    import urllib3

    message = f"cannot fetch {without_login(url)} ({_reason(error, timeout_s)})"
    lasting = (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ValueError, requests.TooManyRedirects)
    if isinstance(error, lasting):
        return ModelError(f"{message}; check the address")
    return Transient(f"{message}; check the network, or {remedy}")


def _reason(error: Exception, timeout_s: float) -> str:
    """A few words without the URL, which is in the library's own text."""
    import requests
    import urllib3

    inner = error.args[0] if error.args else None
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError)
    if isinstance(error, timeouts) or isinstance(inner, urllib3.exceptions.TimeoutError):
        return f"no answer for {timeout_s:g} s"
    for kinds, words in _REASONS:
        if type(error).__name__ in kinds:
            return words
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


@contextmanager
def _progress(name: str, size_bytes: int | None, wanted: bool | None) -> Iterator[Callable[[int], None]]:
    """Shows progress on stderr; gives the function that takes the number of new bytes."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    if wanted is False:
        yield lambda _: None
    elif wanted or console.is_terminal:
        title = progress.TextColumn("{task.description}", markup=False)
        room = max(_SHORTEST, console.width - _NUMBERS_WIDTH)
        shown = name if len(name) <= room else f"…{name[1 - room :]}"  # the end of an address says most
        columns = (progress.TaskProgressColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn())
        with progress.Progress(title, progress.BarColumn(_BAR_WIDTH), *columns, console=console) as bar:
            task = bar.add_task(shown, total=size_bytes)
            yield lambda count: bar.advance(task, count)
    else:
        yield _Lines(console.print, name, size_bytes).advance


class _Lines:
    """Progress in lines; none for a download that is done quickly."""

    def __init__(self, write: Callable[[str], None], name: str, size_bytes: int | None) -> None:
        self._write = write
        self._name = name
        self._end = "" if size_bytes is None else f" of {size_bytes / 1e6:.1f}"
        self._done_bytes = 0
        self._written_s = time.monotonic()

    def advance(self, count: int) -> None:
        self._done_bytes += count
        if time.monotonic() - self._written_s >= _LINE_EVERY_S:
            self._written_s = time.monotonic()
            self._write(f"{self._name}: {self._done_bytes / 1e6:.1f}{self._end} MB")
