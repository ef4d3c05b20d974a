"""From settings to the parts of a run. Main thread only; everything that can be refused is refused here, before the
first frame.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

from streamer.config.detector import DetectorSettings
from streamer.config.settings import DrawSettings, Settings, TrackerSettings
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError
from streamer.flow.cadence import Cadence
from streamer.flow.playout import Playout
from streamer.interfaces import Annotator, StreamInfo
from streamer.registry import ANNOTATORS, TRACKERS
from streamer.sources.live.retries import Patience
from streamer.sources.network.options import NetworkOptions
from streamer.sources.selection import DEINTERLACE, SourceOptions
from streamer.system.suggestions import nearest
from streamer.values.states import Overlay
from tracking.types import Tracker


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
