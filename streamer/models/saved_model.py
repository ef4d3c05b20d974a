"""Checks a SavedModel and reads its signatures without loading it. Main thread."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import ModelError
from streamer.models import saved_model_proto
from streamer.system import paths

FILE_NAME = "saved_model.pb"
"""The file that makes a folder a SavedModel (TensorFlow's SavedModel format)."""

_VARIABLES = frozenset({b"VarHandleOp", b"VariableV2", b"Variable"})
# Numbers of fields in tensorflow/core/protobuf: saved_model.proto, meta_graph.proto, and core/framework: graph.proto,
# node_def.proto.
_META_GRAPHS, _GRAPH_DEF, _NODE, _OP = 2, 2, 1, 2


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
    try:
        with _mapped(directory) as content:
            return _missing_checkpoint(directory, content)
    except _DefectError as error:
        return str(error)


def read_signatures(directory: Path) -> tuple[Signature, ...]:
    """All signatures of a SavedModel; without TensorFlow.

    Raises:
        ModelError: there is no SavedModel, it is damaged, or the checkpoint is missing.
    """
    with _refused(directory), _mapped(directory) as content:
        graphs = [_without_graph_def(content, *span) for span in _meta_graphs(content)]
        if not graphs:
            raise _DefectError(f"its {FILE_NAME} holds no graph")
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
    from streamer.models.tensorflow_import import tensorflow

    tensorflow()
    from tensorflow.core.protobuf import meta_graph_pb2

    with _refused(directory), _mapped(directory) as content:
        for begin, end in _meta_graphs(content):
            if set(_without_graph_def(content, begin, end).meta_info_def.tags) == set(tags):
                return _parsed(meta_graph_pb2.MetaGraphDef, content[begin:end])
    raise ModelError(f"{directory} has no graph with the tags {', '.join(tags) or 'none'}")


class _DefectError(Exception):
    """Why a folder is no SavedModel."""


@contextmanager
def _refused(directory: Path) -> Iterator[None]:
    """Name the folder in the error."""
    try:
        yield
    except _DefectError as error:
        raise ModelError(f"{directory} is no SavedModel: {error}") from error


@contextmanager
def _mapped(directory: Path) -> Iterator[mmap.mmap]:
    """The content of the graph's file, hundreds of MB, of which only what is used is read."""
    if not paths.is_dir(directory):
        raise _DefectError("there is no such folder")
    try:
        with (directory / FILE_NAME).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise _DefectError(f"its {FILE_NAME} is empty")
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise _DefectError(f"it holds no {FILE_NAME}") from None
    except OSError as error:
        raise _DefectError(f"its {FILE_NAME} cannot be read: {error.strerror}") from error
    try:
        with content:
            yield content
    except saved_model_proto.DamagedMessageError as error:
        raise _DefectError(f"its {FILE_NAME} is damaged") from error


def _missing_checkpoint(directory: Path, content: mmap.mmap) -> str:
    """Which files of the weights are missing, "" if the graph has none or all files are there.

    A checkpoint is `variables.index` and `variables.data-I-of-N` for all I below N (TensorFlow's tensor bundle format).
    """
    if not _has_variables(content):
        return ""
    present = {path.name for path in (directory / "variables").glob("variables.*") if path.stat().st_size}
    shards = [match for name in present if (match := re.fullmatch(r"variables\.data-\d+-of-(\d+)", name))]
    if "variables.index" in present and shards and len(shards) >= int(shards[0][1]):
        return ""
    return "its graph has variables, but the checkpoint is missing (variables/variables.index and variables.data-*)"


def _has_variables(content: mmap.mmap) -> bool:
    """Whether a graph has operations for variables."""
    nodes = _inside(content, _inside(content, _meta_graphs(content), _GRAPH_DEF), _NODE)
    return any(content[begin:end] in _VARIABLES for begin, end in _inside(content, nodes, _OP))


def _meta_graphs(content: mmap.mmap) -> list[tuple[int, int]]:
    """Where each `MetaGraphDef` begins and ends."""
    return list(_inside(content, [(0, len(content))], _META_GRAPHS))


def _inside(content: mmap.mmap, messages: Iterable[tuple[int, int]], number: int) -> Iterator[tuple[int, int]]:
    """Where the fields with this number begin and end, in messages of which the same is given."""
    for begin, end in messages:
        for found, _, value, after in saved_model_proto.fields(content, begin, end):
            if found == number:
                yield value, after


def _without_graph_def(content: mmap.mmap, begin: int, end: int) -> Any:
    """The parts of a `MetaGraphDef` that describe it."""
    kept = (
        content[start:after]
        for number, start, _, after in saved_model_proto.fields(content, begin, end)
        if number != _GRAPH_DEF
    )
    return _parsed(saved_model_proto.message_class("MetaGraph"), b"".join(kept))


def _parsed(message: Any, content: bytes) -> Any:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return message.FromString(content)
    except DecodeError as error:
        raise _DefectError(f"its {FILE_NAME} is damaged") from error


def _tensor(info: Any) -> Tensor:
    shape = (
        None if info.tensor_shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim)
    )
    return Tensor(info.name, saved_model_proto.DTYPES.get(info.dtype, f"type {info.dtype}"), shape)
