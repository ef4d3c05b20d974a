"""Between frames and a model of a family: its inputs, and the detections in its outputs. Used by one detector thread.

What runs the model lies in between: ONNX Runtime (`session`), or a server (`streamer.detectors.kserve`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.detectors.litert import ssd
from streamer.detectors.onnx.families import Recognised
from streamer.detectors.onnx.family import Array, Candidates
from streamer.detectors.onnx.output_check import OutputCheck
from streamer.detectors.onnx.picture import FrameInput, Placement
from streamer.errors import InvalidOutput
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections, IntArray

log = logging.getLogger(__name__)

DEFAULT_MIN_SCORE = 0.3
_MAX_DETECTIONS = 300


class FamilyAdapter:
    """Writes a frame into the inputs of a model and reads its outputs.

    Args:
        model: of a family.
        labels: its classes; a row is the number that the model gives the class.
        settings: `onnx.iou_threshold`, and `min_score`: the default if None.
        other: an adapter of the same model; one of the two reports the first unknown class.

    Attributes:
        inputs: the arrays that the model gets, by name, with a batch of 1; `fill` writes them anew.
        outputs: the names of the outputs that `read` takes, in this order.
        top_score: the highest score on the last frame, also below the bound; None before the first.
        unknown_classes: how often each class without a name was found so far; replaced by the detector thread, read by
            any.
    """

    def __init__(
        self, model: Recognised, labels: LabelTable, settings: DetectorSettings, other: FamilyAdapter | None = None
    ) -> None:
        self._family, self._form = model.family, model.form
        self._input = FrameInput(model.form)
        self.inputs: Mapping[str, Array] = {model.picture: self._input.tensor, **model.family.more_inputs()}
        self.outputs: Sequence[str] = model.family.outputs
        self._min_score = np.float32(DEFAULT_MIN_SCORE if settings.min_score is None else settings.min_score)
        self._iou_threshold = self._family.iou_threshold
        if self._iou_threshold is not None and settings.onnx.iou_threshold is not None:
            self._iou_threshold = settings.onnx.iou_threshold
        self._check = OutputCheck(self._family.name, (model.form.width, model.form.height))
        self._is_named = np.array([bool(name) for name in labels.names], np.bool_)
        self._placed: Placement | None = None
        self.top_score: float | None = None
        self.unknown_classes: Mapping[str, int] = {}
        self._first_unknown: Lock = Lock() if other is None else other._first_unknown
        """Taken, for good, by the adapter that reports the first unknown class."""

    def __str__(self) -> str:
        return f"family {self._family.name}, input {self._form}"

    def fill(self, frame: Frame) -> None:
        """Write a frame into `inputs`."""
        self._placed = self._input.fill(frame)

    def read(self, arrays: Sequence[Array]) -> Detections:
        """The detections in the outputs for the frame of `fill`; boxes in pixels of the frame, by falling score.

        Args:
            arrays: the `outputs`, with a batch of 1.

        Raises:
            InvalidOutput: shapes or numbers that the family does not have.
            ModelError: boxes far outside the input.
        """
        assert self._placed is not None
        return self._detections(self.candidates(arrays), self._placed)

    def candidates(self, arrays: Sequence[Array]) -> Candidates:
        """What the model found in the picture that `inputs` has. Raises what `read` raises."""
        floats = [
            one.astype(np.float32) if one.dtype.kind == "f" and one.dtype != np.float32 else one for one in arrays
        ]
        try:
            found = self._family.read([one[0] for one in floats], self._min_score)
        except (IndexError, ValueError) as error:
            shapes = ", ".join(str(one.shape) for one in arrays)
            raise InvalidOutput(f"the model gave {shapes}; {self._family.name} has {self._family.form}") from error
        found = self._check.checked(found)
        self.top_score = min(found.best, 1.0)
        return found

    def _detections(self, found: Candidates, placed: Placement) -> Detections:
        """By falling score, in pixels of the frame; boxes outside it and classes without a name are removed."""
        boxes, scores = placed.to_frame(found.boxes), np.clip(found.scores, 0, 1).astype(np.float32)
        if self._iou_threshold is None:
            order = np.argsort(-scores, kind="stable")
        else:
            order = ssd.suppress(
                found.boxes,
                found.scores,
                found.labels,
                iou_threshold=self._iou_threshold,
                max_detections=_MAX_DETECTIONS,
            )
        boxes, scores, rows = boxes[order], scores[order], found.labels[order]
        known = (rows >= 0) & (rows < len(self._is_named))
        if not known.all():
            self._note_unknown(rows[~known])
        known[known] &= self._is_named[rows[known]]
        kept = known & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return Detections(boxes[kept], scores[kept], rows[kept])

    def _note_unknown(self, rows: IntArray) -> None:
        """Count classes behind the names; the first one is reported."""
        if self._first_unknown.acquire(blocking=False):
            log.warning(
                "the model gives class %d, but has names for %d only: left out (reported once); set detector.label_map",
                rows[0],
                len(self._is_named),
            )
        counts = Counter(f"class {row}" for row in rows.tolist())
        self.unknown_classes = counts + Counter(self.unknown_classes)
