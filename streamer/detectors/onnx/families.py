"""The families of detectors in ONNX files, and how a file is recognised. Main thread.

A new family is one class and one entry in `FAMILIES`. What the file does not tell, `detector.onnx` can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamer.config.detector import OnnxSettings
from streamer.detectors.onnx import metadata
from streamer.detectors.onnx.detr import Detr, DFine, UltralyticsRtDetr
from streamer.detectors.onnx.family import Family, length
from streamer.detectors.onnx.header import Header, Tensor
from streamer.detectors.onnx.picture import InputFormat, Layout, Triple
from streamer.detectors.onnx.yolo import EndToEnd, YoloV5, YoloV8, YoloX
from streamer.errors import ConfigError, ModelError
from streamer.system.suggestions import nearest

FAMILIES: Mapping[str, type[Family]] = {
    one.name: one for one in (DFine, UltralyticsRtDetr, Detr, YoloX, YoloV5, EndToEnd, YoloV8)
}
"""By name, in the order in which they are tried."""
_INPUT_TYPES = ("float32", "float16", "uint8")
_NO_NORMALIZATION = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Recognised:
    """A model that can be run.

    Attributes:
        header: of the file.
        family: reads its outputs.
        picture: name of the input for frames.
        form: of this input.
    """

    header: Header
    family: Family
    picture: str
    form: InputFormat


def recognise(header: Header, settings: OnnxSettings) -> Recognised:
    """The family and the input of a model.

    Raises:
        ConfigError: an unknown family, or a setting that contradicts the file.
        ModelError: no detector of a known family, or an input that cannot be filled; the message has its signature.
    """
    if settings.family is not None and settings.family not in FAMILIES:
        raise ConfigError(f"detector.onnx.family: no family {settings.family!r}{nearest(settings.family, FAMILIES)}")
    task = metadata.other_task(header.metadata)
    if task is not None and settings.family is None:
        raise ModelError(f"{header.name} is a model for the task {task!r}, not for detection; export a detector")
    picture = _picture(header)
    layout = settings.layout or _layout(picture)
    size = _size(header, picture, layout, settings)
    family = _family(header, size, settings.family)
    mean, std = _normalization(header, family, picture, settings)
    form = InputFormat(
        *size,
        dtype=picture.dtype,
        layout=layout,
        colours=settings.colours or family.colours,
        mean=mean,
        std=std,
        letterbox=settings.letterbox or family.letterbox,
    )
    return Recognised(header, family, picture.name, form)


def _picture(header: Header) -> Tensor:
    """The input for frames: the only one of rank 4."""
    found = [one for one in header.inputs if one.shape is not None and len(one.shape) == 4]
    if len(found) != 1 or found[0].dtype not in _INPUT_TYPES:
        raise _unknown(header)
    batch = found[0].shape[0] if found[0].shape else 1
    if batch != 1 and isinstance(batch, int):
        raise ModelError(f"{header.name} takes {batch} frames at a time; export it with batch 1")
    return found[0]


def _layout(picture: Tensor) -> Layout:
    shape = picture.shape or ()
    return "nhwc" if shape[-1] == 3 and shape[1] != 3 else "nchw"


def _size(header: Header, picture: Tensor, layout: str, settings: OnnxSettings) -> tuple[int, int]:
    """`(width, height)` in pixels: fixed in the graph, from the settings, or from the metadata."""
    shape = picture.shape or ()
    height, width = shape[2:] if layout == "nchw" else shape[1:3]
    channels = length(shape[1] if layout == "nchw" else shape[3])
    if channels not in (None, 3):
        raise ModelError(f"{header.name} takes pictures with {channels} channels, not 3: {picture}")
    fixed = (length(width), length(height))
    wanted = settings.input_size or metadata.size_of(header.metadata)
    if fixed[0] is not None and fixed[1] is not None:
        if settings.input_size not in (None, fixed):
            raise ConfigError(
                f"detector.onnx.input_size is {'x'.join(map(str, settings.input_size or ()))}, "
                f"but {header.name} takes {fixed[0]}x{fixed[1]} only"
            )
        return fixed[0], fixed[1]
    if wanted is None:
        raise ModelError(
            f"{header.name} takes pictures of any size ({picture}) and does not tell which it was trained with; "
            "give it, such as detector.onnx.input_size=[640,640]"
        )
    return fixed[0] or wanted[0], fixed[1] or wanted[1]


def _family(header: Header, size: tuple[int, int], told: str | None) -> Family:
    kind = FAMILIES[told] if told is not None else None
    kind = kind or next((one for one in FAMILIES.values() if one.recognises(header, size)), None)
    if kind is None:
        raise _unknown(header)
    try:
        return kind(header, size)
    except ValueError as error:
        raise ModelError(
            f"{header.name} is not of the family {kind.name}: it has {header.signature}; {kind.name} has {kind.form}"
        ) from error


def _normalization(header: Header, family: Family, picture: Tensor, settings: OnnxSettings) -> tuple[Triple, Triple]:
    """Mean and standard deviation."""
    if picture.dtype == "uint8":
        if settings.mean is not None or settings.std is not None:
            raise ConfigError(f"{header.name} takes uint8 pictures; detector.onnx.mean and std are for other types")
        return _NO_NORMALIZATION
    return settings.mean or family.mean, settings.std or family.std


def _unknown(header: Header) -> ModelError:
    gives_boxes = any(one.shape is None or len(one.shape) > 2 or one.shape[-1:] == (4,) for one in header.outputs)
    gives_boxes |= any("box" in one.name.casefold() for one in header.outputs)
    # The families have outputs of rank 3: a family that is told cannot read the boxes of others, such as torchvision's.
    readable = any(one.shape is None or len(one.shape) == 3 for one in header.outputs)
    other = "export it for one of these" if gives_boxes else "it gives no boxes, like a classifier"
    remedy = "detector.onnx.family=NAME selects one" if readable else other
    return ModelError(
        f"{header.name} is no detector of a known family ({', '.join(FAMILIES)}): it has {header.signature}; {remedy}"
    )
