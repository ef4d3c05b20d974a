"""The families of detection transformers. Built by the main thread, used by detector threads.

Read in the exporters: RF-DETR `export/_onnx/exporter.py` and `export/_runtime/decode.py` (outputs `dets` and `labels`,
sigmoid, the best pairs of query and class), `tools/deployment/export_onnx.py` of D-FINE and RT-DETR (the inputs
`images` and `orig_target_sizes`), Ultralytics `nn/modules/head.py` (RT-DETR in one output).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from streamer.detectors.onnx.family import Array, Candidates, Family, corners, length, only_output
from streamer.detectors.onnx.header import Header, Tensor
from streamer.detectors.onnx.metadata import is_ultralytics_rtdetr, rfdetr
from tracking.types import FloatArray

_BOXES = ("dets", "pred_boxes", "boxes")
_LOGITS = ("labels", "pred_logits", "logits")
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
_SIZES = "orig_target_sizes"


class Detr(Family):
    """Boxes as centre and size in 0..1, and a logit for each class; RF-DETR, RT-DETR and D-FINE of Transformers."""

    name: ClassVar[str] = "detr"
    form: ClassVar[str] = "boxes (1, N, 4) and logits (1, N, C)"

    def __init__(self, header: Header, size: tuple[int, int]) -> None:
        super().__init__(header, size)
        found = _boxes_and_logits(header)
        if found is None:
            raise ValueError
        boxes, logits = found
        self.outputs = (boxes.name, logits.name)
        self.class_count = None if logits.shape is None else length(logits.shape[-1])
        self._scale = np.array([*size, *size], np.float32)
        if "dets" in self.outputs:  # RF-DETR
            told = rfdetr(header.metadata)
            self.mean = told.mean if told is not None else _IMAGENET_MEAN
            self.std = told.std if told is not None else _IMAGENET_STD

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:  # noqa: ARG003
        return len(header.inputs) == 1 and _boxes_and_logits(header) is not None

    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        boxes, logits = arrays
        with np.errstate(over="ignore"):  # a logit below -88 is a score of 0
            scores = np.float32(1) / (np.float32(1) + np.exp(-logits))
        return self._best_pairs(boxes, scores, min_score)

    def _best_pairs(self, boxes: FloatArray, scores: FloatArray, min_score: np.float32) -> Candidates:
        """The best pairs of box and class, as many as there are boxes."""
        rows, labels = np.nonzero(scores >= min_score)
        found = scores[rows, labels]
        if len(found) > len(boxes):
            kept = np.argsort(-found, kind="stable")[: len(boxes)]
            rows, labels, found = rows[kept], labels[kept], found[kept]
        best = float(scores.max(initial=0))
        return Candidates(corners(boxes[rows]) * self._scale, found, labels.astype(np.int32), best)


class UltralyticsRtDetr(Detr):
    """Boxes and scores of RT-DETR in one output, as Ultralytics exports it."""

    name: ClassVar[str] = "ultralytics_rtdetr"
    form: ClassVar[str] = "one output (1, N, 4+C), boxes in 0..1"

    def __init__(self, header: Header, size: tuple[int, int]) -> None:
        Family.__init__(self, header, size)
        output = only_output(header)
        if output is None or output.shape is None:
            raise ValueError
        self.outputs = (output.name,)
        values = length(output.shape[-1])
        self.class_count = None if values is None else values - 4
        self._scale = np.array([*size, *size], np.float32)

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:  # noqa: ARG003
        return only_output(header) is not None and is_ultralytics_rtdetr(header.metadata)

    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        return self._best_pairs(arrays[0][:, :4], arrays[0][:, 4:], min_score)


class DFine(Family):
    """Labels, boxes and scores, scaled by a second input; D-FINE, RT-DETR and DEIM of their own repositories."""

    name: ClassVar[str] = "dfine"
    form: ClassVar[str] = f"inputs images and {_SIZES}, outputs labels, boxes and scores"

    def __init__(self, header: Header, size: tuple[int, int]) -> None:
        super().__init__(header, size)
        if not self.recognises(header, size):
            raise ValueError
        self.outputs = ("labels", "boxes", "scores")
        # The model multiplies its boxes by this size: so they are in pixels of the input.
        dtype = next(one.dtype for one in header.inputs if one.name == _SIZES)
        self._sizes = np.array([size], dtype)

    @classmethod
    def recognises(cls, header: Header, size: tuple[int, int]) -> bool:  # noqa: ARG003
        outputs = {one.name for one in header.outputs}
        return {"labels", "boxes", "scores"} <= outputs and any(
            one.name == _SIZES and one.dtype in ("int64", "int32", "float32") for one in header.inputs
        )

    def more_inputs(self) -> Mapping[str, Array]:
        return {_SIZES: self._sizes}

    def read(self, arrays: Sequence[Array], min_score: np.float32) -> Candidates:
        labels, boxes, scores = arrays
        rows = np.flatnonzero(scores >= min_score)
        best = float(scores.max(initial=0))
        return Candidates(boxes[rows], scores[rows], labels[rows].astype(np.int32), best)


def _boxes_and_logits(header: Header) -> tuple[Tensor, Tensor] | None:
    """By their names, else by their shapes."""
    by_name = {one.name: one for one in header.outputs if one.shape is None or len(one.shape) == 3}
    boxes = next((by_name[name] for name in _BOXES if name in by_name), None)
    logits = next((by_name[name] for name in _LOGITS if name in by_name), None)
    if boxes is not None and logits is not None:
        return (boxes, logits) if boxes.shape is None or length(boxes.shape[-1]) in (4, None) else None
    fours = [one for one in by_name.values() if one.shape is not None and one.shape[-1] == 4]
    others = [one for one in by_name.values() if one not in fours]
    if len(fours) != 1 or len(others) != 1 or others[0].shape is None or fours[0].shape is None:
        return None
    return (fours[0], others[0]) if fours[0].shape[1] == others[0].shape[1] else None
