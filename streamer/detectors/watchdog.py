"""A time limit for a detector that may hang: a model that never answers ends the frame or the run, not the program.

Used by one detector thread, like any detector. A daemon thread (`streamer-model`) calls the detector inside, and is
abandoned if the detector hangs. `close` may be called by any thread and wakes the thread that waits in `detect`.

TensorFlow 2.21, measured on a CPU: closing a session from another thread ends a graph with an endless loop in 2 ms, but
a single operation runs to its end, and `close` waits for it. The interpreter exits in 1.7 to 3.3 s while either still
runs; in 0.9 s if TensorFlow was only imported. See `streamer.flow.threads.leave`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from contextvars import Context, copy_context
from queue import SimpleQueue
from threading import Lock

from streamer.config.detector import DetectorSettings
from streamer.errors import DetectorError, DetectorHung, DetectorRestarted, StreamerError
from streamer.interfaces import Detector
from streamer.system.threads import Thread
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

log = logging.getLogger(__name__)

HANGS = 3
"""The run ends after so many hangs in a row, or with so many abandoned models that still hang."""
CLOSE_TIMEOUT_S = 0.5
"""Closing a TensorFlow session takes a few milliseconds, unless an operation runs."""

Wait = Callable[[Future[Detections], float], bool]


def answered(answer: Future[Detections], timeout_s: float) -> bool:
    """Wait until there is a result, an error, or a cancellation; False after the timeout."""
    try:
        answer.exception(timeout_s)
    except CancelledError:  # `concurrent.futures.wait` does not return for a cancelled future
        return True
    except TimeoutError:
        return False
    return True


class WatchedDetector:
    """A detector with a time limit for each frame.

    Args:
        build: makes the detector; called here, and after a hang by the detector thread. It has no time limit.
        settings: `timeout_s`, after which a frame counts as a hang, and `on_hang`. With `end` a hang raises
            DetectorHung. With `restart` it raises DetectorRestarted, so that only this frame is lost, and the next call
            builds a new detector first; the third hang in a row raises DetectorHung.
        wait: waits for an answer for a number of seconds and returns whether it came.

    Raises:
        StreamerError: what `build` raises.
    """

    def __init__(self, build: Callable[[], Detector], settings: DetectorSettings, *, wait: Wait = answered) -> None:
        self._build = build
        self._timeout_s = settings.timeout_s
        self._restarts = settings.on_hang == "restart"
        self._wait = wait
        self._hangs = 0  # in a row
        self._abandoned: list[Thread] = []  # the threads only: a reference to the model would keep its memory
        self._lock = Lock()  # guards the two below, which `close` changes from another thread
        self._closed = False
        self._model: _Model | None = _Model(build())
        self._labels = self._model.labels

    @property
    def labels(self) -> LabelTable:
        """The classes of the detector inside."""
        return self._labels

    @property
    def top_score(self) -> float | None:
        """That of the detector inside; None if it does not know it, or is closed."""
        with self._lock:
            return None if self._model is None else getattr(self._model.detector, "top_score", None)

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """Those of the detector inside; empty if it does not know them, or is closed."""
        with self._lock:
            return {} if self._model is None else getattr(self._model.detector, "unknown_classes", {})

    def detect(self, frame: Frame) -> Detections:
        """The detections of the detector inside; its errors are raised too.

        Raises:
            DetectorRestarted: it hung; the next call uses a new one.
            DetectorHung: it hung, and is not restarted.
            DetectorError: it failed on this frame, or it is closed.
        """
        model = self._current()
        answer = model.detect(frame)
        if not self._wait(answer, self._timeout_s):
            raise self._give_up(model, frame)
        if answer.cancelled():
            raise DetectorError("the detector is closed")
        self._hangs = 0
        return answer.result()

    def describe(self, width: int, height: int) -> Sequence[str]:
        """The lines of the detector inside, if it has any; for frames of this size in pixels."""
        describe: Callable[[int, int], Sequence[str]] | None = getattr(self._current().detector, "describe", None)
        return () if describe is None else describe(width, height)

    def close(self) -> None:
        """Release the detector inside; takes half a second at most. Any thread; may be called twice."""
        with self._lock:
            model, self._model, self._closed = self._model, None, True
        if model is not None:
            model.close().join(CLOSE_TIMEOUT_S)

    def _current(self) -> _Model:
        with self._lock:
            if self._closed:
                raise DetectorError("the detector is closed")
            if self._model is not None:
                return self._model
        model = self._built_anew()
        with self._lock:
            if not self._closed:
                self._model = model
                return model
        model.close()
        raise DetectorError("the detector is closed")

    def _built_anew(self) -> _Model:
        began_s = time.monotonic()
        try:
            model = _Model(self._build())
        except StreamerError as error:
            raise DetectorHung(f"the detector hung and cannot be loaded again: {error}") from error
        log.warning("the detector is loaded again after %.1f s", time.monotonic() - began_s)
        return model

    def _give_up(self, model: _Model, frame: Frame) -> StreamerError:
        """Abandon a model that hangs; returns the error."""
        with self._lock:
            self._model = None
        self._abandoned = [*(thread for thread in self._abandoned if thread.is_alive()), model.thread]
        self._hangs += 1
        model.close()
        hung = f"the detector gave no answer for {self._timeout_s:g} s"
        where = f"{hung} on frame {frame.index} ({frame.time_s:.3f} s)"
        remedy = "set detector.timeout_s higher if it is only slow"
        if not self._restarts:
            return DetectorHung(f"{where}; {remedy}, or detector.on_hang to restart")
        if max(self._hangs, len(self._abandoned)) >= HANGS:
            return DetectorHung(f"{where}, after {HANGS - 1} restarts; {remedy}")
        log.warning("%s; it is loaded again for the next frame", where)
        return DetectorRestarted(hung)


_Asked = tuple[Context, Frame, Future[Detections]]
"""A frame, what gets its detections, and the context of the thread that asks."""


class _Model:
    """A detector with the thread that calls it. No other thread waits for this thread to end."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._lock = Lock()  # guards the two below
        self._answer: Future[Detections] | None = None
        self._closed = False
        self.thread = Thread("model", _serve, detector, self._asked, shared=True)
        self.thread.start()

    @property
    def labels(self) -> LabelTable:
        return self.detector.labels

    def detect(self, frame: Frame) -> Future[Detections]:
        """Pass a frame to the thread. `close` cancels the result."""
        answer: Future[Detections] = Future()
        with self._lock:
            if self._closed:
                answer.cancel()
            else:
                self._answer = answer
                self._asked.put((copy_context(), frame, answer))
        return answer

    def close(self) -> Thread:
        """Cancel the pending result and close the detector; returns the thread that closes it."""
        with self._lock:
            self._closed = True
            if self._answer is not None:
                self._answer.cancel()  # without effect if the result is there
        self._asked.put(None)
        # In a new thread: the model's own thread may hang until the detector is closed.
        closer = Thread("model-close", _close, self.detector)
        closer.start()
        return closer


def _serve(detector: Detector, asked: SimpleQueue[_Asked | None]) -> None:
    while (item := asked.get()) is not None:
        context, frame, answer = item
        context.run(_answer, detector, frame, answer)
        del item, context, frame, answer  # frees the frame before the next one arrives


def _answer(detector: Detector, frame: Frame, answer: Future[Detections]) -> None:
    with suppress(InvalidStateError):  # the result was cancelled
        try:
            found = detector.detect(frame)
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(found)


def _close(detector: Detector) -> None:
    try:
        detector.close()
    except Exception as error:  # the run has ended, or the detector was abandoned
        log.debug("closing the detector failed: %r", error)
