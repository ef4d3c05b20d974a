"""What exporters write into the metadata of an ONNX file. Main thread.

Ultralytics writes Python literals: `names` (`{0: 'person'}`), `imgsz` (`[640, 640]`), `task`, `end2end`, `description`
and others. RF-DETR writes JSON under `rfdetr_inference`, since 2026. A value that cannot be read is treated as missing.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamer.classes.label_maps import MAX_ID
from streamer.detectors.onnx.picture import Triple

Metadata = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RfDetr:
    """What RF-DETR says about its input and classes; see `InputFormat` for `mean` and `std`."""

    size: tuple[int, int]
    mean: Triple
    std: Triple
    names: Mapping[int, str]


def rfdetr(metadata: Metadata) -> RfDetr | None:
    """What RF-DETR wrote; None if it did not."""
    told = _literal(metadata.get("rfdetr_inference"))
    try:
        _, _, height, width = told["input_shape"]
        mean = tuple(float(one) * 255 for one in told["means"])
        std = tuple(float(one) * 255 for one in told["stds"])
        names = _numbered(told["class_id_to_name"])
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0 or names is None:
            return None
        return RfDetr((int(width), int(height)), mean, std, names)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def of_file(text: str | None) -> Metadata:
    """The metadata of a file that were written as one value; empty if it is none."""
    told = _literal(text)
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def names_of(metadata: Metadata) -> Mapping[int, str]:
    """Names of the classes by their number in the model; empty if there are none."""
    told = rfdetr(metadata)
    return told.names if told is not None and told.names else ultralytics_names(metadata) or {}


def ultralytics_names(metadata: Metadata) -> Mapping[int, str] | None:
    """`names` as Ultralytics and others write it: a mapping by number, or a list; None if there are none."""
    names = _literal(metadata.get("names"))
    if isinstance(names, list | tuple):
        names = dict(enumerate(names))
    return _numbered(names)


def size_of(metadata: Metadata) -> tuple[int, int] | None:
    """`(width, height)` of the input in pixels, for a model that takes any; None if it is not there."""
    told = rfdetr(metadata)
    if told is not None:
        return told.size
    size = _literal(metadata.get("imgsz"))  # height, width
    if isinstance(size, int):
        size = [size, size]
    if isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(one, int) and one > 0 for one in size):
        return size[1], size[0]
    return None


def other_task(metadata: Metadata) -> str | None:
    """What the model does instead of detection, such as `classify`; None for a detector, or if it does not say."""
    task = metadata.get("task", "").strip()
    return task if task and task != "detect" else None


def is_ultralytics_rtdetr(metadata: Metadata) -> bool:
    """Whether Ultralytics has exported RT-DETR; newer versions name the head, others only the file of the model."""
    about = f"{metadata.get('head', '')} {metadata.get('description', '')}".casefold()
    return "rtdetr" in about and "names" in metadata


def _numbered(names: Any) -> Mapping[int, str] | None:
    """Names by number; None for another value, or a number that no class has."""
    try:
        found = {int(key): str(name).strip() for key, name in names.items()}
    except (AttributeError, TypeError, ValueError):
        return None
    return found if found and min(found) >= 0 and max(found) <= MAX_ID else None


def is_true(text: str | None) -> bool:
    """Whether a value of the metadata is true."""
    return text is not None and text.strip().casefold() == "true"


def _literal(text: str | None) -> Any:
    """A value in JSON or as a Python literal; None for anything else."""
    if text is None:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None
