"""A connection of one detector to a pool. Used by one detector thread; `close` may be called by any thread."""

from __future__ import annotations

import http
import http.client
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamer.detectors.ray import wire
from streamer.detectors.ray.link import PoolLink
from streamer.detectors.ray.values import PoolCard
from streamer.detectors.remote.breaker import PROBE_CONNECT_S
from streamer.detectors.remote.time_limit import CONNECT_S, TimeLimit
from streamer.errors import DetectorError, DetectorUnreachable, InvalidOutput
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

_QUESTIONS = 3
"""A frame of a new size is sent twice: the pool asks for the picture that its detector takes."""
_GIVEN_UP = "no detections within {:.2g} s"
_LONGEST_ANSWER = 2**24
"""Bytes; 700,000 boxes."""


class _Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    content: bytes


class PoolModel:
    """Sends frames to a pool; see `streamer.detectors.remote.detector.RemoteModel`.

    Args:
        link: where the pool is; shared by the detectors of a run, and closed with them.
        min_score: detections below it are removed; None for all.
    """

    def __init__(self, link: PoolLink, min_score: float | None) -> None:
        self._link = link
        self._min_score = None if min_score is None else np.float32(min_score)
        self._connection: http.client.HTTPConnection | None = None
        self._card: PoolCard | None = None
        self._limit = TimeLimit()
        self._top_score: float | None = None

    @property
    def labels(self) -> LabelTable:
        """The classes of the pool's detector."""
        return self._link.labels

    @property
    def top_score(self) -> float | None:
        """That of the last frame; None if the detector does not know it."""
        return self._top_score

    def describe(self, width: int, height: int) -> Sequence[str]:
        """Where the detector runs."""
        del width, height
        return (f"{self._link.card.workers} actors of {self._link.card.loaded.title} at {self._link.address}",)

    def detect(self, frame: Frame, limit_s: float) -> Detections:
        """See `RemoteModel.detect`."""
        ends_s = time.monotonic() + limit_s
        for _ in range(_QUESTIONS):
            sent = self._link.conversions.get((frame.width, frame.height))
            left_s = ends_s - time.monotonic()
            headers = {
                wire.FRAME: wire.described(frame, sent),
                wire.LIMIT: f"{left_s:.4f}",
                wire.SENDER: self._link.sender,
            }
            answer = self._call("POST", wire.DETECT, left_s, headers, () if sent is None else sent.of(frame))
            if answer.status != http.HTTPStatus.PRECONDITION_REQUIRED:
                return self._detections(answer)
            try:
                wanted = wire.Conversion.parse(answer.headers.get(wire.NEEDS, ""))
            except ValueError as error:
                raise DetectorError(f"{self._link.address} asks for a picture of no kind: {error}") from error
            self._link.conversions[frame.width, frame.height] = wanted
        raise DetectorError(f"{self._link.address} asks for another picture of each frame; its actors differ")

    def _detections(self, answer: _Answer) -> Detections:
        if answer.status != http.HTTPStatus.OK:
            raise self._error(answer)
        try:
            found = wire.unpacked(answer.content)
        except ValueError as error:
            raise DetectorError(f"{self._link.address} gave no detections: {error}") from error
        self._top_score = wire.top_score_of(answer.headers)
        if self._min_score is None:
            return found
        kept = found.scores >= self._min_score
        return found if kept.all() else Detections(found.boxes[kept], found.scores[kept], found.labels[kept])

    def probe(self, limit_s: float) -> None:
        """See `RemoteModel.probe`."""
        answer = self._call("GET", wire.READY, limit_s, {}, (), PROBE_CONNECT_S)
        if answer.status != http.HTTPStatus.OK:
            raise self._error(answer)

    def close(self) -> None:
        """End the call in progress."""
        self._limit.close()
        self._link.close()

    def _error(self, answer: _Answer) -> DetectorError:
        text = answer.content.decode(errors="replace").partition("\n")[0]
        if answer.status == http.HTTPStatus.UNAUTHORIZED:  # a pool of this name was started again
            self._link.renew(self._card)
        if answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY:
            return InvalidOutput(text) if answer.headers.get(wire.OUTPUT) == "1" else DetectorError(text)
        return DetectorUnreachable(f"{self._link.address}: {text}")

    def _call(
        self,
        method: str,
        path: str,
        limit_s: float,
        headers: dict[str, str],
        body: Sequence[memoryview],
        connect_s: float = CONNECT_S,
    ) -> _Answer:
        """One request within the limit."""
        card = self._link.card
        headers = {"Authorization": f"Bearer {card.token}", "Content-Length": str(sum(map(len, body))), **headers}
        try:
            self._limit.begin(limit_s, connect_s)
            return self._answer(self._connected(card), method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            if not isinstance(error, TimeoutError):
                self._link.renew(card)
            reason = _GIVEN_UP.format(limit_s) if isinstance(error, TimeoutError) else _reason(error)
            raise DetectorUnreachable(f"{self._link.address}: {reason}") from error

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Sequence[memoryview],
    ) -> _Answer:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        for part in body:
            connection.send(part)
        answer = connection.getresponse()
        if answer.length is None or answer.length > _LONGEST_ANSWER:
            raise http.client.HTTPException("something else answers there")
        return _Answer(answer.status, answer.headers, answer.read())

    def _connected(self, card: PoolCard) -> http.client.HTTPConnection:
        if self._connection is None or card is not self._card:
            self._drop()
            self._connection = _Connection(self._link.host, card.port, self._limit)
            self._card = card
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Connection(http.client.HTTPConnection):
    """A connection whose socket obeys a time limit."""

    def __init__(self, host: str, port: int, limit: TimeLimit) -> None:
        super().__init__(host, port)
        self._limit = limit

    def connect(self) -> None:
        self.sock = self._limit.connect(self.host, self.port)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
