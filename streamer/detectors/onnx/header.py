"""Reads what an ONNX file says about itself: inputs, outputs and metadata, without its weights. Main thread.

The file is a protobuf message, `ModelProto` of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Only the fields
below are read and everything else is skipped: 30 ms for 3,000 operations with 1,500 weights of any size, without
memory, `onnx` or `onnxruntime`. This also finds a truncated file before the runtime is loaded.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from streamer.errors import ModelError

_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""`TensorProto.DataType`."""
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _TENSOR_NAME = 5, 11, 12, 8
_FIRST_BYTE = 0x08
"""The key of `ir_version`, the first field of every model."""
_LFS_POINTER = b"version https://git-lfs"

Dimension = int | str
"""A length, or the name of a dynamic axis."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output.

    Attributes:
        name: in the graph.
        dtype: as NumPy names it; `type N` for a type that no detector has.
        shape: None if the file does not give it.
    """

    name: str
    dtype: str
    shape: tuple[Dimension, ...] | None

    def __str__(self) -> str:
        shape = "of unknown shape" if self.shape is None else f"({', '.join(map(str, self.shape))})"
        return f"{self.name} {self.dtype} {shape}"


@dataclass(frozen=True, slots=True)
class Header:
    """What an ONNX file, or a server that has the model, says about it.

    Attributes:
        name: of the model in messages: the path of the file, or an address.
        inputs: without the weights, which old files list as inputs.
        outputs: in the order of the file.
        metadata: `metadata_props`, such as `names` of Ultralytics.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]

    @property
    def signature(self) -> str:
        """Inputs and outputs, for messages."""
        return f"inputs {', '.join(map(str, self.inputs))}; outputs {', '.join(map(str, self.outputs))}"


class _Part(NamedTuple):
    """The bytes of a field of variable length."""

    start: int
    end: int


def read(path: Path) -> Header:
    """The header of a file.

    Raises:
        ModelError: the file cannot be read, is truncated, or is no ONNX model.
    """
    try:
        if path.stat().st_size == 0:
            raise ValueError("it is empty")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[: len(_LFS_POINTER)] == _LFS_POINTER:
                raise ModelError(f"{path} is a pointer of Git LFS, not the model; 'git lfs pull' fetches it")
            try:
                return _header(path, data)
            except _Truncated as error:
                if data[0] != _FIRST_BYTE:
                    raise ValueError("it has another format") from error
                raise
    except FileNotFoundError as error:
        raise ModelError(f"there is no {path}") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except _Truncated as error:
        raise ModelError(f"{path} is truncated: {error}; copy or export it again") from error
    except ValueError as error:
        raise ModelError(f"{path} is no ONNX model: {error}") from error


class _Truncated(ValueError):
    """A field ends behind the end of the file."""


def _header(path: Path, data: mmap.mmap) -> Header:
    graph, metadata = None, {}
    for number, value in _fields(data, _Part(0, len(data))):
        if number == _MODEL_GRAPH and isinstance(value, _Part):
            graph = value
        elif number == _MODEL_METADATA and isinstance(value, _Part):
            entry = dict(_fields(data, value))
            metadata[_text(data, entry.get(1))] = _text(data, entry.get(2))
    if graph is None:
        raise ValueError("it has no graph")
    weights: set[str] = set()
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for number, value in _fields(data, graph):
        if number == _GRAPH_INITIALIZER and isinstance(value, _Part):
            weights.update(_text(data, name) for key, name in _fields(data, value) if key == _TENSOR_NAME)
        elif number == _GRAPH_INPUT and isinstance(value, _Part):
            inputs.append(_tensor(data, value))
        elif number == _GRAPH_OUTPUT and isinstance(value, _Part):
            outputs.append(_tensor(data, value))
    return Header(str(path), tuple(one for one in inputs if one.name not in weights), tuple(outputs), metadata)


def _tensor(data: mmap.mmap, part: _Part) -> Tensor:
    """A `ValueInfoProto`: 1 is the name, 2 the type."""
    info = dict(_fields(data, part))
    kind = dict(_fields(data, info[2])) if isinstance(info.get(2), _Part) else {}
    tensor = dict(_fields(data, kind[1])) if isinstance(kind.get(1), _Part) else {}
    code, shape = tensor.get(1, 0), tensor.get(2)
    dtype = _TYPES.get(code, f"type {code}") if isinstance(code, int) else "unknown"
    dimensions = None
    if isinstance(shape, _Part):
        dimensions = tuple(_dimension(data, one) for key, one in _fields(data, shape) if key == 1)
    return Tensor(_text(data, info.get(1)), dtype, dimensions)


def _dimension(data: mmap.mmap, part: int | _Part) -> Dimension:
    """A `TensorShapeProto.Dimension`: 1 is its length, 2 the name of a dynamic axis."""
    fields = dict(_fields(data, part)) if isinstance(part, _Part) else {}
    length = fields.get(1)
    return length if isinstance(length, int) and 0 < length < 1 << 63 else _text(data, fields.get(2)) or "?"


def _text(data: mmap.mmap, part: int | _Part | None) -> str:
    return data[part.start : part.end].decode("utf-8", "replace") if isinstance(part, _Part) else ""


def _fields(data: mmap.mmap, part: int | _Part) -> Iterator[tuple[int, int | _Part]]:
    """The fields of a message: number, and the value of a varint or the place of the bytes."""
    if not isinstance(part, _Part):
        raise ValueError("it has another format")
    at, end = part
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at, end)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at, end)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("it has another format")
        if not number:
            raise ValueError("it has another format")
        if at + length > end:
            raise _Truncated(f"it has {len(data)} bytes and needs at least {at + length}")
        yield number, _Part(at, at + length)
        at += length


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _Truncated(f"it ends after {len(data)} bytes")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it has another format")
