"""ONNX files with the signatures of well-known exporters, made with `onnx.helper`.

A graph returns given arrays. So that the picture is part of the graph, as ONNX Runtime requires of an input that is
used, the mean of the picture times 0 is added to the first output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Shape = Sequence[int | str]
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}
YOLO_NAMES = "{0: 'person', 1: 'car'}"
ULTRALYTICS = {
    "description": "Ultralytics YOLO11n model trained on coco.yaml",
    "author": "Ultralytics",
    "stride": "32",
    "task": "detect",
    "batch": "1",
    "imgsz": "[64, 96]",
    "names": YOLO_NAMES,
}
SIZE = (96, 64)
"""Width and height of the input of most graphs."""


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a model of these parts."""
    graph = helper.make_graph(list(nodes), "detector", list(inputs), list(outputs), list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def constant(
    path: Path,
    outputs: Mapping[str, Array],
    *,
    size: tuple[int, int] = SIZE,
    picture: Shape | None = None,
    dtype: str = "float32",
    shapes: Mapping[str, Shape] | None = None,
    metadata: Mapping[str, str] | None = None,
    name: str = "images",
) -> Path:
    """A model that returns the same arrays for each picture.

    Args:
        path: of the file.
        outputs: by name, with the batch.
        size: width and height of the input.
        picture: another shape of the input, such as one with names of axes.
        dtype: of the input.
        shapes: of outputs, if the file gives others than those of the arrays.
        metadata: of the file.
        name: of the input.
    """
    shape = picture if picture is not None else (1, 3, size[1], size[0])
    nodes, weights = [], []
    for number, (output, array) in enumerate(outputs.items()):
        kind = array.dtype.name
        weights.append(numpy_helper.from_array(array, f"{output}_value"))
        nodes += [
            helper.make_node("Cast", [name], [f"picture_{number}"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", [f"picture_{number}"], [f"mean_{number}"], keepdims=0),
            helper.make_node("Mul", [f"mean_{number}", "zero"], [f"nothing_{number}"]),
            helper.make_node("Cast", [f"nothing_{number}"], [f"typed_{number}"], to=_TYPES[kind]),
            helper.make_node("Add", [f"{output}_value", f"typed_{number}"], [output]),
        ]
    weights.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    shown = shapes or {}
    return save(
        path,
        nodes,
        [helper.make_tensor_value_info(name, _TYPES[dtype], list(shape))],
        [
            helper.make_tensor_value_info(key, _TYPES[array.dtype.name], list(shown.get(key, array.shape)))
            for key, array in outputs.items()
        ],
        weights,
        metadata,
    )


def yolov8(boxes: Array, scores: Array, size: tuple[int, int] = SIZE) -> Array:
    """The output `(1, 4+C, N)` with these boxes x0, y0, x1, y1 `(K, 4)` and scores `(K, C)` in its first columns."""
    rows = np.zeros((sum((size[0] // step) * (size[1] // step) for step in (8, 16, 32)), 4 + scores.shape[1]))
    rows[: len(boxes), :4] = centred(boxes)
    rows[: len(boxes), 4:] = scores
    return np.ascontiguousarray(rows.T[None], np.float32)


def yolox(cells: Sequence[tuple[int, int, int]], boxes: Array, scores: Array, size: tuple[int, int] = SIZE) -> Array:
    """The output `(1, N, 5+C)` of a raw head: each box in its cell `(stride, column, row)`, objectness 0.5 to 1."""
    steps = (8, 16, 32)
    firsts = np.cumsum([0, *((size[0] // step) * (size[1] // step) for step in steps)])
    output = np.zeros((1, int(firsts[-1]), 5 + scores.shape[1]), np.float32)
    for (step, column, row), box, of_classes in zip(cells, centred(boxes), scores, strict=True):
        at = int(firsts[steps.index(step)]) + row * (size[0] // step) + column
        output[0, at, :2] = box[:2] / step - (column, row)
        output[0, at, 2:4] = np.log(box[2:] / step)
        output[0, at, 4], output[0, at, 5:] = 0.8, of_classes / 0.8
    return output


def detr(boxes: Array, scores: Array, size: tuple[int, int] = SIZE, queries: int = 5) -> tuple[Array, Array]:
    """Boxes `(1, queries, 4)` in 0..1 and logits `(1, queries, C)`."""
    dets = np.full((1, queries, 4), 0.5, np.float32)
    logits = np.full((1, queries, scores.shape[1]), -9, np.float32)
    dets[0, : len(boxes)] = centred(boxes) / [*size, *size]
    logits[0, : len(boxes)] = np.log(scores / (1 - scores))
    return dets, logits


def dfine(path: Path, boxes: Array, scores: Array, labels: Array, sizes: str = "int64") -> Path:
    """D-FINE's graph: boxes in 0..1 times `orig_target_sizes`."""
    fractions = (boxes / [*SIZE, *SIZE]).astype(np.float32)[None]
    weights: dict[str, Array] = {"labels_value": labels.astype(np.int64)[None], "fractions": fractions}
    weights |= {"scores_value": scores.astype(np.float32)[None], "zero": np.array(0, np.float32)}
    nodes = [
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["sizes", "sizes"], ["factors"], axis=1),
        helper.make_node("Mul", ["fractions", "factors"], ["boxes"]),
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["scores_value", "nothing"], ["scores"]),
        helper.make_node("Identity", ["labels_value"], ["labels"]),
    ]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIZE[1], SIZE[0]]),
        helper.make_tensor_value_info("orig_target_sizes", _TYPES[sizes], ["N", 2]),
    ]
    outputs = [
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", "K"]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", "K", 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", "K"]),
    ]
    return save(path, nodes, inputs, outputs, [numpy_helper.from_array(value, key) for key, value in weights.items()])


def seeing(
    path: Path, *, dtype: str = "float32", layout: str = "nchw", metadata: Mapping[str, str] | None = None
) -> Path:
    """An end-to-end model of 8x4 pixels with one row: the box is the mean of the three channels and of all, score 0.9.

    The box is `(a, b, a + 4, b + 2)`, where a and b are the means of the first and the last channel of the input.
    """
    shape = (1, 3, 4, 8) if layout == "nchw" else (1, 4, 8, 3)
    channel, axes = (1, [2, 3]) if layout == "nchw" else (3, [1, 2])
    weights: dict[str, Array] = {
        "first": np.array([0], np.int64),
        "last": np.array([2], np.int64),
        "rest": np.array([[[4, 2, 0.9, 1]]], np.float32),
        "none": np.zeros((1, 1, 2), np.float32),
    }
    nodes = [helper.make_node("Cast", ["images"], ["picture"], to=TensorProto.FLOAT)]
    for one in ("first", "last"):
        nodes.append(helper.make_node("Gather", ["picture", one], [f"{one}_plane"], axis=channel))
        nodes.append(helper.make_node("ReduceMean", [f"{one}_plane"], [f"{one}_mean"], axes=axes, keepdims=0))
    nodes += [
        helper.make_node("Concat", ["first_mean", "last_mean"], ["corner"], axis=1),
        helper.make_node("Unsqueeze", ["corner", "first"], ["top_left"]),
        helper.make_node("Concat", ["top_left", "top_left", "none"], ["corners"], axis=2),
        helper.make_node("Concat", ["none", "rest"], ["added"], axis=2),
        helper.make_node("Add", ["corners", "added"], ["output0"]),
    ]
    picture = helper.make_tensor_value_info("images", _TYPES[dtype], list(shape))
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 1, 6])
    values = [numpy_helper.from_array(value, key) for key, value in weights.items()]
    return save(path, nodes, [picture], [output], values, metadata)


def rfdetr_metadata(names: Mapping[int, str], size: tuple[int, int] = SIZE) -> dict[str, str]:
    """What RF-DETR writes, in part."""
    told = {
        "schema_version": 1,
        "task": "detect",
        "input_shape": [1, 3, size[1], size[0]],
        "means": [0.5, 0.5, 0.5],
        "stds": [0.25, 0.25, 0.25],
        "class_names": list(names.values()),
        "class_id_to_name": {str(key): name for key, name in names.items()},
    }
    return {"rfdetr_inference": json.dumps(told)}


def centred(boxes: Array) -> Array:
    """Centre x, centre y, width, height of boxes x0, y0, x1, y1."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
