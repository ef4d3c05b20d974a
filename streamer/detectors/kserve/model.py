"""One connection to a model on a server: sends frames, gets detections. See `RemoteModel` for its threads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from streamer.detectors.kserve import answers, tensors
from streamer.detectors.kserve.address import ModelAddress
from streamer.detectors.kserve.answers import Answer
from streamer.detectors.kserve.connection import Connection
from streamer.detectors.kserve.tensors import Array, Request
from streamer.detectors.remote.breaker import PROBE_CONNECT_S
from streamer.errors import DetectorError, DetectorUnreachable, InvalidOutput
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


class Adapter(Protocol):
    """Between frames and the tensors of a model, such as `streamer.detectors.onnx.adapter.FamilyAdapter`."""

    @property
    def outputs(self) -> Sequence[str]:
        """The names of the outputs that `read` takes, in this order."""

    @property
    def top_score(self) -> float | None:
        """The highest score on the last frame."""

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """How often each class without a name was found so far. Any thread."""

    @property
    def inputs(self) -> Mapping[str, Array]:
        """The arrays that are sent, by name."""

    def fill(self, frame: Frame) -> None:
        """Write a frame into `inputs`."""

    def read(self, arrays: Sequence[Array]) -> Detections:
        """The detections in the outputs for this frame."""


class KServeModel:
    """A `RemoteModel`.

    Args:
        connection: closed with the model.
        adapter: of the model.
        labels: its classes.
        where: the server, for `describe`.
    """

    def __init__(self, connection: Connection, adapter: Adapter, labels: LabelTable, where: str) -> None:
        self._connection, self._adapter, self._labels, self._where = connection, adapter, labels, where
        self._request: tuple[list[Array], Request] | None = None

    @property
    def labels(self) -> LabelTable:
        """Its classes; a row is the number that the model gives the class."""
        return self._labels

    @property
    def top_score(self) -> float | None:
        """The highest score on the last frame, also of what is not reported."""
        return self._adapter.top_score

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """How often each class without a name was found so far."""
        return self._adapter.unknown_classes

    def describe(self, width: int, height: int) -> Sequence[str]:  # noqa: ARG002
        """Lines on what is sent, and where to."""
        return (str(self._adapter), self._where)

    def detect(self, frame: Frame, limit_s: float) -> Detections:
        """See `RemoteModel`."""
        ends_s = time.monotonic() + limit_s
        self._adapter.fill(frame)
        request = self._ready_request()
        path = f"{self._address.path}/infer"
        answer = self._connection.post(path, request.body, request.headers, ends_s - time.monotonic())
        if not answer.is_success:
            raise self._refused(answer, ends_s - time.monotonic())
        return self._adapter.read(tensors.outputs_of(answer.headers, answer.body, self._adapter.outputs))

    def probe(self, limit_s: float) -> None:
        """See `RemoteModel`."""
        answer = self._connection.get(f"{self._address.path}/ready", limit_s, PROBE_CONNECT_S)
        if answers.is_about_login(answer):
            raise DetectorUnreachable(answers.refusal(self._address, answer))
        if not answer.is_success:
            raise DetectorUnreachable(f"{self._address}: the model is not ready")

    def close(self) -> None:
        """See `RemoteModel`."""
        self._connection.close()

    @property
    def _address(self) -> ModelAddress:
        return self._connection.address

    def _ready_request(self) -> Request:
        """The request for the inputs as they are; made anew only if the adapter has other arrays."""
        arrays = list(self._adapter.inputs.values())
        before = self._request
        if before is None or any(one is not other for one, other in zip(arrays, before[0], strict=True)):
            before = self._request = arrays, tensors.request(self._adapter.inputs, self._adapter.outputs)
        return before[1]

    def _refused(self, answer: Answer, left_s: float) -> DetectorError:
        """The server is away, or does not want this frame: which, its codes alone do not tell."""
        reason = answers.refusal(self._address, answer)
        if answers.is_away(answer):
            return DetectorUnreachable(reason)
        try:
            self.probe(left_s)
        except DetectorUnreachable as error:
            return error
        return InvalidOutput(reason) if answer.status // 100 in (3, 4) else DetectorError(reason)
