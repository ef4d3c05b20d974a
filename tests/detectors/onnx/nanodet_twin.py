"""NanoDet-g as an ONNX file of the family `yolov8`, made from the LiteRT file in the cache.

The operations are those of the LiteRT file, with one plane a channel. Behind them the graph decodes its output to
boxes and scores, as exporters do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from streamer.models.pinned import nanodet
from tests.detectors.onnx import graphs
from tests.detectors.onnx.graphs import Array

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_DTYPES = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.FLOAT16: "<f2", schema.TensorType.INT32: "<i4"}
_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


def write(path: Path, litert_file: bytes) -> Path:
    """Write the model: float32 `(1, 3, 416, 416)` to float32 `(1, 84, 3549)`."""
    twin = _Twin(schema.ModelT.InitFromPackedBuf(litert_file, 0))
    rows = twin.translate()
    output = twin.decoded(rows)
    side = nanodet.INPUT_PX
    picture = helper.make_tensor_value_info(twin.picture, TensorProto.FLOAT, [1, 3, side, side])
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 4 + nanodet.CLASSES, twin.cells])
    return graphs.save(path, twin.nodes, [picture], [result], twin.weights)


class _Twin:
    """Nodes and weights so far; a tensor has the same number as in the LiteRT file."""

    def __init__(self, model: Any) -> None:
        self._model, self._graph = model, model.subgraphs[0]
        self._constants = {number: self._content(tensor) for number, tensor in enumerate(self._graph.tensors)}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.picture = f"t{self._graph.inputs[0]}"
        self.cells = int(self._graph.tensors[self._graph.outputs[0]].shape[0])

    def translate(self) -> str:
        """All operations; the name of the output `(cells, 124)`."""
        for operator in self._graph.operators:
            name = _OPERATORS[self._model.operatorCodes[operator.opcodeIndex].builtinCode]
            getattr(self, f"_{name.lower()}")(operator, f"t{operator.outputs[0]}")
        return f"t{self._graph.outputs[0]}"

    def decoded(self, rows: str) -> str:
        """Behind the network: centre, size and scores in `(1, 84, cells)`."""
        centres, strides = _cells()
        scores = self._node("Sigmoid", [self._slice(rows, 0, nanodet.CLASSES)])
        shape = self._weight(np.array([self.cells, 4, nanodet.BINS], np.int64))
        bins = self._node("Reshape", [self._slice(rows, nanodet.CLASSES, nanodet.CLASSES + 4 * nanodet.BINS), shape])
        means = self._node(
            "MatMul",
            [self._node("Softmax", [bins], axis=2), self._weight(np.arange(nanodet.BINS, dtype=np.float32)[:, None])],
        )
        flat = self._node("Reshape", [means, self._weight(np.array([self.cells, 4], np.int64))])
        distances = self._node("Mul", [flat, self._weight(strides)])
        corner = [self._node("Sub", [self._weight(centres), self._slice(distances, 0, 2)])]
        corner += [self._node("Add", [self._weight(centres), self._slice(distances, 2, 4)])]
        limits = [self._weight(np.array(limit, np.float32)) for limit in (0, nanodet.INPUT_PX)]
        low, high = (self._node("Clip", [one, *limits]) for one in corner)
        middle = self._node("Mul", [self._node("Add", [low, high]), self._weight(np.array(0.5, np.float32))])
        joined = self._node("Concat", [middle, self._node("Sub", [high, low]), scores], axis=1)
        turned = self._node("Transpose", [joined], perm=[1, 0])
        return self._node("Unsqueeze", [turned, self._weight(np.array([0], np.int64))])

    def _content(self, tensor: Any) -> Array | None:
        data = self._model.buffers[tensor.buffer].data
        if data is None:
            return None
        return np.frombuffer(bytes(data), _DTYPES[tensor.type]).reshape(
            tensor.shape if tensor.shape is not None else ()
        )

    def _node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _weight(self, value: Array) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _slice(self, source: str, start: int, end: int) -> str:
        bounds = [self._weight(np.array([one], np.int64)) for one in (start, end, 1)]
        return self._node("Slice", [source, *bounds])

    def _dequantize(self, operator: Any, _: str) -> None:
        value = self._constants[operator.inputs[0]]
        assert value is not None
        self._constants[operator.outputs[0]] = value.astype(np.float32)

    def _conv_2d(self, operator: Any, output: str) -> None:
        source, kernel, bias = operator.inputs
        weights, options = self._constants[kernel], operator.builtinOptions
        assert weights is not None
        margin = weights.shape[1] // 2 if options.padding == schema.Padding.SAME else 0
        inputs = [self._weight(weights.transpose(0, 3, 1, 2)), self._weight(np.asarray(self._constants[bias]))]
        strides = [options.strideH, options.strideW]
        self._node("Conv", [f"t{source}", *inputs], output, pads=[margin] * 4, strides=strides)

    def _leaky_relu(self, operator: Any, output: str) -> None:
        self._node("LeakyRelu", [f"t{operator.inputs[0]}"], output, alpha=operator.builtinOptions.alpha)

    def _pad(self, operator: Any, output: str, value: float = 0) -> None:
        margins = np.asarray(self._constants[operator.inputs[1]])[[0, 3, 1, 2]]
        pads = self._weight(margins.T.ravel().astype(np.int64))
        self._node("Pad", [f"t{operator.inputs[0]}", pads, self._weight(np.array(value, np.float32))], output)

    def _padv2(self, operator: Any, output: str) -> None:
        self._pad(operator, output, float(np.asarray(self._constants[operator.inputs[2]])))

    def _max_pool_2d(self, operator: Any, output: str) -> None:
        self._node("MaxPool", [f"t{operator.inputs[0]}"], output, kernel_shape=[3, 3], strides=[2, 2])

    def _concatenation(self, operator: Any, output: str) -> None:
        axis = {3: 1, 0: 0}[operator.builtinOptions.axis]
        self._node("Concat", [f"t{one}" for one in operator.inputs], output, axis=axis)

    def _add(self, operator: Any, output: str) -> None:
        self._node("Add", [f"t{one}" for one in operator.inputs], output)

    def _resize_bilinear(self, operator: Any, output: str) -> None:
        _, rows, columns, channels = self._graph.tensors[operator.outputs[0]].shape
        sizes = self._weight(np.array([1, channels, rows, columns], np.int64))
        self._node("Resize", [f"t{operator.inputs[0]}", "", "", sizes], output, mode="linear")

    def _reshape(self, operator: Any, output: str) -> None:
        shape = self._weight(np.array(self._graph.tensors[operator.outputs[0]].shape, np.int64))
        turned = self._node("Transpose", [f"t{operator.inputs[0]}"], perm=[0, 2, 3, 1])
        self._node("Reshape", [turned, shape], output)


def _cells() -> tuple[Array, Array]:
    """Centre `(cells, 2)` and stride `(cells, 1)` of each row, in pixels of the input."""
    centres, strides = [], []
    for stride in nanodet.STRIDES:
        side = nanodet.INPUT_PX // stride
        y, x = np.mgrid[:side, :side].astype(np.float32)
        centres.append((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(np.full((side * side, 1), stride, np.float32))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides)
