"""Accuracy of the displayed boxes: F1, mean IoU, AP and sAP. Pure functions.

Each ground-truth frame is compared with the boxes displayed at its time, so the latency of a detector lowers the score
(Li, Wang and Ramanan, "Towards Streaming Perception", ECCV 2020, arXiv:2005.10420). Average precision is that of COCO:
101 points of recall; boxes in order of falling score take the best free object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracking.types import BoolArray

Array = npt.NDArray[np.float64]

NAMES = ("F1", "mIoU", "AP50", "AP75", "sAP")
THRESHOLDS = np.arange(0.5, 0.96, 0.05)
_AT_50, _AT_75 = 0, 5
_RECALLS = np.linspace(0, 1, 101)
# Frames that are matched together: more frames need more memory and fewer iterations.
_BATCH_FRAMES = 64


class Displayed(NamedTuple):
    """The displayed boxes at one time.

    Attributes:
        boxes: float64 `(N, 4)`, left, top, width, height in pixels.
        scores: float64 `(N,)`.
    """

    boxes: Array
    scores: Array


@dataclass(frozen=True, slots=True)
class StreamingScores:
    """Scores of one class in percent.

    Attributes:
        f1: F1 of all displayed boxes at IoU 0.5, independent of their score.
        mean_iou: mean IoU of the boxes that are correct at IoU 0.5.
        ap50, ap75: average precision at IoU 0.5 and 0.75.
        sap: average precision, mean over IoU 0.50:0.05:0.95.
    """

    f1: float
    mean_iou: float
    ap50: float
    ap75: float
    sap: float

    def to_dict(self) -> dict[str, float]:
        """The scores by their common names."""
        return dict(zip(NAMES, astuple(self), strict=True))


def score(displayed: Sequence[Displayed], truth: Sequence[Array]) -> StreamingScores:
    """Score the displayed boxes.

    Args:
        displayed: those at the time of each ground-truth frame.
        truth: float64 `(M, 4)` boxes of each frame: left, top, width, height in pixels.

    Raises:
        ValueError: the lengths differ.
    """
    if len(displayed) != len(truth):
        raise ValueError(f"{len(displayed)} displayed frames, but {len(truth)} frames of ground truth")
    batches = range(0, len(truth), _BATCH_FRAMES)
    parts = [_match(displayed[at : at + _BATCH_FRAMES], truth[at : at + _BATCH_FRAMES]) for at in batches]
    scores = np.concatenate([np.empty(0), *(part.scores for part in parts)])
    right = np.concatenate([np.empty((0, len(THRESHOLDS)), np.bool_), *(part.right for part in parts)])
    ious = np.concatenate([np.empty(0), *(part.iou_at_50 for part in parts)])
    objects = sum(len(boxes) for boxes in truth)
    precisions = _average_precisions(scores, right, objects)
    hits = int(right[:, _AT_50].sum())
    return StreamingScores(
        f1=200.0 * hits / max(len(scores) + objects, 1),
        mean_iou=100 * float(ious[right[:, _AT_50]].mean()) if hits else 0.0,
        ap50=100 * float(precisions[_AT_50]),
        ap75=100 * float(precisions[_AT_75]),
        sap=100 * float(precisions.mean()),
    )


class _Matched(NamedTuple):
    """The boxes of some frames, frame by frame in order of falling score.

    Attributes:
        scores: `(N,)`.
        right: bool `(N, T)`, correct at each threshold.
        iou_at_50: `(N,)`, IoU with the object taken at the lowest threshold.
    """

    scores: Array
    right: BoolArray
    iou_at_50: Array


def _match(displayed: Sequence[Displayed], truth: Sequence[Array]) -> _Matched:
    """Assign objects to boxes: first to the best box of each frame, then to the second of each frame, and so on."""
    ordered = [_by_score(one) for one in displayed]
    frames, ranks = len(truth), max(len(one.scores) for one in ordered)
    objects = max(1, *(len(boxes) for boxes in truth))
    ious = np.full((ranks, frames, objects), -1.0)  # below every threshold: no box or no object
    for at, (one, boxes) in enumerate(zip(ordered, truth, strict=True)):
        ious[: len(one.scores), at, : len(boxes)] = _iou(one.boxes, boxes)
    free = np.ones((frames, len(THRESHOLDS), objects), np.bool_)
    right = np.zeros((ranks, frames, len(THRESHOLDS)), np.bool_)
    taken = np.zeros((ranks, frames))
    for rank in range(ranks):
        candidates = np.where(free, ious[rank, :, None, :], -1.0)
        best = candidates.argmax(axis=2)
        found = np.take_along_axis(candidates, best[..., None], axis=2)[..., 0]
        right[rank] = found >= THRESHOLDS
        taken[rank] = found[:, _AT_50]
        row, level = np.nonzero(right[rank])
        free[row, level, best[row, level]] = False
    exists = np.arange(ranks) < np.array([len(one.scores) for one in ordered])[:, None]
    scores = np.concatenate([one.scores for one in ordered])
    return _Matched(scores, right.swapaxes(0, 1)[exists], taken.T[exists])


def _by_score(displayed: Displayed) -> Displayed:
    order = np.argsort(-displayed.scores, kind="stable")
    return Displayed(displayed.boxes[order], displayed.scores[order])


def _iou(a: Array, b: Array) -> Array:
    """`(N, M)` intersection over union of boxes left, top, width, height."""
    start = np.maximum(a[:, None, :2], b[None, :, :2])
    end = np.minimum((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    shared = np.clip(end - start, 0, None).prod(axis=2)
    union = a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def _average_precisions(scores: Array, right: BoolArray, objects: int) -> Array:
    """`(T,)` average precision at each threshold."""
    if not len(scores):
        return np.zeros(right.shape[1])
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")], axis=0)
    recall = hits / max(objects, 1)
    precision = hits / np.arange(1, len(hits) + 1)[:, None]
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # Beyond the highest recall the precision is 0.
    precision = np.concatenate([precision, np.zeros((1, right.shape[1]))])
    levels = range(right.shape[1])
    return np.array([precision[np.searchsorted(recall[:, level], _RECALLS), level].mean() for level in levels])
