"""Each operation of the writer, run by LiteRT, against plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamer.models.pinned.litert_graph import GraphWriter, Tensor

Array = npt.NDArray[np.float32]
SIZES = [(1, 1), (2, 3), (8, 8), (9, 12)]


def run(shape: tuple[int, ...], build: Callable[[GraphWriter, Tensor], Tensor]) -> tuple[Array, Array]:
    """The input and the output of a graph with one operation; the writer must state the output's true shape."""
    from ai_edge_litert.interpreter import Interpreter

    graph = GraphWriter()
    source = graph.placeholder("image", shape)
    output = build(graph, source)
    interpreter = Interpreter(model_content=graph.finish([source], [output], "test"), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["name"] == "image"
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    interpreter.set_tensor(given["index"], image)
    interpreter.invoke()
    found: Array = interpreter.get_tensor(made["index"])
    assert found.shape == output.shape
    return image, found


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_convolution(size: tuple[int, int], side: int, stride: int) -> None:
    random = np.random.default_rng(1)
    kernel = random.normal(size=(side, side, 3, 5)).astype(np.float16)
    bias = random.normal(size=5).astype(np.float16)
    image, found = run((1, *size, 3), lambda graph, source: graph.conv(source, kernel, bias, stride=stride))
    padded = np.pad(image[0], ((side // 2,) * 2, (side // 2,) * 2, (0, 0)))
    for y, x in np.ndindex(found.shape[1:3]):
        window = padded[y * stride : y * stride + side, x * stride : x * stride + side]
        expected = np.einsum("yxc,yxco->o", window, kernel.astype(np.float32)) + bias
        np.testing.assert_allclose(found[0, y, x], expected, atol=1e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_maximum(size: tuple[int, int]) -> None:
    image, found = run((1, *size, 2), lambda graph, source: graph.max_pool(source))
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    for y, x in np.ndindex(found.shape[1:3]):
        expected = padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3].max(axis=(0, 1))
        np.testing.assert_array_equal(found[0, y, x], expected)


@pytest.mark.parametrize("wanted", [(6, 10), (12, 20), (3, 5)], ids=str)
def test_bilinear_resizing(wanted: tuple[int, int]) -> None:
    image, found = run((1, 6, 10, 2), lambda graph, source: graph.resize(source, *wanted))
    expected = cv2.resize(image[0], wanted[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_the_other_operations() -> None:
    image, found = run((1, 4, 6, 2), lambda graph, source: graph.leaky_relu(source, 0.1))
    np.testing.assert_allclose(found, np.where(image > 0, image, 0.1 * image), rtol=1e-6)
    image, found = run((1, 4, 6, 2), lambda graph, source: graph.add(source, source))
    np.testing.assert_array_equal(found, 2 * image)
    image, found = run((1, 4, 6, 2), lambda graph, source: graph.concatenate([source, source], axis=3))
    np.testing.assert_array_equal(found, np.concatenate([image, image], axis=3))
    image, found = run((1, 4, 6, 2), lambda graph, source: graph.reshape(source, (24, 2)))
    np.testing.assert_array_equal(found, image.reshape(24, 2))
    image, found = run((1, 4, 6, 2), lambda graph, source: graph.pad(source, 1, 3.0))
    np.testing.assert_array_equal(found, np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=3))


def test_the_same_calls_give_the_same_bytes() -> None:
    def written() -> bytes:
        graph = GraphWriter()
        source = graph.placeholder("image", (1, 2, 2, 1))
        return graph.finish([source], [graph.leaky_relu(source, 0.1)], "test")

    assert written() == written()
