"""Detectors in ONNX files. Built by the main thread; each instance is used by one detector thread.

All instances share one session of ONNX Runtime, which runs several frames at the same time and holds the weights once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from threading import Lock
from typing import ClassVar

import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.detectors.litert import ssd
from streamer.detectors.litert.runtime import worker_settings
from streamer.detectors.onnx import families, header, labels
from streamer.detectors.onnx.families import Recognised
from streamer.detectors.onnx.family import Candidates
from streamer.detectors.onnx.output_check import OutputCheck
from streamer.detectors.onnx.picture import FrameInput, Placement
from streamer.detectors.onnx.session import Session
from streamer.errors import ConfigError, DetectorError, InvalidOutput, ModelError
from streamer.features import DetectorContext, DetectorFeature
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections, IntArray

log = logging.getLogger(__name__)

_SUFFIX = ".onnx"
_MAX_DETECTIONS = 300


class OnnxDetector(DetectorFeature):
    """A detector of one of the families that `families` recognises.

    Args:
        settings: `name` is the file; `onnx`, `label_map`, `min_score`, `device`, `threads`, `gpu_memory_mb`.
        other: a detector of the same file; its session is used, and nothing is read or loaded again.

    Raises:
        ConfigError: a setting or a label map does not fit.
        ModelError: the file is no such model, its classes have no names, or it cannot be loaded.
    """

    default_min_score: ClassVar[float] = 0.3

    def __init__(self, settings: DetectorSettings, other: OnnxDetector | None = None) -> None:
        self._model: Recognised
        self._labels: LabelTable
        self._session: Session | None
        if other is None:
            self._model, self._labels = _recognised(settings)
            self._session = Session(self._model.header.path, settings)
        else:
            self._model, self._labels, self._session = other._model, other._labels, other._session
        self._input = FrameInput(self._model.form)
        self._min_score = np.float32(self.default_min_score if settings.min_score is None else settings.min_score)
        family = self._model.family
        self._inputs = {self._model.picture: self._input.tensor, **family.more_inputs()}
        self._iou_threshold = family.iou_threshold
        if family.iou_threshold is not None and settings.onnx.iou_threshold is not None:
            self._iou_threshold = settings.onnx.iou_threshold
        self._check = OutputCheck(family.name, (self._model.form.width, self._model.form.height))
        self._is_named = np.array([bool(name) for name in self._labels.names], np.bool_)
        self._top_score: float | None = None
        self._first_unknown: Lock = Lock() if other is None else other._first_unknown
        """Taken, for good, by the detector that reports the first unknown class."""
        self.unknown_classes: Mapping[str, int] = {}
        """How often each class without a name was found so far; replaced by the detector thread, read by any."""

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name ends in `.onnx`."""
        return name.casefold().endswith(_SUFFIX)

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable | None:
        """Its classes, from the head of the file or the label map."""
        return _recognised(settings)[1] if cls.accepts(settings.name) else None

    @classmethod
    def model_files(cls, settings: DetectorSettings) -> Sequence[Path]:
        """The file, and those beside it whose names begin with its name: weights that are stored apart."""
        path = Path(settings.name).expanduser()
        return [path, *sorted(one for one in path.parent.glob(f"{escape(path.name)}?*") if one.is_file())]

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[OnnxDetector]:
        """One detector for each worker, see `worker_settings`; a single one on a GPU, warmed up."""
        if settings.sha256 is not None:
            raise ConfigError("detector.sha256 is for hub modules; an ONNX model is a file of yours")
        wanted = settings.workers
        settings, workers = worker_settings(settings, context)
        first = cls(settings)
        assert first._session is not None
        if first._session.device != "cpu":
            workers = wanted or 1
            first.warm_up()
        return [first, *(cls(settings, first) for _ in range(workers - 1))]

    @property
    def labels(self) -> LabelTable:
        """Its classes; a row is the number that the model gives the class."""
        return self._labels

    @property
    def top_score(self) -> float | None:
        return self._top_score

    def warm_up(self) -> None:
        """Run it once on a black frame, because the first run on a GPU takes seconds.

        Raises:
            ModelError: it does not run.
        """
        try:
            self._infer()
        except DetectorError as error:
            raise ModelError(f"{self._model.header.path} does not run: {error}") from error

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        Raises:
            DetectorError: ONNX Runtime failed, the detector is closed, or the outputs are not those of its family.
            ModelError: boxes far outside the input.
        """
        if self._session is None:
            raise DetectorError("the ONNX detector is closed")
        placed = self._input.fill(frame)
        return self._detections(self._infer(), placed)

    def describe(self, width: int, height: int) -> Sequence[str]:  # noqa: ARG002
        """Lines on the family, the input and the device."""
        device = "closed" if self._session is None else self._session.device
        return (f"family {self._model.family.name}, input {self._model.form}", f"device {device}")

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        self._session = None

    def _infer(self) -> Candidates:
        """What the model finds in the picture that `_input` has."""
        assert self._session is not None
        family = self._model.family
        arrays = self._session.run(family.outputs, self._inputs)
        try:
            found = family.read([one[0] for one in arrays], self._min_score)
        except (IndexError, ValueError) as error:
            shapes = ", ".join(str(one.shape) for one in arrays)
            raise InvalidOutput(f"the model gave {shapes}; {family.name} has {family.form}") from error
        found = self._check.checked(found)
        self._top_score = min(found.best, 1.0)
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


def _recognised(settings: DetectorSettings) -> tuple[Recognised, LabelTable]:
    if "://" in settings.name:
        raise ModelError("an ONNX model is a file: download it, and give detector.name its path")
    model = families.recognise(header.read(Path(settings.name).expanduser()), settings.onnx)
    return model, labels.table(model, settings.label_map)
