"""The metric of the Open Images Challenge: average precision at IoU 0.5, with group-of boxes and verified labels.

Source: `OpenImagesDetectionChallengeEvaluator` of the TensorFlow Object Detection API
(https://github.com/tensorflow/models, `research/object_detection/utils/object_detection_evaluation.py` and
`per_image_evaluation.py`), with its `group_of_weight` of 1. `tests/evaluation/detection` compares with its results.
Main thread.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from streamer.evaluation.detection.scores import Curve, Values
from streamer.evaluation.detection.truth import Boxes, TruthImage
from tracking.types import BoolArray, IdArray

IOU = 0.5
_Overlaps = npt.NDArray[np.float64]


class ChallengeMetric:
    """Collects the matches of one image after the other.

    A detection is right if the single box that it overlaps most has an IoU of at least 0.5 and no detection with a
    higher score has found it. A wrong detection of which at least half is inside a group-of box is not counted, except
    the one with the highest score in each such box, which is right. A group-of box without any is one box not found.
    """

    def __init__(self) -> None:
        self._scores: dict[int, list[Values]] = defaultdict(list)
        self._hits: dict[int, list[Values]] = defaultdict(list)
        self._truths: dict[int, int] = defaultdict(int)

    def add(self, truth: TruthImage, boxes: Boxes, scores: Values, labels: IdArray) -> None:
        """Add one image.

        Args:
            truth: the hierarchy is applied.
            boxes: float64 `(N, 4)`, the detections in the unit of the truth.
            scores: float64 `(N,)`.
            labels: int64 `(N,)`, rows of the classes of the truth. Detections of classes that are not verified on
                this image are removed before.
        """
        for label, count in zip(*np.unique(truth.labels, return_counts=True), strict=True):
            self._truths[int(label)] += int(count)
        sized = (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
        boxes, scores, labels = boxes[sized], scores[sized], labels[sized]
        for label in np.unique(labels).tolist():
            chosen, wanted = labels == label, truth.labels == label
            found = _match(boxes[chosen], scores[chosen], truth.boxes[wanted], truth.groups[wanted])
            self._scores[label].append(found[0])
            self._hits[label].append(found[1])

    def curves(self) -> dict[int, Curve]:
        """The curve of each class that has boxes, by its row."""
        return {
            label: Curve.of(self._scores[label], self._hits[label], truths)
            for label, truths in sorted(self._truths.items())
        }


def _match(boxes: Boxes, scores: Values, truth: Boxes, groups: BoolArray) -> tuple[Values, Values]:
    """The scores of the detections that count, and whether each is right; for one class on one image."""
    order = np.argsort(scores, kind="stable")[::-1]
    boxes, scores = boxes[order], scores[order]
    right = np.zeros(len(boxes), np.bool_)
    singles, crowds = truth[~groups], truth[groups]
    if len(singles):
        overlaps = _intersections(boxes, singles)
        overlaps = overlaps / (_areas(boxes)[:, None] + _areas(singles)[None] - overlaps)
        _, first = np.unique(_best(overlaps), return_index=True)  # the detections are sorted by score
        right[first] = _best(overlaps)[first] >= 0
    inside = np.full(len(boxes), -1)
    if len(crowds):
        inside = _best(_intersections(boxes, crowds) / _areas(boxes)[:, None])
        inside[right] = -1
    best = np.zeros(len(crowds))
    np.maximum.at(best, inside[inside >= 0], scores[inside >= 0])
    counted, found = inside < 0, best[best > 0]
    return np.concatenate([scores[counted], found]), np.concatenate([right[counted].astype(float), np.ones(len(found))])


def _best(overlaps: _Overlaps) -> IdArray:
    """For each row the column with the largest overlap, or -1 if that is below 0.5."""
    best = np.argmax(overlaps, axis=1)
    return np.where(overlaps[np.arange(len(overlaps)), best] >= IOU, best, -1)


def _areas(boxes: Boxes) -> Values:
    areas: Values = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _intersections(boxes: Boxes, others: Boxes) -> _Overlaps:
    """float64 `(N, M)`: the area that box n and other m share."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared: _Overlaps = np.maximum(high - low, 0).prod(axis=2)
    return shared
