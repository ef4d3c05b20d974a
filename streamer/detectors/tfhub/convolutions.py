"""Fuses convolutions of a graph with the normalization, bias and activation after them. Main thread.

TensorFlow's remapper does the same (tensorflow/core/grappler/optimizers/remapper.cc). In a large graph with its weights
it takes seconds and several copies of the weights; this takes 0.1 s and none. The kernels are those for CPUs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

_NORMALIZATIONS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_ACTIVATIONS = frozenset({"Relu", "Relu6"})
_FLOAT = 1  # DataType in tensorflow/core/framework/types.proto
_COPIED = ("T", "strides", "padding", "dilations", "data_format")


class _Chain(NamedTuple):
    """A convolution, and what is fused with it; the activation is None if there is none."""

    convolution: Any
    addition: Any
    activation: Any | None


def fuse(graph: Any, kept: Collection[str]) -> int:
    """Fuse in a `GraphDef`.

    Args:
        graph: changed in place. The last operation of a chain is replaced under its name, the others are removed.
        kept: names of nodes that must stay, because they are fetched.

    Returns:
        The number of fused convolutions.
    """
    readers: dict[str, list[tuple[Any, str]]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name.lstrip("^").partition(":")[0]].append((node, name))

    def only_reader(node: Any, operations: Collection[str]) -> Any | None:
        """The only operation that reads a node, if it is one of these and reads it as its first input."""
        found = readers[node.name]
        if len(found) != 1 or node.name in kept or found[0][0].op not in operations:
            return None
        reader = found[0][0]
        return reader if reader.input[0] in (node.name, f"{node.name}:0") else None

    chains = []
    for node in graph.node:
        if node.op != "Conv2D" or not _is_plain(node):
            continue
        addition = only_reader(node, _NORMALIZATIONS | {"BiasAdd"})
        if addition is not None and _is_fixed(addition):
            chains.append(_Chain(node, addition, only_reader(addition, _ACTIVATIONS)))
    _replace(graph, chains)
    return len(chains)


def read_constants_directly(graph: Any) -> None:
    """Let operations read constants without the Identity between.

    A frozen graph has one where it read a variable. Kernels for CPUs keep the weights in their own layout only if they
    are a constant; else they convert them for each frame.
    """
    nodes = {node.name: node for node in graph.node}
    for node in graph.node:
        for index, name in enumerate(node.input):
            source = nodes.get(name)
            if source is not None and source.op == "Identity" and len(source.input) == 1:
                constant = nodes.get(source.input[0])
                if constant is not None and constant.op == "Const":
                    node.input[index] = constant.name


def _is_plain(convolution: Any) -> bool:
    """Whether the kernels for CPUs take a convolution: float32, channels last, with the usual padding."""
    attributes = convolution.attr
    return (
        attributes["T"].type == _FLOAT
        and attributes["data_format"].s in (b"", b"NHWC")
        and attributes["padding"].s in (b"SAME", b"VALID")
        and not any(name.startswith("^") for name in convolution.input)
    )


def _is_fixed(addition: Any) -> bool:
    """Whether a bias has channels last, or a normalization its stored mean and variance."""
    if addition.attr["data_format"].s not in (b"", b"NHWC") or any(name.startswith("^") for name in addition.input):
        return False
    # An attribute that is left out has its default, and the default of is_training is true.
    return addition.op == "BiasAdd" or ("is_training" in addition.attr and not addition.attr["is_training"].b)


def _replace(graph: Any, chains: Sequence[_Chain]) -> None:
    for chain in chains:
        convolution, addition, activation = chain
        is_bias = addition.op == "BiasAdd"
        values = list(addition.input[1:2] if is_bias else addition.input[1:5])
        operations = ["BiasAdd" if is_bias else "FusedBatchNorm"] + ([activation.op] if activation is not None else [])
        # Written over the last node of the chain, so that its readers find it.
        last = addition if activation is None else activation
        epsilon = addition.attr["epsilon"].f or 1e-4  # TensorFlow's default
        inputs = [*convolution.input, *values]
        attributes = {key: convolution.attr[key] for key in _COPIED if key in convolution.attr}
        last.op = "_FusedConv2D"
        del last.input[:]
        last.input.extend(inputs)
        last.attr.clear()
        for key, value in attributes.items():
            last.attr[key].CopyFrom(value)
        last.attr["num_args"].i = len(values)
        last.attr["TArgs"].list.type.extend([_FLOAT] * len(values))
        last.attr["fused_ops"].list.s.extend(operation.encode() for operation in operations)
        if not is_bias:
            last.attr["epsilon"].f = epsilon
    removed = {chain.convolution.name for chain in chains}
    removed |= {chain.addition.name for chain in chains if chain.activation is not None}
    for index in range(len(graph.node) - 1, -1, -1):
        if graph.node[index].name in removed:
            del graph.node[index]
