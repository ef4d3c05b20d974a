"""What the families of detectors in ONNX files have in common. Built by the main thread, used by detector threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.detectors.onnx.header import Dimension, Header, Tensor
from streamer.detectors.onnx.picture import Colours, Letterbox, Triple
from tracking.types import FloatArray, IntArray

Array = npt.NDArray[Any]
ZERO_TO_ONE: Triple = (255.0, 255.0, 255.0)


class Candidates(NamedTuple):
    """What a model found on one frame, before overlaps are suppressed.

    Attributes:
        boxes: float32 `(N, 4)`, x0, y0, x1, y1 in pixels of the input.
        scores: float32 `(N,)`, at least the bound.
        labels: int32 `(N,)`, classes of the model, from 0.
        best: the highest score, also below the bound; NaN if the model gave one.
    """

    boxes: FloatArray
    scores: FloatArray
    labels: IntArray
    best: float


class Family(ABC):
    """The models whose outputs are read in the same way.

    Args:
        header: of a file of this family.
        size: `(width, height)` of the input in pixels.

    Raises:
        ValueError: the model has other outputs.

    Attributes:
        name: value of `detector.onnx.family`.
        form: its outputs, for messages.
        mean, std, colours, letterbox: what its models expect as input, see `InputFormat`.
        iou_threshold: boxes of a class that overlap by more are duplicates; None if the model removes them itself.
        outputs: names of the outputs that `read` takes, in this order.
        class_count: number of classes; None if the shapes do not tell.
    """

    name: ClassVar[str]
    form: ClassVar[str]
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = ZERO_TO_ONE
    colours: Colours = "rgb"
    letterbox: Letterbox = "none"
    iou_threshold: float | None = None
    outputs: tuple[str, ...]
    class_count: int | None = None

    def __init__(self, header: Header, size: tuple[int, int]) -> None:  # noqa: ARG002
        self._size = size

    @classmethod
    @abstractmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:
        """Whether the file is of this family, by its inputs, outputs and metadata."""

    def more_inputs(self) -> Mapping[str, Array]:
        """Inputs besides the picture."""
        return {}

    @abstractmethod
    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        """The candidates in the outputs of one frame.

        Args:
            arrays: the `outputs`, float32 or integers, without the batch.
            min_score: lowest score.
        """


def length(dimension: Dimension) -> int | None:
    """The length of an axis; None if it is dynamic."""
    return dimension if isinstance(dimension, int) else None


def only_output(header: Header) -> Tensor | None:
    """The output of a model that has one, of rank 3; else None."""
    (first, *others) = header.outputs or (None,)
    return first if first is not None and not others and first.shape is not None and len(first.shape) == 3 else None


def corners(centred: FloatArray) -> FloatArray:
    """Boxes x0, y0, x1, y1 from centre x, centre y, width, height; float32 `(N, 4)`."""
    half = centred[:, 2:] / np.float32(2)
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1)
