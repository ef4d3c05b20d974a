"""Dilated convolutions as TensorFlow 1 wrote them become one operation with the same values."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from streamer.detectors.tfhub import dilations

# Not imported, because the import takes seconds.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

SIZES = ((24, 32), (25, 31), (7, 40))


def graph_of(kernel: tuple[int, int] = (3, 3), rate: tuple[int, int] = (2, 2), padding: str = "SAME") -> Any:
    """A convolution of `x`, as in the detector of record: its padding is computed from the size of the picture."""
    import tensorflow as tf

    v1: Any = tf.compat.v1
    weights = np.random.default_rng(0).normal(0, 0.3, (*kernel, 3, 5)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (1, None, None, 3), "x")
        y = v1.nn.with_space_to_batch(
            x,
            rate,
            padding,
            lambda moved, _, inner: tf.nn.conv2d(moved, weights, 1, inner),
            filter_shape=tf.constant([*kernel, 3, 5]),
        )
        tf.identity(y, "y")
    return graph.as_graph_def()


def values(graph: Any) -> list[Any]:
    import tensorflow as tf

    random = np.random.default_rng(1)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return [session.run("y:0", {"x:0": random.random((1, *size, 3), np.float32)}) for size in SIZES]


def operation(graph: Any, op: str) -> Any:
    return next(node for node in graph.node if node.op == op)


def number(graph: Any, node: Any, value: Any) -> None:
    """Replace an input that is a constant by another constant."""
    import tensorflow as tf

    source = next(each for each in graph.node if each.name == node)
    source.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.int32))


@pytest.mark.parametrize(("kernel", "rate"), [((3, 3), (2, 2)), ((1, 1), (2, 2)), ((1, 7), (2, 2)), ((2, 5), (3, 2))])
def test_one_operation_gives_the_same_values(kernel: tuple[int, int], rate: tuple[int, int]) -> None:
    graph = graph_of(kernel, rate)
    expected = values(graph)
    assert "SpaceToBatchND" in [node.op for node in graph.node]
    assert dilations.write_as_attributes(graph, {"y"}) == 1
    assert "BatchToSpaceND" not in [node.op for node in graph.node]
    for found, wanted in zip(values(graph), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_another_padding_stays() -> None:
    assert dilations.write_as_attributes(graph_of(padding="VALID"), {"y"}) == 0
    assert dilations.write_as_attributes(graph_of(rate=(5, 5)), {"y"}) == 0


def test_a_padding_that_differs_by_one_pixel_stays() -> None:
    graph = graph_of()
    base = next(node for node in graph.node if node.op == "Const" and "stack" in node.name and node.name.count("/") < 2)
    number(graph, base.name, [[1, 3], [2, 2]])
    assert dilations.write_as_attributes(graph, {"y"}) == 0


def test_a_padding_by_an_unknown_operation_stays() -> None:
    graph = graph_of()
    operation(graph, "FloorMod").op = "FloorDiv"
    assert dilations.write_as_attributes(graph, {"y"}) == 0


def test_a_convolution_that_is_fetched_or_read_twice_stays() -> None:
    graph = graph_of()
    convolution = operation(graph, "Conv2D")
    assert dilations.write_as_attributes(graph, {"y", convolution.name}) == 0
    graph.node.add(name="again", op="Identity", input=[convolution.name])
    assert dilations.write_as_attributes(graph, {"y"}) == 0


def test_other_block_sizes_before_and_after_stay() -> None:
    graph = graph_of()
    number(graph, operation(graph, "BatchToSpaceND").input[1], [2, 1])
    assert dilations.write_as_attributes(graph, {"y"}) == 0
