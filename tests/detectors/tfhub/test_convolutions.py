"""Fused convolutions give the same values; a convolution whose value is needed elsewhere is not fused."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamer.detectors.tfhub import convolutions

# Not imported, because the import takes seconds.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.random((1, 24, 32, 3), np.float32)
WEIGHTS = RANDOM.normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32)
VALUES = RANDOM.random((4, 8), np.float32)


def convolution(tf: Any, x: Any, **options: Any) -> Any:
    return tf.nn.conv2d(x, WEIGHTS, **{"strides": 1, "padding": "SAME", **options})


def normalized(tf: Any, x: Any, *, is_training: bool = False) -> Any:
    stored = {} if is_training else {"mean": VALUES[2], "variance": VALUES[3]}
    return tf.compat.v1.nn.fused_batch_norm(x, VALUES[0], VALUES[1], epsilon=0.01, is_training=is_training, **stored)[0]


def biased(tf: Any, x: Any) -> Any:
    return tf.nn.bias_add(x, VALUES[0] - 0.5)


def doubled(tf: Any, x: Any) -> Any:
    return tf.cast(tf.nn.conv2d(tf.cast(x, tf.float64), WEIGHTS.astype(np.float64), 1, "SAME"), tf.float32)


FUSED: dict[str, Callable[[Any, Any], Any]] = {
    "normalization": lambda tf, x: normalized(tf, convolution(tf, x)),
    "normalization, relu": lambda tf, x: tf.nn.relu(normalized(tf, convolution(tf, x, strides=2))),
    "bias": lambda tf, x: biased(tf, convolution(tf, x, padding="VALID")),
    "bias, relu6": lambda tf, x: tf.nn.relu6(biased(tf, convolution(tf, x, dilations=2))),
    "bias, tanh": lambda tf, x: tf.nn.tanh(biased(tf, convolution(tf, x))),
}
NOT_FUSED: dict[str, Callable[[Any, Any], Any]] = {
    "read twice": lambda tf, x: (lambda y: biased(tf, y) + y)(convolution(tf, x)),
    "only a relu": lambda tf, x: tf.nn.relu(convolution(tf, x)),
    "mean of the batch": lambda tf, x: normalized(tf, convolution(tf, x), is_training=True),
    "double precision": lambda tf, x: biased(
        tf, tf.cast(tf.nn.conv2d(tf.cast(x, tf.float64), WEIGHTS.astype(float), 1, "SAME"), tf.float32)
    ),
}


def graph_of(build: Callable[[Any, Any], Any]) -> Any:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), "x")
        tf.identity(build(tf, x), "y")
    return graph.as_graph_def()


def run(graph: Any, fetched: str = "y") -> Any:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run(f"{fetched}:0", {"x:0": PICTURE})


def operations(graph: Any) -> list[str]:
    return [node.op for node in graph.node]


@pytest.mark.parametrize("build", FUSED.values(), ids=FUSED.keys())
def test_fused_convolutions_give_the_same_values(build: Callable[[Any, Any], Any]) -> None:
    graph = graph_of(build)
    expected = run(graph)
    assert convolutions.fuse(graph, {"y"}) == 1
    assert "Conv2D" not in operations(graph)
    assert "_FusedConv2D" in operations(graph)
    np.testing.assert_allclose(run(graph), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", NOT_FUSED.values(), ids=NOT_FUSED.keys())
def test_other_convolutions_stay(build: Callable[[Any, Any], Any]) -> None:
    graph = graph_of(build)
    before = graph.SerializeToString(deterministic=True)
    assert convolutions.fuse(graph, {"y"}) == 0
    assert graph.SerializeToString(deterministic=True) == before


def test_a_value_that_is_fetched_stays() -> None:
    graph = graph_of(FUSED["normalization, relu"])
    names = {node.op: node.name for node in graph.node}
    for kept in ("Conv2D", "FusedBatchNormV3"):
        copy = type(graph).FromString(graph.SerializeToString())
        convolutions.fuse(copy, {"y", names[kept]})
        np.testing.assert_allclose(run(copy, names[kept]), run(graph, names[kept]), rtol=1e-5, atol=1e-5)


def test_constants_are_read_directly() -> None:
    import tensorflow as tf

    def build(tf: Any, x: Any) -> Any:
        return tf.nn.conv2d(x, tf.identity(tf.identity(tf.constant(WEIGHTS))), 1, "SAME")

    graph = graph_of(build)
    expected = run(graph)
    convolutions.read_constants_directly(graph)
    convolutions.read_constants_directly(graph)
    nodes = {node.name: node for node in graph.node}
    weights = next(node.input[1] for node in graph.node if node.op == "Conv2D")
    assert nodes[weights].op == "Const"
    assert tf.make_ndarray(nodes[weights].attr["value"].tensor).shape == WEIGHTS.shape
    np.testing.assert_array_equal(run(graph), expected)
