"""The commands `evaluate detection` and `evaluate mot-to-coco`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from streamer.cli.command import command
from streamer.cli.evaluate.sequences import JsonReport
from streamer.cli.options import (
    DETECTION,
    Assign,
    Config,
    DetectorName,
    JsonFile,
    Offline,
    Overwrite,
    flag,
    value,
)
from streamer.errors import ConfigError

TRUTH, RESULTS = "Ground truth", "Results"
Choice = TypeVar("Choice", bound=StrEnum)


def detection(
    images: Annotated[
        str, typer.Argument(metavar="IMAGES", help="Folder or pattern of pictures, or a video.", show_default=False)
    ],
    truth: Annotated[
        list[Path],
        value(
            "--truth",
            "FILE",
            "COCO JSON; or Open Images: boxes (CSV), image-level labels (CSV), and, if it is not the hierarchy of "
            "version 4, class hierarchy (JSON) and class descriptions (CSV). Repeatable.",
            TRUTH,
        ),
    ],
    metric: Annotated[
        str | None,
        value("--metric", "NAME", "open-images or coco.", TRUTH, default="that of the truth"),
    ] = None,
    classes: Annotated[
        str | None,
        value("--classes", "NAME,...", "Evaluate only these classes and the classes below them.", TRUTH, default="all"),
    ] = None,
    expand: Annotated[
        str,
        value("--expand", "NAME", "Open Images: apply the class hierarchy to both, truth or none.", TRUTH),
    ] = "both",
    partial: Annotated[bool, flag("--partial", "Leave out images of the truth without a picture.", TRUTH)] = False,
    detector: DetectorName = None,
    min_score: Annotated[
        float | None,
        value("--min-score", "0..1", "Lowest score of the evaluated detections.", DETECTION, default="0.001"),
    ] = None,
    detections: Annotated[
        Path | None,
        value(
            "--detections",
            "FILE",
            "Keep the detections in this file; a second run takes them from it, an interrupted one goes on.",
            DETECTION,
        ),
    ] = None,
    offline: Offline = False,
    score: Annotated[
        float | None,
        value("--score", "0..1", "Show precision, recall and F1 at this score.", RESULTS, default="by detector"),
    ] = None,
    plot: Annotated[
        Path | None,
        value("--plot", "FILE", "Plot precision against recall, .png or .svg; an existing file is replaced.", RESULTS),
    ] = None,
    json_path: JsonFile = None,
    config: Config = None,
    assign: Assign = None,
) -> None:
    """Measure mAP, precision, recall and F1 on pictures, against ground truth."""
    options = {"detector.name": detector, "detector.min_score": min_score, "detector.offline": offline or None}
    with command(prints=True) as (terminal, _):
        from streamer.config.loading import load_settings
        from streamer.evaluation import detection_tables, figures
        from streamer.evaluation.detection import plot as plotting
        from streamer.evaluation.detection.evaluate import Request, detect_missing, prepare
        from streamer.evaluation.detection.evaluate import score as score_all
        from streamer.evaluation.detection.truth import Expansion, Metric

        settings = load_settings(config, assign or [], options)
        names = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
        if score is not None and not 0 <= score <= 1:
            raise ConfigError(f"--score is in 0..1, not {score:g}")
        request = Request(
            images,
            truth,
            None if metric is None else _choice("--metric", metric, Metric),
            names,
            detections,
            score,
            partial,
            _choice("--expand", expand, Expansion),
        )
        if plot is not None:
            figures.check(plot)
        with ExitStack() as stack:
            report = JsonReport(stack, json_path)
            prepared = prepare(request)
            detect_missing(prepared, settings, terminal.message, terminal.file_progress)
            scores = score_all(prepared, lambda total: terminal.file_progress(total, title="scoring"))
            report.write(scores.to_dict())
            if plot is not None:
                plotting.write(plot, scores)
        terminal.table(detection_tables.detection_scores(scores))
        for line in detection_tables.detection_lines(scores):
            terminal.line(line)


def mot_to_coco(
    sequence: Annotated[Path, typer.Argument(help="Folder with seqinfo.ini and gt/gt.txt (MOT Challenge).")],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="COCO JSON for 'evaluate detection --truth'.")],
    overwrite: Overwrite = False,
) -> None:
    """Write the ground truth of a sequence as COCO JSON."""
    with command() as (terminal, _):
        from streamer.evaluation.detection.mot_truth import coco_of
        from streamer.evaluation.sequences import Sequence
        from streamer.system.partial_file import PartialFile

        content = coco_of(Sequence.read(sequence))
        PartialFile(output, overwrite=overwrite).complete(json.dumps(content, separators=(",", ":")) + "\n")
        boxes, frames = len(content["annotations"]), len(content["images"])
        terminal.message(f"wrote {output}: {boxes} boxes in {frames} frames")


def _choice(option: str, text: str, choices: type[Choice]) -> Choice:
    """The member of an enum that an option names.

    Raises:
        ConfigError: there is none.
    """
    try:
        return choices(text.strip().lower())
    except ValueError as error:
        raise ConfigError(f"{option} takes {' or '.join(choices)}, not {text!r}") from error
