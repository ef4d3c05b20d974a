"""Recent rates of the cameras and detectors of a site, from the differences of their figures.

One thread updates them, any thread may read them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamer.flow.stats import RunStats
from streamer.serve.status import CameraStatus, DetectorStatus

WINDOW_S = 5.0
"""Rates are those of this time: a camera with one detection per second has a rate, and an outage is seen at once."""


@dataclass(frozen=True, slots=True)
class CameraRates:
    """What a camera did in the window.

    Attributes:
        entered_fps, shown_fps, detected_fps: frames per second that arrived, were shown, were detected.
        age_s: mean age of the shown frames, since their arrival; None if none was shown.
        detect_s: time that its detections took, in all.
        span_s: length of the window.
    """

    entered_fps: float
    shown_fps: float
    detected_fps: float
    age_s: float | None
    detect_s: float
    span_s: float


@dataclass(frozen=True, slots=True)
class DetectorRates:
    """What a detector did for all of its cameras in the window.

    Attributes:
        detected_fps: detections per second.
        detect_s: mean duration of a detection; None if there was none.
        busy: share of the time of its workers.
    """

    detected_fps: float
    detect_s: float | None
    busy: float


@dataclass(frozen=True, slots=True)
class _Counts:
    """The figures of a run at one moment."""

    time_s: float
    entered: int
    shown: int
    detected: int
    detect_s: float
    aged: int
    age_s: float


class SiteRates:
    """Keeps the figures of the window."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[RunStats, deque[_Counts]]] = {}
        self._lock = threading.Lock()  # guards the one below
        self._latest: Mapping[str, CameraRates] = {}

    @property
    def latest(self) -> Mapping[str, CameraRates]:
        """The rates of the last update. Any thread."""
        with self._lock:
            return self._latest

    def update(self, cameras: Sequence[CameraStatus], now_s: float) -> Mapping[str, CameraRates]:
        """The rates of each camera by name; of a camera with a new run, nothing before the second call.

        Args:
            cameras: their states now.
            now_s: monotonic clock.
        """
        before, self._runs = self._runs, {}
        rates: dict[str, CameraRates] = {}
        for camera in cameras:
            stats, counts = before.get(camera.name, (camera.stats, deque()))
            if stats is not camera.stats:
                counts = deque()
            counts.append(_counted(camera.stats, now_s))
            while len(counts) > 2 and counts[1].time_s <= now_s - WINDOW_S:
                counts.popleft()
            self._runs[camera.name] = camera.stats, counts
            if counts[-1].time_s > counts[0].time_s:
                rates[camera.name] = _rates(counts[0], counts[-1])
        with self._lock:
            self._latest = rates
        return rates


def of_detectors(
    cameras: Sequence[CameraStatus], rates: Mapping[str, CameraRates]
) -> list[tuple[DetectorStatus, DetectorRates]]:
    """The detectors of the cameras, in the order of the cameras, with the sums of their rates."""
    detectors = {camera.detector.name: camera.detector for camera in cameras if camera.detector is not None}
    found: list[tuple[DetectorStatus, DetectorRates]] = []
    for name, detector in detectors.items():
        own = [rates[one.name] for one in cameras if one.detector == detector and one.name in rates]
        detected_fps = sum(one.detected_fps for one in own)
        busy_s = sum(one.detect_s / one.span_s for one in own)
        mean_s = busy_s / detected_fps if detected_fps else None
        found.append((detectors[name], DetectorRates(detected_fps, mean_s, busy_s / detector.workers)))
    return found


def _counted(stats: RunStats, now_s: float) -> _Counts:
    detect, ages = stats.stages.get("detect"), stats.ages.get("shown")
    return _Counts(
        now_s,
        stats.ledger.entered,
        stats.shown,
        *((0, 0.0) if detect is None else (detect.count, detect.total_s)),
        *((0, 0.0) if ages is None else (ages.count, ages.total_s)),
    )


def _rates(first: _Counts, last: _Counts) -> CameraRates:
    span_s, aged = last.time_s - first.time_s, last.aged - first.aged
    return CameraRates(
        (last.entered - first.entered) / span_s,
        (last.shown - first.shown) / span_s,
        (last.detected - first.detected) / span_s,
        (last.age_s - first.age_s) / aged if aged else None,
        last.detect_s - first.detect_s,
        span_s,
    )
