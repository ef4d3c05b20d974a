"""Writes a SavedModel of a few kB in the form of the TensorFlow 2 Object Detection API.

One box around the bright part of the picture, padded to a fixed number of rows, as `exporter_main_v2.py` writes them:
signature `serving_default`, one input, a batch of one, class ids as floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROWS = 10


def write(
    directory: Path,
    *,
    dtype: str = "uint8",
    size: tuple[int | None, int | None] = (None, None),
    class_id: float = 18.0,
    score: float = 0.75,
    count: float | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
    batch: int = 1,
    image_info: Sequence[Sequence[float]] | None = None,
) -> Path:
    """Write the model.

    Args:
        directory: must not exist.
        dtype: of the input: `uint8`, or `float32` with the same range of 0 to 255.
        size: `(height, width)` that it demands.
        class_id: of the box.
        score: of the box.
        count: what it says for the number of boxes; the true one if None.
        boxes: instead of the bright part, in ymin, xmin, ymax, xmax.
        batch: how many pictures it answers for.
        image_info: `(4, 2)`, the output of this name in models of the Model Garden; none if None.
    """
    import tensorflow as tf

    class Bright(tf.Module):  # type: ignore[misc]
        """Finds what is brighter than half."""

        def __init__(self) -> None:
            super().__init__()
            self.threshold = tf.Variable(127.0)  # a checkpoint, as real ones have

        @tf.function(input_signature=[tf.TensorSpec([1, *size, 3], dtype, name="input_tensor")])  # type: ignore[untyped-decorator]
        def __call__(self, input_tensor: Any) -> dict[str, Any]:
            lit = tf.reduce_max(tf.cast(input_tensor, tf.float32)[0], axis=2) > self.threshold
            spans = []
            for axis in (1, 0):  # rows first, then columns
                line = tf.cast(tf.reduce_any(lit, axis=axis), tf.int32)
                length = tf.shape(line)[0]
                first, after = (
                    tf.argmax(line, output_type=tf.int32),
                    length - tf.argmax(line[::-1], output_type=tf.int32),
                )
                spans.append([tf.cast(edge, tf.float32) / tf.cast(length, tf.float32) for edge in (first, after)])
            there = tf.cast(tf.reduce_any(lit), tf.int32)
            found = tf.stack([spans[0][0], spans[1][0], spans[0][1], spans[1][1]])[None]
            if boxes is not None:
                found, there = tf.constant(boxes, tf.float32), tf.constant(len(boxes))
            found = found[:there]
            padding = ROWS - tf.shape(found)[0]
            scores = tf.fill([there], score)

            def batched(rows: Any) -> Any:
                return tf.repeat(rows[None], batch, axis=0)

            info = {} if image_info is None else {"image_info": batched(tf.constant(image_info, tf.float32))}
            return {
                **info,
                "detection_boxes": batched(tf.ensure_shape(tf.pad(found, [[0, padding], [0, 0]]), [ROWS, 4])),
                "detection_scores": batched(tf.pad(scores, [[0, padding]])),
                "detection_classes": batched(tf.fill([ROWS], class_id)),
                "num_detections": batched(tf.cast(there, tf.float32) if count is None else tf.constant(count)),
            }

    model = Bright()
    tf.saved_model.save(model, str(directory), signatures={"serving_default": model.__call__})
    return directory
