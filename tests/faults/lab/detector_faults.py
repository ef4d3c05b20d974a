"""Faults of the detector: slow, failing sometimes, failing always. Used by the thread of the lab."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

from streamer.errors import DetectorError
from tests.faults.lab.rig import Setup
from tests.faults.lab.scenario import CameraScenario
from tests.faults.lab.seen_frames import DETECTED, SeenFrames

_SLEEP_S = 2.0


class DetectorSleeps(CameraScenario):
    name = "detector_sleeps"
    fault = "the detector takes 2 s per frame for a while"
    expected = "shows every frame as it arrives; the detector gets the newest frame each time"
    place = DETECTED
    limit_s = _SLEEP_S + 0.5
    lasts_s = (3.0, 5.0)
    goes_on = True

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        self._awake = threading.Event()
        self._slow = threading.Event()

    def setup(self) -> Setup:
        return replace(super().setup(), before_detection=self._sleep)

    def begin_fault(self) -> None:
        self._slow.set()

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self._slow.clear()
        return back_s

    def _sleep(self) -> None:
        if self._slow.is_set():
            self._awake.wait(_SLEEP_S)  # never set: a model cannot be interrupted either


class DetectorRaises(CameraScenario):
    name = "detector_raises"
    fault = "the detector fails on two frames in a row"
    expected = "shows both with the boxes known before, without detections"
    place = DETECTED
    limit_s = 0.5
    lasts_s = (0.3, 0.5)
    goes_on = True
    failures = 2

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        self._errors: queue.SimpleQueue[DetectorError] = queue.SimpleQueue()

    def setup(self) -> Setup:
        return replace(super().setup(), before_detection=self._fail)

    def begin_fault(self) -> None:
        for _ in range(self.failures):
            self._errors.put(DetectorError("the model failed"))

    def end_fault(self) -> float:
        return time.monotonic()

    def _fail(self) -> None:
        with contextlib.suppress(queue.Empty):
            raise self._errors.get_nowait()


class DetectorRaisesForGood(DetectorRaises):
    name = "detector_raises_for_good"
    fault = "the detector fails on three frames in a row"
    expected = "the run ends with the first error, so that a supervisor can restart it"
    limit_s = 3.0
    lasts_s = (0.0, 0.0)
    failures = 3
    ends_with = DetectorError
