"""Arguments and options that several commands share, and the groups in which `--help` shows them.

An option that overrides a setting is None unless it is given, so the default in its help is text. A test compares that
text with the settings, which would take too long to import for `--help`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.errors import ConfigError
from streamer.registry import DETECTORS, TRACKERS

INPUT, DETECTION, TRACKING, COUNTING, DRAWING = "Input", "Detection", "Tracking", "Counting", "Drawing"
OUTPUTS, LIVE, CLUSTER, ADVANCED = "Outputs", "Live", "Several machines", "Advanced"


def flag(name: str, text: str, group: str | None = None, *short: str) -> Any:
    """An option without a value."""
    return typer.Option(name, *short, help=text, rich_help_panel=group, metavar="")


def value(name: str, metavar: str, text: str, group: str | None = None, *short: str, default: str = "") -> Any:
    """An option with a value.

    Args:
        name, short: as typed.
        metavar: the kind of value.
        text: what it does.
        group: of `--help`.
        default: the default to show, for an option that overrides a setting.
    """
    shown = rf"{text} [dim]\[default: {default}][/]" if default else text  # as Typer shows its own defaults
    return typer.Option(name, *short, help=shown, rich_help_panel=group, metavar=metavar)


def _also(names: set[str]) -> str:
    """The names that other packages have added, for a list of names."""
    return "".join(f", {name}" for name in sorted(names))


Output = Annotated[
    list[str] | None,
    value(
        "--output",
        "FILE|URL",
        "Annotated video: out.mp4, rec/%Y%m%d-%H%M%S.mp4 (a file every 10 minutes), live.m3u8, rtsp://, rtmp://, "
        "udp://, or a page for browsers: http://127.0.0.1:8080/. Pictures: out.jpg, shots/, shots/%06d.png. {name} is "
        "the name of the input. Repeatable. Default: NAME.annotated.mp4, or .jpg and so on for pictures.",
        OUTPUTS,
        "-o",
    ),
]
Jsonl = Annotated[
    Path | None, value("--jsonl", "FILE", "Write JSON lines: one object per frame; - for standard output.", OUTPUTS)
]
Csv = Annotated[Path | None, value("--csv", "FILE", "Write CSV: one row per box; - for standard output.", OUTPUTS)]
Mot = Annotated[
    Path | None, value("--mot", "FILE", "Write tracks as MOT Challenge text; - for standard output.", OUTPUTS)
]
Events = Annotated[
    Path | None,
    value(
        "--events", "FILE", "Write JSON lines: one object per event of a line or zone; - for standard output.", OUTPUTS
    ),
]
Crossings = Annotated[
    Path | None,
    value("--crossings", "FILE", "Write CSV: one row per crossing of a line; - for standard output.", OUTPUTS),
]
Lines = Annotated[
    list[str] | None,
    value(
        "--line",
        "NAME=X,Y,X,Y",
        "Count what crosses a line: gate=0.2,0.5,0.8,0.5. Shares of the picture's width and height from its upper left "
        "corner; from left to right, downwards is 'in'. Repeatable.",
        COUNTING,
    ),
]
Zones = Annotated[
    list[str] | None,
    value(
        "--zone",
        "NAME=X,Y,X,Y,X,Y",
        "Report what enters and leaves an area with three or more corners. Repeatable.",
        COUNTING,
    ),
]
ReportFile = Annotated[Path | None, value("--report", "FILE", "Write the final report as JSON.", OUTPUTS)]
Overwrite = Annotated[bool, flag("--overwrite", "Replace output files that exist.", OUTPUTS)]
Config = Annotated[Path | None, value("--config", "FILE", "YAML file with settings.", ADVANCED)]
Assign = Annotated[
    list[str] | None,
    value("--set", "KEY=VALUE", "Any setting by its path: draw.trails=true, output.crf=28. Repeatable.", ADVANCED),
]
Quiet = Annotated[bool, flag("--quiet", "Show only warnings and errors.", None, "-q")]
TrackerName = Annotated[
    str | None,
    value("--tracker", "NAME", f"One of {', '.join(TRACKERS)}.", TRACKING, default="cascade"),
]
DetectorName = Annotated[
    str | None,
    value(
        "--detector",
        "NAME|FILE",
        "auto (the best that this machine can run), nanodet (80 classes), starter (23 classes, faster), "
        f"faster_rcnn_openimages_v4 (601 classes, for a GPU){_also(DETECTORS.extensions)}, an ONNX model (.onnx), a "
        "TensorFlow Hub module (URL, .tar.gz file, folder), a model on a server (kserve+http://...), or detections in "
        "a file (.txt, .jsonl).",
        DETECTION,
        default="auto",
    ),
]
Classes = Annotated[
    str | None,
    value(
        "--classes",
        "NAME,...",
        "Keep only these classes and the classes below them; 'streamer models labels' lists them.",
        DETECTION,
        default="all",
    ),
]
MinScore = Annotated[
    float | None,
    value("--min-score", "0..1", "Drop detections below this score.", DETECTION, default="by detector"),
]
DetectEvery = Annotated[
    str | None,
    value(
        "--detect-every",
        "N|auto",
        "Detect every N-th frame, or the frames of a file at which something has moved; interpolate the others.",
        DETECTION,
        default="1",
    ),
]
Offline = Annotated[bool, flag("--offline", "Never download a model.", DETECTION)]
LabelMap = Annotated[
    str | None,
    value(
        "--label-map",
        "NAME|FILE",
        "Class names of the model: open_images_v4, coco, or a .pbtxt, .csv or .txt file.",
        default="its own",
    ),
]
Sequences = Annotated[list[Path], typer.Argument(help="Folders with seqinfo.ini, gt/gt.txt and det/ (MOT Challenge).")]
DetectionFile = Annotated[
    str | None,
    value("--det", "NAME", "A file in det/.", default="det.txt, else det_sim.txt"),
]
JsonFile = Annotated[Path | None, value("--json", "FILE", "Write the figures as JSON; an existing file is replaced.")]


def detector_options(
    detector: str | None,
    classes: str | None,
    min_score: float | None,
    detect_every: str | None,
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
