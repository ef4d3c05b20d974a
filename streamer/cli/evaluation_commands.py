"""The commands of the group `evaluate`: each returns its exit code and has said what went wrong. Main thread."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from streamer.cli.commands import guarded
from streamer.cli.terminal import Terminal
from streamer.errors import ConfigError
from streamer.system import paths
from streamer.system.interrupts import Interrupts
from streamer.system.partial_file import PartialFile

_WIDEST = 1000


def tracking(
    folders: Sequence[Path],
    *,
    tracker: str | None,
    detections: str | None,
    tracks_folder: Path | None,
    given_folder: Path | None,
    json_path: Path | None,
) -> int:
    """Score a tracker, or tracks that are there already, on sequences with ground truth."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.evaluation import display, tables, track_scores
        from streamer.evaluation.requirements import need
        from streamer.evaluation.sequences import read_all
        from streamer.run import wiring

        if given_folder is not None and (tracker, detections, tracks_folder) != (None, None, None):
            raise ConfigError("--given scores tracks that are there; leave out --tracker, --det and --tracks")
        settings = load_settings(None, (), {"tracker.name": tracker}).tracker
        need("trackeval")
        sequences = read_all(list(folders))
        tracks = {} if given_folder is None else {each.name: given_folder / f"{each.name}.txt" for each in sequences}
        for sequence in sequences:  # what is wrong with the last one is told before the first one is tracked
            sequence.ground_truth()
            if given_folder is None:
                sequence.detections(detections)
            else:
                sequence.tracks(tracks[sequence.name])
        with ExitStack() as stack:
            report = _Json(stack, json_path)
            if given_folder is None:
                folder = tracks_folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-")))
                display.make_folder(folder)
                for sequence in sequences:
                    built = wiring.build_tracker(settings, detection_interval_s=float(1 / sequence.fps))
                    tracks[sequence.name] = track_scores.write_tracks(sequence, built, folder, detections=detections)
            scores = track_scores.score(sequences, tracks)
            report.write(
                {
                    "tracker": settings.name if given_folder is None else str(given_folder),
                    "sequences": {name: one.to_dict() for name, one in scores.by_sequence.items()},
                    "pooled": {name: one.to_dict() for name, one in scores.pooled.items()},
                }
            )
        _print(terminal, tables.track_scores(scores))

    return guarded(work, prints=True)


def streaming(
    folders: Sequence[Path],
    *,
    latencies: str,
    overlays: str,
    fps: str | None,
    tracker: str | None,
    detections: str | None,
    shown_folder: Path | None,
    json_path: Path | None,
    plot_path: Path | None,
) -> int:
    """Score what is on screen while a slow detector works, on sequences with ground truth."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.evaluation import plot, tables
        from streamer.evaluation import streaming as stream
        from streamer.evaluation.footage import footage
        from streamer.evaluation.sequences import read_all

        settings = load_settings(None, (), {"tracker.name": tracker, "source.fps": fps})
        name = settings.tracker.name
        task = stream.Task.of(latencies, overlays, tracker=name, detections=detections, fps=settings.source.fps)
        sequences = read_all(list(folders))
        for sequence in sequences:
            sequence.ground_truth()
            sequence.detections(detections)
            footage(sequence)
        if plot_path is not None:
            plot.check(plot_path)
        with ExitStack() as stack:
            report = _Json(stack, json_path)
            results = []
            for sequence in sequences:
                results.append(stream.evaluate(sequence, task, shown_folder))
                _print(terminal, tables.streaming_scores(results[-1]))
                terminal.line("")
            if plot_path is not None:
                plot.write(plot_path, results)
            report.write({"tracker": name, "sequences": {result.name: result.to_dict() for result in results}})

    return guarded(work, prints=True)


def video(source: str, options: Mapping[str, Any], *, json_path: Path | None, started_s: float) -> int:
    """Measure how steady boxes and ids are on a video without ground truth.

    Args:
        source: as for `run`.
        options: as `streamer.config.loading.load_settings` takes them.
        json_path: where the figures go, besides.
        started_s: monotonic clock when the program began.
    """

    def work(terminal: Terminal, interrupts: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.evaluation import tables
        from streamer.evaluation.steadiness import Steadiness
        from streamer.run.outputs import Outputs
        from streamer.run.session import Session

        settings, steadiness = load_settings(None, (), options), Steadiness()
        with ExitStack() as stack:
            report_file = _Json(stack, json_path)
            Session(
                source,
                Outputs(),
                settings,
                terminal,
                interrupts,
                started_s=started_s,
                observers=[steadiness],
            ).run()
            report = steadiness.report()
            report_file.write({"tracker": settings.tracker.name, **report.to_dict()})
        terminal.line("")
        _print(terminal, tables.steadiness(report))
        terminal.line(tables.id_line(report))

    return guarded(work, prints=True)


class _Json:
    """A JSON file that is claimed before the work and written after it; nothing without a path."""

    def __init__(self, stack: ExitStack, path: Path | None) -> None:
        self._output = None if path is None else PartialFile(path, overwrite=True)
        if self._output is not None:
            stack.callback(self._output.discard)

    def write(self, content: Mapping[str, Any]) -> None:
        """Give the file its content and its name."""
        if self._output is not None:
            self._output.complete(json.dumps(paths.encodable(content), indent=2) + "\n")


def _print(terminal: Terminal, table: Table) -> None:
    output = terminal.output
    if not output.is_terminal:  # in a file or a pipe a table is as wide as it needs to be
        output = Console(file=output.file, highlight=False, width=_WIDEST)
        output.width = output.measure(table).maximum
    output.print(table)
