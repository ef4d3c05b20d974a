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
from streamer.system.suggestions import counted

if TYPE_CHECKING:
    from streamer.parts.plan import Plan

SUFFIX = ".plan.json"
_LONG = 1000
"""So many frames take seconds to decode."""


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
        for line in _summary(made, source, path, parts):
            terminal.message(line)


def _summary(made: Plan, source: str, path: Path, asked: int) -> list[str]:
    """What the plan says, and the commands that go on with it."""
    from streamer.system.paths import as_argument

    count, last = len(made.parts), len(made.parts) - 1
    sizes = sorted(part.frames for part in made.parts)
    each = str(sizes[0]) if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    split = f"{counted(count, 'part')} of {each} frames" if last else "1 part"
    lines = [f"written: {path}, {counted(made.frames, 'frame')} in {split}, for {made.detector.name}"]
    if count < asked:
        lines.append(f"not {asked} parts, because the file has frames at {counted(count, 'time')} only")
    if made.frames >= _LONG and last and all(part.seek is None for part in made.parts):
        lines.append("each worker decodes the file from its start: its times, its keyframes or the detector need that")
    typed, folder = as_argument(path), as_argument(f"{path.parent}/")
    number, which = ("K", f"the parts 0 to {last}") if last else ("0", "part 0")
    lines.append(f"detect {which}, on any machine: streamer detect {typed} --part {number} -o {folder}")
    lines.append(f"join them: streamer run {as_argument(source)} --plan {typed}")
    return lines
