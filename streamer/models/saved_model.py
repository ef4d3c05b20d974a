"""Checks a SavedModel and reads its signatures without loading it. Main thread."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import ModelError
from streamer.models import saved_model_proto
from streamer.system import paths

FILE_NAME = "saved_model.pb"
"""The file that makes a folder a SavedModel (TensorFlow's SavedModel format)."""

# NodeDef.op is field 2 of its message: 0x12, length, name. Other lists of op names use another first byte.
_VARIABLE_NODES = tuple(bytes([0x12, len(op)]) + op for op in (b"VarHandleOp", b"VariableV2", b"Variable"))


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a signature.

    Attributes:
        name: in the graph, such as `hub_input/images:0`.
        dtype: TensorFlow's name, such as `float32`.
        shape: None for an open dimension, or as a whole if the rank is open.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} [{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a model.

    Attributes:
        name: such as `default` or `serving_default`.
        tags: of its graph.
        inputs, outputs: by key.
    """

    name: str
    tags: tuple[str, ...]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    def __str__(self) -> str:
        taken = ", ".join(f"{key}: {tensor}" for key, tensor in sorted(self.inputs.items()))
        given = ", ".join(f"{key}: {tensor}" for key, tensor in sorted(self.outputs.items()))
        return f"{self.name}({taken}) -> ({given})"


def defect(directory: Path) -> str:
    """Why a folder is no complete SavedModel, "" if it looks like one. Quick: does not import TensorFlow."""
    content, reason = _content(directory)
    if reason:
        return reason
    from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        # All fields are unknown to this message, so only the outermost structure is parsed: that takes milliseconds and
        # finds a file that was cut short.
        Empty.FromString(content)
    except DecodeError:
        return f"its {FILE_NAME} is damaged"
    return _missing_checkpoint(directory, content)


def _content(directory: Path) -> tuple[bytes, str]:
    """The bytes of the graph's file, and why there are none; it may have hundreds of MB."""
    if not paths.is_dir(directory):
        return b"", "there is no such folder"
    try:
        content = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return b"", f"it holds no {FILE_NAME}"
    except OSError as error:
        return b"", f"its {FILE_NAME} cannot be read: {error.strerror}"
    return content, "" if content else f"its {FILE_NAME} is empty"


def _missing_checkpoint(directory: Path, content: bytes) -> str:
    """Which files of the weights are missing, "" if the graph has none or all files are there.

    A checkpoint is `variables.index` and `variables.data-I-of-N` for all I below N (TensorFlow's tensor bundle format).
    """
    if not any(node in content for node in _VARIABLE_NODES):
        return ""
    present = {path.name for path in (directory / "variables").glob("variables.*") if path.stat().st_size}
    shards = [match for name in present if (match := re.fullmatch(r"variables\.data-\d+-of-(\d+)", name))]
    if "variables.index" in present and shards and len(shards) >= int(shards[0][1]):
        return ""
    return "its graph has variables, but the checkpoint is missing (variables/variables.index and variables.data-*)"


def read_signatures(directory: Path) -> tuple[Signature, ...]:
    """All signatures of a SavedModel; without TensorFlow.

    Raises:
        ModelError: there is no SavedModel, it is damaged, or the checkpoint is missing.
    """
    from google.protobuf.message import DecodeError

    content = _checked_content(directory)
    try:
        graphs = saved_model_proto.parse(content).meta_graphs
    except DecodeError as error:
        raise ModelError(f"{directory} is no SavedModel: its {FILE_NAME} is damaged") from error
    if not graphs:
        raise ModelError(f"{directory} is no SavedModel: its {FILE_NAME} holds no graph")
    if reason := _missing_checkpoint(directory, content):
        raise ModelError(f"{directory} is not complete: {reason}")
    return tuple(
        Signature(
            signature.key,
            tuple(sorted(graph.meta_info_def.tags)),
            {entry.key: _tensor(entry.value) for entry in signature.value.inputs},
            {entry.key: _tensor(entry.value) for entry in signature.value.outputs},
        )
        for graph in graphs
        for signature in graph.signature_def
        if not signature.key.startswith("__")  # TF2 lists its initializer here
    )


def read_graph(directory: Path, tags: Sequence[str]) -> Any:
    """The `MetaGraphDef` with these tags, with all weights that are in the graph; imports TensorFlow.

    Raises:
        ModelError: there is no SavedModel, it is damaged, or it has no such graph.
    """
    for graph in _graphs(directory, _checked_content(directory)):
        if set(graph.meta_info_def.tags) == set(tags):
            return graph
    raise ModelError(f"{directory} has no graph with the tags {', '.join(tags) or 'none'}")


def _checked_content(directory: Path) -> bytes:
    content, reason = _content(directory)
    if reason:
        raise ModelError(f"{directory} is no SavedModel: {reason}")
    return content


def _graphs(directory: Path, content: bytes) -> Sequence[Any]:
    """The `MetaGraphDef`s, at least one."""
    from google.protobuf.message import DecodeError

    from streamer.models.tensorflow_import import tensorflow

    tensorflow()
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        graphs: Sequence[Any] = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    except DecodeError as error:
        raise ModelError(f"{directory} is no SavedModel: its {FILE_NAME} is damaged") from error
    if not graphs:
        raise ModelError(f"{directory} is no SavedModel: its {FILE_NAME} holds no graph")
    return graphs


def _tensor(info: Any) -> Tensor:
    shape = (
        None if info.tensor_shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim)
    )
    return Tensor(info.name, saved_model_proto.DTYPES.get(info.dtype, f"type {info.dtype}"), shape)
