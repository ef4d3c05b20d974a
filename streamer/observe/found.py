"""What the detectors of a run found, and why nothing was kept of it."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from streamer.config.detector import DetectorSettings
from streamer.interfaces import Detector
from streamer.values.labels import LabelTable
from tracking.types import Detections

_LEAST_FRAMES = 10
_LEAST_KEPT = 2
_CLASSES_NAMED = 5
_WORTH_TRYING = 0.1
"""Below this score detectors report something everywhere."""


class Found:
    """Selects detections, and counts what was found before. Called by the detector threads, read by any thread.

    Args:
        detectors: of the run.
        keep: selects the detections that the settings ask for.
        settings: of the detector.

    Attributes:
        recorded: the detections come from a file, perhaps of another video.
    """

    def __init__(
        self, detectors: Sequence[Detector], keep: Callable[[Detections], Detections], settings: DetectorSettings
    ) -> None:
        self.recorded = any(getattr(detector, "recorded", False) for detector in detectors)
        self._detectors = detectors
        self._keep = keep
        self._settings = settings
        self._lock = threading.Lock()
        # A detector that ran before, on another input, still has the score of its last frame.
        self._scores_before = self._top_scores()
        self._unknown_before = self._count_unknown()
        self._unknown: Counter[str] = Counter()
        self._best_score: float | None = None
        self._frames = self._kept_frames = 0
        self._by_label: Counter[int] = Counter()

    def __call__(self, found: Detections) -> Detections:
        kept, scores = self._keep(found), self._top_scores()
        unknown = self._count_unknown() - self._unknown_before
        known = [one for one, before in zip(scores, self._scores_before, strict=True) if one not in (None, before)]
        with self._lock:
            self._best_score = max((one for one in (*known, self._best_score) if one is not None), default=None)
            self._frames += 1
            self._kept_frames += len(kept) > 0
            self._by_label.update(found.labels.tolist())
            self._unknown |= unknown  # a detector that is closed or loaded again counts from 0
        return kept

    def _top_scores(self) -> list[float | None]:
        return [getattr(detector, "top_score", None) for detector in self._detectors]

    def unknown_classes(self) -> Counter[str]:
        """How often the detectors found each class without a name; empty if they do not count them."""
        with self._lock:
            return Counter(self._unknown)

    def _count_unknown(self) -> Counter[str]:
        """The counts of the detectors, which include those of earlier runs."""
        counts: Counter[str] = Counter()
        for detector in self._detectors:
            counts.update(getattr(detector, "unknown_classes", {}))
        return counts

    def nothing(self) -> str | None:
        """The problem that the detectors found nothing, on one line with the remedy; None if they found something."""
        with self._lock:
            frames, found, best_score = self._frames, self._by_label.total(), self._best_score
        if found or frames < _LEAST_FRAMES:
            return None
        if self.recorded:
            return f"{self._settings.name} has no detections for these {frames} frames; take those of this video"
        line = f"the detector found nothing in {frames} frames"
        if best_score is not None:
            line += f" (best score {best_score:.2f})"
        if best_score is None or best_score < _WORTH_TRYING:
            return f"{line}; check the picture (night, wrong channel), or set another detector.name"
        return (
            f"{line}; try detector.min_score={math.floor(best_score * 20) / 20:g}, "
            "or check the picture (night, wrong channel)"
        )

    def no_match(self) -> str | None:
        """The problem that detections were kept on no frame, as `nothing`; None if they were, or if there were none.

        Detections of the selected classes on a single frame are a problem, too: trackers show an object from its second
        detection on.
        """
        with self._lock:
            frames, kept, by_label = self._frames, self._kept_frames, Counter(self._by_label)
        enough = _LEAST_KEPT if self._settings.classes else 1
        if kept >= enough or not by_label or frames < _LEAST_FRAMES:
            return None
        labels = self._detectors[0].labels  # now, because a function's classes are known once it has found them
        selected = labels.rows(self._settings.classes) if self._settings.classes else by_label
        if not kept and any(label in by_label for label in selected):
            return (
                f"none of the {by_label.total()} detections reaches its bound; "
                "lower detector.min_score or detector.min_scores"
            )
        return (
            f"{'detections on one frame only' if kept else 'no detection'} of class "
            f"{', '.join(self._settings.classes)} in {frames} frames; the detector found {_counts(by_label, labels)}; "
            "try another detector.name, or see 'streamer models labels'"
        )


def _counts(by_label: Counter[int], labels: LabelTable) -> str:
    """`Person 120, Car 3`, the most frequent classes first."""
    by_name: Counter[str] = Counter()
    for label, count in by_label.items():
        by_name[labels.name(label)] += count
    named = [f"{name} {count}" for name, count in by_name.most_common(_CLASSES_NAMED)]
    others = len(by_name) - len(named)
    return ", ".join(named) + (f" and {others} more" if others else "")
