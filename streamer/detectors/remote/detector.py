"""A detector that runs on another machine. Used by one detector thread; `close` may be called by any thread.

A frame of a live source is sent once, with one deadline: its detections are worth less the later they come, and the
next frame is there already. A frame of a file is sent again until the server answers, so that a server that restarts
costs no detections.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Protocol, Self

from streamer.config.detector import DetectorSettings
from streamer.detectors.remote.breaker import CircuitBreaker
from streamer.errors import DetectorError, DetectorUnreachable
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

log = logging.getLogger(__name__)

_AGAIN_AFTER_S = 0.25
"""Pause before a frame of a file is sent again."""


class RemoteModel(Protocol):
    """A connection to a model on a server. Used by one detector thread, except for `close`.

    It may also have `top_score`, `unknown_classes` and `describe`, as detectors may.
    """

    @property
    def labels(self) -> LabelTable: ...

    def detect(self, frame: Frame, limit_s: float) -> Detections:
        """Send the frame and wait for its detections, see `streamer.interfaces.Detector`.

        Raises:
            DetectorUnreachable: no answer within the limit, no connection, or the model is not ready.
            DetectorError: the server refuses this frame, or its answer has no detections.
        """

    def probe(self, limit_s: float) -> None:
        """Ask the server whether the model is ready, without a frame. A connection takes at most `PROBE_CONNECT_S`.

        Raises:
            DetectorUnreachable: it is not, or there is no answer within the limit.
        """

    def close(self) -> None:
        """Any thread: end the call in progress, which then raises an error, and the connection. May be called twice."""


class RemoteDetector:
    """A `Detector` that calls a model on a server.

    Args:
        model: closed with the detector.
        breaker: shared by all detectors of the server.
        deadline_s: longest time for one frame of a live source.
        retry_for_s: how long a frame of a file is sent again; 0: not at all.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        model: RemoteModel,
        breaker: CircuitBreaker,
        *,
        deadline_s: float,
        retry_for_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._breaker = model, breaker
        self._deadline_s, self._retry_for_s = deadline_s, retry_for_s
        self._clock = clock
        self._closed = Event()

    @classmethod
    def of(cls, model: RemoteModel, breaker: CircuitBreaker, settings: DetectorSettings) -> Self:
        """With `remote.deadline_s` of the settings for frames of cameras, and `timeout_s` for those of files."""
        return cls(model, breaker, deadline_s=settings.remote.deadline_s, retry_for_s=settings.timeout_s)

    @property
    def labels(self) -> LabelTable:
        """The classes of the model."""
        return self._model.labels

    @property
    def top_score(self) -> float | None:
        """That of the last frame; None if the model does not know it."""
        return getattr(self._model, "top_score", None)

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """See `streamer.observe.found`; empty if the model does not know them."""
        return getattr(self._model, "unknown_classes", {})

    def describe(self, width: int, height: int) -> Sequence[str]:
        """Lines on the server and the model, for frames of this size in pixels."""
        describe: Callable[[int, int], Sequence[str]] | None = getattr(self._model, "describe", None)
        return () if describe is None else describe(width, height)

    def detect(self, frame: Frame) -> Detections:
        """The detections of the model on the server.

        Raises:
            DetectorUnreachable: the server did not answer in time, or is known not to answer.
            DetectorError: it refuses this frame, or the detector is closed.
        """
        if not self._is_sent_again(frame):
            return self._sent(frame, self._deadline_s)
        ends_s = self._clock() + self._retry_for_s
        while True:
            try:
                return self._sent(frame, max(ends_s - self._clock(), _AGAIN_AFTER_S))
            except DetectorUnreachable as error:
                if self._clock() + _AGAIN_AFTER_S >= ends_s:
                    raise DetectorUnreachable(f"{error}; tried for {self._retry_for_s:g} s") from error
            if self._closed.wait(_AGAIN_AFTER_S):
                raise DetectorError("the detector is closed")

    def close(self) -> None:
        """End the call in progress and the connection. Any thread; may be called twice."""
        self._closed.set()
        self._model.close()

    def _is_sent_again(self, frame: Frame) -> bool:
        """Whether it is of a file. The streams of a site share a detector, and some of them may be files."""
        return self._retry_for_s > 0 and frame.arrival_wall_clock_s is None

    def _sent(self, frame: Frame, limit_s: float) -> Detections:
        """The answer to one call; the limit includes that of the probe."""
        if self._closed.is_set():
            raise DetectorError("the detector is closed")
        ends_s = self._clock() + limit_s
        has_to_probe = self._breaker.admit()
        try:
            if has_to_probe:
                self._model.probe(min(limit_s, self._deadline_s))
            found = self._model.detect(frame, ends_s - self._clock())
        except DetectorUnreachable as error:
            is_first = self._breaker.failed(error)
            if self._closed.is_set():
                raise DetectorError("the detector is closed") from error
            if is_first and self._is_sent_again(frame):
                log.warning("frame %d is sent again for up to %g s: %s", frame.index, self._retry_for_s, error)
            raise
        except BaseException:
            self._breaker.succeeded()  # the server has answered, if with an error
            raise
        lasted_s = self._breaker.succeeded()
        if lasted_s is not None and self._is_sent_again(frame):
            log.warning("the detector answers again after %.1f s", lasted_s)
        return found
