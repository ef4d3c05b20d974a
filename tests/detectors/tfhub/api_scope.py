"""Builds the post-processing of the detector of record, with the operations that its export writes, and a small module.

The operations and their order are those of `batch_multiclass_non_max_suppression` and `multiclass_non_max_suppression`
in object_detection/core/post_processing.py (TensorFlow Object Detection API, with TensorFlow 2.15). The text that
`ScopeText` gives for this scope equals that of the exported graph with 601 classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamer.classes import open_images

SCOPE = "SecondStagePostprocessor/BatchMultiClassNonMaxSuppression/"


@dataclass(frozen=True)
class Limits:
    """Parameters of the scope; the defaults are those of the detector of record, except the number of classes."""

    classes: int = 9
    iou_threshold: float = 0.6
    score_threshold: float = 0.0
    per_class: int = 100
    total: int = 50
    soft_nms_sigma: float = 0.0
    with_scores: bool = True
    """NonMaxSuppressionV5. Exports before TensorFlow 1.14, and those with use_hard_nms, have NonMaxSuppressionV3."""


class Kept(NamedTuple):
    """Rows of boxes with their scores and classes; tensors."""

    boxes: Any
    scores: Any
    classes: Any

    def rows(self, tf: Any, indices: Any) -> Kept:
        return Kept(*(tf.gather(field, indices) for field in self))


def add(tf: Any, entering: Sequence[Any], limits: Limits) -> tuple[Any, ...]:
    """Add the scope to the current graph.

    Args:
        tf: the module.
        entering: boxes `(1, N, C, 4)`, scores `(1, N, C)`, count `(1,)` and window `(1, 4)`; tensors.
        limits: of the scope.

    Returns:
        Boxes `(1, total, 4)`, scores and classes `(1, total)`, and their number `(1,)`.
    """
    with tf.name_scope(SCOPE):
        # The order of the operations in the graph is that of the export.
        boxes, scores = (tf.unstack(tensor)[0] for tensor in entering[:2])
        window, count = tf.unstack(entering[3])[0], tf.unstack(entering[2])[0]
        boxes = tf.reshape(tf.slice(boxes, [0, 0, 0], tf.stack([count, -1, -1])), [-1, limits.classes, 4])
        scores = tf.reshape(tf.slice(scores, [0, 0], tf.stack([count, -1])), [-1, limits.classes])
        with tf.name_scope("MultiClassNonMaxSuppression"):
            kept, number = _suppress(tf, boxes, scores, window, limits)
        with tf.name_scope("PadOrClipBoxList"):
            shapes = ((limits.total, 4), (limits.total,), (limits.total,))
            padded = [_padded(tf, field, shape) for field, shape in zip(kept, shapes, strict=True)]
        return tuple(tf.stack([field]) for field in (*padded, number))


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


def alone(limits: Limits) -> Callable[..., list[Any]]:
    """The scope as a function: boxes, scores, count and window to boxes, scores, classes and count."""
    import tensorflow as tf

    v1: Any = tf.compat.v1
    with tf.Graph().as_default() as graph:
        fed = [
            v1.placeholder(tf.float32, (1, None, limits.classes, 4)),
            v1.placeholder(tf.float32, (1, None, limits.classes)),
            v1.placeholder(tf.int32, (1,)),
            v1.placeholder(tf.float32, (1, 4)),
        ]
        outputs = add(tf, fed, limits)
        called: Callable[..., list[Any]] = v1.Session(graph=graph).make_callable(list(outputs), feed_list=fed)
    return called


def graph(limits: Limits) -> Any:
    """The `GraphDef` of the scope, with what enters it and what reads its outputs."""
    import tensorflow as tf

    v1: Any = tf.compat.v1
    with tf.Graph().as_default() as built:
        fed = [
            v1.placeholder(tf.float32, (1, None, limits.classes, 4), "boxes"),
            v1.placeholder(tf.float32, (1, None, limits.classes), "scores"),
            v1.placeholder(tf.int32, (1,), "count"),
            v1.placeholder(tf.float32, (1, 4), "window"),
        ]
        for output in add(tf, fed, limits):
            tf.identity(output)
    return built.as_graph_def()


def write_module(
    directory: Path, limits: Limits | None = None, *, variables: bool = False, changed: bool = False
) -> Path:
    """Write a module with random weights, whose outputs are those of the published ones, and with this scope.

    Args:
        directory: must not exist.
        limits: of the scope.
        variables: weights in a checkpoint instead of in the graph.
        changed: the scope has one operation more than an export.
    """
    import tensorflow as tf

    limits = limits or Limits()
    v1: Any = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (1, None, None, 3))
        found = add(tf, _front(tf, images, limits.classes, variables=variables), limits)
        if changed:
            with tf.name_scope(SCOPE):
                found = (found[0], tf.stack([2 * found[1][0]]), *found[2:])
        outputs = _back(tf, *found)
        signature = v1.saved_model.build_signature_def(
            {"images": v1.saved_model.build_tensor_info(images)},
            {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in outputs.items()},
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(session, [], {"default": signature})
        builder.save()
    return directory


def _front(tf: Any, images: Any, classes: int, *, variables: bool) -> tuple[Any, Any, Any, Any]:
    """What enters the scope, for 20 places of the picture: boxes in pixels of the picture at 64x96."""
    random = np.random.default_rng(7)

    def weights(*shape: int) -> Any:
        values = tf.constant(random.normal(0, 2 / np.sqrt(np.prod(shape[:-1])), shape), tf.float32)
        return tf.compat.v1.get_variable(f"w{random.integers(1 << 30)}", initializer=values) if variables else values

    x = tf.image.resize(images, (64, 96))
    x = tf.nn.conv2d(x, weights(3, 3, 3, 8), 2, "SAME")
    x, *_ = tf.compat.v1.nn.fused_batch_norm(
        x, np.ones(8, np.float32), weights(8), np.full(8, 0.4, np.float32), np.ones(8, np.float32), is_training=False
    )
    x = tf.nn.relu6(tf.nn.bias_add(tf.nn.conv2d(tf.nn.relu(x), weights(3, 3, 8, 16), 2, "SAME"), weights(16)))
    places = tf.reshape(tf.nn.avg_pool2d(x, 4, 4, "VALID")[:, :, :5], (20, 16))
    scores = tf.nn.softmax(places @ weights(16, classes + 1) * 0.2)[:, 1:]
    corners = np.stack(np.meshgrid(range(0, 64, 16), range(0, 80, 16), indexing="ij"), axis=-1).reshape(20, 1, 2)
    anchors = np.concatenate([corners - 8, corners + 30], axis=2).astype(np.float32)
    boxes = tf.reshape(places @ weights(16, classes * 4), (20, classes, 4)) + anchors
    window = tf.constant([[0, 0, 64, 96]], tf.float32)
    # Known only at run time, as in the real graph.
    count = tf.compat.v1.placeholder_with_default(tf.constant([20]), (1,))
    return boxes[tf.newaxis], scores[tf.newaxis], count, window


def _back(tf: Any, boxes: Any, scores: Any, classes: Any, count: Any) -> dict[str, Any]:
    """The outputs of a module, from those of the scope."""
    number = count[0]
    labels = tf.cast(classes[0, :number], tf.int64) + 1
    known = sorted(open_images.classes(), key=lambda each: each.label)

    def table(texts: Sequence[str]) -> Any:
        keys = tf.range(1, len(texts) + 1, dtype=tf.int64)
        initializer = tf.lookup.KeyValueTensorInitializer(keys, tf.constant(list(texts)))
        return tf.lookup.StaticHashTable(initializer, "unknown").lookup(labels)

    return {
        "detection_boxes": boxes[0, :number],
        "detection_scores": scores[0, :number],
        "detection_class_labels": labels,
        "detection_class_names": table([each.mid for each in known]),
        "detection_class_entities": table([each.name for each in known]),
    }
