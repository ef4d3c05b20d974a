"""The options that only `run` has, and which option sets which setting."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from streamer.cli.options import ADVANCED, CLUSTER, DETECTION, DRAWING, INPUT, LIVE, OUTPUTS, flag, value

OPTION_OF = {
    "source.fps": "--fps",
    "source.live": "--live",
    "source.transport": "--transport",
    "source.retry_for_s": "--retry-for",
    "detector.name": "--detector",
    "detector.classes": "--classes",
    "detector.min_score": "--min-score",
    "detector.every": "--detect-every",
    "detector.fps": "--detect-fps",
    "detector.offline": "--offline",
    "detector.latency": "--latency",
    "tracker.name": "--tracker",
    "analytics.lines": "--line",
    "analytics.zones": "--zone",
    "store.folder": "--store",
    "delay_s": "--delay",
    "metrics.address": "--metrics",
    "set overwrite": "--overwrite",
    "allow mixed workers": "--allow-mixed",
}
"""Settings by their path as messages name them, and the option of `run` that sets them."""
OF_OTHER_PROGRAMS = {
    "--conf": "--min-score",
    "--confidence": "--min-score",
    "--device": "--set detector.device=gpu:0",
    "--model": "--detector",
    "--name": "--out-dir",
    "--project": "--out-dir",
    "--save-conf": "--csv",
    "--save-txt": "--csv",
    "--source": "the source without an option",
    "--stride": "--detect-every",
    "--vid-stride": "--detect-every",
    "--view-img": "--show",
    "--weights": "--detector",
}
"""Options of Ultralytics and similar programs, and what does the same here."""


class RunCommand(TyperCommand):
    """A command that suggests its own option for one of `OF_OTHER_PROGRAMS`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an unknown option raises Click's `NoSuchOption`, whose class Typer does not export."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter:
            raise
        except Exception as error:
            meant = OF_OTHER_PROGRAMS.get(str(getattr(error, "option_name", "")).replace("_", "-"))
            if meant is not None:
                error.message = f"No such option: {error.option_name}; did you mean {meant}?"  # type: ignore[attr-defined]
                error.possibilities = None  # type: ignore[attr-defined]
            raise


class LogFormat(StrEnum):
    """How messages are written."""

    text = "text"
    json = "json"


SourceNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE",
        help="Video, picture, folder, webcam (0, 1, /dev/video0), address (rtsp://, http://, ...), or lavfi:GRAPH. "
        "Several files, and the videos in a folder, run one after the other. Default: the setting source.uri.",
        show_default=False,
    ),
]
OutDir = Annotated[
    Path | None,
    value("--out-dir", "FOLDER", "Folder for all outputs with a relative name; it is made.", OUTPUTS, default="."),
]
Fps = Annotated[
    str | None,
    value(
        "--fps",
        "RATE",
        "Frame rate of pictures, or requested from a webcam: 25, 30000/1001.",
        INPUT,
        default="25 for pictures",
    ),
]
DetectFps = Annotated[
    float | None,
    value("--detect-fps", "RATE", "Detect this many frames per second of media time, not every N-th.", DETECTION),
]
NoOrigin = Annotated[
    bool, flag("--no-origin", "Draw all outlines solid, also of boxes that no recent detection confirms.", DRAWING)
]
Show = Annotated[bool, flag("--show", "Show a window; q closes it, ? shows the keys.", OUTPUTS)]
Live = Annotated[bool, flag("--live", "Play a file in real time, like a camera.", LIVE)]
OverlayName = Annotated[
    str | None,
    value(
        "--overlay",
        "NAME",
        "auto, now (every frame on arrival, boxes moved to it), detected (detected frames only), delayed (every "
        "frame a fixed time later, interpolated boxes). auto: now if live, else detected.",
        LIVE,
        default="auto",
    ),
]
Delay = Annotated[float | None, value("--delay", "SECONDS", "Delay of --overlay delayed.", LIVE, default="measured")]
Transport = Annotated[
    str | None, value("--transport", "NAME", "RTSP over tcp, udp or prefer_tcp.", LIVE, default="tcp")
]
RetryFor = Annotated[
    float | None,
    value(
        "--retry-for",
        "SECONDS",
        "How long to retry a live source that is missing or lost.",
        LIVE,
        default="0 at the start, later no limit",
    ),
]
Record = Annotated[
    Path | None, value("--record", "FOLDER", "Record a live run in this new folder, for 'streamer replay'.", LIVE)
]
Store = Annotated[
    Path | None,
    value("--store", "FOLDER", "Keep events with clips and snapshots in this folder, for 'streamer events'.", OUTPUTS),
]
Metrics = Annotated[
    str | None, value("--metrics", "[HOST]:PORT", "Serve Prometheus metrics: :9090, 0.0.0.0:9090.", LIVE)
]
Latency = Annotated[
    str | None,
    value(
        "--latency",
        "SECONDS|FILE",
        "Simulate a live run in which each detection takes so long; a file has one duration per line.",
        ADVANCED,
    ),
]
PlanFile = Annotated[
    Path | None,
    value("--plan", "PLAN.json", "Join the parts of this plan, which other processes detect.", CLUSTER),
]
PartsIn = Annotated[
    Path | None,
    value("--parts-in", "FOLDER", "Where the parts of --plan are.", CLUSTER, default="beside the plan"),
]
WaitFor = Annotated[
    float | None,
    value(
        "--wait-for",
        "SECONDS",
        "How long to wait while no part comes; then the missing ones are detected here.",
        CLUSTER,
        default="no limit",
    ),
]
ClusterAddress = Annotated[
    str | None,
    value("--cluster", "ADDRESS", "Detect on a Ray cluster: ray://HOST[:PORT], or local for this machine.", CLUSTER),
]
AllowMixed = Annotated[
    bool,
    flag("--allow-mixed", "Join detections of machines that compute different numbers; not reproducible.", CLUSTER),
]
LogFormatName = Annotated[LogFormat, value("--log-format", "text|json", "Messages as text or JSON lines.", ADVANCED)]


def with_options(message: str) -> str:
    """A message of the library with the command-line option behind each setting that it names."""
    for path, option in OPTION_OF.items():
        if option not in message:
            # With its value, if there is one: `detector.min_score=0.3`.
            named = rf"(?<![\w.]){re.escape(path)}(?:=[^\s,;]+|(?![\w.]*\w))"
            message = re.sub(named, rf"\g<0> ({option})", message, count=1)
    return message
