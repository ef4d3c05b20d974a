"""Settings of the detector."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from streamer.config.section import Section, first_line

_MOST_FRAMES_APART = 300
_MAX_INPUT_PX = 8192


class OnnxSettings(Section):
    """How an ONNX model is fed and read. What is null is told by its family, its graph or its metadata."""

    family: str | None = None
    """`detr`, `dfine`, `ultralytics_rtdetr`, `yolox`, `yolov5`, `yolov8` or `end_to_end`; recognised if null."""
    input_size: tuple[int, int] | None = None
    """Width and height of the input in pixels, for a model that takes any size."""
    layout: Literal["nchw", "nhwc"] | None = None
    """One plane a colour, or the colours of a pixel side by side."""
    colours: Literal["rgb", "bgr"] | None = None
    """Order of the channels."""
    mean: tuple[float, float, float] | None = None
    """The input is `(pixel - mean) / std` by channel, where a pixel is in 0..255."""
    std: tuple[float, float, float] | None = None
    """See `mean`; 255 for values in 0..1."""
    letterbox: Literal["none", "centre", "top_left"] | None = None
    """Stretch the frame, or keep its aspect ratio and pad with grey: all around, or below and to the right."""
    iou_threshold: float | None = Field(default=None, gt=0, le=1)
    """Boxes of a class that overlap by more are duplicates; not for models that remove them."""

    @field_validator("input_size")
    @classmethod
    def _is_size(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not all(1 <= side <= _MAX_INPUT_PX for side in value):
            raise ValueError(f"give width and height in 1..{_MAX_INPUT_PX} pixels, such as [640, 640]")
        return value

    @field_validator("std")
    @classmethod
    def _is_divisor(cls, value: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if value is not None and not all(one > 0 for one in value):
            raise ValueError("the input is divided by it, so it must be above 0")
        return value


class RemoteSettings(Section):
    """A detector on another machine."""

    deadline_s: float = Field(default=2.0, gt=0)
    """Longest wait for the detections of a frame of a live source; then the frame is lost. A frame of a file is sent
    again until `detector.timeout_s`."""
    user: str = ""
    """User, if the address has none; default: STREAMER_DETECTOR_USER of the environment."""
    password_file: Path | None = None
    """A file whose first line is the password; default: the password in STREAMER_DETECTOR_PASSWORD."""
    token_file: Path | None = None
    """A file whose first line is a bearer token, in place of a login; default: the token in STREAMER_DETECTOR_TOKEN."""
    verify: bool = True
    """Check the certificate of a TLS server; false: accept any certificate."""
    ca_file: Path | None = None
    """Certificates of authorities (PEM) that are accepted instead of the system's."""

    def login(self) -> tuple[str, str]:
        """User and password from the settings, or else from the environment; "" where neither has one.

        Raises:
            ConfigError: the password file cannot be read.
        """
        user = self.user or os.environ.get("STREAMER_DETECTOR_USER", "")
        if self.password_file is not None:
            return user, first_line(self.password_file, "detector.remote.password_file")
        return user, os.environ.get("STREAMER_DETECTOR_PASSWORD", "")

    def token(self) -> str:
        """The bearer token; "" if there is none.

        Raises:
            ConfigError: its file cannot be read.
        """
        if self.token_file is not None:
            return first_line(self.token_file, "detector.remote.token_file")
        return os.environ.get("STREAMER_DETECTOR_TOKEN", "")


class DetectorSettings(Section):
    """The detector and its classes."""

    name: str = "auto"
    """`auto`, `nanodet`, `starter`, `faster_rcnn_openimages_v4`, the URL, .tar.gz file or folder of a TensorFlow Hub
    module, an ONNX model (.onnx), a model on a server (`kserve+http://HOST:8000/v2/models/NAME`), a pool on a Ray
    cluster (`ray://HOST/NAME`), or detections in a file: MOT Challenge .txt, or .jsonl as this program writes it."""
    sha256: str | None = None
    """Required SHA-256 of the module's archive; not checked if null."""
    offline: bool = False
    """Open no connection: use the cache only."""
    label_map: str | None = None
    """Names of the model's classes: `open_images_v4`, `coco`, or a .pbtxt, .csv or .txt file; its own if null."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    """Detections below this score are dropped; the detector's own default if null."""
    min_scores: dict[str, float] = {}
    """Other bounds for some classes: name or MID to score; also for all classes below it, `=Name` for itself only."""
    classes: tuple[str, ...] = ()
    """Names or MIDs of the classes to keep, each with all classes below it; `=Name` alone; all classes if empty."""
    merge_twins: bool = False
    """Remove duplicate boxes on one object whose classes are a class and its superclass (Man and Person)."""
    device: str = "auto"
    """Device of a hub module or an ONNX model: `auto`, `cpu` or `gpu:0`."""
    gpu_memory_mb: int | None = Field(default=None, ge=256)
    """Limit of GPU memory; as much as it needs if null."""
    precision: Literal["float32", "tensorfloat32", "bfloat16", "mixed_float16"] = "float32"
    """Precision of a hub module; all but float32 are compared with float32 on the first frames."""
    optimize_graph: bool | None = None
    """Fuse a hub module's convolutions: faster frames. null: where it does not slow the start."""
    reference: bool = False
    """Load and call a hub module as its page on TensorFlow Hub shows it, for comparison; slow."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Time limit of a hub module for one frame; after it the module hangs. So long a frame of a file is sent again to a
    detector on another machine that does not answer."""
    on_hang: Literal["end", "restart"] = "end"
    """After a hang the run ends with an error, or only the frame is lost and the module is loaded again."""
    onnx: OnnxSettings = OnnxSettings()
    remote: RemoteSettings = RemoteSettings()
    every: int | Literal["auto"] = 1
    """Detect every N-th frame and interpolate the boxes between; `auto` detects the frames of a file at which
    something changes."""
    max_gap_s: float = Field(default=1.0, gt=0, le=60)
    """With `every: auto`, the longest media time between two detected frames."""
    fps: float | None = Field(default=None, gt=0)
    """Detect so many frames per second of media time instead, at any frame rate."""
    latency: str | None = None
    """Play the source on a simulated clock, as a live source with a detector of this latency: seconds, or a text file
    with one duration a line."""
    workers: int = Field(default=0, ge=0, le=64)
    """Frames detected in parallel; 0: one a core for LiteRT and ONNX models, one for a hub module and on a GPU, two
    for a file and a model on a server."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads inside each worker of nanodet, the starter or an ONNX model."""

    @field_validator("every", mode="before")
    @classmethod
    def _is_every(cls, value: object) -> object:
        return checked_every(value)

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


def checked_every(value: object) -> object:
    """The value of `every`, unchanged.

    Raises:
        ValueError: neither `auto` nor a number in range.
    """
    if value == "auto" or (re.fullmatch(r"[0-9]+", str(value)) and 1 <= int(str(value)) <= _MOST_FRAMES_APART):
        return value
    raise ValueError(f"give a whole number from 1 to {_MOST_FRAMES_APART}, or auto")
