"""Models with the outputs of TensorFlow's detectors on a server. Used by one detector thread.

Their signatures are recognised and their outputs are read as those of a SavedModel (`streamer.detectors.tfhub`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from streamer.classes import label_maps
from streamer.config.detector import DetectorSettings
from streamer.detectors.kserve.tensors import Array
from streamer.detectors.onnx import header
from streamer.detectors.onnx.family import length
from streamer.detectors.onnx.metadata import names_of
from streamer.detectors.tfhub import signatures
from streamer.detectors.tfhub.outputs import OutputReader
from streamer.detectors.tfhub.signatures import BOXES, SCORES, Form
from streamer.errors import DetectorError, ModelError
from streamer.models.saved_model import Signature, Tensor
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

DEFAULT_MIN_SCORE = 0.3


def has_signature(model: header.Header) -> bool:
    """Whether a model gives boxes and scores under the names of these detectors."""
    return {BOXES, SCORES} <= {one.name for one in model.outputs}


def recognise(model: header.Header) -> Form:
    """The form of a model.

    Raises:
        ModelError: it has other inputs or outputs besides; the message lists them.
    """
    inputs, outputs = ({one.name: _tensor(one) for one in tensors} for tensors in (model.inputs, model.outputs))
    return signatures.recognise([Signature("model", (), inputs, outputs)], model.name)


def labels_of(model: header.Header, form: Form, label_map: str | None) -> LabelTable:
    """The classes of a model, from the label map or the metadata; a row is the id that the model gives.

    Raises:
        ConfigError: no such label map.
        ModelError: no names.
    """
    names = names_of(model.metadata)
    if label_map is not None or (form.has_names and not names):
        return label_maps.of_module(label_map)
    if not names:
        raise ModelError(
            f"{model.name} gives class ids without names; name them with detector.label_map: coco, open_images_v4, or "
            "a .pbtxt, .csv or .txt file"
        )
    return label_maps.named([names.get(number, "") for number in range(max(names) + 1)])


class ObjectDetectionAdapter:
    """Writes a frame into the input of a model and reads its outputs; see `FamilyAdapter` for the attributes.

    Args:
        form: of the model.
        labels: its classes.
        settings: `min_score`; the default if None.
    """

    def __init__(self, form: Form, labels: LabelTable, settings: DetectorSettings) -> None:
        self._form = form
        min_score = DEFAULT_MIN_SCORE if settings.min_score is None else settings.min_score
        self._reader = OutputReader(form, labels, min_score)
        self._size = (0, 0)
        self.inputs: Mapping[str, Array] = {}
        self.outputs: Sequence[str] = form.outputs

    def __str__(self) -> str:
        size = "any size" if self._form.size is None else "{}x{}".format(*self._form.size)
        return f"family object_detection_api, input {size} rgb {self._form.input.dtype} nhwc"

    @property
    def top_score(self) -> float | None:
        """The highest score on the last frame."""
        return self._reader.top_score

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """How often each class that is not in the table was found so far."""
        return self._reader.unknown_classes

    def fill(self, frame: Frame) -> None:
        """Write a frame into `inputs`, at the size that the model requires."""
        rgb = frame.rgb(self._form.size)
        self._size = frame.width, frame.height
        tensor = self.inputs.get(self._form.input_key)
        if tensor is None or tensor.shape[1:] != rgb.shape:
            tensor = np.empty((1, *rgb.shape), self._form.input.dtype)
            self.inputs = {self._form.input_key: tensor}
        np.copyto(tensor[0], rgb)
        if self._form.white == 1:
            np.divide(tensor, np.float32(255), out=tensor)

    def read(self, arrays: Sequence[Array]) -> Detections:
        """The detections in the outputs for this frame; `OutputReader.read` has the errors."""
        try:
            return self._reader.read(arrays, *self._size)
        except (IndexError, TypeError, AttributeError) as error:
            kinds = ", ".join(f"{one.dtype} {one.shape}" for one in arrays)
            raise DetectorError(f"the model gave {kinds}; that is no {' and '.join(self.outputs)}") from error


def _tensor(one: header.Tensor) -> Tensor:
    shape = None if one.shape is None else tuple(map(length, one.shape))
    return Tensor(one.name, "string" if one.dtype == "object" else one.dtype, shape)
