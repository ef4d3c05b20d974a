"""The command `detect`: detects one part of a plan and writes it to a file. Main thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import ADVANCED, DETECTION, INPUT, OUTPUTS, Config, Offline, Quiet, value
from streamer.errors import ConfigError, Interrupted, StreamerError

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal
    from streamer.parts.detecting import PartDetector
    from streamer.parts.plan import Part, Plan
    from streamer.parts.worker.journal import Journal

_OTHERS = "the frames of an unfinished run are not used: its plan, model or machine computes other numbers"
_SETTINGS = ("detector.", "extensions.")


def detect(
    plan: Annotated[Path, typer.Argument(metavar="PLAN.json", help="From 'streamer plan'.", show_default=False)],
    part: Annotated[int, value("--part", "K", "The part, counted from 0.", INPUT)],
    output: Annotated[
        str,
        value(
            "--output", "FOLDER|FILE", "Where part-K.npz is written; a folder that ends in / is made.", OUTPUTS, "-o"
        ),
    ],
    source: Annotated[
        Path | None, value("--input", "FILE", "The video on this machine.", INPUT, default="where the plan has it")
    ] = None,
    detector: Annotated[
        str | None, value("--detector", "FILE", "The model on this machine.", DETECTION, default="that of the plan")
    ] = None,
    offline: Offline = False,
    config: Config = None,
    assign: Annotated[
        list[str] | None,
        value("--set", "KEY=VALUE", "A setting of this machine: detector.device=gpu:1. Repeatable.", ADVANCED),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Detect one part of a plan. The same command again goes on after an interruption, and leaves a complete part."""
    with command(quiet=quiet, has_options=False) as (terminal, interrupts):
        from streamer.config.loading import load_settings
        from streamer.parts.detecting import PartDetector, settings_of_worker
        from streamer.parts.part_file import part_name, part_path
        from streamer.parts.plan_file import read_plan
        from streamer.parts.worker.complete import is_complete
        from streamer.parts.worker.journal import Journal
        from streamer.system.partial_file import make_folder

        _check_assignments(assign or [])
        planned = read_plan(plan)
        chosen = _part(planned, part, plan)
        own = load_settings(config, assign or [], {"detector.name": detector, "detector.offline": offline or None})
        settings = settings_of_worker(planned, own.detector)
        path = Path(output) / part_name(part) if output.endswith("/") else part_path(Path(output), part)
        if is_complete(path, planned, chosen, say=terminal.message):
            Journal.remove_old(path)
            terminal.message(f"{path} is complete already")
            return
        _check_input(planned, source)
        if output.endswith("/"):
            make_folder(path.parent)
        with Journal(path, waiting=lambda: terminal.message(_waits(path))) as journal:
            if is_complete(path, planned, chosen):  # another process has done it meanwhile
                journal.remove()
                terminal.message(f"{path} is complete now")
                return
            say = terminal.message
            with PartDetector(planned, path=source, settings=settings, extensions=own.extensions, say=say) as loaded:
                interrupts.stop_with(loaded.stop)
                _detect(loaded, chosen, planned, journal, path, terminal)


def _check_assignments(assignments: Sequence[str]) -> None:
    for key in (one.partition("=")[0].strip() for one in assignments):
        if not key.startswith(_SETTINGS):
            raise ConfigError(f"{key} does not change detections; --set takes detector.NAME=VALUE")


def _check_input(plan: Plan, source: Path | None) -> None:
    from streamer.parts.plan_file import check_input
    from streamer.system import paths

    if source is None and not paths.exists(plan.input.path):
        raise ConfigError(f"{plan.input.path} is not on this machine; --input FILE names the video here")
    check_input(plan, source)


def _waits(path: Path) -> str:
    return f"another process works on {path}; waiting for it"


def _part(plan: Plan, number: int, path: Path) -> Part:
    if not 0 <= number < len(plan.parts):
        last = len(plan.parts) - 1
        there = f"the parts 0 to {last}" if last else "one part, 0"
        raise ConfigError(f"{path} has {there}, no part {number}")
    return plan.parts[number]


def _detect(detector: PartDetector, part: Part, plan: Plan, journal: Journal, path: Path, terminal: Terminal) -> None:
    """Detect a part, with the frames of its journal, and write it."""
    from streamer.parts.part_file import write_part

    say = terminal.message
    done = journal.begin(detector.empty(part), refused=lambda: say(_OTHERS))
    if done:
        say(f"going on after {len(done)} frames of an unfinished run")
    title = f"part {part.number} of {len(plan.parts)}"
    try:
        with terminal.file_progress(part.frames or None, title=title) as progress:
            made = detector.detect(part, on_frame=journal.add, on_progress=progress.show, done=done)
        write_part(made, path)
    except (Interrupted, KeyboardInterrupt, StreamerError):
        if journal.count:
            say(f"{journal.count} frames are kept in {journal.path}; the same command goes on with them")
        raise
    journal.remove()
    boxes = sum(len(frame.detections) for frame in made.frames.values())
    say(f"written: {path}, {len(made.frames)} frames, {boxes} detections")
