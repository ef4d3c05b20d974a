"""Detectors in ONNX files. Built by the main thread; each instance is used by one detector thread.

All instances share one session of ONNX Runtime, which runs several frames at the same time and holds the weights once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import ClassVar

from streamer.config.detector import DetectorSettings
from streamer.detectors.litert.runtime import worker_settings
from streamer.detectors.onnx import families, header, labels
from streamer.detectors.onnx.adapter import DEFAULT_MIN_SCORE, FamilyAdapter
from streamer.detectors.onnx.families import Recognised
from streamer.detectors.onnx.session import Session
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.features import DetectorContext, DetectorFeature
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

_SUFFIX = ".onnx"


class OnnxDetector(DetectorFeature):
    """A detector of one of the families that `families` recognises.

    Args:
        settings: `name` is the file; `onnx`, `label_map`, `min_score`, `device`, `threads`, `gpu_memory_mb`.
        other: a detector of the same file; its session is used, and nothing is read or loaded again.

    Raises:
        ConfigError: a setting or a label map does not fit.
        ModelError: the file is no such model, its classes have no names, or it cannot be loaded.
    """

    default_min_score: ClassVar[float] = DEFAULT_MIN_SCORE

    def __init__(self, settings: DetectorSettings, other: OnnxDetector | None = None) -> None:
        self._model: Recognised
        self._labels: LabelTable
        self._session: Session | None
        self._adapter: FamilyAdapter
        if other is None:
            self._model, self._labels = _recognised(settings)
            self._session = Session(_file_of(settings), settings)
        else:
            self._model, self._labels, self._session = other._model, other._labels, other._session
        self._adapter = FamilyAdapter(self._model, self._labels, settings, None if other is None else other._adapter)

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
        return self._adapter.top_score

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """How often each class without a name was found so far. Any thread."""
        return self._adapter.unknown_classes

    def warm_up(self) -> None:
        """Run it once on a black frame, because the first run on a GPU takes seconds.

        Raises:
            ModelError: it does not run.
        """
        assert self._session is not None
        try:
            self._adapter.candidates(self._session.run(self._adapter.outputs, self._adapter.inputs))
        except DetectorError as error:
            raise ModelError(f"{self._model.header.name} does not run: {error}") from error

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        Raises:
            DetectorError: ONNX Runtime failed, the detector is closed, or the outputs are not those of its family.
            ModelError: boxes far outside the input.
        """
        session = self._session
        if session is None:
            raise DetectorError("the ONNX detector is closed")
        self._adapter.fill(frame)
        return self._adapter.read(session.run(self._adapter.outputs, self._adapter.inputs))

    def describe(self, width: int, height: int) -> Sequence[str]:  # noqa: ARG002
        """Lines on the family, the input and the device."""
        device = "closed" if self._session is None else self._session.device
        return (str(self._adapter), f"device {device}")

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        self._session = None


def _file_of(settings: DetectorSettings) -> Path:
    return Path(settings.name).expanduser()


def _recognised(settings: DetectorSettings) -> tuple[Recognised, LabelTable]:
    if "://" in settings.name:
        raise ModelError("an ONNX model is a file: download it, and give detector.name its path")
    model = families.recognise(header.read(_file_of(settings)), settings.onnx)
    return model, labels.table(model, settings.label_map)
