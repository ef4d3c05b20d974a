"""Runs of one clip: by one process, and by parts. Both write an annotated file, JSON lines and MOT text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.observe.report import Report, SilentReporter
from streamer.parts.detecting import PartDetector
from streamer.parts.folder import FolderSupply
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers, joined_settings
from streamer.parts.part_file import part_name, write_part
from streamer.parts.plan import Plan
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.run.session import Session, StopHook
from tests.parts.detector import NAME

OUTPUTS = ("out{suffix}", "out.jsonl", "out.txt")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run wrote: the content of each output, and the report."""

    outputs: dict[str, bytes]
    report: Report

    def count(self, what: str, cause: str = "") -> int:
        """A count of the report."""
        return self.report.stats.counts.get((what, cause), 0)


def settings_of(*assignments: str) -> Settings:
    """The settings with the test's detector."""
    return load_settings(None, [f"detector.name={NAME}", *assignments])


def run(
    clip: Path,
    folder: Path,
    settings: Settings,
    own: OwnParts | None = None,
    on_ready: StopHook = lambda _: None,
) -> Ran:
    """Run a clip; its outputs go into a folder of that name."""
    folder.mkdir()
    names = [name.format(suffix=clip.suffix if clip.suffix in (".mp4", ".mkv", ".ts") else ".mkv") for name in OUTPUTS]
    paths = [folder / name for name in names]
    outputs = Outputs.of(settings, str(clip), typed=[str(paths[0])], jsonl=paths[1], mot=paths[2])
    reporter = SilentReporter()
    Session(str(clip), outputs, settings, reporter, own=own).run(on_ready=on_ready)
    assert reporter.final is not None
    return Ran({path.name: path.read_bytes() for path in paths}, reporter.final)


def detect(plan: Plan, folder: Path, numbers: Iterable[int] | None = None) -> None:
    """Detect parts, all by default, into a folder."""
    folder.mkdir(exist_ok=True)
    with PartDetector(plan) as detector:
        for part in plan.parts:
            if numbers is None or part.number in numbers:
                write_part(detector.detect(part), folder / part_name(part.number))


def join(clip: Path, folder: Path, plan: Plan, parts: Path, settings: Settings, **options: Any) -> Ran:
    """Join the parts in a folder; `options` of `FolderSupply`, `allow_mixed`, and `on_ready` of the run."""
    workers = SameWorkers(allow_mixed=options.pop("allow_mixed", False))
    on_ready = options.pop("on_ready", lambda _: None)
    supply = FolderSupply(parts, plan, workers, **options)
    joined = JoinedDetectors(plan, supply, workers)
    own = OwnParts(detectors=joined, observers=(joined,))
    return run(clip, folder, joined_settings(plan, settings), own, on_ready)
