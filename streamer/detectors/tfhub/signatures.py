"""Recognises the two families of detectors by the signatures of a SavedModel. Pure; main thread.

Open Images modules of TensorFlow Hub take a float frame in [0, 1] and give one row an object. Models of the TensorFlow
2 Object Detection API take bytes (or floats of the same range, 0 to 255) and give a batch of one, padded to a fixed
number of rows (https://github.com/tensorflow/models/blob/master/research/object_detection/exporter_lib_v2.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ModelError
from streamer.models.saved_model import Signature, Tensor

BOXES, SCORES = "detection_boxes", "detection_scores"
LABELS, NAMES, ENTITIES = "detection_class_labels", "detection_class_names", "detection_class_entities"
CLASSES, COUNT = "detection_classes", "num_detections"
IMAGE_INFO = "image_info"
"""Of models of the TensorFlow Model Garden (`box_units`); optional."""

_OPEN_IMAGES_INPUT = "images"
_OPEN_IMAGES_OUTPUTS = (BOXES, SCORES, LABELS, NAMES, ENTITIES)
_API_OUTPUTS = (BOXES, SCORES, CLASSES, COUNT)
_EXPECTED = (
    f"expected float32 [1, ?, ?, 3] as {_OPEN_IMAGES_INPUT!r} and the outputs {', '.join(_OPEN_IMAGES_OUTPUTS)} of a "
    f"TensorFlow Hub module, or uint8 or float32 [1, ?, ?, 3] and {', '.join(_API_OUTPUTS)} of a TensorFlow 2 "
    "Object Detection model"
)


@dataclass(frozen=True, slots=True)
class Form:
    """Input and outputs of a detector.

    Attributes:
        signature: its signature.
        input_key: key of its only input.
        outputs: keys of its outputs, in the order that `OutputReader` expects.
        white: the input value of full intensity: 1 or 255.
        size: `(width, height)` in pixels that the model requires; None for any size.
        has_names: its outputs contain class names; other models give ids and need a label map.
    """

    signature: Signature
    input_key: str
    outputs: tuple[str, ...]
    white: int
    size: tuple[int, int] | None
    has_names: bool

    @property
    def input(self) -> Tensor:
        """The input tensor."""
        return self.signature.inputs[self.input_key]


def recognise(signatures: Sequence[Signature], directory: Path | str) -> Form:
    """The form of the signature that detects: `default` without tags where several fit.

    Args:
        signatures: all of the SavedModel.
        directory: its folder or address, for messages.

    Raises:
        ModelError: none fits; the message lists them.
    """
    forms = [form for form in map(_form, signatures) if form is not None]
    if not forms:
        if encoded := next(filter(_takes_encoded_pictures, signatures), None):
            raise ModelError(
                f"{directory} takes encoded pictures ({encoded.name} has a string input); export it again with "
                "input_type image_tensor"
            )
        found = "; ".join(map(str, signatures)) or "none"
        raise ModelError(f"{directory} is no detector: it has the signature {found}; {_EXPECTED}")
    return min(forms, key=lambda form: (len(form.signature.tags), form.signature.name != "default"))


def _takes_encoded_pictures(signature: Signature) -> bool:
    """Whether it is a detector that was exported for JPEG or PNG files, or for `tf.Example`."""
    inputs = signature.inputs.values()
    return len(inputs) == 1 and all(one.dtype == "string" for one in inputs) and BOXES in signature.outputs


def _form(signature: Signature) -> Form | None:
    taken, given = signature.inputs, signature.outputs
    outputs: tuple[str, ...]
    dtypes: tuple[str, ...]
    if _OPEN_IMAGES_INPUT in taken and all(key in given for key in _OPEN_IMAGES_OUTPUTS):
        key, outputs, white, dtypes = _OPEN_IMAGES_INPUT, _OPEN_IMAGES_OUTPUTS, 1, ("float32",)
    elif len(taken) == 1 and all(key in given for key in _API_OUTPUTS):
        key, outputs, white, dtypes = next(iter(taken)), _API_OUTPUTS, 255, ("uint8", "float32")
        outputs += (IMAGE_INFO,) if IMAGE_INFO in given else ()
    else:
        return None
    tensor = taken[key]
    if tensor.dtype not in dtypes or not _is_one_frame(tensor.shape):
        return None
    width_height = None
    if tensor.shape is not None and tensor.shape[1] and tensor.shape[2]:
        width_height = (tensor.shape[2], tensor.shape[1])
    return Form(signature, key, outputs, white, width_height, has_names=outputs is _OPEN_IMAGES_OUTPUTS)


def _is_one_frame(shape: tuple[int | None, ...] | None) -> bool:
    """Whether the shape allows `[1, H, W, 3]`; open dimensions allow any size."""
    if shape is None:
        return True
    return len(shape) == 4 and shape[0] in (None, 1) and shape[3] in (None, 3)
