"""The command line: parsing, wiring and exit codes.

Exit codes: 0 done, 1 something broke on the way, 2 input that cannot work, 130 / 143 / 129 ended by Ctrl-C / SIGTERM /
SIGHUP.
Heavy libraries are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli import STARTED_S
from streamer.system import standard_streams


class LogFormat(StrEnum):
    """How messages are written."""

    text = "text"
    json = "json"


app = typer.Typer(
    help="Accurate object detection on video, without making the video slow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Model weights: list, fetch ahead of time, check.", no_args_is_help=True)
app.add_typer(models, name="models")
evaluate = typer.Typer(
    help="How good tracks and shown boxes are, by ground truth or from a run alone.", no_args_is_help=True
)
app.add_typer(evaluate, name="evaluate")

Source = Annotated[
    str,
    typer.Argument(help="Video file, camera (0, /dev/video0), address (rtsp://, http://, ...), pictures, lavfi:GRAPH."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")]
LabelMap = Annotated[
    str | None, typer.Option(help="Classes of a hub module: open_images_v4, coco, or a .pbtxt, .csv or .txt file.")
]
TrackerName = Annotated[str | None, typer.Option("--tracker", help="Tracker by name.")]
Sequences = Annotated[list[Path], typer.Argument(help="Folders with seqinfo.ini, gt/gt.txt and det/ (MOT Challenge).")]
DetectionFile = Annotated[
    str | None, typer.Option("--det", help="A file in det/; else det.txt, or det_sim.txt if only that is there.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="The figures as JSON; an existing file is replaced.")]


@app.command()
def run(
    source: Annotated[str, typer.Argument(help="As for probe; may stand in the settings as source.uri instead.")] = "",
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--output", help="Video file, rec/%H%M%S.mp4, rtsp://, rtmp://, udp://, http://; repeatable."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML settings; see configs/.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", help="One setting: key.path=value; repeatable.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="auto, starter, a hub module (URL, file, folder), or detections (.txt, .jsonl).")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Only these classes: names or MIDs, by comma.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Leave out detections below this score.")] = None,
    tracker: TrackerName = None,
    detect_every: Annotated[int | None, typer.Option(help="Detect every N-th frame, interpolate between.")] = None,
    detect_fps: Annotated[
        float | None, typer.Option(help="Instead: detect so many frames a second of the source's time.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(help="Virtual clock: each detection takes so many seconds, or those in a file.")
    ] = None,
    jsonl: Annotated[Path | None, typer.Option(help="JSON lines, one object a frame.")] = None,
    mot: Annotated[Path | None, typer.Option(help="MOT Challenge text.")] = None,
    report: Annotated[Path | None, typer.Option(help="The final report as JSON.")] = None,
    fps: Annotated[str | None, typer.Option(help="Of an image folder, or asked of a camera: 25, 30000/1001.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Play a file as a camera would, in real time.")] = False,
    overlay: Annotated[
        str | None, typer.Option(help="now (every frame), detected (those detected), delayed (every frame, later).")
    ] = None,
    delay: Annotated[float | None, typer.Option(help="Of --overlay delayed, seconds; measured without it.")] = None,
    no_origin: Annotated[bool, typer.Option("--no-origin", help="No dashed outlines for carried boxes.")] = False,
    transport: Annotated[str | None, typer.Option(help="RTSP over tcp, udp or prefer_tcp.")] = None,
    retry_for: Annotated[
        float | None,
        typer.Option(help="Seconds to try an absent or lost live source again; without it, a lost one for ever."),
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Serve Prometheus metrics: :9090, 0.0.0.0:9090.")] = None,
    log_format: Annotated[LogFormat, typer.Option(help="Messages as text or JSON lines.")] = LogFormat.text,
    show: Annotated[bool, typer.Option("--show", help="Show a window; q ends, ? tells the keys.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Keep a live run in this new folder, to be run again with replay.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Open no connection for models.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Annotate a video or a camera: detect, track, draw, write."""
    from streamer.cli import commands

    files = {"jsonl": jsonl, "mot": mot, "report": report}
    outputs = {"typed": output or (), **files, "show": show, "overwrite": overwrite}
    options = {
        "overlay": overlay,
        "delay_s": delay,
        "draw.origin": False if no_origin else None,
        "detector.fps": detect_fps,
        "detector.latency": latency,
        "source.uri": source or None,
        "source.live": live or None,
        "source.transport": transport,
        "source.retry_for_s": retry_for,
        "source.retry_at_start": None if retry_for is None else retry_for > 0,
        "metrics.address": metrics,
        "detector.name": detector,
        "detector.classes": None if classes is None else [name.strip() for name in classes.split(",") if name.strip()],
        "detector.min_score": min_score,
        "detector.offline": offline or None,
        "detector.every": detect_every,
        "tracker.name": tracker,
        "source.fps": fps,
    }
    raise typer.Exit(
        commands.run(
            outputs,
            config,
            assign or [],
            options,
            quiet=quiet,
            json_logs=log_format is LogFormat.json,
            started_s=STARTED_S,
            record=record,
        )
    )


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="A folder that run --record wrote.")],
    output: Annotated[list[str] | None, typer.Option("-o", "--output", help="As of run; repeatable.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="JSON lines, one object a frame.")] = None,
    mot: Annotated[Path | None, typer.Option(help="MOT Challenge text.")] = None,
    report: Annotated[Path | None, typer.Option(help="The final report as JSON.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Show a window, at the pace of the run.")] = False,
    tracker: Annotated[str | None, typer.Option("--tracker", help="Another tracker than the run's.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML settings for drawing and outputs.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", help="One setting: key.path=value; repeatable.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run a recorded live run again: the same drops, the same tracks, the same boxes."""
    from streamer.cli import replay_commands

    files = {"jsonl": jsonl, "mot": mot, "report": report}
    outputs = {"typed": output or (), **files, "show": show, "overwrite": overwrite}
    raise typer.Exit(
        replay_commands.replay(recording, outputs, config, assign or [], tracker, quiet=quiet, started_s=STARTED_S)
    )


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Annotated video file.")] = Path("out/demo.mp4"),
    quiet: Quiet = False,
) -> None:
    """Annotate a real clip of a street and say where the result is."""
    from streamer.cli import commands

    raise typer.Exit(commands.demo(output, quiet=quiet, started_s=STARTED_S))


@app.command()
def track(
    detections: Annotated[Path, typer.Argument(help="Detections as MOT Challenge text.")],
    fps: Annotated[str, typer.Option(help="Frame rate of the sequence: 25, 29.97, 30000/1001.")],
    size: Annotated[str, typer.Option(help="Picture size in pixels: 1920x1080.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Tracks as MOT Challenge text.")],
    tracker: TrackerName = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Track detections from a file: MOT Challenge text in and out."""
    from streamer.cli import commands

    raise typer.Exit(commands.track(detections, output, fps, size, tracker, overwrite=overwrite, quiet=quiet))


@app.command()
def probe(
    source: Source,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what the program sees in a source: streams, codec, size, rate, rotation, colour; cameras: list them."""
    from streamer.cli import commands

    raise typer.Exit(commands.probe(source, as_json=json))


@models.command("list")
def models_list() -> None:
    """What is known, what is installed, and where it came from."""
    from streamer.cli import commands

    raise typer.Exit(commands.models_list())


@models.command("fetch")
def models_fetch(
    name: Annotated[str, typer.Argument(help="Model by name, or a hub module: URL or .tar.gz file.")] = "starter",
    sha256: Annotated[str | None, typer.Option(help="The checksum that a module's archive must have.")] = None,
) -> None:
    """Download a model into the cache, or mend it there; afterwards no network is needed."""
    from streamer.cli import commands

    raise typer.Exit(commands.models_fetch(name, sha256))


@models.command("check")
def models_check(
    name: Annotated[str, typer.Argument(help="Model by name, or a hub module: URL, file or folder.")] = "starter",
    device: Annotated[str, typer.Option(help="Where a hub module runs: auto, cpu or gpu:0.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="Of a hub module: float32, tensorfloat32, bfloat16 or mixed_float16.")
    ] = "float32",
    label_map: LabelMap = None,
    size: Annotated[str, typer.Option(help="Size of the frames to try it on.")] = "1280x720",
) -> None:
    """Verify a model's files, load it, run it, and say where it ran and how long that took."""
    from streamer.cli import commands

    raise typer.Exit(commands.models_check(name, device, precision, label_map, size))


@models.command("labels")
def models_labels(
    pattern: Annotated[str, typer.Argument(help="Part of a name, or a MID; all classes without it.")] = "",
    detector: Annotated[str, typer.Option(help="A model by name, or a hub module.")] = "faster_rcnn_openimages_v4",
    label_map: LabelMap = None,
) -> None:
    """The classes of a detector as a tree: name, id, MID."""
    from streamer.cli import commands

    raise typer.Exit(commands.models_labels(pattern, detector, label_map))


@evaluate.command("tracking")
def evaluate_tracking(
    sequences: Sequences,
    tracker: TrackerName = None,
    det: DetectionFile = None,
    tracks: Annotated[
        Path | None, typer.Option(help="Keep the tracks as <sequence>.txt in this folder; existing ones are replaced.")
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option(help="Score the <sequence>.txt in this folder instead, such as what `streaming --shown` kept."),
    ] = None,
    json: JsonFile = None,
) -> None:
    """HOTA, MOTA, IDF1 and switches of a tracker on sequences with ground truth."""
    from streamer.cli import evaluation_commands as commands

    raise typer.Exit(
        commands.tracking(
            sequences, tracker=tracker, detections=det, tracks_folder=tracks, given_folder=given, json_path=json
        )
    )


@evaluate.command("streaming")
def evaluate_streaming(
    sequences: Sequences,
    latency: Annotated[str, typer.Option(help="Of the detector, seconds, by comma.")] = "0.1,0.3,0.5,1.0",
    fps: Annotated[str | None, typer.Option(help="Play at this rate instead of the sequence's own.")] = None,
    overlay: Annotated[str, typer.Option(help="Of now, detected, delayed, by comma.")] = "now,delayed",
    det: DetectionFile = None,
    tracker: TrackerName = None,
    shown: Annotated[
        Path | None,
        typer.Option(
            help="Keep what was on screen in this folder as <overlay>-<latency>/<sequence>.txt, replacing it."
        ),
    ] = None,
    json: JsonFile = None,
    plot: Annotated[
        Path | None, typer.Option(help="Accuracy against latency as a .png or .svg; an existing file is replaced.")
    ] = None,
) -> None:
    """How right what is on screen is while a slow detector works, on sequences with ground truth."""
    from streamer.cli import evaluation_commands as commands

    raise typer.Exit(
        commands.streaming(
            sequences,
            latencies=latency,
            overlays=overlay,
            fps=fps,
            tracker=tracker,
            detections=det,
            shown_folder=shown,
            json_path=json,
            plot_path=plot,
        )
    )


@evaluate.command("video")
def evaluate_video(
    video: Annotated[str, typer.Argument(help="Video file, or what else run takes.")],
    detector: Annotated[str | None, typer.Option(help="auto, starter, or a hub module: URL, file or folder.")] = None,
    classes: Annotated[str | None, typer.Option(help="Only these classes: names or MIDs, by comma.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Leave out detections below this score.")] = None,
    tracker: TrackerName = None,
    detect_every: Annotated[int | None, typer.Option(help="Detect every N-th frame, interpolate between.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Open no connection for models.")] = False,
    json: JsonFile = None,
) -> None:
    """How much boxes jump when detections land and how often ids break, without ground truth."""
    from streamer.cli import evaluation_commands as commands

    options = {
        "detector.name": detector,
        "detector.classes": None if classes is None else [name.strip() for name in classes.split(",") if name.strip()],
        "detector.min_score": min_score,
        "detector.offline": offline or None,
        "detector.every": detect_every,
        "tracker.name": tracker,
    }
    raise typer.Exit(commands.video(video, options, json_path=json, started_s=STARTED_S))


def run_program() -> None:
    """Parse the arguments of the process, run the command and leave with its exit code."""
    standard_streams.protect()
    try:
        app()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if "streamer.flow.threads" in sys.modules:  # without it there is no thread that could have been left behind
            sys.modules["streamer.flow.threads"].leave(code)
        raise
