"""From settings to the parts of a run. Main thread only; everything that can be refused is refused here, before the
first frame.
"""

from __future__ import annotations

import inspect
import itertools
import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from streamer.config.detector import DetectorSettings
from streamer.config.output import OutputEntry
from streamer.config.settings import DrawSettings, Settings, TrackerSettings
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError
from streamer.flow.cadence import Cadence
from streamer.flow.playout import Playout
from streamer.interfaces import Annotator, Scene, Sink, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.registry import ANNOTATORS, SINKS, TRACKERS
from streamer.render.canvas import Canvas
from streamer.sinks import selection as destinations
from streamer.sinks.muxing.muxer import SUFFIXES
from streamer.sources.live.retries import Patience
from streamer.sources.network.options import NetworkOptions
from streamer.sources.selection import DEINTERLACE, SourceOptions
from streamer.system import paths
from streamer.system.secrets import redacted
from streamer.system.suggestions import nearest
from streamer.values.states import Overlay
from tracking.types import Tracker


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the results of a run go; None = not wanted.

    Attributes:
        videos: annotated videos: files, recordings, streams, pictures over HTTP.
        jsonl: JSON lines, one object a frame.
        mot: MOT Challenge text.
        report: the final report as JSON.
        show: a window.
        overwrite: replace files that exist.
    """

    videos: tuple[OutputEntry, ...] = ()
    jsonl: Path | None = None
    mot: Path | None = None
    report: Path | None = None
    show: bool = False
    overwrite: bool = False

    @property
    def files(self) -> list[Path]:
        """All single files that will be written."""
        paths = (*map(destinations.file_of, self.videos), self.jsonl, self.mot, self.report)
        return [path for path in paths if path is not None]

    def check(self, source: str) -> None:
        """Refuse an output that is the input, or two outputs that are one.

        Raises:
            ConfigError: with both names.
        """
        for path in self.files:
            if paths.exists(source) and paths.exists(path) and path.samefile(source):
                raise ConfigError(f"the output {path} is the input; choose another name with -o")
        for one, other in itertools.combinations(self.files, 2):
            if one.absolute() == other.absolute():
                raise ConfigError(f"two outputs have the same name {one}")
        for first, second in itertools.combinations(self.videos, 2):
            if first.to == second.to:
                raise ConfigError(f"two outputs have the same name {redacted(first.to)}")


def videos_of(typed: Sequence[str], settings: Settings) -> tuple[OutputEntry, ...]:
    """All annotated videos: those that were typed, with the settings for them, then those of the settings' own list.

    Raises:
        ConfigError: an empty name was typed.
    """
    if not all(typed):
        raise ConfigError("-o names nothing; give a file or an address")
    named = (OutputEntry(to=to, **settings.output.model_dump()) for to in typed)
    return (*named, *settings.outputs)


def default_video_output(source: str) -> Path:
    """`clip.mp4` becomes `clip.annotated.mp4` in the current folder; what is no video file becomes .mp4.

    Letters and digits of all scripts stay, also bytes that are not UTF-8; a name that would be too long is shortened.
    """
    given = Path("streamer" if source == "-" else redacted(source))  # standard input has no name
    suffix = given.suffix.lower() if given.suffix.lower() in SUFFIXES else ".mp4"
    stem = given.name if paths.is_dir(given) else given.stem
    plain = "".join(filter(_stays_in_a_name, stem)).strip(". ")
    is_path = paths.exists(given) or not (source.startswith("lavfi:") or "://" in source)
    rest = f".annotated{suffix}"
    return Path(paths.shortened(plain if is_path and plain else "streamer", rest, paths.most_bytes_in(".")))


def _stays_in_a_name(character: str) -> bool:
    """Of all scripts letters, their marks and digits; joiners; and the bytes of another encoding (PEP 383)."""
    is_byte = "\udc80" <= character <= "\udcff"
    return is_byte or character in "-_. \u200c\u200d" or unicodedata.category(character)[0] in "LMN"


def build_tracker(settings: TrackerSettings, *, detection_interval_s: float = 0.0) -> Tracker:
    """The tracker by name, with its options.

    Args:
        settings: name and options.
        detection_interval_s: media time from one detected frame to the next. A tracker with a memory shorter than two
            of these could not connect any two detections, so its memory is made that long unless an option sets it.

    Raises:
        ConfigError: an option that this tracker does not have, or a value that it refuses.
    """
    factory = TRACKERS[settings.name]
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


def is_live(settings: Settings, info: StreamInfo) -> bool:
    """Whether frames come by themselves, in truth or on a virtual clock."""
    return info.live or settings.detector.latency is not None


def overlay(settings: Settings, info: StreamInfo) -> Overlay:
    """`now`, `detected` or `delayed`, with what `auto` means for this source.

    Raises:
        ConfigError: `now` for frames that do not come by themselves.
    """
    if settings.overlay == "auto":
        return Overlay.NOW if is_live(settings, info) else Overlay.DETECTED
    if settings.overlay == "now" and not is_live(settings, info):
        raise ConfigError("overlay now is for live sources: with a file, add --live, or --latency for a virtual clock")
    return Overlay(settings.overlay)


def cadence(settings: DetectorSettings, info: StreamInfo) -> Cadence:
    """Which frames are detected.

    Raises:
        ConfigError: both `detector.fps` and `detector.every` are given.
    """
    if settings.fps is not None and settings.every != 1:
        raise ConfigError("detector.every and detector.fps say the same thing in two ways; give one of them")
    return Cadence(settings.every, settings.fps).of(info.average_fps)


def playout(settings: SourceSettings) -> Playout:
    """When the pictures of a live source are shown."""
    return Playout(None if settings.jitter_ms == "auto" else float(settings.jitter_ms) / 1000)


def build_annotators(settings: DrawSettings) -> list[Annotator]:
    """What draws, from the bottom up."""
    annotators: list[Annotator] = []
    if settings.trails:
        annotators.append(ANNOTATORS["trails"](length_s=settings.trail_length_s))
    if settings.boxes:
        annotators.append(ANNOTATORS["boxes"](show_origin=settings.origin))
    if settings.labels:
        annotators.append(ANNOTATORS["labels"](show_score=settings.score, show_id=settings.id))
    if settings.hud:
        annotators.append(ANNOTATORS["hud"]())
    return annotators


@dataclass(slots=True)
class BuiltSinks:
    """The sinks of a run, not yet entered.

    Attributes:
        all: in the order in which they are written.
        optional: those whose failure does not end a live run.
        keep_all: those that get every picture of a live source.
    """

    all: list[Sink] = field(default_factory=list)
    optional: list[Sink] = field(default_factory=list)
    keep_all: list[Sink] = field(default_factory=list)


def build_sinks(
    outputs: Outputs,
    info: StreamInfo,
    settings: Settings,
    on_close: Callable[[], None] | None = None,
    *,
    passthrough: Passthrough | None = None,
) -> BuiltSinks:
    """The sinks, not yet entered.

    Args:
        outputs: what is wanted.
        info: of the pictures that will come.
        settings: of the window, and whether the head-up line is drawn for all outputs.
        on_close: called when the user closes the window.
        passthrough: the other streams of the input, for outputs that copy them.

    Raises:
        SinkUnavailable: an output that exists, or a folder that cannot be written.
        ConfigError: an address that nothing can be sent to.
    """
    built = BuiltSinks()
    for entry in outputs.videos:
        sink = destinations.build_sink(entry, info, overwrite=outputs.overwrite, passthrough=passthrough)
        built.all.append(sink)
        if destinations.is_optional(entry):
            built.optional.append(sink)
        if destinations.keeps_all(entry):
            built.keep_all.append(sink)
    for name, path in (("jsonl", outputs.jsonl), ("mot", outputs.mot)):
        if path is not None:
            built.all.append(SINKS[name](path, overwrite=outputs.overwrite))
            built.keep_all.append(built.all[-1])
    if outputs.show:
        built.all.append(
            SINKS["window"](
                paths.readable(info.name),
                holds_run=not info.live,
                snapshots=settings.window.snapshot_folder,
                draw_hud=None if settings.draw.hud else _hud_drawer(),
                sample_aspect_ratio=info.sample_aspect_ratio,
                on_close=on_close,
            )
        )
    return built


def _hud_drawer() -> Callable[[Scene], av.VideoFrame]:
    """Draws the head-up line on a scene's picture, for the window only."""
    hud: Annotator = ANNOTATORS["hud"]()

    def draw(scene: Scene) -> av.VideoFrame:
        canvas = Canvas(scene.frame.picture if scene.picture is None else scene.picture)
        hud.draw(canvas, scene)
        return canvas.picture

    return draw


def _password(settings: SourceSettings) -> str:
    """The password, its file, the password in the environment, its file there: the first that is given."""
    given = settings.password.get_secret_value()
    if settings.password_file is None:
        given = given or os.environ.get("STREAMER_SOURCE_PASSWORD", "")
    file = settings.password_file or os.environ.get("STREAMER_SOURCE_PASSWORD_FILE")
    if given or not file:
        return given
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0].strip("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or ("no such file" if "\0" in str(file) else "is no text")
        raise ConfigError(f"source.password_file: cannot read {file}: {reason}") from error


def source_options(settings: SourceSettings) -> SourceOptions:
    """How the source is read, with the password where the settings say it is.

    Raises:
        ConfigError: the password's file cannot be read.
    """
    width, _, height = (settings.size or "0x0").partition("x")
    return SourceOptions(
        fps=settings.fps,
        threads=settings.threads,
        live=settings.live,
        size=(int(width), int(height)) if settings.size else None,
        pixel_format=settings.pixel_format,
        audio=settings.audio,
        deinterlace=settings.deinterlace,
        network=NetworkOptions(
            transport=settings.transport,
            user=settings.user or os.environ.get("STREAMER_SOURCE_USER", ""),
            password=_password(settings),
            open_timeout_s=settings.open_timeout_s,
            low_latency=settings.low_latency,
            options=settings.options,
            verify=settings.verify,
            poll_fps=settings.poll_fps,
            deinterlace=DEINTERLACE[settings.deinterlace],
            max_height=settings.max_height,
        ),
        patience=Patience(
            stall_s=settings.stall_s,
            longest_wait_s=settings.longest_wait_s,
            retry_for_s=settings.retry_for_s,
            retry_at_start=settings.retry_at_start,
        ),
    )
