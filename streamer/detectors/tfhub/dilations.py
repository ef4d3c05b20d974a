"""Writes dilated convolutions as one operation. Main thread.

TensorFlow 1 wrote a convolution with a dilation as three operations: it moved every second pixel to a batch of its own
(SpaceToBatchND), convolved, and moved the pixels back, with 60 more operations that computed the padding from the size
of the picture (`with_space_to_batch` in tensorflow/python/ops/nn_ops.py). In the detector of record these are 7,600
operations for 101 convolutions. Today's kernels for CPUs have the dilation as an attribute.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.models.tensorflow_import import tensorflow

Array = npt.NDArray[Any]

_LARGEST_DILATION = 4
_SIZES = (20, 31)
"""Height and width, and those after them, for which the padding is compared. It depends on the remainder only."""


class _UnknownError(Exception):
    """A padding is computed in a way that is not known."""


def write_as_attributes(graph: Any, kept: Collection[str]) -> int:
    """Replace such convolutions in a `GraphDef`. The operations for the padding stay; nothing reads them any more.

    Args:
        graph: changed in place. BatchToSpaceND is replaced by the convolution, under its name.
        kept: names of nodes that must stay, because they are fetched.

    Returns:
        The number of replaced convolutions.
    """
    nodes = {node.name: node for node in graph.node}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name.lstrip("^").partition(":")[0], []).append(node)
    replaced = 0
    for last in graph.node:
        convolution = nodes.get(last.input[0]) if last.op == "BatchToSpaceND" else None
        first = nodes.get(convolution.input[0]) if convolution is not None and convolution.op == "Conv2D" else None
        if convolution is None or first is None or first.op != "SpaceToBatchND":
            continue
        if convolution.name in kept or len(readers[convolution.name]) > 1 or not _is_undilated(convolution):
            continue
        dilation = _same_dilation(nodes, first, convolution, last)
        if dilation is not None:
            _replace(last, first.input[0], convolution, dilation)
            replaced += 1
    return replaced


def _is_undilated(convolution: Any) -> bool:
    attributes = convolution.attr
    return (
        attributes["padding"].s == b"VALID"
        and attributes["data_format"].s in (b"", b"NHWC")
        and set(attributes["strides"].list.i) == {1}
        and set(attributes["dilations"].list.i) <= {1}
        and not any(name.startswith("^") for name in convolution.input)
    )


def _same_dilation(nodes: Mapping[str, Any], first: Any, convolution: Any, last: Any) -> tuple[int, int] | None:
    """The dilation of height and width, if the three operations are a convolution with padding SAME."""
    try:
        constants = _Padding(nodes, first.input[0], ())
        block = constants.value(first.input[1])
        if block.shape != (2,) or block.min() < 1 or block.max() > _LARGEST_DILATION:
            return None
        if not np.array_equal(block, constants.value(last.input[1])):
            return None
        border = (_kernel_size(nodes, convolution.input[1]) - 1) * block
        before, after = border // 2, border - border // 2
        for steps in itertools.product(range(block[0]), range(block[1])):
            size = np.add(_SIZES, steps)
            padding = _Padding(nodes, first.input[0], (1, *size, 3))
            filling = -(size + border) % block
            expected = np.stack([before, after + filling], axis=1), np.stack([0 * filling, filling], axis=1)
            found = padding.value(first.input[2]), padding.value(last.input[2])
            if not all(map(np.array_equal, expected, found)):
                return None
    except (_UnknownError, LookupError, ValueError):
        return None
    return int(block[0]), int(block[1])


def _kernel_size(nodes: Mapping[str, Any], name: str) -> Array:
    """Height and width of weights in the graph."""
    node = nodes[name.removesuffix(":0")]
    while node.op == "Identity":
        node = nodes[node.input[0].removesuffix(":0")]
    if node.op != "Const":
        raise _UnknownError(node.op)
    return np.array([each.size for each in node.attr["value"].tensor.tensor_shape.dim[:2]])


class _Padding:
    """Computes values of a graph that depend on nothing but the shape of one tensor.

    Args:
        nodes: of the graph, by name.
        source: name of the tensor.
        shape: of it.
    """

    def __init__(self, nodes: Mapping[str, Any], source: str, shape: tuple[int, ...]) -> None:
        self._nodes, self._source, self._shape = nodes, source, shape
        self._values: dict[str, Array] = {}

    def value(self, name: str) -> Array:
        """The value of a tensor.

        Raises:
            _UnknownError: it depends on something else, or by other operations than those of paddings.
        """
        name = name.removesuffix(":0")
        if name not in self._values:
            self._values[name] = self._compute(self._nodes[name])
        return self._values[name]

    def _compute(self, node: Any) -> Array:
        if node.op == "Const":
            constant: Array = tensorflow().make_ndarray(node.attr["value"].tensor)
            return constant
        if node.op == "Shape" and node.input[0] == self._source:
            return np.array(self._shape, np.int32)
        values = [self.value(name) for name in node.input]
        match node.op:
            case "Identity":
                return values[0]
            case "Add" | "AddV2":
                return np.add(*values)
            case "Sub":
                return np.subtract(*values)
            case "FloorMod":
                return np.mod(*values)
            case "Pack":
                return np.stack(values, axis=node.attr["axis"].i)
            case "ConcatV2":
                return np.concatenate(values[:-1], axis=int(values[-1]))
            case "StridedSlice":
                return _strided_slice(node, *values)
        raise _UnknownError(node.op)


def _strided_slice(node: Any, values: Array, begin: Array, end: Array, strides: Array) -> Array:
    if node.attr["ellipsis_mask"].i or node.attr["new_axis_mask"].i:
        raise _UnknownError("StridedSlice with new axes")
    index: list[int | slice] = []
    for axis in range(len(begin)):

        def is_set(mask: str, axis: int = axis) -> bool:
            return bool(node.attr[mask].i >> axis & 1)

        if is_set("shrink_axis_mask"):
            index.append(int(begin[axis]))
        else:
            first = None if is_set("begin_mask") else int(begin[axis])
            after = None if is_set("end_mask") else int(end[axis])
            index.append(slice(first, after, int(strides[axis])))
    return np.asarray(values[tuple(index)])


def _replace(last: Any, source: str, convolution: Any, dilation: tuple[int, int]) -> None:
    last.op = "Conv2D"
    weights = convolution.input[1]
    del last.input[:]
    last.input.extend([source, weights])
    last.attr.clear()
    for key in ("T", "strides", "data_format"):
        if key in convolution.attr:
            last.attr[key].CopyFrom(convolution.attr[key])
    last.attr["padding"].s = b"SAME"
    last.attr["dilations"].list.i.extend([1, *dilation, 1])
