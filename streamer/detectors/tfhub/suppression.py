"""Multi-class non-maximum suppression as the TensorFlow Object Detection API exports it, in NumPy. Detector thread.

TensorFlow suppresses the boxes of each class on their own, joins all classes, sorts by score, clips, and keeps the best
(`multiclass_non_max_suppression` in object_detection/core/post_processing.py). The result is that of one walk over all
pairs of a box and a class by falling score, which ends as soon as enough are kept. `Suppression` walks over the best
512 pairs, and over more only if these are not enough. All results equal those of TensorFlow's CPU kernels bit for bit,
also with ties, NaN and subnormal numbers. Only the sign of a zero may differ: TensorFlow's depends on its position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_TINY = np.finfo(np.float32).smallest_normal
_FIRST_PAIRS, _MORE = 512, 8


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an exported graph fixes.

    Attributes:
        classes: number of classes C.
        iou_threshold: a box is removed if its IoU with a better one of its class is above.
        score_threshold: pairs are candidates if their score is above; at least 0.
        per_class: most boxes of a class.
        total: most boxes of all classes; the outputs are padded to this number.
    """

    classes: int
    iou_threshold: float
    score_threshold: float
    per_class: int
    total: int


class Suppression:
    """The suppression of one graph.

    Args:
        parameters: of the graph.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._iou_threshold = np.float32(parameters.iou_threshold)
        # TensorFlow compares with subnormal numbers flushed to zero.
        self._lowest_score = max(np.nextafter(np.float32(parameters.score_threshold), np.float32(np.inf)), _TINY)

    def __call__(self, boxes: Floats, scores: Floats, count: Array, window: Floats) -> list[Array]:
        """Boxes, scores, classes and their number, as the graph's outputs.

        Args:
            boxes: `(1, N, C, 4)`, ymin, xmin, ymax, xmax in pixels.
            scores: `(1, N, C)`.
            count: int32 `(1,)`: how many of the N boxes are valid.
            window: `(1, 4)`: the image, to which boxes are clipped and relative to which they are given.

        Returns:
            Boxes `(1, total, 4)` as fractions of the window, scores `(1, total)` and classes from 0 `(1, total)`, all
            float32, by falling score and padded with zeros; and int32 `(1,)`.
        """
        valid = int(count[0])
        if not 0 <= valid <= boxes.shape[1]:
            raise ValueError(f"{valid} of {boxes.shape[1]} boxes are valid")
        found = self._best(boxes[0, :valid], scores[0, :valid], window[0])
        outputs: list[Array] = []
        for rows in found:
            padded = np.zeros((1, self._parameters.total, *rows.shape[1:]), np.float32)
            padded[0, : len(rows)] = rows
            outputs.append(padded)
        return [*outputs, np.array([len(found[0])], np.int32)]

    def _best(self, boxes: Floats, scores: Floats, window: Floats) -> tuple[Array, Array, Array]:
        """The kept boxes as fractions, their scores and classes."""
        # By class and then by box: TensorFlow breaks ties in this order.
        by_class = scores.T.reshape(-1)
        candidates = int(np.count_nonzero(by_class >= self._lowest_score))
        pairs = min(_FIRST_PAIRS, candidates)
        while True:
            walked = _highest(by_class, pairs)
            kept = walked[self._kept(boxes, walked)]
            classes, rows = np.divmod(kept, max(len(boxes), 1))
            clipped = _clip(boxes[rows, classes], window)
            visible = _area(clipped) > 0
            if pairs == candidates or np.count_nonzero(visible) >= self._parameters.total:
                break
            pairs = min(pairs * _MORE, candidates)
        chosen = np.flatnonzero(visible)[: self._parameters.total]
        return _as_fractions(clipped[chosen], window), by_class[kept[chosen]], classes[chosen]

    def _kept(self, boxes: Floats, pairs: Ints) -> npt.NDArray[np.bool_]:
        """Which of the pairs, given by falling score, survive."""
        classes, rows = np.divmod(pairs, max(len(boxes), 1))
        by_class = np.argsort(classes, kind="stable")
        classes, rows = classes[by_class], rows[by_class]
        first = np.searchsorted(classes, classes)  # the place of the class's best
        better_of = np.arange(len(pairs)) - first
        # Each pair with all better ones of its class.
        worse = np.repeat(np.arange(len(pairs)), better_of)
        better = np.arange(len(worse)) - np.repeat(np.cumsum(better_of) - better_of - first, better_of)
        overlap = self._overlaps(boxes[rows, classes], worse, better)
        survives = [True] * len(pairs)
        for one, other in zip(worse[overlap].tolist(), better[overlap].tolist(), strict=True):
            if survives[other]:
                survives[one] = False
        kept = np.array(survives, np.bool_)
        rank = np.cumsum(kept)  # from 1, and within the class after the subtraction
        kept &= rank - (rank - kept)[first] <= self._parameters.per_class
        result = np.empty(len(pairs), np.bool_)
        result[by_class] = kept
        return result

    def _overlaps(self, boxes: Floats, one: Ints, other: Ints) -> npt.NDArray[np.bool_]:
        """Whether the IoU of two boxes is above the threshold, as `IOU` in TensorFlow's non_max_suppression_op.cc.

        An IoU that is not a number counts as above.
        """
        boxes = _flushed(boxes.copy())
        # As std::min and std::max, of which the first argument is the result if one is not a number.
        low, high = _lower(boxes[:, :2], boxes[:, 2:]), _higher(boxes[:, :2], boxes[:, 2:])
        area = _area(np.concatenate([low, high], axis=1))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            sides = _flushed(_lower(high[one], high[other]) - _higher(low[one], low[other]))
            sides = _higher(sides, np.float32(0))
            common = _flushed(sides[:, 0] * sides[:, 1])
            iou = _flushed(common / _flushed(area[one] + area[other] - common))
            is_empty = (area[one] <= 0) | (area[other] <= 0)
            return ~is_empty & ~(iou <= self._iou_threshold)


def _highest(values: Floats, number: int) -> Ints:
    """Indices of the highest values, by falling value and then by index."""
    if number == 0:
        return np.empty(0, np.int64)
    comparable = np.where(np.isnan(values), np.float32(-np.inf), values)
    bound = np.partition(comparable, len(values) - number)[len(values) - number]
    above = np.flatnonzero(comparable > bound)
    equal = np.flatnonzero(comparable == bound)[: number - len(above)]
    chosen = np.sort(np.concatenate([above, equal]))
    result: Ints = chosen[np.argsort(-comparable[chosen], kind="stable")]
    return result


def _clip(boxes: Floats, window: Floats) -> Floats:
    """Boxes `(N, 4)` clipped to the window `(4,)`."""
    return _flushed(np.maximum(np.minimum(boxes, window[[2, 3, 2, 3]]), window[[0, 1, 0, 1]]))


def _area(boxes: Floats) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        sides = _flushed(boxes[:, 2:] - boxes[:, :2])
        return _flushed(sides[:, 0] * sides[:, 1])


def _as_fractions(boxes: Floats, window: Floats) -> Floats:
    """Boxes relative to the window, by a product with the inverse of its size as in the graph."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        scale = np.float32(1) / _flushed(window[2:] - window[:2])
        return _flushed(_flushed(boxes - window[[0, 1, 0, 1]]) * scale[[0, 1, 0, 1]])


def _flushed(values: Floats) -> Floats:
    """The values, with subnormal numbers set to zero in place: TensorFlow's kernels run with FTZ and DAZ."""
    values[np.abs(values) < _TINY] = 0
    return values


def _lower(first: Floats, second: Floats | np.float32) -> Floats:
    return np.where(second < first, second, first)


def _higher(first: Floats, second: Floats | np.float32) -> Floats:
    return np.where(first < second, second, first)
