"""Loads the graph of a SavedModel into a session, without its post-processing where that is known. Main thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from streamer.detectors.tfhub import convolutions, dilations, nms_scope
from streamer.detectors.tfhub.nms_scope import Scope
from streamer.detectors.tfhub.scope_text import UnknownScopeError
from streamer.detectors.tfhub.signatures import Form
from streamer.detectors.tfhub.suppression import Suppression
from streamer.models import saved_model
from streamer.models.tensorflow_import import tensorflow

Array = npt.NDArray[Any]

log = logging.getLogger(__name__)

_TABLES = "table_initializer"
_VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_NEED_THE_LOADER = ("saved_model_assets", "saved_model_main_op", "legacy_init_op")
"""Collections of a graph for which TensorFlow's loader does more than to import it and to restore its variables."""


@dataclass(slots=True)
class Parts:
    """A graph whose post-processing was removed.

    Attributes:
        meta_graph: the `MetaGraphDef` without it, with all weights; None once it is loaded.
        scope: what was removed.
    """

    meta_graph: Any
    scope: Scope


def read_parts(directory: Path, form: Form) -> Parts | None:
    """The graph of a SavedModel without its post-processing; None if it has to be loaded as it is.

    A post-processing that is not known gives a warning: with it, a large graph starts slowly.

    Args:
        directory: the SavedModel.
        form: of its signature.
    """
    meta_graph = saved_model.read_graph(directory, form.signature.tags)
    try:
        scope = nms_scope.find(meta_graph.graph_def)
        if scope is None:
            return None
        if any(key in meta_graph.collection_def for key in _NEED_THE_LOADER):
            raise UnknownScopeError("its graph initializes more than tables")
        if any(tensor.name.startswith(scope.prefix) for tensor in form.signature.outputs.values()):
            raise UnknownScopeError("its signature refers to the inside of it")
    except UnknownScopeError as error:
        log.warning("the post-processing of %s runs in TensorFlow, which starts slowly: %s", directory, error)
        return None
    nms_scope.cut(meta_graph.graph_def, scope)
    return Parts(meta_graph, scope)


def fuse(parts: Parts, form: Form) -> None:
    """Write dilated convolutions as one operation, and fuse convolutions with what follows them, for a CPU."""
    fetched = _fetched(parts, form)
    convolutions.read_constants_directly(parts.meta_graph.graph_def)
    dilations.write_as_attributes(parts.meta_graph.graph_def, fetched)
    convolutions.fuse(parts.meta_graph.graph_def, fetched)


def prune(parts: Parts, form: Form) -> None:
    """Remove operations that no output, table or variable needs."""
    meta_graph = parts.meta_graph
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    saver = meta_graph.saver_def
    wanted = [*_fetched(parts, form), *meta_graph.collection_def[_TABLES].node_list.value]
    wanted += [saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name]
    wanted += [form.input.name, *(name for name, node in nodes.items() if node.op in _VARIABLES)]
    needed: set[str] = set()
    while wanted:
        name = wanted.pop().lstrip("^").partition(":")[0]
        if name and name not in needed:
            needed.add(name)
            wanted += nodes[name].input
    unused = [index for index, node in enumerate(meta_graph.graph_def.node) if node.name not in needed]
    nms_scope.delete(meta_graph.graph_def.node, unused)


def _fetched(parts: Parts, form: Form) -> set[str]:
    """Names of the nodes that are fed or fetched."""
    names = {*parts.scope.inputs.values(), *(tensor.name for tensor in form.signature.outputs.values())}
    return {name.partition(":")[0] for name in names} | set(parts.scope.outputs)


def load_parts(session: Any, parts: Parts, directory: Path, input_map: dict[str, Any]) -> None:
    """Import the graph into the session and its current graph, and restore its variables."""
    v1, meta_graph = tensorflow().compat.v1, parts.meta_graph
    for key in list(meta_graph.collection_def):
        if key != _TABLES:  # the others describe what Python adds to a graph
            del meta_graph.collection_def[key]
    _forget_colocations(meta_graph.graph_def, {node.name for node in meta_graph.graph_def.node})
    saver = v1.train.import_meta_graph(meta_graph, input_map=input_map)
    del meta_graph
    parts.meta_graph = None  # a quarter of a GB
    variables = directory / "variables" / "variables"
    if saver is not None and variables.with_suffix(".index").exists():
        saver.restore(session, str(variables))


class Postprocessing:
    """What follows a removed scope: the suppression in NumPy, then the rest of the graph, which names the classes.

    Args:
        session: into which the graph was loaded.
        scope: that was removed.
        outputs: names of the tensors to fetch.
    """

    def __init__(self, session: Any, scope: Scope, outputs: Sequence[str]) -> None:
        self._suppress = Suppression(scope.parameters)
        self._name: Callable[..., list[Array]] = session.make_callable(
            list(outputs), feed_list=[f"{name}:0" for name in scope.outputs]
        )

    def __call__(self, boxes: Array, scores: Array, count: Array, window: Array) -> list[Array]:
        """The outputs, from what entered the scope (`nms_scope.Scope.inputs`)."""
        return self._name(*self._suppress(boxes, scores, count, window))


def _forget_colocations(graph: Any, present: Set[str]) -> None:
    """Remove the requests of nodes to run where a node runs that was removed."""
    for node in graph.node:
        if "_class" in node.attr:
            wanted = [name for name in node.attr["_class"].list.s if name.decode().removeprefix("loc:@") in present]
            node.attr["_class"].list.s[:] = wanted
