"""The starter: SSD MobileNet V2 trained on Open Images V4 (23 classes, 300x300), run with LiteRT on the CPU.

A real detector on any machine, without a GPU and without TensorFlow. Built by the main thread, then used by one
detector thread; LiteRT releases the GIL, so that two instances in two threads run side by side.

Input, anchors, decoding, label map and suppression are those of the graph that publishes the model, MediaPipe's
`mediapipe/modules/objectron/object_detection_oid_v4_cpu.pbtxt`, of which the package that carries the weights holds a
compiled copy with the same values. Two things differ, as a detector of many classes needs it. The graph suppresses
overlaps among the boxes that pass its list of allowed labels, usually a single one; here each class is suppressed by
itself. And the graph's score threshold of 0.5 is a setting here, see `DEFAULT_MIN_SCORE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamer.classes import label_maps
from streamer.detectors import ssd
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.models import store
from streamer.system import native_stderr
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections, FloatArray, IntArray

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

DEFAULT_MIN_SCORE = 0.38
"""Best F1 of the class Person on PETS09-S2L1 at 480x360, IoU 0.5: precision 0.79, recall 0.76."""

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


class StarterDetector:
    """SSD MobileNet V2 on LiteRT.

    Args:
        weights: a copy of the package's `objectron_solution_packed_assets.data`; None takes the one in the cache and
            fetches it if it is not there.
        min_score: detections below are left out, in [0, 1].
        max_detections: at most so many a frame, those with the highest scores; the graph's own limit is 100.
        threads: CPU threads of one inference.

    Raises:
        ConfigError: a number out of range.
        ModelError: the weights cannot be fetched, read or loaded.
    """

    def __init__(
        self,
        *,
        weights: Path | None = None,
        min_score: float = DEFAULT_MIN_SCORE,
        max_detections: int = 100,
        threads: int = 1,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise ConfigError(f"min_score must be in 0..1, not {min_score}")
        if max_detections < 1 or threads < 1:
            raise ConfigError("max_detections and threads must be at least 1")
        content = store.load_starter(weights)
        self._labels = label_maps.starter_table(content)
        self._anchors = starter_anchors()
        self._min_score = np.float32(min_score)
        self._max_detections = max_detections
        self._interpreter: Interpreter | None = _load(content[label_maps.STARTER_LABEL_MAP_BYTES :], threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {item["name"]: item["index"] for item in self._interpreter.get_output_details()}
        self._box_output = outputs["raw_outputs/box_encodings"]
        self._class_output = outputs["raw_outputs/class_predictions"]

    @property
    def labels(self) -> LabelTable:
        """The 24 rows of the model's label map; row 0 is `???` and never reported."""
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        The picture is stretched to 300x300, as in the graph (`keep_aspect_ratio: false`).

        Raises:
            DetectorError: the interpreter failed, or the detector is closed.
        """
        if self._interpreter is None:
            raise DetectorError("the starter detector is closed")
        encodings, logits = self._infer(self._interpreter, frame.rgb((_INPUT_PX, _INPUT_PX)))
        boxes, scores, labels = self._candidates(encodings, logits)
        kept = ssd.suppress(boxes, scores, labels, iou_threshold=_IOU_THRESHOLD, max_detections=self._max_detections)
        return _in_pixels(boxes[kept], scores[kept], labels[kept], frame.width, frame.height)

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        self._interpreter = None

    def _infer(self, interpreter: Interpreter, rgb: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """Raw outputs for a picture uint8 `(300, 300, 3)`: encodings `(1917, 4)` and class logits `(1917, 24)`."""
        try:
            # Scaled to [-1, 1] right into the interpreter's own buffer.
            view = interpreter.tensor(self._input)()[0]
            np.multiply(rgb, np.float32(2 / 255), out=view, dtype=np.float32)
            np.subtract(view, np.float32(1), out=view)
            del view  # LiteRT refuses to run while somebody holds its memory
            interpreter.invoke()
            return interpreter.get_tensor(self._box_output)[0], interpreter.get_tensor(self._class_output)[0]
        except (RuntimeError, ValueError) as error:
            raise DetectorError(f"LiteRT failed on a frame: {error}") from error

    def _candidates(self, encodings: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
        """Decoded boxes `(N, 4)`, scores `(N,)` and labels `(N,)` of the anchors whose best class scores enough."""
        used = np.ascontiguousarray(logits.T)[_UNUSED_CLASSES:]  # the maximum is found faster across long rows
        with np.errstate(over="ignore"):  # a logit below -88 is a score of 0
            scores = 1 / (1 + np.exp(-used.max(axis=0)))
        rows = np.flatnonzero(scores >= self._min_score)
        labels = used[:, rows].argmax(axis=0).astype(np.int32) + _UNUSED_CLASSES
        return ssd.decode(encodings[rows], self._anchors[rows]), scores[rows], labels


def _load(flatbuffer: bytes, threads: int) -> Interpreter:
    # Imported here: a start that needs no model does not pay for it.
    from ai_edge_litert.interpreter import Interpreter

    try:
        with native_stderr.held_back(lambda line: line.startswith(b"INFO: ")):
            interpreter = Interpreter(model_content=flatbuffer, num_threads=threads)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"LiteRT cannot load the starter's weights: {error}") from error
    return interpreter


def _in_pixels(boxes: FloatArray, scores: FloatArray, labels: IntArray, width: int, height: int) -> Detections:
    """Scale to the frame and clip; a box that lies outside altogether goes."""
    size = np.array([width, height, width, height], np.float32)
    scaled = np.clip(boxes * size, 0, size)
    inside = (scaled[:, 2] > scaled[:, 0]) & (scaled[:, 3] > scaled[:, 1])
    return Detections(scaled[inside], scores[inside], labels[inside])
