"""The command `batch`. Main thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import (
    ADVANCED,
    OUTPUTS,
    Assign,
    Classes,
    Config,
    DetectEvery,
    DetectorName,
    MinScore,
    Offline,
    Quiet,
    TrackerName,
    detector_options,
    flag,
    value,
)
from streamer.cli.run_options import AllowMixed, ClusterAddress

if TYPE_CHECKING:
    from streamer.cli.run.on_cluster import BatchOnCluster
    from streamer.cli.terminal import Terminal
    from streamer.config.settings import Settings

Patterns = Annotated[
    list[str],
    typer.Argument(
        metavar="PATTERN",
        help="Patterns in quotes ('videos/**/*.mp4'), folders with all folders below them, and files.",
        show_default=False,
    ),
]
OutputFolder = Annotated[
    Path,
    value("--output", "FOLDER", "Folder of all outputs, with the folders of the inputs; it is made.", OUTPUTS, "-o"),
]
NoVideo = Annotated[bool, flag("--no-video", "Write no annotated video: detections and reports only.", OUTPUTS)]
WithCsv = Annotated[bool, flag("--csv", "Write NAME.csv, too: one row per box.", OUTPUTS)]
WithMot = Annotated[bool, flag("--mot", "Write NAME.txt, too: tracks as MOT Challenge text.", OUTPUTS)]
Replace = Annotated[
    bool, flag("--overwrite", "Replace files that no batch has written. Files that are done stay done.", OUTPUTS)
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", "-j", min=1, max=64, help="Files at the same time.", rich_help_panel=ADVANCED, metavar="N"),
]


def batch(
    context: typer.Context,
    patterns: Patterns,
    output: OutputFolder,
    detector: DetectorName = None,
    classes: Classes = None,
    min_score: MinScore = None,
    detect_every: DetectEvery = None,
    offline: Offline = False,
    tracker: TrackerName = None,
    no_video: NoVideo = False,
    csv: WithCsv = False,
    mot: WithMot = False,
    overwrite: Replace = False,
    jobs: Jobs = 1,
    cluster: ClusterAddress = None,
    allow_mixed: AllowMixed = False,
    config: Config = None,
    assign: Assign = None,
    quiet: Quiet = False,
) -> None:
    """Annotate many files; go on where an earlier call ended."""
    options = detector_options(detector, classes, min_score, detect_every, tracker, offline=offline)
    with command(quiet=quiet) as (terminal, interrupts):
        from streamer.batch.batch import Batch, BatchOutputs
        from streamer.cli.cluster.batch_table import BatchTerminal
        from streamer.config.loading import load_settings

        settings = load_settings(config, assign or [], options)
        outputs = BatchOutputs(output, video=not no_video, csv=csv, mot=mot, overwrite=overwrite)
        reporter = BatchTerminal(terminal, output)
        parts = None if cluster is None else partial(_parts, cluster, settings, terminal, allow_mixed=allow_mixed)
        runs = Batch(patterns, outputs, settings, reporter, jobs=jobs, parts=parts, started_s=context.obj)
        runs.run(on_ready=interrupts.stop_with)


@contextmanager
def _parts(address: str, settings: Settings, terminal: Terminal, *, allow_mixed: bool) -> Iterator[BatchOnCluster]:
    """What has the detectors of the files of a batch on a cluster."""
    from streamer.cli.run.on_cluster import BatchOnCluster, workers_on_cluster

    with workers_on_cluster(address, settings, terminal, allow_mixed=allow_mixed, many_files=True) as group:
        terminal.message(f"workers: {group.count}")
        yield BatchOnCluster(group, settings, terminal)
