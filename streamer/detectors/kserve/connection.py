"""HTTP requests to one server: one connection that is kept, a time limit for the whole request, a bounded answer.

Used by one detector thread, except for `close`. There are no retries and no redirects: a redirect could send frames and
a login to another server.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from streamer.config.detector import RemoteSettings
from streamer.detectors.kserve import answers
from streamer.detectors.kserve.address import ModelAddress
from streamer.detectors.kserve.answers import Answer
from streamer.detectors.kserve.login import Login
from streamer.detectors.remote.time_limit import CONNECT_S, TimeLimit
from streamer.errors import ConfigError, DetectorError, DetectorUnreachable

if TYPE_CHECKING:
    import requests

LONGEST_ANSWER = 256 * 2**20
"""Bytes. The outputs of detectors have less than 10 MB."""
Body = Sequence[bytes | memoryview]


class Connection:
    """A connection to a server.

    Args:
        address: of a model on it.
        settings: login, token, certificates.

    Raises:
        ConfigError: a file of the settings cannot be read.
    """

    def __init__(self, address: ModelAddress, settings: RemoteSettings) -> None:
        import requests  # here: 0.1 s that a start without it does not pay

        from streamer.detectors.kserve.transport import Transport, tls_context

        self.address = address
        self._login = Login(address, settings)
        self._limit = TimeLimit()
        self._session = requests.Session()
        self._session.trust_env = False  # a login in ~/.netrc, which would be read for every request
        self._session.headers.update({"User-Agent": "streamer", "Accept-Encoding": "identity"})
        transport = Transport(self._limit, tls_context(address, settings))
        self._session.adapters.clear()  # the longest prefix wins
        self._session.mount("http", transport)
        self._proxies = requests.utils.get_environ_proxies(address.server)

    def get(self, path: str, limit_s: float, connect_s: float = CONNECT_S) -> Answer:
        """Ask for what is at a path behind `address.server`; `connect_s` is the limit of a new connection.

        Raises:
            DetectorUnreachable: no answer, or not within the limit.
            DetectorError: the answer is too long.
        """
        return self._request("GET", path, None, {}, limit_s, connect_s)

    def post(self, path: str, body: Body, headers: Mapping[str, str], limit_s: float) -> Answer:
        """Send the parts of a body, which are not copied. Raises what `get` raises."""
        length = sum(memoryview(part).nbytes for part in body)
        return self._request("POST", path, body, {**headers, "Content-Length": str(length)}, limit_s)

    def close(self) -> None:
        """End the request in progress, and refuse others. Any thread; may be called twice."""
        self._limit.close()
        self._session.close()

    def _request(
        self,
        method: str,
        path: str,
        body: Body | None,
        headers: Mapping[str, str],
        limit_s: float,
        connect_s: float = CONNECT_S,
    ) -> Answer:
        import requests
        from urllib3.exceptions import HTTPError

        if limit_s <= 0:
            raise DetectorUnreachable(answers.late(self.address, limit_s))
        request = requests.Request(method, f"{self.address.server}{path}", {**headers, **self._login.headers()})
        prepared = self._session.prepare_request(request)
        prepared.body = body  # type: ignore[assignment]  # parts, which requests would send in chunks
        try:
            self._limit.begin(limit_s, connect_s)
            answer = self._send(prepared, limit_s)
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            if answers.is_timeout(error):
                waited_s = min(limit_s, connect_s) if isinstance(error, requests.ConnectTimeout) else limit_s
                raise DetectorUnreachable(answers.late(self.address, waited_s)) from error
            raise DetectorUnreachable(answers.reason(self.address, error)) from error
        if answer.status in answers.LOGIN:
            with suppress(ConfigError):  # the file may be gone while it is replaced
                self._login.read()  # a token of Kubernetes changes every hour
        return answer

    def _send(self, prepared: requests.PreparedRequest, limit_s: float) -> Answer:
        with self._session.send(
            prepared, stream=True, timeout=limit_s, allow_redirects=False, proxies=self._proxies
        ) as response:
            length = int(response.headers.get("Content-Length", -1))
            body = b"" if length > LONGEST_ANSWER else response.raw.read(LONGEST_ANSWER + 1, decode_content=True)
            if max(length, len(body)) > LONGEST_ANSWER:
                raise DetectorError(answers.too_long(self.address, LONGEST_ANSWER))
            if len(body) < length and "Content-Encoding" not in response.headers:
                raise http.client.IncompleteRead(body, length - len(body))
            return Answer(response.status_code, response.headers, body)
