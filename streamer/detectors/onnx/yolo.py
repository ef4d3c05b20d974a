"""The YOLO families. Built by the main thread, used by detector threads.

Read in the exporters and their examples: Ultralytics `engine/exporter.py` (YOLOv8 to YOLO26; metadata, `end2end`), the
demo of YOLOX (`demo/ONNXRuntime/onnx_inference.py`, `yolox/utils/demo_utils.py`), YOLOv5 `export.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import ClassVar

import numpy as np

from streamer.detectors.onnx.family import Array, Candidates, Family, corners, length, only_output
from streamer.detectors.onnx.header import Header
from streamer.detectors.onnx.metadata import is_true, ultralytics_names
from streamer.detectors.onnx.picture import Colours, Letterbox
from tracking.types import FloatArray

_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""Of the usual three layers, with one more for large objects (P6), with one more for small objects (P2)."""


def cells(size: tuple[int, int], strides: Sequence[int]) -> int:
    """How many cells the layers of an input of `(width, height)` have together."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in strides)


def strides_of(count: int | None, size: tuple[int, int]) -> tuple[int, ...] | None:
    """The strides of the layers that have so many cells; None if there are none."""
    return next((strides for strides in _STRIDES if cells(size, strides) == count), None)


def _classes(values: int | None, *, of_box: int) -> int | None:
    """How many scores of classes follow the values of a box."""
    if values is not None and values <= of_box:
        raise ValueError
    return None if values is None else values - of_box


class YoloV8(Family):
    """Columns of centre x, centre y, width, height and a score for each class; YOLOv8, YOLO11, YOLO12 and others."""

    name: ClassVar[str] = "yolov8"
    form: ClassVar[str] = "one output (1, 4+C, N)"
    letterbox: Letterbox = "centre"
    iou_threshold = 0.7

    def __init__(self, header: Header, size: tuple[int, int]) -> None:
        super().__init__(header, size)
        output = only_output(header)
        if output is None or output.shape is None:
            raise ValueError
        self.outputs = (output.name,)
        _, rows, columns = (length(one) for one in output.shape)
        self._in_rows = strides_of(rows, size) is not None and strides_of(columns, size) is None
        self.class_count = _classes(columns if self._in_rows else rows, of_box=4)

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:
        output = only_output(header)
        if output is None or output.shape is None:
            return False
        _, rows, columns = (length(one) for one in output.shape)
        names = ultralytics_names(header.metadata)
        if names is not None and rows is not None and rows == len(names) + 4:
            return columns is None or columns > rows
        if names is not None and columns == len(names) + 4:
            return strides_of(rows, size) is not None  # transposed, as for DeepStream
        return rows is not None and rows > 4 and strides_of(columns, size) is not None

    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        output = arrays[0].T if self._in_rows else arrays[0]
        of_classes = output[4:]
        scores = of_classes.max(axis=0)
        found = np.flatnonzero(scores >= min_score)
        labels = of_classes[:, found].argmax(axis=0).astype(np.int32)
        return Candidates(corners(output[:4, found].T), scores[found], labels, float(scores.max()))


class YoloX(Family):
    """Rows of centre x, centre y, width, height, objectness and a score for each class, relative to the cells."""

    name: ClassVar[str] = "yolox"
    form: ClassVar[str] = "one output (1, N, 5+C), boxes relative to the cells"
    std = (1.0, 1.0, 1.0)
    colours: Colours = "bgr"
    letterbox: Letterbox = "top_left"
    iou_threshold = 0.45

    def __init__(self, header: Header, size: tuple[int, int]) -> None:
        super().__init__(header, size)
        output = only_output(header)
        if output is None or output.shape is None:
            raise ValueError
        self.outputs = (output.name,)
        _, rows, columns = (length(one) for one in output.shape)
        self.class_count = _classes(columns, of_box=5)
        self._set_cells(rows)

    def _set_cells(self, rows: int | None) -> None:
        strides = strides_of(rows, self._size)
        if strides is None:
            raise ValueError
        corners_, steps = [], []
        for stride in strides:
            across, down = self._size[0] // stride, self._size[1] // stride
            corners_ += [(x, y) for y, x in product(range(down), range(across))]
            steps += [stride] * (across * down)
        self._corners = np.array(corners_, np.float32)
        self._steps = np.array(steps, np.float32)[:, None]

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:
        output = only_output(header)
        if output is None or output.shape is None:
            return False
        _, rows, columns = (length(one) for one in output.shape)
        names = ultralytics_names(header.metadata)
        if names is not None and columns == len(names) + 4:  # no objectness
            return False
        return columns is not None and columns > 5 and strides_of(rows, size) is not None

    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        output = arrays[0]
        objectness = output[:, 4]
        # No score is higher than the objectness, so most rows need no product.
        rows = np.flatnonzero(objectness >= min_score)
        rows = rows if len(rows) else np.array([objectness.argmax()])
        of_classes = output[rows, 5:]
        scores = of_classes.max(axis=1) * objectness[rows]
        best = float(scores.max() + 0 * objectness.max())  # NaN if any objectness is
        kept = scores >= min_score
        labels = of_classes[kept].argmax(axis=1).astype(np.int32)
        rows = rows[kept]
        return Candidates(corners(self._boxes(output[rows, :4], rows)), scores[kept], labels, best)

    def _boxes(self, values: FloatArray, rows: Array) -> FloatArray:
        """Boxes with centres, in pixels of the input."""
        centres = (values[:, :2] + self._corners[rows]) * self._steps[rows]
        return np.concatenate([centres, np.exp(values[:, 2:]) * self._steps[rows]], axis=1)


class YoloV5(YoloX):
    """Rows like those of YOLOX with boxes in pixels of the input; YOLOv5, YOLOv7, and YOLOX with a decoder inside."""

    name: ClassVar[str] = "yolov5"
    form: ClassVar[str] = "one output (1, N, 5+C), boxes in pixels"
    std = (255.0, 255.0, 255.0)
    colours: Colours = "rgb"
    letterbox: Letterbox = "centre"

    def _set_cells(self, rows: int | None) -> None:
        """The boxes are absolute."""

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:
        output = only_output(header)
        if output is None or output.shape is None:
            return False
        _, rows, columns = (length(one) for one in output.shape)
        anchors = 3
        has_anchors = rows is not None and rows % anchors == 0 and strides_of(rows // anchors, size) is not None
        return columns is not None and columns > 5 and has_anchors

    def _boxes(self, values: FloatArray, rows: Array) -> FloatArray:  # noqa: ARG002
        return values


class EndToEnd(Family):
    """Rows of x0, y0, x1, y1, score and class without duplicates; YOLOv10, YOLO26, exports with `nms=True`."""

    name: ClassVar[str] = "end_to_end"
    form: ClassVar[str] = "one output (1, N, 6)"
    letterbox = "centre"

    def __init__(self, header: Header, size: tuple[int, int]) -> None:
        super().__init__(header, size)
        output = only_output(header)
        if output is None or output.shape is None or length(output.shape[-1]) not in (6, None):
            raise ValueError
        self.outputs = (output.name,)

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:
        output = only_output(header)
        if output is None or output.shape is None:
            return False
        _, rows, columns = (length(one) for one in output.shape)
        is_told = is_true(header.metadata.get("end2end"))
        return (columns == 6 and strides_of(rows, size) is None) or (columns is None and is_told)

    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        scores = arrays[0][:, 4]
        rows = np.flatnonzero(scores >= min_score)
        found = arrays[0][rows]
        best = float(scores.max(initial=0))
        return Candidates(found[:, :4], scores[rows], found[:, 5].astype(np.int32), best)
