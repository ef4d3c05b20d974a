"""A detector that may hang, behind a deadline: a model that never answers costs a frame or the run, never the program.

Used by one detector thread, like any detector; the one inside is called by a daemon thread of its own
(`streamer-model`), which is left behind when it does not answer. `close` may come from any thread and wakes whoever
waits in `detect`.

What TensorFlow 2.21 does, measured on a CPU: closing a session from another thread ends a graph that loops for ever in
2 ms, but a single operation that is being computed goes on to its end, and `close` with it. The interpreter ends with
either still running, in 1.7 to 3.3 s; after TensorFlow was merely imported in 0.9 s. See `streamer.flow.threads.leave`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread

from streamer.config.detector import DetectorSettings
from streamer.errors import DetectorError, DetectorHung, DetectorRestarted, StreamerError
from streamer.interfaces import Detector
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

log = logging.getLogger(__name__)

HANGS = 3
"""So many hangs in a row, or models left behind that still hang, end the run even where it may restart them."""
CLOSE_PATIENCE_S = 0.5
"""Closing a TensorFlow session takes a few milliseconds, unless it is in the middle of something."""

Wait = Callable[[Future[Detections], float], bool]


def answered(answer: Future[Detections], timeout_s: float) -> bool:
    """Wait until there is an answer, an error, or nobody to give one any more; False if that takes too long."""
    try:
        answer.exception(timeout_s)
    except CancelledError:  # `concurrent.futures.wait` would not wake up for this one
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
        """Those of the detector inside."""
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """What the detector inside finds on the frame; it raises what that raises.

        Raises:
            DetectorRestarted: it hung; the next call uses a new one.
            DetectorHung: it hung, and is not to be restarted, or not once more, or cannot be.
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
        """Release the detector inside, waiting half a second at most. Closing twice is fine; from any thread."""
        with self._lock:
            model, self._model, self._closed = self._model, None, True
        if model is not None:
            model.close().join(CLOSE_PATIENCE_S)

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
        """Leave a model behind that does not answer; returns the error that tells of it."""
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


class _Model:
    """A detector with the thread that calls it. Nobody ever waits for that thread to end."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._asked: SimpleQueue[tuple[Frame, Future[Detections]] | None] = SimpleQueue()
        self._lock = Lock()  # guards the two below
        self._answer: Future[Detections] | None = None
        self._closed = False
        self.thread = Thread(target=_serve, args=(detector, self._asked), name="streamer-model", daemon=True)
        self.thread.start()

    @property
    def labels(self) -> LabelTable:
        return self.detector.labels

    def detect(self, frame: Frame) -> Future[Detections]:
        """Hand over a frame. The answer is cancelled when the model is closed."""
        answer: Future[Detections] = Future()
        with self._lock:
            if self._closed:
                answer.cancel()
            else:
                self._answer = answer
                self._asked.put((frame, answer))
        return answer

    def close(self) -> Thread:
        """Wake whoever waits for an answer and close the detector; returns the thread that does so."""
        with self._lock:
            self._closed = True
            if self._answer is not None:
                self._answer.cancel()  # without effect on one that is given
        self._asked.put(None)
        # Not by the model's own thread, which may hang: closing can be what ends that.
        closer = Thread(target=_close, args=(self.detector,), name="streamer-model-close", daemon=True)
        closer.start()
        return closer


def _serve(detector: Detector, asked: SimpleQueue[tuple[Frame, Future[Detections]] | None]) -> None:
    while (item := asked.get()) is not None:
        _answer(detector, *item)
        del item  # the frame need not live until the next one comes


def _answer(detector: Detector, frame: Frame, answer: Future[Detections]) -> None:
    with suppress(InvalidStateError):  # nobody waits for it any more
        try:
            found = detector.detect(frame)
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(found)


def _close(detector: Detector) -> None:
    try:
        detector.close()
    except Exception as error:  # the run is over, or the detector was given up: its outputs are complete without it
        log.debug("closing the detector failed: %r", error)
