"""From settings to the parts of a run. Main thread only; everything that can be refused is refused here, before the
first frame.
"""

from __future__ import annotations

import inspect
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.catalog import ANNOTATORS, SINKS, TRACKERS, load
from streamer.config import DrawSettings, OutputSettings, TrackerSettings, nearest
from streamer.errors import ConfigError
from streamer.protocols import Annotator, Sink, StreamInfo
from streamer.sinks.muxer import SUFFIXES
from tracking.types import Tracker


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the results of a run go; None = not wanted.

    Attributes:
        video: annotated video file.
        jsonl: JSON lines, one object a frame.
        mot: MOT Challenge text.
        report: the final report as JSON.
        show: a window.
        overwrite: replace files that exist.
    """

    video: Path | None = None
    jsonl: Path | None = None
    mot: Path | None = None
    report: Path | None = None
    show: bool = False
    overwrite: bool = False

    @property
    def files(self) -> list[Path]:
        """All files that will be written."""
        return [path for path in (self.video, self.jsonl, self.mot, self.report) if path is not None]

    def check(self, source: str) -> None:
        """Refuse an output that is the input, or two outputs that are one file.

        Raises:
            ConfigError: with both names.
        """
        for path in self.files:
            if Path(source).exists() and path.exists() and path.samefile(source):
                raise ConfigError(f"the output {path} is the input; choose another name with -o")
        for one, other in itertools.combinations(self.files, 2):
            if one.absolute() == other.absolute():
                raise ConfigError(f"two outputs have the same name {one}")


def default_video_output(source: str) -> Path:
    """`clip.mp4` becomes `clip.annotated.mp4` in the current folder; what is no video file becomes .mp4."""
    given = Path(source)
    suffix = given.suffix.lower() if given.suffix.lower() in SUFFIXES else ".mp4"
    stem = given.name if given.is_dir() else given.stem
    readable = "".join(c for c in stem if c.isalnum() or c in "-_. ").strip(". ")
    is_path = given.exists() or not source.startswith("lavfi:")
    return Path(f"{readable if is_path and readable else 'streamer'}.annotated{suffix}")


def build_tracker(settings: TrackerSettings, *, detection_interval_s: float = 0.0) -> Tracker:
    """The tracker by name, with its options.

    Args:
        settings: name and options.
        detection_interval_s: media time from one detected frame to the next. A tracker with a memory shorter than two
            of these could not connect any two detections, so its memory is made that long unless an option sets it.

    Raises:
        ConfigError: an option that this tracker does not have, or a value that it refuses.
    """
    factory = load(TRACKERS, settings.name)
    known = inspect.signature(factory).parameters
    for option in settings.options:
        if option not in known:
            raise ConfigError(f"tracker.options.{option}: no such option{nearest(option, known)}")
    options: dict[str, Any] = dict(settings.options)
    if "memory_s" in known and 2 * detection_interval_s > known["memory_s"].default:
        options.setdefault("memory_s", 2 * detection_interval_s)
    try:
        tracker: Tracker = factory(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"tracker.options: {error}") from error
    return tracker


def build_annotators(settings: DrawSettings) -> list[Annotator]:
    """What draws, from the bottom up."""
    annotators: list[Annotator] = []
    if settings.trails:
        annotators.append(load(ANNOTATORS, "trails")(length_s=settings.trail_length_s))
    if settings.boxes:
        annotators.append(load(ANNOTATORS, "boxes")())
    if settings.labels:
        annotators.append(load(ANNOTATORS, "labels")(show_score=settings.score, show_id=settings.id))
    if settings.hud:
        annotators.append(load(ANNOTATORS, "hud")())
    return annotators


def build_sinks(outputs: Outputs, info: StreamInfo, settings: OutputSettings) -> list[Sink]:
    """The sinks, not yet entered.

    Raises:
        SinkUnavailable: an output that exists, or a folder that cannot be written.
    """
    sinks: list[Sink] = []
    if outputs.video is not None:
        sinks.append(
            load(SINKS, "video")(
                outputs.video,
                info,
                codec=settings.codec,
                crf=settings.crf,
                preset=settings.preset,
                options=settings.options,
                copy_streams=settings.copy_streams,
                threads=settings.threads,
                overwrite=outputs.overwrite,
            )
        )
    if outputs.jsonl is not None:
        sinks.append(load(SINKS, "jsonl")(outputs.jsonl, overwrite=outputs.overwrite))
    if outputs.mot is not None:
        sinks.append(load(SINKS, "mot")(outputs.mot, overwrite=outputs.overwrite))
    if outputs.show:
        sinks.append(load(SINKS, "window")(info.name))
    return sinks
