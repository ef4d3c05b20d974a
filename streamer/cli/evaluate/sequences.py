"""The commands of the group `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.command import command
from streamer.cli.options import (
    Classes,
    DetectEvery,
    DetectionFile,
    DetectorName,
    JsonFile,
    MinScore,
    Offline,
    Sequences,
    TrackerName,
    detector_options,
    flag,
    value,
)
from streamer.errors import ConfigError
from streamer.registry import POLICIES

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal
    from streamer.evaluation.sequences import Sequence
    from streamer.evaluation.streaming.evaluate_shared import SharedResult, SharedTask


def tracking(
    sequences: Sequences,
    tracker: TrackerName = None,
    det: DetectionFile = None,
    tracks: Annotated[
        Path | None,
        value("--tracks", "FOLDER", "Write the tracks to FOLDER/<sequence>.txt; existing files are replaced."),
    ] = None,
    given: Annotated[
        Path | None,
        value("--given", "FOLDER", "Score FOLDER/<sequence>.txt instead, such as those of 'streaming --shown'."),
    ] = None,
    json_path: JsonFile = None,
) -> None:
    """Measure HOTA, MOTA, IDF1 and id switches against ground truth."""
    with command(prints=True) as (terminal, _):
        import tempfile

        from streamer.config.loading import load_settings
        from streamer.evaluation import tables, track_scores
        from streamer.evaluation.sequences import read_all
        from streamer.run.trackers import build_tracker
        from streamer.system.partial_file import make_folder
        from streamer.system.suggestions import import_extra

        if given is not None and (tracker, det, tracks) != (None, None, None):
            raise ConfigError("--given scores existing tracks; leave out --tracker, --det and --tracks")
        settings = load_settings(None, (), {"tracker.name": tracker}).tracker
        import_extra("trackeval")
        found = read_all(sequences)
        files = {} if given is None else {sequence.name: given / f"{sequence.name}.txt" for sequence in found}
        for sequence in found:  # check all of them before the first is tracked
            sequence.ground_truth()
            if given is None:
                sequence.detections(det)
            else:
                sequence.tracks(files[sequence.name])
        with ExitStack() as stack:
            report = JsonReport(stack, json_path)
            if given is None:
                folder = tracks or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-")))
                make_folder(folder)
                for sequence in found:
                    built = build_tracker(settings, detection_interval_s=float(1 / sequence.fps))
                    files[sequence.name] = track_scores.write_tracks(sequence, built, folder, detections=det)
            scores = track_scores.score(found, files)
            report.write(
                {
                    "tracker": settings.name if given is None else str(given),
                    "sequences": {name: one.to_dict() for name, one in scores.by_sequence.items()},
                    "pooled": {name: one.to_dict() for name, one in scores.pooled.items()},
                }
            )
        terminal.table(tables.track_scores(scores))


def streaming(
    sequences: Sequences,
    latency: Annotated[
        str, value("--latency", "SECONDS,...", "Simulated latencies of the detector.")
    ] = "0.1,0.3,0.5,1.0",
    fps: Annotated[
        str | None, value("--fps", "RATE", "Play at this frame rate.", default="that of the sequence")
    ] = None,
    overlay: Annotated[
        str | None,
        value("--overlay", "NAME,...", "Overlays to compare: now, detected, delayed.", default="now,delayed"),
    ] = None,
    det: DetectionFile = None,
    tracker: TrackerName = None,
    shown: Annotated[
        Path | None,
        value(
            "--shown",
            "FOLDER",
            "Write the displayed boxes to FOLDER/<overlay>-<latency>/<sequence>.txt; existing files are replaced.",
        ),
    ] = None,
    shared: Annotated[
        bool, flag("--shared", "All sequences are live at once, and one detector takes frames of each (overlay: now).")
    ] = False,
    policy: Annotated[
        str | None,
        value(
            "--policy",
            "NAME,...",
            f"With --shared: whose frame is detected next, {', '.join(POLICIES)}.",
            default="all",
        ),
    ] = None,
    max_age: Annotated[
        float | None,
        value(
            "--max-age",
            "SECONDS",
            "With --shared: the longest time between two detections of a sequence.",
            default="2, or two rounds of all",
        ),
    ] = None,
    json_path: JsonFile = None,
    plot: Annotated[
        Path | None,
        value("--plot", "FILE", "Plot accuracy against latency, .png or .svg; an existing file is replaced."),
    ] = None,
) -> None:
    """Measure the accuracy of what is displayed under latency, against ground truth."""
    with command(prints=True) as (terminal, _):
        from streamer.config.loading import load_settings
        from streamer.evaluation import figures, tables
        from streamer.evaluation.sequence_frames import find_frames
        from streamer.evaluation.sequences import read_all
        from streamer.evaluation.streaming import plot as plotting
        from streamer.evaluation.streaming.evaluate import Task, evaluate
        from streamer.evaluation.streaming.evaluate_shared import SharedTask, read_streams

        settings = load_settings(None, (), {"tracker.name": tracker, "source.fps": fps})
        name = settings.tracker.name
        overlay = overlay or ("now" if shared else "now,delayed")
        task = Task.parse(latency, overlay, tracker=name, detections=det, fps=settings.source.fps)
        if not shared and (policy, max_age) != (None, None):
            raise ConfigError("--policy and --max-age are for streams that share a detector; add --shared")
        if shared and plot is not None:
            raise ConfigError("--plot shows one sequence after the other; leave out --shared")
        found = read_streams(sequences) if shared else read_all(sequences)
        shared_task = SharedTask.parse(task, policy or ",".join(POLICIES), max_age, len(found)) if shared else None
        for sequence in found:
            sequence.ground_truth()
            sequence.detections(det)
            find_frames(sequence)
        if plot is not None:
            figures.check(plot)
        with ExitStack() as stack:
            report, results = JsonReport(stack, json_path), []
            if shared_task is not None:
                report.write({"tracker": name, "runs": _shared(terminal, found, shared_task, shown)})
                return
            for sequence in found:
                results.append(evaluate(sequence, task, shown))
                terminal.table(tables.streaming_scores(results[-1]))
                terminal.line("")
            if plot is not None:
                plotting.write(plot, results)
            report.write({"tracker": name, "sequences": {result.name: result.to_dict() for result in results}})


def _shared(terminal: Terminal, found: list[Sequence], task: SharedTask, shown: Path | None) -> list[dict[str, Any]]:
    """Run all policies; returns the results for JSON."""
    from streamer.evaluation import tables
    from streamer.evaluation.streaming.evaluate_shared import evaluate_shared

    results: list[SharedResult] = []
    for result in evaluate_shared(found, task, shown):
        results.append(result)
        if len(results) % len(task.policies) == 0:
            terminal.table(tables.shared_scores(results[-len(task.policies) :]))
            terminal.line("")
    terminal.line(tables.SHARED_LEGEND)
    return [result.to_dict() for result in results]


def video(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="VIDEO", help="Video file, or another source of 'run'.")],
    detector: DetectorName = None,
    classes: Classes = None,
    min_score: MinScore = None,
    tracker: TrackerName = None,
    detect_every: DetectEvery = None,
    offline: Offline = False,
    json_path: JsonFile = None,
) -> None:
    """Measure how far boxes jump and how often ids break, without ground truth."""
    options = detector_options(detector, classes, min_score, detect_every, tracker, offline=offline)
    with command(prints=True) as (terminal, interrupts):
        from streamer.config.loading import load_settings
        from streamer.evaluation import tables
        from streamer.evaluation.steadiness import Steadiness
        from streamer.run.outputs import Outputs
        from streamer.run.session import Session

        settings, steadiness = load_settings(None, (), options), Steadiness()
        with ExitStack() as stack:
            report_file = JsonReport(stack, json_path)
            observers = [steadiness]
            session = Session(source, Outputs(), settings, terminal, started_s=context.obj, observers=observers)
            session.run(on_ready=interrupts.stop_with)
            report = steadiness.report()
            report_file.write({"tracker": settings.tracker.name, **report.to_dict()})
        terminal.line("")
        terminal.table(tables.steadiness(report))
        terminal.line(tables.STEADINESS_LEGEND)
        terminal.line(tables.id_line(report))


class JsonReport:
    """A JSON file that is created before the work and filled after it. Does nothing without a path.

    Args:
        stack: removes the unfinished file when it is left.
        path: the file; None for none.
    """

    def __init__(self, stack: ExitStack, path: Path | None) -> None:
        from streamer.system.partial_file import PartialFile

        self._output = None if path is None else PartialFile(path, overwrite=True)
        if self._output is not None:
            stack.callback(self._output.discard)

    def write(self, content: Mapping[str, Any]) -> None:
        """Write the content and give the file its final name."""
        from streamer.system import paths

        if self._output is not None:
            self._output.complete(json.dumps(paths.encodable(content), indent=2) + "\n")
