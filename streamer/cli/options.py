"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.errors import ConfigError


class LogFormat(StrEnum):
    """How messages are written."""

    text = "text"
    json = "json"


Output = Annotated[
    list[str] | None,
    typer.Option("-o", "--output", help="Video file, rec/%H%M%S.mp4, rtsp://, rtmp://, udp://, http://; repeatable."),
]
Jsonl = Annotated[Path | None, typer.Option(help="Write JSON lines, one object per frame.")]
Csv = Annotated[Path | None, typer.Option(help="Write CSV, one row per box.")]
Mot = Annotated[Path | None, typer.Option(help="Write MOT Challenge text.")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="Write the final report as JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Config = Annotated[Path | None, typer.Option(help="YAML file with settings; see configs/.")]
Assign = Annotated[list[str] | None, typer.Option("--set", help="One setting: key.path=value; repeatable.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and errors.")]
TrackerName = Annotated[str | None, typer.Option("--tracker", help="Tracker by name.")]
Classes = Annotated[str | None, typer.Option(help="Keep only these classes: names or MIDs, separated by commas.")]
MinScore = Annotated[float | None, typer.Option(help="Drop detections below this score.")]
DetectEvery = Annotated[int | None, typer.Option(help="Detect every N-th frame; interpolate the others.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never download a model.")]
LabelMap = Annotated[
    str | None,
    typer.Option(help="Class names of a hub module: open_images_v4, coco, or a .pbtxt, .csv or .txt file."),
]
Sequences = Annotated[list[Path], typer.Argument(help="Folders with seqinfo.ini, gt/gt.txt and det/ (MOT Challenge).")]
DetectionFile = Annotated[
    str | None, typer.Option("--det", help="A file in det/; default: det.txt, or det_sim.txt if only that exists.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON, replacing an existing file.")]


def detector_options(
    detector: str | None,
    classes: str | None,
    min_score: float | None,
    detect_every: int | None,
    tracker: str | None,
    *,
    offline: bool,
) -> dict[str, Any]:
    """Options of detector and tracker by the path of their setting, as `load_settings` takes them."""
    return {
        "detector.name": detector,
        "detector.classes": None if classes is None else [name.strip() for name in classes.split(",") if name.strip()],
        "detector.min_score": min_score,
        "detector.offline": offline or None,
        "detector.every": detect_every,
        "tracker.name": tracker,
    }


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of `--size 1920x1080`.

    Raises:
        ConfigError: the text has another form.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--size must look like 1920x1080, not {text!r}")
    return int(width), int(height)
