"""Warnings about a run that is technically fine but probably not what the user wants.

Detections of another picture size, a class filter that never matches, a detector that finds nothing, a camera whose
picture is black or frozen. Each is one line with the remedy, said once in a run and kept for the report.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from streamer.config.detector import DetectorSettings
from streamer.flow.observers import RunObserver
from streamer.flow.stats import RunStats
from streamer.interfaces import Detector, StreamInfo
from streamer.observe.box_sizes import ENOUGH_BOXES, BoxSizes
from streamer.observe.found import Found
from streamer.observe.picture_watch import PictureChange, PictureWatch
from streamer.values.delivery import Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections, Tracker

log = logging.getLogger(__name__)

FIRST_S = 60.0
"""In so much time a detector usually finds something."""
HIDDEN = "hidden"
"""Detections that the tracker did not show because of their scores: a count of the report, by class."""
UNKNOWN = "without a name"
"""Detections of classes that the label map does not have: a count of the report, by class."""
_PICTURE = {
    ("black", False): "the picture has been black for {:.0f} s; check the lens, the light and the camera's night mode",
    ("black", True): "the picture is no longer black, after {:.0f} s",
    ("frozen", False): "the picture has not changed for {:.0f} s; restart the camera if something moves in front of it",
    ("frozen", True): "the picture changes again, after {:.0f} s",
}


class RunWarnings(RunObserver):
    """Observes a run for such problems.

    Args:
        settings: of the detector.
        stats: counts how often the picture of a camera became black or frozen.

    Attributes:
        notes: the warnings, for the report.
    """

    def __init__(self, settings: DetectorSettings, stats: RunStats) -> None:
        self.notes: list[str] = []
        self._settings = settings
        self._stats = stats
        self._found: Found | None = None
        self._tracker: Tracker | None = None
        self._labels = LabelTable(())
        self._said: set[object] = set()
        self._lock = threading.Lock()  # guards `_said` and `notes`: the capture and the display thread warn
        # Capture thread:
        self._picture: PictureWatch | None = None
        # Display thread, and main thread at the end:
        self._sizes: BoxSizes | None = None
        self._began_s: float | None = None
        self._is_past_the_first_minute = False
        self._name, self._is_live = "", False

    def watch(self, detectors: Sequence[Detector], keep: Callable[[Detections], Detections], tracker: Tracker) -> Found:
        """Before the run: observe what the detectors find and what the tracker hides.

        The pipeline calls the result in place of `keep`.
        """
        self._tracker, self._labels = tracker, detectors[0].labels
        self._found = Found(detectors, keep, self._settings)
        return self._found

    def source_opened(self, info: StreamInfo, *, live: bool) -> None:  # noqa: ARG002
        self._name, self._is_live = info.name, info.live
        self._picture = PictureWatch() if info.live else None

    def frame_captured(self, frame: Frame) -> None:
        if self._picture is not None:
            for change in self._picture.add(frame):
                self._report(change)

    def delivered(self, delivery: Delivery) -> None:
        if not isinstance(delivery, Detected) or delivery.detections is None or self._found is None:
            return
        self._check_sizes(delivery.frame, delivery.detections, self._found)
        self._check_first_minute(delivery.frame, self._found)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._found is None:
            return
        self._count_hidden()
        for name, times in self._found.unknown_classes().items():
            self._stats.count(UNKNOWN, name, times)
        if self._sizes is not None and self._found.recorded:
            self._warn("sizes", self._sizes.outside() or self._sizes.in_a_corner())
        if kind is None:
            self._warn("nothing", self._found.nothing())
            self._warn("classes", self._found.no_match())

    def _check_sizes(self, frame: Frame, detections: Detections, found: Found) -> None:
        if self._sizes is None:
            self._sizes = BoxSizes(frame.width, frame.height)
        is_enough = self._sizes.count >= ENOUGH_BOXES
        if (is_enough and not found.recorded) or self._sizes.size != (frame.width, frame.height):
            return
        self._sizes.add(detections.boxes)
        if not is_enough and self._sizes.count >= ENOUGH_BOXES:
            self._warn("sizes", self._sizes.outside())

    def _check_first_minute(self, frame: Frame, found: Found) -> None:
        now_s = frame.captured_s if self._is_live else frame.time_s
        if self._began_s is None:
            self._began_s = now_s
        if self._is_past_the_first_minute:
            return
        if now_s - self._began_s >= FIRST_S:
            self._is_past_the_first_minute = True
            self._warn("nothing", found.nothing())
            if self._is_live:
                self._warn("classes", found.no_match())

    def _count_hidden(self) -> None:
        """What the tracker hid during the run; not every tracker hides objects."""
        hidden: Mapping[int, int] = getattr(self._tracker, "hidden", {})
        for label, times in hidden.items():
            self._stats.count(HIDDEN, self._labels.name(label), times)
        if total := sum(hidden.values()):
            self.notes.append(
                f"the tracker hid {total} detection{'s' * (total != 1)} with scores far below the usual; "
                "detector.min_score=SCORE shows every object from SCORE on"
            )

    def _report(self, change: PictureChange) -> None:
        if not change.is_over:
            self._stats.count("picture fault", change.cause)
        what = change.cause, change.is_over
        self._warn(what, f"{self._name}: {_PICTURE[what].format(change.lasted_s)}")

    def _warn(self, what: object, line: str | None) -> None:
        if line is None:
            return
        with self._lock:
            if what in self._said:
                return
            self._said.add(what)
            self.notes.append(line)
        log.warning("%s", line)
