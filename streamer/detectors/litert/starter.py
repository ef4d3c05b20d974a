"""The starter: SSD MobileNet V2 trained on Open Images V4 (23 classes, 300x300), run with LiteRT on the CPU.

It needs neither a GPU nor TensorFlow. Built by the main thread, then used by one detector thread.

Input, anchors, decoding, label map and suppression are those of the graph that MediaPipe publishes with the model,
`mediapipe/modules/objectron/object_detection_oid_v4_cpu.pbtxt`; the package with the weights has a compiled copy with
the same values. Two things differ. The graph suppresses overlaps among all boxes of its allowed labels, usually one
label; here each class is suppressed separately. And the graph's score threshold of 0.5 is a setting here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from streamer.classes import label_maps
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert import runtime, ssd
from streamer.errors import ConfigError, DetectorError
from streamer.features import DetectorContext, DetectorFeature
from streamer.models import store
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections, FloatArray, IntArray

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_INPUT_PX = 300
_IOU_THRESHOLD = 0.5
_UNUSED_CLASSES = 1  # `ignore_classes: 0`: row 0 of the label map is "???"


def starter_anchors() -> FloatArray:
    """The model's 1,917 anchors, `(1917, 4)`, see `ssd.anchors`; values from the graph's SsdAnchorsCalculator."""
    return ssd.anchors(
        _INPUT_PX,
        strides=(16, 32, 64, 128, 256, 512),
        scale_range=(0.2, 0.95),
        aspect_ratios=(1.0, 2.0, 0.5, 3.0, 0.3333),
    )


class StarterDetector(DetectorFeature):
    """SSD MobileNet V2 on LiteRT.

    Args:
        settings: `min_score` and `threads`, and `offline` for the download of the weights; the defaults if None.
        max_detections: the most a frame, those with the highest scores; the graph's own limit is 100.

    Raises:
        ConfigError: `max_detections` is below 1.
        ModelError: the weights cannot be fetched, read or loaded.
    """

    default_min_score: ClassVar[float] = 0.38
    """Best F1 of the class Person on PETS09-S2L1 at 480x360, IoU 0.5: precision 0.79, recall 0.76."""

    def __init__(self, settings: DetectorSettings | None = None, *, max_detections: int = 100) -> None:
        if max_detections < 1:
            raise ConfigError(f"max_detections must be at least 1, not {max_detections}")
        settings = settings or DetectorSettings()
        content = store.PINNED[store.STARTER].load(offline=settings.offline)
        self._labels = label_maps.starter_table(content)
        self._anchors = starter_anchors()
        self._min_score = np.float32(self.default_min_score if settings.min_score is None else settings.min_score)
        self._max_detections = max_detections
        self._top_score: float | None = None
        flatbuffer = content[label_maps.STARTER_LABEL_MAP_BYTES :]
        self._interpreter: Interpreter | None = runtime.load(store.STARTER, flatbuffer, settings.threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {item["name"]: item["index"] for item in self._interpreter.get_output_details()}
        self._box_output = outputs["raw_outputs/box_encodings"]
        self._class_output = outputs["raw_outputs/class_predictions"]

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is `starter`."""
        return name == store.STARTER

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable:
        """Its classes; they are in the file with the weights, which is downloaded if it is missing."""
        return label_maps.starter_table(store.PINNED[store.STARTER].load(offline=settings.offline))

    @classmethod
    def model_files(cls, settings: DetectorSettings) -> Sequence[Path]:  # noqa: ARG003
        """The file in the cache."""
        return store.PINNED[store.STARTER].cached_files()

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[StarterDetector]:
        """One detector for each worker; see `runtime.worker_settings`."""
        settings, workers = runtime.worker_settings(settings, context)
        return [cls(settings) for _ in range(workers)]

    @property
    def labels(self) -> LabelTable:
        """The 24 rows of the model's label map; row 0 is `???` and never reported."""
        return self._labels

    @property
    def top_score(self) -> float | None:
        return self._top_score

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        The frame is stretched to 300x300, as in the graph (`keep_aspect_ratio: false`).

        Raises:
            DetectorError: the interpreter failed, or the detector is closed.
        """
        if self._interpreter is None:
            raise DetectorError("the starter detector is closed")
        encodings, logits = self._infer(self._interpreter, frame.rgb((_INPUT_PX, _INPUT_PX)))
        boxes, scores, labels = self._candidates(encodings, logits)
        kept = ssd.suppress(boxes, scores, labels, iou_threshold=_IOU_THRESHOLD, max_detections=self._max_detections)
        scaled = boxes[kept] * np.array([frame.width, frame.height] * 2, np.float32)
        return runtime.in_pixels(scaled, scores[kept], labels[kept], frame.width, frame.height)

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        self._interpreter = None

    def _infer(self, interpreter: Interpreter, rgb: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """Raw outputs for a frame uint8 `(300, 300, 3)`: encodings `(1917, 4)` and class logits `(1917, 24)`."""
        try:
            # Scaled to [-1, 1] in the interpreter's own buffer.
            view = interpreter.tensor(self._input)()[0]
            np.multiply(rgb, np.float32(2 / 255), out=view, dtype=np.float32)
            np.subtract(view, np.float32(1), out=view)
            del view  # LiteRT refuses to run while a view of its memory exists
            interpreter.invoke()
            return interpreter.get_tensor(self._box_output)[0], interpreter.get_tensor(self._class_output)[0]
        except (RuntimeError, ValueError) as error:
            raise DetectorError(f"LiteRT failed on a frame: {error}") from error

    def _candidates(self, encodings: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
        """Decoded boxes `(N, 4)`, scores `(N,)` and labels `(N,)` of anchors whose best class reaches `min_score`."""
        used = np.ascontiguousarray(logits.T)[_UNUSED_CLASSES:]  # the maximum is faster along long rows
        with np.errstate(over="ignore"):  # a logit below -88 is a score of 0
            scores = 1 / (1 + np.exp(-used.max(axis=0)))
        self._top_score = float(scores.max())
        rows = np.flatnonzero(scores >= self._min_score)
        labels = used[:, rows].argmax(axis=0).astype(np.int32) + _UNUSED_CLASSES
        return ssd.decode(encodings[rows], self._anchors[rows]), scores[rows], labels
