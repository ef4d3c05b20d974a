"""Writes a LiteRT model (a TensorFlow Lite flatbuffer) operation by operation. Main thread.

Only the operations that `streamer.models.pinned.nanodet` needs. Tensors have the layout NHWC. The bytes depend on the
calls and on the version of flatbuffers. Operations and their options are those of the schema
(https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Array = npt.NDArray[Any]

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
}
_VERSION = 3
_IDENTIFIER = b"TFL3"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        index: row in the subgraph's table of tensors.
        shape: of the value.
    """

    index: int
    shape: tuple[int, ...]


class GraphWriter:
    """Collects operations in the order of their execution; `finish` returns the model.

    Every method that adds an operation returns its output.
    """

    def __init__(self) -> None:
        self._buffers = [schema.BufferT()]  # the first one means "no content"
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[int] = []

    def placeholder(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """An input of the model, float32."""
        return self._tensor(shape, "float32", name=name)

    def constant(self, value: Array) -> Tensor:
        """A constant; float16 is converted to float32 when the model is loaded."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self._buffers.append(buffer)
        stored = self._tensor(value.shape, value.dtype.name, buffer=len(self._buffers) - 1)
        if value.dtype != np.float16:
            return stored
        return self._add("DEQUANTIZE", [stored], value.shape)

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        """The sum of two tensors of one shape."""
        return self._add("ADD", [left, right], left.shape, schema.AddOptionsT())

    def conv(self, source: Tensor, kernel: Array, bias: Array, *, stride: int = 1) -> Tensor:
        """A convolution with `kernel // 2` rows of zeros around the source.

        Args:
            source: `(1, height, width, channels)`.
            kernel: `(rows, columns, channels, outputs)`, as TensorFlow has it.
            bias: `(outputs,)`.
            stride: 1 or 2.
        """
        margin = kernel.shape[0] // 2
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME if stride == 1 else schema.Padding.VALID
        options.strideH = options.strideW = stride
        padded = source if stride == 1 or not margin else self.pad(source, margin, 0.0)
        height, width = (-(-side // stride) for side in source.shape[1:3])
        weights = self.constant(np.ascontiguousarray(kernel.transpose(3, 0, 1, 2)))
        inputs = [padded, weights, self.constant(bias.astype(np.float32))]
        return self._add("CONV_2D", inputs, (1, height, width, kernel.shape[3]), options)

    def max_pool(self, source: Tensor) -> Tensor:
        """The maximum of 3x3 values at every second row and column; positions outside do not count."""
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH = options.strideW = 2
        options.filterHeight = options.filterWidth = 3
        padded = self.pad(source, 1, float(np.finfo(np.float32).min))
        _, height, width, channels = source.shape
        return self._add("MAX_POOL_2D", [padded], (1, -(-height // 2), -(-width // 2), channels), options)

    def pad(self, source: Tensor, margin: int, value: float) -> Tensor:
        """Constant rows and columns on all four sides."""
        margins = self.constant(np.array([[0, 0], [margin, margin], [margin, margin], [0, 0]], np.int32))
        _, height, width, channels = source.shape
        shape = (1, height + 2 * margin, width + 2 * margin, channels)
        if value == 0:
            return self._add("PAD", [source, margins], shape, schema.PadOptionsT())
        constant = self.constant(np.array(value, np.float32))
        return self._add("PADV2", [source, margins, constant], shape, schema.PadV2OptionsT())

    def leaky_relu(self, source: Tensor, alpha: float) -> Tensor:
        """`x` if positive, else `alpha * x`."""
        options = schema.LeakyReluOptionsT()
        options.alpha = alpha
        return self._add("LEAKY_RELU", [source], source.shape, options)

    def concatenate(self, sources: Sequence[Tensor], axis: int) -> Tensor:
        """The sources one after the other along an axis."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = list(sources[0].shape)
        shape[axis] = sum(source.shape[axis] for source in sources)
        return self._add("CONCATENATION", sources, tuple(shape), options)

    def resize(self, source: Tensor, height: int, width: int) -> Tensor:
        """Bilinear, with half-pixel centres."""
        options = schema.ResizeBilinearOptionsT()
        options.halfPixelCenters = True
        size = self.constant(np.array([height, width], np.int32))
        return self._add("RESIZE_BILINEAR", [source, size], (1, height, width, source.shape[3]), options)

    def reshape(self, source: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The same values in another shape."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        return self._add("RESHAPE", [source, self.constant(np.array(shape, np.int32))], shape, options)

    def finish(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], description: str) -> bytes:
        """The model, for `Interpreter(model_content=...)`."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self._tensors, self._operators, b"main"
        graph.inputs, graph.outputs = _indices(inputs), _indices(outputs)
        model = schema.ModelT()
        model.version, model.description = _VERSION, description
        model.operatorCodes = [_operator_code(code) for code in self._codes]
        model.subgraphs, model.buffers = [graph], self._buffers
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def _tensor(self, shape: tuple[int, ...], dtype: str, *, buffer: int = 0, name: str = "") -> Tensor:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), _TYPES[dtype], buffer
        tensor.name = name or f"t{len(self._tensors)}"
        tensor.hasRank = True
        self._tensors.append(tensor)
        return Tensor(len(self._tensors) - 1, tuple(shape))

    def _add(self, name: str, inputs: Sequence[Tensor], shape: tuple[int, ...], options: Any = None) -> Tensor:
        code = getattr(schema.BuiltinOperator, name)
        if code not in self._codes:
            self._codes.append(code)
        operator, output = schema.OperatorT(), self._tensor(shape, "float32")
        operator.opcodeIndex = self._codes.index(code)
        operator.inputs, operator.outputs = _indices(inputs), [output.index]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            operator.builtinOptions = options
        self._operators.append(operator)
        return output


def _indices(tensors: Sequence[Tensor]) -> list[int]:
    return [tensor.index for tensor in tensors]


def _operator_code(code: int) -> Any:
    entry = schema.OperatorCodeT()
    entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
    entry.version = 2 if code == schema.BuiltinOperator.DEQUANTIZE else 1  # 2: from float16
    return entry
