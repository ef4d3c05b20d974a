"""Writes a working TensorFlow Hub module of a few kB with the signature of the Open Images V4 detectors.

It finds areas of pure colour: one box for each colour of its palette that is in the picture. Format and quirks are
those of the published modules: TF1 graph without tags, tables that must be initialized, swapped columns of names,
static shapes of `(None, 1)`, any number of boxes down to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

Colour = tuple[int, int, int]


class Paint(NamedTuple):
    """One colour and its detection."""

    rgb: Colour
    label: int
    mid: str
    name: str
    score: float


# Not by falling score: modules do not sort, `Detector` does.
PALETTE = (
    Paint((255, 0, 0), 571, "/m/0k4j", "Car", 0.6),
    Paint((0, 0, 255), 69, "/m/01g317", "Person", 0.9),
    Paint((0, 255, 0), 391, "/m/07j7r", "Tree", 0.1),
)


def write(
    directory: Path,
    palette: Sequence[Paint] = PALETTE,
    *,
    swapped_columns: bool = True,
    claims_rank_2: bool = True,
    is_rank_2: bool = False,
    variables: bool = False,
    signature_name: str = "default",
    input_name: str = "images",
    broken_rows: bool = False,
    raises_on: Colour | None = None,
    hangs_on: Colour | None = None,
) -> Path:
    """Write the module.

    Args:
        directory: must not exist.
        palette: what it detects.
        swapped_columns: MIDs in `detection_class_names`, as in the published modules and unlike their documentation.
        claims_rank_2: the signature has `(None, 1)` for outputs of `(N,)`.
        is_rank_2: the outputs are `(N, 1)`.
        variables: weights in a checkpoint instead of in the graph.
        signature_name, input_name: other names make a SavedModel that is no detector.
        broken_rows: one score more than boxes.
        raises_on: a colour that makes the graph fail.
        hangs_on: a colour that makes the graph loop endlessly.
    """
    import tensorflow as tf

    v1: Any = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (1, None, None, 3))
        looked_at = _after_failing(tf, images, raises_on, hangs_on)
        outputs = _detect(tf, looked_at, palette, variables=variables, broken_rows=broken_rows)
        if not swapped_columns:
            mids, names = outputs["detection_class_names"], outputs["detection_class_entities"]
            outputs |= {"detection_class_names": names, "detection_class_entities": mids}
        if is_rank_2:
            columns = {name: tensor[:, None] for name, tensor in outputs.items() if name != "detection_boxes"}
            outputs |= columns
        if claims_rank_2:
            outputs |= {
                # Identities at run time; their static shape is not checked.
                name: v1.placeholder_with_default(v1.placeholder_with_default(tensor, None), (None, 1))
                for name, tensor in outputs.items()
                if name != "detection_boxes"
            }
        signature = v1.saved_model.build_signature_def(
            {input_name: v1.saved_model.build_tensor_info(images)},
            {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in outputs.items()},
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(session, [], {signature_name: signature})
        builder.save()
    return directory


def _after_failing(tf: Any, images: Any, raises_on: Colour | None, hangs_on: Colour | None) -> Any:
    """The images, after a check for the two colours."""

    def shows(colour: Colour) -> Any:
        far = tf.reduce_max(tf.abs(images - tf.constant(colour, tf.float32) / 255), axis=3)
        return tf.reduce_any(far < 0.05)

    gates = []
    if raises_on is not None:
        gates.append(tf.debugging.Assert(~shows(raises_on), ["a colour that this module refuses"]))
    if hangs_on is not None:
        hangs = shows(hangs_on)
        gates += tf.while_loop(lambda _: hangs, lambda turns: (turns + 1,), (tf.constant(0, tf.int64),))
    with tf.control_dependencies(gates):
        return tf.identity(images)


def _detect(tf: Any, images: Any, palette: Sequence[Paint], *, variables: bool, broken_rows: bool) -> dict[str, Any]:
    """The graph: boxes around the pixels of each colour."""
    colours: Any = [[channel / 255 for channel in paint.rgb] for paint in palette]
    if variables:
        colours = tf.compat.v1.get_variable("colours", initializer=tf.constant(colours, tf.float32))
    far = tf.reduce_max(tf.abs(images - tf.reshape(colours, (-1, 1, 1, 3))), axis=3)
    painted = far < 0.05
    spans = []
    for axis in (2, 1):  # rows first, then columns
        lit = tf.cast(tf.reduce_any(painted, axis=axis), tf.int32)
        length = tf.shape(lit)[1]
        first, after = tf.argmax(lit, 1), length - tf.argmax(tf.reverse(lit, [1]), 1, tf.int32)
        spans.append([tf.cast(edge, tf.float32) / tf.cast(length, tf.float32) for edge in (first, after)])
    (ymin, ymax), (xmin, xmax) = spans
    there = tf.where(tf.reduce_any(painted, axis=(1, 2)))[:, 0]
    scores = tf.gather(tf.constant([paint.score for paint in palette], tf.float32), there)
    return {
        "detection_boxes": tf.gather(tf.stack([ymin, xmin, ymax, xmax], axis=1), there),
        "detection_scores": tf.pad(scores, [[0, 1]]) if broken_rows else scores,
        "detection_class_labels": tf.gather(tf.constant([paint.label for paint in palette], tf.int64), there),
        "detection_class_names": _table(tf, [paint.mid for paint in palette]).lookup(there),
        "detection_class_entities": _table(tf, [paint.name for paint in palette]).lookup(there),
    }


def _table(tf: Any, values: Sequence[str]) -> Any:
    keys = tf.range(len(values), dtype=tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, tf.constant(values)), "unknown")
