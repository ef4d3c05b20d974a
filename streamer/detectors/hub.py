"""A TensorFlow Hub module for Open Images V4, or any SavedModel with the same signature, from a local folder.

The detector of record, `google/faster_rcnn/openimages_v4/inception_resnet_v2/1`, is of this form. Built by the main
thread, then used by one detector thread. TensorFlow is imported when a detector is built, not before.

What the modules do against their documentation, and what is done about it: the columns `detection_class_names` and
`detection_class_entities` are swapped (the one with `/m/...` is taken as the MIDs), static shapes claim `(None, 1)` for
columns of rank 1 (all are flattened), the set of tags is empty, and the number of boxes varies down to 0.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.frame import Frame
from streamer.labels import LabelTable
from streamer.models import open_images
from streamer.models.tensorflow_import import tensorflow
from tracking.types import Detections, FloatArray, IntArray

DEFAULT_MIN_SCORE = 0.3

_INPUT = "images"
_OUTPUTS = (
    "detection_boxes",
    "detection_scores",
    "detection_class_labels",
    "detection_class_names",
    "detection_class_entities",
)
_EXPECTED = f"expected a TensorFlow Hub module with the input {_INPUT!r} and the outputs {', '.join(_OUTPUTS)}"

Run = Callable[[npt.NDArray[np.float32]], list[npt.NDArray[Any]]]
"""Runs the model on float32 `(1, H, W, 3)` in [0, 1]; gives `_OUTPUTS` in that order."""


class HubDetector:
    """A SavedModel with the signature of TensorFlow Hub's Open Images V4 detectors.

    Loaded through a TF1 session with the meta optimizer off: these graphs are large, and it would go through all of
    them before the first frame.

    Args:
        directory: the unpacked module: the folder with `saved_model.pb`.
        min_score: detections below are left out, in [0, 1].

    Raises:
        ConfigError: `min_score` out of range.
        ModelError: the folder holds no such model, or it cannot be loaded.
    """

    def __init__(self, directory: Path, *, min_score: float = DEFAULT_MIN_SCORE) -> None:
        if not 0 <= min_score <= 1:
            raise ConfigError(f"min_score must be in 0..1, not {min_score}")
        self._min_score = np.float32(min_score)
        self._labels = open_images.label_table()
        self._row_of_mid = {mid: row for row, mid in enumerate(self._labels.mids) if mid}
        self._session: Any = None
        self._run = self._load(directory)

    @property
    def labels(self) -> LabelTable:
        """The 601 classes of Open Images V4; a row is the id in its label map, row 0 is not used."""
        return self._labels

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        The picture goes in at its full size: these models scale it themselves.

        Raises:
            DetectorError: TensorFlow failed, the detector is closed, or the result makes no sense.
        """
        if self._session is None:
            raise DetectorError("the hub detector is closed")
        image = np.divide(frame.rgb(), np.float32(255), dtype=np.float32)[None]
        try:
            outputs = self._run(image)
        except Exception as error:  # tf.errors.OpError and what NumPy makes of odd results
            raise DetectorError(f"TensorFlow failed on a frame: {_first_line(error)}") from error
        return self._detections(outputs, frame.width, frame.height)

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _load(self, directory: Path) -> Run:
        saved_model = _find(directory)
        tf = tensorflow()
        tags, signature_name = _pick_signature(saved_model)
        v1 = tf.compat.v1
        config = v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.gpu_options.allow_growth = True
        graph = tf.Graph()
        session = v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                signature = v1.saved_model.load(session, tags, str(directory)).signature_def[signature_name]
                session.run(v1.tables_initializer())
            run: Run = session.make_callable(
                [signature.outputs[name].name for name in _OUTPUTS], feed_list=[signature.inputs[_INPUT].name]
            )
        except Exception as error:  # a damaged graph or checkpoint raises nearly anything
            session.close()
            raise ModelError(f"{directory} cannot be loaded: {_first_line(error)}") from error
        self._session = session
        return run

    def _detections(self, outputs: list[npt.NDArray[Any]], width: int, height: int) -> Detections:
        boxes = np.asarray(outputs[0], np.float32).reshape(-1, 4)
        columns = [np.asarray(column).reshape(-1) for column in outputs[1:]]
        if any(len(column) != len(boxes) for column in columns):
            lengths = ", ".join(str(len(column)) for column in columns)
            raise DetectorError(f"the module gave {len(boxes)} boxes, but {lengths} scores, labels and names")
        scores, ids, names, entities = columns
        rows = np.flatnonzero(scores >= self._min_score)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        pixels = _in_pixels(boxes[rows], width, height)
        labels = self._rows(ids[rows], names[rows], entities[rows])
        inside = (pixels[:, 2] > pixels[:, 0]) & (pixels[:, 3] > pixels[:, 1])
        return Detections(pixels[inside], scores[rows][inside], labels[inside])

    def _rows(self, ids: npt.NDArray[Any], names: npt.NDArray[Any], entities: npt.NDArray[Any]) -> IntArray:
        """Rows of the label table `(N,)`: by MID where the module gives any, else by its 1-based ids."""
        mids = next((column for column in (names, entities) if len(column) and column[0].startswith(b"/")), None)
        if mids is None:
            if len(ids) and (ids.min() < 1 or ids.max() >= len(self._labels)):
                raise DetectorError(f"the module gave class ids outside 1..{len(self._labels) - 1}")
            return ids.astype(np.int32)
        try:
            return np.array([self._row_of_mid[mid.decode()] for mid in mids], np.int32)
        except KeyError as error:
            raise DetectorError(f"the module gave the class {error.args[0]}, which Open Images V4 has not") from error


def _find(directory: Path) -> Path:
    """The file that makes a folder a SavedModel."""
    saved_model = directory / "saved_model.pb"
    if not directory.is_dir():
        raise ModelError(f"no folder {directory}; {_EXPECTED}")
    if not saved_model.is_file():
        raise ModelError(f"{directory} holds no saved_model.pb; {_EXPECTED}")
    return saved_model


def _pick_signature(saved_model: Path) -> tuple[list[str], str]:
    """Tags and signature name of the graph that detects: `default` without tags where there are several."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        graphs = saved_model_pb2.SavedModel.FromString(saved_model.read_bytes()).meta_graphs
    except (OSError, DecodeError) as error:
        raise ModelError(f"{saved_model} is damaged or no SavedModel; {_EXPECTED}") from error
    found: list[str] = []
    fitting: list[tuple[list[str], str]] = []
    for graph in graphs:
        for name, signature in graph.signature_def.items():
            found.append(f"{name}({', '.join(signature.inputs)})")
            if _INPUT in signature.inputs and all(output in signature.outputs for output in _OUTPUTS):
                fitting.append((sorted(graph.meta_info_def.tags), name))
    if not fitting:
        raise ModelError(f"{saved_model.parent} has the signatures {', '.join(found) or 'none'}; {_EXPECTED}")
    return min(fitting, key=lambda item: (len(item[0]), item[1] != "default"))


def _in_pixels(boxes: FloatArray, width: int, height: int) -> FloatArray:
    """From ymin, xmin, ymax, xmax as fractions to x0, y0, x1, y1 in pixels, clipped; both float32 `(N, 4)`."""
    if not np.isfinite(boxes).all():
        raise DetectorError("the module gave boxes that are not finite")
    size = np.array([width, height, width, height], np.float32)
    pixels: FloatArray = np.clip(boxes[:, [1, 0, 3, 2]] * size, 0, size)
    return pixels


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
