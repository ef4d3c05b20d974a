"""The published TensorFlow.js graph of NanoDet-g, run by TensorFlow: makes the golden outputs of `test_nanodet`.

    python -m tests.models.pinned.published_nanodet PACKAGE

PACKAGE is the unpacked npm package of `streamer.models.pinned.nanodet.SOURCES`. Needs TensorFlow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.models.pinned import nanodet

GOLDEN = Path(__file__).with_name("nanodet_golden.npz")
EVERY = 29
"""Every so many rows of the 3,549 are kept."""


def picture() -> npt.NDArray[np.float32]:
    """A normalized RGB picture `(416, 416, 3)`: gradients and rectangles, the same on every machine."""
    y, x = np.mgrid[:416, :416]
    rgb = np.stack([x % 256, y % 256, (x + 2 * y) // 5 % 256], axis=-1)
    for number in range(24):
        left, top = number * 97 % 380, number * 61 % 370
        rgb[top : top + 20 + number * 7 % 120, left : left + 15 + number * 11 % 140] = (
            np.array([41, 87, 13]) * number % 256
        )
    mean, deviation = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    normalized: npt.NDArray[np.float32] = ((rgb - mean) / deviation).astype(np.float32)
    return normalized


def outputs(package: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Scores `(3549, 80)` and logits of the distances `(3549, 44)` for `picture()`, by the graph as it is published."""
    import tensorflow as tf
    from google.protobuf import json_format  # type: ignore[import-untyped]
    from tensorflow.core.framework import graph_pb2, node_def_pb2

    manifest, values = (package / item.name for item in nanodet.SOURCES)
    model = json.loads(manifest.read_bytes())
    arrays = nanodet._arrays(model, values.read_bytes())
    graph = graph_pb2.GraphDef()
    for node in model["modelTopology"]["node"]:
        if node["name"] in arrays:
            graph.node.append(_constant(tf, node, arrays[node["name"]]))
        else:
            plain = {key: value for key, value in node.items() if key != "device"}
            graph.node.append(json_format.ParseDict(plain, node_def_pb2.NodeDef()))
    names = list(model["signature"]["outputs"])
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    bgr = picture()[None, :, :, ::-1].transpose(0, 3, 1, 2)
    found = wrapped.prune("input_1:0", names)(tf.constant(np.ascontiguousarray(bgr)))
    arrays_found = sorted((array.numpy()[0] for array in found), key=len, reverse=True)
    return (
        np.concatenate([array for array in arrays_found if array.shape[1] == nanodet.CLASSES]),
        np.concatenate([array for array in arrays_found if array.shape[1] == 4 * nanodet.BINS]),
    )


def _constant(tf: Any, node: dict[str, Any], array: npt.NDArray[Any]) -> Any:
    """A constant node; TensorFlow.js stores float16 and int32 for float32 and int64."""
    kinds = {"DT_FLOAT": np.float32, "DT_INT64": np.int64}
    wanted = kinds.get(node["attr"]["dtype"]["type"], array.dtype)
    made = tf.compat.v1.NodeDef(op="Const", name=node["name"])
    made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array.astype(wanted)))
    made.attr["dtype"].type = made.attr["value"].tensor.dtype
    return made


if __name__ == "__main__":
    scores, distances = outputs(Path(sys.argv[1]))
    rows = np.arange(0, len(scores), EVERY)
    np.savez_compressed(GOLDEN, rows=rows, scores=scores[rows], distances=distances[rows], monitors=scores[:, 62])
    print(f"{GOLDEN}: {len(rows)} of {len(scores)} rows, best score {scores.max():.3f}")
