"""What a run can be told: sections of values with their defaults, checked when they are made, immutable afterwards.

Any thread may read them.
"""

from __future__ import annotations

import difflib
import re
from fractions import Fraction
from pathlib import Path
from typing import Literal

from av.video import format as video_format
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from streamer.registry import TRACKERS
from streamer.system.suggestions import nearest


def _ffmpeg_text(value: object) -> object:
    """A number or a yes or no of YAML as FFmpeg writes it."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """How frames are read."""

    uri: str | None = None
    """The source, if it is not named on the command line: a file, a camera, an address."""
    fps: Fraction | None = Field(default=None, gt=0)
    """Of pictures and raw streams (25 if null), in place of a file's own times, and what a camera is asked for."""
    threads: int = Field(default=0, ge=0)
    """Decoder threads for files; 0 = as many as there are cores."""
    live: bool | None = None
    """true: play a file at its own pace, as a camera would; false: what is behind an http address is a recording."""
    size: str | None = Field(default=None, pattern=r"^\d{1,5}x\d{1,5}$")
    """What a camera is asked for, 1280x720; its own choice if null."""
    pixel_format: str | None = None
    """What a camera is asked for: YUYV, MJPG, ...; its own choice if null."""
    transport: Literal["tcp", "udp", "prefer_tcp"] = "tcp"
    """Of RTSP."""
    user: str = ""
    """Login of a network source, if it is not in the address; else STREAMER_SOURCE_USER of the environment."""
    password: SecretStr = SecretStr("")
    """Likewise; else STREAMER_SOURCE_PASSWORD. Better kept there or in a file."""
    password_file: Path | None = None
    """A file whose first line is the password; else STREAMER_SOURCE_PASSWORD_FILE."""
    low_latency: bool = True
    """Look at a network stream as shortly as possible before its first picture."""
    options: dict[str, str] = {}
    """Further options of FFmpeg for a network address."""
    verify: bool = True
    """Check the certificate of a server that is asked over TLS (https, rtsps, rtmps); false: trust whoever answers."""
    poll_fps: float = Field(default=1.0, ge=1 / 3600, le=30)
    """How often a server that gives one picture a request is asked, a second."""
    deinterlace: Literal["auto", "on", "off"] = "auto"
    """Make progressive pictures of interlaced ones. auto: of live sources those that are marked as interlaced and show
    a comb; of files only what the detector sees, the output keeps both fields. on: every picture. off: none."""
    max_height: int | None = Field(default=None, gt=0)
    """Of the variants of an HLS playlist the best one that is not taller, pixels; the tallest if null. No other one is
    downloaded."""
    audio: bool = True
    """Copy the sound of the source to outputs that can hold it."""
    open_timeout_s: float = Field(default=5.0, gt=0)
    """Opening a network address takes no longer."""
    jitter_ms: Literal["auto"] | float = "auto"
    """How long pictures of a live source are held back, so that those which come in bursts are shown by their time
    stamps, up to 10 s; auto: what is measured, up to 1 s, and nothing where they come one by one."""
    stall_s: float = Field(default=5.0, ge=0.5)
    """A live source from which nothing came for so long is connected anew; a slow one after three of its gaps."""
    retry_for_s: float | None = Field(default=None, ge=0)
    """How long a lost live source is tried again; for ever if null."""
    retry_at_start: bool = False
    """Try again also if the very first connection fails; otherwise that ends the program."""
    longest_wait_s: float = Field(default=30.0, ge=0.5)
    """Between two tries to connect; the first comes after 0.5 s."""

    @field_validator("jitter_ms", mode="before")
    @classmethod
    def _bounded(cls, value: object) -> object:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value != "auto" and not (is_number and 0 <= value <= 10_000):  # type: ignore[operator]
            raise ValueError("give auto, or 0 to 10000 milliseconds")
        return value

    @field_validator("uri", mode="before")
    @classmethod
    def _camera(cls, value: object) -> object:
        # YAML reads the 0 of the first camera as a number.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("options", mode="before")
    @classmethod
    def _ffmpeg_text(cls, value: object) -> object:
        return {key: _ffmpeg_text(item) for key, item in value.items()} if isinstance(value, dict) else value

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


class TrackerSettings(_Section):
    """How boxes get their identity."""

    name: str = "cascade"
    """`cascade`, or `iou`, which is simple."""
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
    origin: bool = True
    """Dashed outlines where a box was carried to the frame, instead of found on it or between two detections."""
    trails: bool = False
    trail_length_s: float = Field(default=2.0, gt=0)
    hud: bool = False
    """A head-up line: time, fps, counts."""


class OutputSettings(_Section):
    """An annotated video: a file, a recording in parts, a stream, or pictures over HTTP."""

    required: bool | None = None
    """Whether its failure ends a live run; null: yes for a plain file, no for what can be tried again."""
    keep: Literal["all", "newest"] | None = None
    """Of a live source: `all` pictures, which wait while the machine is slow, or the `newest`, where some are left out
    instead; null: all in files, recordings and HLS, the newest in other streams and over HTTP."""
    codec: str | None = None
    """`h264`, `hevc`, `av1`, `vp9`, `ffv1`, ... or an encoder's name; what suits the container if null."""
    crf: float | None = Field(default=None, ge=0)
    preset: str | None = None
    pixel_format: str = "auto"
    """Of the encoded pictures: `auto`, `source` for what is nearest to the input, or FFmpeg's name of one. auto: what
    webcams, MJPEG and still pictures give becomes 8 bit 4:2:0 in limited range, which browsers, phones and QuickTime
    show, but for .mkv; other sources keep their own; streams are always 8 bit 4:2:0."""
    options: dict[str, str] = {}
    """Further options of the encoder, by FFmpeg's names."""
    copy_streams: bool = True
    """Copy audio, subtitles, chapters and metadata of the input; a stream takes the audio alone."""
    threads: int = Field(default=0, ge=0)
    bit_rate_kbps: int | None = Field(default=None, gt=0)
    """Of a stream."""
    transport: Literal["tcp", "udp"] = "tcp"
    """Of a stream over RTSP."""
    on_change: Literal["rescale", "reopen"] | None = None
    """When the picture's size changes: scale to the first one, or begin anew; null: a recording begins a new part."""
    segment_s: float | None = Field(default=None, gt=0)
    """Cut a recording in parts of this length; null: 600 for a name with %, else one file."""
    keep_gb: float | None = Field(default=None, gt=0)
    """Delete the oldest parts of a recording beyond this size."""
    keep_days: float | None = Field(default=None, gt=0)
    """Delete parts of a recording that are older."""
    quality: int = Field(default=80, ge=1, le=100)
    """Of JPEG pictures over HTTP."""
    max_fps: float | None = Field(default=None, gt=0)
    """Of pictures over HTTP."""

    @field_validator("options", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return {key: _ffmpeg_text(item) for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("pixel_format")
    @classmethod
    def _is_pixel_format(cls, value: str) -> str:
        # PyAV's stubs leave out the set of all names.
        known = ("auto", "source", *sorted(vars(video_format)["names"]))
        if value not in known:
            near = difflib.get_close_matches(value, known, n=3)  # many names are as near as one another
            remedy = f"did you mean {', '.join(near)}?" if near else "give auto, source or a name such as yuv420p"
            raise ValueError(f"no pixel format {value!r}; {remedy}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _pix_fmt(cls, values: object) -> object:
        """`options.pix_fmt`, FFmpeg's own name of the same."""
        options = values.get("options") if isinstance(values, dict) else None
        if not isinstance(values, dict) or not isinstance(options, dict) or "pix_fmt" not in options:
            return values
        options = dict(options)
        named = str(options.pop("pix_fmt"))
        if values.get("pixel_format", named) not in (named, "auto"):
            raise ValueError("options.pix_fmt and pixel_format name two formats; give pixel_format alone")
        return {**values, "options": options, "pixel_format": named}


class OutputEntry(OutputSettings):
    """One of several outputs."""

    to: str
    """A file, a pattern such as rec/%Y%m%d-%H%M%S.mp4, an HLS playlist, or an address (rtsp, rtmp, udp, http)."""

    @field_validator("to")
    @classmethod
    def _names_something(cls, value: str) -> str:
        # A constraint of the field would refuse names that are not UTF-8.
        if not value:
            raise ValueError("give a file or an address")
        return value


class WindowSettings(_Section):
    """The window of --show."""

    snapshot_folder: Path = Path()
    """Where the key s saves pictures."""


class MetricsSettings(_Section):
    """Figures for Prometheus."""

    address: str | None = None
    """Where /metrics is served, such as :9090 (this machine only) or 0.0.0.0:9090; nowhere if null."""


class Settings(_Section):
    """Everything that a run can be told."""

    overlay: Literal["auto", "now", "detected", "delayed"] = "auto"
    """`now` shows every frame as it comes, with carried boxes, `detected` those that were detected, `delayed` every
    frame a fixed time after it came, with boxes from both sides. auto: `now` if live, else `detected`."""
    delay_s: float | None = Field(default=None, ge=0, le=60)
    """Of `delayed`; measured if null: so long that detections are usually there."""

    source: SourceSettings = Field(default_factory=SourceSettings)
    detector: DetectorSettings = DetectorSettings()
    tracker: TrackerSettings = TrackerSettings()
    draw: DrawSettings = DrawSettings()
    output: OutputSettings = OutputSettings()
    """For outputs that are named on the command line."""
    outputs: tuple[OutputEntry, ...] = ()
    """Outputs besides those on the command line, each with its own settings."""
    window: WindowSettings = WindowSettings()
    metrics: MetricsSettings = MetricsSettings()
