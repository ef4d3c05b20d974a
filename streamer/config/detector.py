"""Settings of the detector. Any thread may read them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from streamer.config.section import Section


class DetectorSettings(Section):
    """What is looked for, and with which model."""

    name: str = "auto"
    """`auto`, `starter`, `faster_rcnn_openimages_v4`, the URL, .tar.gz file or folder of a TensorFlow Hub module, or
    detections in a file: MOT Challenge .txt, or .jsonl as this program writes it."""
    sha256: str | None = None
    """The checksum that the module's archive must have; not checked if null."""
    offline: bool = False
    """Never download: take what is in the cache."""
    label_map: str | None = None
    """Names of the module's classes: `open_images_v4`, `coco`, or a .pbtxt, .csv or .txt file; its own if null."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    """Detections below this score are left out; the detector's own default if null."""
    min_scores: dict[str, float] = {}
    """Other bounds for some classes: name or MID to score; a class counts for all below it, `=Name` for itself only."""
    classes: tuple[str, ...] = ()
    """Names or MIDs of the classes to keep, each with all below it; `=Name` for itself only; all if empty."""
    merge_twins: bool = False
    """Keep one of two boxes on the same object of which one class is a kind of the other (Person and Man)."""
    device: str = "auto"
    """Where a hub module runs: `auto`, `cpu` or `gpu:0`."""
    gpu_memory_mb: int | None = Field(default=None, ge=256)
    """The most GPU memory to take; as much as it needs if null."""
    precision: Literal["float32", "tensorfloat32", "bfloat16", "mixed_float16"] = "float32"
    """Arithmetic of a hub module; anything but float32 is compared with it on the first frames."""
    optimize_graph: bool = False
    """Let TensorFlow fuse a hub module's convolutions first: a later start for quicker frames."""
    reference: bool = False
    """Load and feed a hub module as its page on TensorFlow Hub shows it, slowly, to compare with."""
    timeout_s: float = Field(default=120.0, gt=0)
    """A hub module that works longer on one frame hangs."""
    on_hang: Literal["end", "restart"] = "end"
    """What happens then: the run ends with an error, or the frame is lost and the module is loaded anew."""
    every: int = Field(default=1, ge=1, le=300)
    """Detect every N-th frame and interpolate the boxes between."""
    fps: float | None = Field(default=None, gt=0)
    """Detect so many frames a second of the source's time instead, whatever its rate."""
    latency: str | None = None
    """Play the source on a virtual clock, as if it were live and each detection took so long: seconds, or a text file
    with a duration a line."""
    workers: int = Field(default=0, ge=0, le=64)
    """Frames detected side by side; 0 = one a core for the starter, one for a hub module."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads inside each worker of the starter."""

    @field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|gpu:\d+", value):
            raise ValueError("a device is auto, cpu, or gpu:0, gpu:1, ...")
        return value

    @field_validator("sha256", mode="before")
    @classmethod
    def _is_sha256(cls, value: object) -> object:
        if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", str(value)):
            raise ValueError("a SHA-256 has 64 hexadecimal digits")
        return value
