"""Settings: defaults < YAML file < options. Validated once at the start; immutable afterwards.

Every message names the path of the value (`output.crf`), and an unknown key gets the nearest valid one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from streamer.catalog import TRACKERS
from streamer.errors import ConfigError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """How frames are read."""

    fps: Fraction | None = Field(default=None, gt=0)
    """Frame rate of pictures, frames a second, 25 if null; video files bring their own times."""
    threads: int = Field(default=0, ge=0)
    """Decoder threads; 0 = as many as there are cores."""

    @field_validator("fps", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        # 29.97 as YAML reads it is a binary fraction; its decimal text is what the user meant.
        if not isinstance(value, (int, float, str)):
            return value
        try:
            return Fraction(str(value))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError("a frame rate looks like 25, 29.97 or 30000/1001") from error


class DetectorSettings(_Section):
    """What is looked for, and with which model."""

    name: str = "auto"
    """`auto`, `starter`, `faster_rcnn_openimages_v4`, or the URL, .tar.gz file or folder of a TensorFlow Hub module."""
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


class TrackerSettings(_Section):
    """How boxes get their identity."""

    name: str = "iou"
    options: dict[str, bool | int | float] = {}
    """Keyword arguments of the tracker, such as `iou_min`."""

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in TRACKERS:
            raise ValueError(f"no tracker {value!r}{nearest(value, TRACKERS)}")
        return value


class DrawSettings(_Section):
    """What is drawn on the picture."""

    boxes: bool = True
    labels: bool = True
    score: bool = True
    """The score on the label."""
    id: bool = True
    """The track id on the label."""
    trails: bool = False
    trail_length_s: float = Field(default=2.0, gt=0)
    hud: bool = False
    """A head-up line: time, fps, counts."""


class OutputSettings(_Section):
    """The annotated video."""

    codec: str | None = None
    """`h264`, `hevc`, `av1`, `vp9`, `ffv1`, ... or an encoder's name; what suits the container if null."""
    crf: float | None = Field(default=None, ge=0)
    preset: str | None = None
    options: dict[str, str] = {}
    """Further options of the encoder, by FFmpeg's names."""
    copy_streams: bool = True
    """Copy audio, subtitles, chapters and metadata of the input."""
    threads: int = Field(default=0, ge=0)

    @field_validator("options", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return {key: str(item) for key, item in value.items()} if isinstance(value, dict) else value


class Settings(_Section):
    """Everything that a run can be told."""

    source: SourceSettings = SourceSettings()
    detector: DetectorSettings = DetectorSettings()
    tracker: TrackerSettings = TrackerSettings()
    draw: DrawSettings = DrawSettings()
    output: OutputSettings = OutputSettings()


def load_settings(
    file: Path | None, assignments: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from a YAML file, then `key.path=value` assignments, then command-line options.

    Args:
        file: YAML file, or None.
        assignments: values are read as YAML, so `true`, `3` and `[a, b]` are what they look like.
        options: by dotted path; None means not given.

    Raises:
        ConfigError: an unreadable file, an unknown key or a value that does not fit; one line with the path.
    """
    merged = _read_yaml(file) if file is not None else {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set needs key.path=value, not {assignment!r}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {key.strip()}: {text!r} is not a YAML value") from error
        _assign(merged, key.strip(), value)
    for key, value in (options or {}).items():
        if value is not None:
            _assign(merged, key, value)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error


def nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """`; did you mean X?` for a misspelled word, or the list of what there is."""
    near = difflib.get_close_matches(word, list(known), n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there is {', '.join(sorted(known))}"


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{file} is not valid YAML{where}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold sections such as 'detector:', not a {type(content).__name__}")
    return content


def _assign(target: dict[str, Any], path: str, value: Any) -> None:
    *sections, last = path.split(".")
    for section in sections:
        inner = target.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{path}: {section} is a value, not a section")
        target = inner
    target[last] = value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{path}: no such setting{nearest(str(first['loc'][-1]), _fields_at(first['loc'][:-1]))}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]} (got {first['input']!r})"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
