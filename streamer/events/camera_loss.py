"""Stores the loss of a camera, once it has lasted for a while. Any thread may call it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from streamer.config.analytics.camera_watch import CAMERA_RULE
from streamer.events.timer import Timer
from streamer.store.ids import new_id
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind, EventPhase

Save = Callable[[EventRecord, EventPhase], None]


class CameraLoss:
    """The losses of one camera, over all of its runs.

    Args:
        camera: its name.
        lost_s: a shorter loss is not stored; None stores none.
        save: gets the record, and the record with its end.
        timer: of the program.
        now: seconds since 1970.
    """

    def __init__(
        self,
        camera: str,
        lost_s: float | None,
        save: Save,
        timer: Timer,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._camera, self._lost_s, self._save, self._timer, self._now = camera, lost_s, save, timer, now
        self._lock = threading.Lock()  # guards all below; held while records are saved, which keeps their order
        self._pending: int | None = None
        self._record: EventRecord | None = None

    def begin(self, fault: str, at_s: float) -> None:
        """The camera sends no frames since a time of the monotonic clock. Does nothing if that is known."""
        if self._lost_s is None:
            return
        with self._lock:
            if self._pending is None and self._record is None:
                self._pending = self._timer.at(at_s + self._lost_s, lambda: self._store(fault, at_s))

    def end(self, at_s: float, ending: Ending = Ending.RULE) -> None:
        """The camera sends frames again since a time of the monotonic clock, or is not used any more."""
        with self._lock:
            if self._pending is not None:
                self._timer.cancel(self._pending)
                self._pending = None
            record, self._record = self._record, None
            if record is not None:
                ended = replace(record, end_time=self._time_of(at_s), revision=record.revision + 1, ending=ending)
                self._save(ended, EventPhase.END)

    def _store(self, fault: str, at_s: float) -> None:
        with self._lock:
            if self._pending is None:  # it came back meanwhile
                return
            self._pending = None
            at = self._time_of(at_s)
            self._record = EventRecord(
                new_id(), self._camera, CAMERA_RULE, EventKind.CAMERA_LOST, start_time=at, start_s=0.0, text=fault
            )
            self._save(self._record, EventPhase.START)

    def _time_of(self, at_s: float) -> float:
        return self._now() - (time.monotonic() - at_s)
