"""Builds the post-processing scope of the detector of record with the operations that the export of its API writes.

The operations and their order are those of `batch_multiclass_non_max_suppression` and `multiclass_non_max_suppression`
in object_detection/core/post_processing.py (TensorFlow Object Detection API, with TensorFlow 2.15). The text that
`ScopeText` gives for this scope equals that of the exported graph of 601 classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

SCOPE = "SecondStagePostprocessor/BatchMultiClassNonMaxSuppression/"


@dataclass(frozen=True)
class Limits:
    """Parameters of the scope, with the values of the detector of record."""

    classes: int = 601
    iou_threshold: float = 0.6
    score_threshold: float = 0.0
    per_class: int = 100
    total: int = 100
    soft_nms_sigma: float = 0.0
    with_scores: bool = True
    """NonMaxSuppressionV5; exports before TensorFlow 1.14, and `use_hard_nms`, have NonMaxSuppressionV3."""


class Kept(NamedTuple):
    """Rows of boxes with their scores and classes; tensors."""

    boxes: Any
    scores: Any
    classes: Any

    def rows(self, tf: Any, indices: Any) -> Kept:
        return Kept(*(tf.gather(field, indices) for field in self))


def add(tf: Any, boxes: Any, scores: Any, count: Any, window: Any, limits: Limits) -> tuple[Any, Any, Any, Any]:
    """Add the scope to the current graph.

    Args:
        tf: the module.
        boxes, scores, count, window: tensors `(1, N, C, 4)`, `(1, N, C)`, `(1,)` and `(1, 4)`.
        limits: of the scope.

    Returns:
        Boxes `(1, total, 4)`, scores and classes `(1, total)`, and their number `(1,)`.
    """
    with tf.name_scope(SCOPE):
        one_boxes, one_scores, one_window, one_count = (tf.unstack(t)[0] for t in (boxes, scores, window, count))
        one_boxes = tf.reshape(tf.slice(one_boxes, [0, 0, 0], tf.stack([one_count, -1, -1])), [-1, limits.classes, 4])
        one_scores = tf.reshape(tf.slice(one_scores, [0, 0], tf.stack([one_count, -1])), [-1, limits.classes])
        with tf.name_scope("MultiClassNonMaxSuppression"):
            kept, number = _suppress(tf, one_boxes, one_scores, one_window, limits)
        with tf.name_scope("PadOrClipBoxList"):
            padded = [
                _padded(tf, field, (limits.total, *size)) for field, size in zip(kept, ((4,), (), ()), strict=True)
            ]
        outputs = [tf.stack([field]) for field in (*padded, number)]
    return tuple(outputs)  # type: ignore[return-value]


def _suppress(tf: Any, boxes: Any, scores: Any, window: Any, limits: Limits) -> tuple[Kept, Any]:
    rows = tf.shape(scores)[0]
    of_classes = []
    for row, class_boxes in enumerate(tf.unstack(boxes, axis=1)):
        class_scores = tf.reshape(tf.slice(scores, [0, row], tf.stack([rows, 1])), [-1])
        of_classes.append(_suppress_class(tf, class_boxes, class_scores, row, limits))
    joined = Kept(*(tf.concat(list(field), 0) for field in zip(*of_classes, strict=True)))
    return _best(tf, _sorted(tf, joined), window, limits)


def _suppress_class(tf: Any, boxes: Any, scores: Any, row: int, limits: Limits) -> Kept:
    most = tf.minimum(limits.per_class, tf.shape(boxes)[0])
    thresholds = {"iou_threshold": limits.iou_threshold, "score_threshold": limits.score_threshold}
    if limits.with_scores:
        indices, best = tf.image.non_max_suppression_with_scores(
            boxes, scores, most, soft_nms_sigma=limits.soft_nms_sigma, **thresholds
        )
        number = tf.shape(indices)[0]
        indices = tf.concat([indices, tf.zeros(most - number, tf.int32)], 0)
        best = tf.concat([best, tf.zeros(most - number, tf.float32)], -1)
    else:
        indices = tf.image.non_max_suppression(boxes, scores, most, **thresholds)
        number = tf.shape(indices)[0]
        indices = tf.concat([indices, tf.zeros(most - number, tf.int32)], 0)
        best = tf.gather(scores, indices)
    best = tf.compat.v1.where(tf.less(tf.range(most), number), best, -1 * tf.ones(most))
    return Kept(tf.gather(boxes, indices), best, tf.zeros_like(best) + row)


def _sorted(tf: Any, kept: Kept) -> Kept:
    _, order = tf.nn.top_k(kept.scores, tf.shape(kept.boxes)[0], sorted=True)
    return kept.rows(tf, order)


def _best(tf: Any, kept: Kept, window: Any, limits: Limits) -> tuple[Kept, Any]:
    """The best rows that are inside the window, relative to it, and their number."""
    low_y, low_x, high_y, high_x = (window[n] for n in range(4))
    y0, x0, y1, x1 = tf.split(kept.boxes, 4, axis=1)
    sides = [tf.maximum(tf.minimum(y, high_y), low_y) for y in (y0, y1)]
    sides += [tf.maximum(tf.minimum(x, high_x), low_x) for x in (x0, x1)]
    clipped = kept._replace(boxes=tf.concat([sides[0], sides[2], sides[1], sides[3]], 1))
    inside = tf.reshape(tf.compat.v1.where(tf.greater(_area(tf, clipped.boxes), 0.0)), [-1])
    kept = clipped.rows(tf, tf.cast(inside, tf.int32))
    nothing = -1 * tf.ones(tf.shape(kept.boxes)[0])
    kept = kept._replace(scores=tf.compat.v1.where(tf.cast(_area(tf, kept.boxes), tf.bool), kept.scores, nothing))
    number = tf.reduce_sum(tf.cast(tf.greater_equal(kept.scores, 0), tf.int32))
    kept = _sorted(tf, kept)
    kept = kept._replace(boxes=_relative(tf, kept.boxes, window))
    most = tf.minimum(limits.total, tf.shape(kept.boxes)[0])
    kept = kept.rows(tf, tf.range(most))
    number = tf.compat.v1.where(most > number, number, most)
    return kept.rows(tf, tf.range(number)), number


def _area(tf: Any, boxes: Any) -> Any:
    y0, x0, y1, x1 = tf.split(boxes, 4, axis=1)
    return tf.squeeze((y1 - y0) * (x1 - x0), [1])


def _relative(tf: Any, boxes: Any, window: Any) -> Any:
    height, width = window[2] - window[0], window[3] - window[1]
    moved = boxes - [window[0], window[1], window[0], window[1]]
    y_scale, x_scale = 1.0 / height, 1.0 / width
    y0, x0, y1, x1 = tf.split(moved, 4, axis=1)
    return tf.concat([y_scale * y0, x_scale * x0, y_scale * y1, x_scale * x1], 1)


def _padded(tf: Any, rows: Any, shape: Sequence[int]) -> Any:
    """Cut or fill with zeros to the shape, as `pad_or_clip_nd`."""
    found = tf.shape(rows)
    begin = tf.zeros(len(shape), dtype=tf.int32)
    size = [tf.compat.v1.where(found[n] - most > 0, most, -1) for n, most in enumerate(shape)]
    cut = tf.slice(rows, begin, size)
    missing = [most - tf.shape(cut)[n] for n, most in enumerate(shape)]
    return tf.pad(cut, tf.stack([tf.zeros(len(shape), dtype=tf.int32), missing], axis=1))
