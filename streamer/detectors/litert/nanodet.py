"""`nanodet`: NanoDet-g (80 classes of COCO, 416x416), run with LiteRT on the CPU.

It needs neither a GPU nor TensorFlow. Built by the main thread, then used by one detector thread.

The frame keeps its aspect ratio: it is scaled to fit into 416x416 pixels and centred on grey, as in training. Decoding
follows the model's definition (https://github.com/RangiLyu/nanodet, `nanodet/model/head/nanodet_head.py`): the distance
from the centre of a cell to each side of the box is the mean of a distribution over 11 bins (Li et al., Generalized
Focal Loss, 2020), and overlaps are suppressed in each class separately at an IoU of 0.6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from streamer.classes import label_maps
from streamer.config.detector import DetectorSettings
from streamer.detectors.letterbox import Letterbox
from streamer.detectors.litert import runtime, ssd
from streamer.errors import DetectorError
from streamer.features import DetectorContext, DetectorFeature
from streamer.models import store
from streamer.models.pinned import nanodet
from streamer.values.frame import Frame, RgbArray
from streamer.values.labels import LabelTable
from tracking.types import Detections, FloatArray, IntArray

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_INPUT_PX = nanodet.INPUT_PX
_MEAN = (123.675, 116.28, 103.53)
_DEVIATION = (58.395, 57.12, 57.375)
_GREY = 114
_IOU_THRESHOLD = 0.6
_MAX_DETECTIONS = 100
_ROUNDING = np.float32(1e-3)  # a logit so much below the bound has a score below it


class NanoDetDetector(DetectorFeature):
    """NanoDet-g on LiteRT.

    Args:
        settings: `min_score` and `threads`, and `offline` for the download of the weights; the defaults if None.

    Raises:
        ModelError: the weights cannot be fetched, read or loaded.
    """

    default_min_score: ClassVar[float] = 0.5
    """Best F1 of the class Person on PETS09-S2L1-a at 480x360, IoU 0.5: 0.87, precision 0.88, recall 0.87."""

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        settings = settings or DetectorSettings()
        self._interpreter: Interpreter | None = runtime.load(
            store.NANODET, store.PINNED[store.NANODET].load(offline=settings.offline), settings.threads
        )
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._min_score = self.default_min_score if settings.min_score is None else settings.min_score
        self._top_score: float | None = None

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is `nanodet`."""
        return name == store.NANODET

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable:  # noqa: ARG003
        """The 80 classes of COCO."""
        return label_maps.coco_rows()

    @classmethod
    def model_files(cls, settings: DetectorSettings) -> Sequence[Path]:  # noqa: ARG003
        """The file in the cache."""
        return store.PINNED[store.NANODET].cached_files()

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[NanoDetDetector]:
        """One detector for each worker; see `runtime.worker_settings`."""
        settings, workers = runtime.worker_settings(settings, context)
        return [cls(settings) for _ in range(workers)]

    @property
    def labels(self) -> LabelTable:
        """The 80 classes of COCO, numbered from 0 without gaps."""
        return label_maps.coco_rows()

    @property
    def top_score(self) -> float | None:
        return self._top_score

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        Raises:
            DetectorError: the interpreter failed, or the detector is closed.
        """
        if self._interpreter is None:
            raise DetectorError("the detector nanodet is closed")
        place = Letterbox.fit(frame.width, frame.height, _INPUT_PX, _INPUT_PX)
        rows = self._infer(self._interpreter, frame.rgb((place.width, place.height)), place)
        best = rows[:, : nanodet.CLASSES].max(axis=1)
        self._top_score = 1 / (1 + math.exp(-max(float(best.max()), -88.0)))
        cells = np.flatnonzero(best >= _logit(self._min_score) - _ROUNDING)
        boxes, scores, labels = candidates(rows[cells], cells, self._min_score)
        kept = ssd.suppress(boxes, scores, labels, iou_threshold=_IOU_THRESHOLD, max_detections=_MAX_DETECTIONS)
        placed = place.in_frame(boxes[kept], frame.width, frame.height)
        return runtime.in_pixels(placed, scores[kept], labels[kept], frame.width, frame.height)

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        self._interpreter = None

    def _infer(self, interpreter: Interpreter, rgb: RgbArray, place: Letterbox) -> FloatArray:
        """The output `(3549, 124)` for a scaled frame."""
        try:
            view = interpreter.tensor(self._input)()[0]
            normalize(rgb, place, out=view)
            del view  # LiteRT refuses to run while a view of its memory exists
            interpreter.invoke()
            output: FloatArray = interpreter.get_tensor(self._output)
        except (RuntimeError, ValueError) as error:
            raise DetectorError(f"LiteRT failed on a frame: {error}") from error
        return output


def normalize(rgb: RgbArray, place: Letterbox, *, out: FloatArray) -> None:
    """Write a scaled frame and grey margins into the model's input.

    Args:
        rgb: uint8 `(place.height, place.width, 3)`.
        place: of the frame in the input.
        out: float32 `(416, 416, 3)`; all of it is written.
    """
    factor, offset = _normalization()
    rows, length = out.reshape(_INPUT_PX, 3 * _INPUT_PX), 3 * place.width
    if rgb.shape != out.shape:
        rows[:] = factor * np.float32(_GREY) - offset
    image = rows[place.top : place.top + place.height, 3 * place.left : 3 * place.left + length]
    np.multiply(rgb.reshape(place.height, length), factor[:length], out=image, dtype=np.float32)
    np.subtract(image, offset[:length], out=image)


def candidates(rows: FloatArray, cells: ssd.IndexArray, min_score: float) -> tuple[FloatArray, FloatArray, IntArray]:
    """Every class of the cells that reaches the least score, before suppression.

    Args:
        rows: float32 `(M, 124)`, rows of the output, see `streamer.models.pinned.nanodet.build`.
        cells: `(M,)` their numbers in the output.
        min_score: the least score.

    Returns:
        Boxes `(N, 4)` x0, y0, x1, y1 in pixels of the input, scores `(N,)` and labels `(N,)`.
    """
    with np.errstate(over="ignore"):  # a logit below -88 is a score of 0
        scores: FloatArray = np.float32(1) / (np.float32(1) + np.exp(-rows[:, : nanodet.CLASSES]))
    which, labels = np.nonzero(scores >= np.float32(min_score))
    boxes = _decode(rows[:, nanodet.CLASSES :], cells)
    return boxes[which], scores[which, labels], labels.astype(np.int32)


@cache
def _normalization() -> tuple[FloatArray, FloatArray]:
    """Factor and offset of each value of an input row; whole rows are six times as fast as pixels of three values."""
    factor = np.tile(1 / np.array(_DEVIATION), _INPUT_PX)
    return factor.astype(np.float32), (factor * np.tile(_MEAN, _INPUT_PX)).astype(np.float32)


@cache
def _cells() -> tuple[FloatArray, FloatArray]:
    """Centre `(3549, 2)` and stride `(3549, 1)` of each output row, in pixels of the input."""
    centres, strides = [], []
    for stride in nanodet.STRIDES:
        side = _INPUT_PX // stride
        y, x = np.mgrid[:side, :side].astype(np.float32)
        centres.append((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(np.full((side * side, 1), stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _decode(logits: FloatArray, cells: ssd.IndexArray) -> FloatArray:
    """Boxes `(N, 4)` in pixels of the input, from `(N, 44)` logits of the distances and their output rows."""
    bins = logits.reshape(-1, 4, nanodet.BINS)
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    distances = weights @ np.arange(nanodet.BINS, dtype=np.float32) / weights.sum(axis=2)
    centres, strides = _cells()
    distances *= strides[cells]
    boxes = np.concatenate([centres[cells] - distances[:, :2], centres[cells] + distances[:, 2:]], axis=1)
    inside: FloatArray = np.clip(boxes, 0, _INPUT_PX)
    return inside


def _logit(score: float) -> np.float32:
    """The logit of a score in [0, 1]."""
    if score <= 0 or score >= 1:
        return np.float32(math.inf if score >= 1 else -math.inf)
    return np.float32(math.log(score / (1 - score)))
