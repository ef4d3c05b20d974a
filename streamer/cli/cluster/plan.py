"""The command `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import (
    INPUT,
    OUTPUTS,
    Assign,
    Classes,
    Config,
    DetectEvery,
    DetectorName,
    MinScore,
    Offline,
    Overwrite,
    Quiet,
    detector_options,
    value,
)
from streamer.cli.run_options import DetectFps
from streamer.errors import ConfigError

if TYPE_CHECKING:
    from streamer.parts.plan import Plan

SUFFIX = ".plan.json"


def plan(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A video file.", show_default=False)],
    parts: Annotated[int, value("--parts", "N", "How many parts; each is detected by one process.", OUTPUTS, "-n")],
    output: Annotated[
        Path | None, value("--output", "PLAN.json", "The plan.", OUTPUTS, "-o", default="NAME.plan.json")
    ] = None,
    fps: Annotated[
        str | None, value("--fps", "RATE", "Frame rate of a raw stream: 25, 30000/1001.", INPUT, default="its own")
    ] = None,
    detector: DetectorName = None,
    classes: Classes = None,
    min_score: MinScore = None,
    detect_every: DetectEvery = None,
    detect_fps: DetectFps = None,
    offline: Offline = False,
    config: Config = None,
    assign: Assign = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Split a video file into parts, which 'streamer detect' detects on any machine and 'streamer run --plan' joins."""
    options = {
        **detector_options(detector, classes, min_score, detect_every, None, offline=offline),
        "detector.fps": detect_fps,
        "source.fps": fps,
    }
    with command(quiet=quiet) as (terminal, _interrupts):
        from streamer.config.loading import load_settings
        from streamer.parts.plan_file import write_plan
        from streamer.parts.planning import make_plan
        from streamer.system import paths
        from streamer.system.partial_file import PartialFile, make_folder

        settings = load_settings(config, assign or [], options)
        path = Path(f"{Path(source).stem}{SUFFIX}") if output is None else output
        if paths.exists(path) and paths.exists(source) and path.samefile(source):
            raise ConfigError(f"{path} is the input; name another file for the plan with -o")
        make_folder(path.parent)
        PartialFile(path, overwrite=overwrite).discard()  # one that cannot be written is refused before the work
        with terminal.file_progress(None, title="plan") as progress:
            made = make_plan(source, settings, parts, progress=progress.show)
        write_plan(made, path, overwrite=overwrite)
        for line in _summary(made, path, source, parts):
            terminal.message(line)


def _summary(made: Plan, path: Path, source: str, asked: int) -> list[str]:
    """What the plan says, and the commands that go on with it."""
    from streamer.system.paths import as_argument

    last = len(made.parts) - 1
    frames = sorted(part.frames for part in made.parts)
    each = f"{frames[0]}" if frames[0] == frames[-1] else f"{frames[0]} to {frames[-1]}"
    lines = [f"{path}: {made.frames} frames in {len(made.parts)} parts of {each}, for {made.detector.name}"]
    if len(made.parts) < asked:
        lines.append(f"there are no more parts, because the file has {made.frames} frames")
    slow = sum(part.seek is None for part in made.parts[1:])
    if slow == last and last:
        lines.append("each part is decoded from the start of the file: its decoder cannot begin in the middle")
    which = f"the parts 0 to {last}" if last else "part 0"
    typed, folder = as_argument(path), as_argument(f"{path.parent}/")
    lines.append(f"detect {which}, on any machine: streamer detect {typed} --part K -o {folder}")
    lines.append(f"join them: streamer run {as_argument(source)} --plan {typed}")
    return lines
