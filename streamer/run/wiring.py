"""From settings to the parts of a run. Main thread only; everything that can be refused is refused here, before the
first frame.
"""

from __future__ import annotations

import inspect
from typing import Any

from streamer.config.detector import DetectorSettings
from streamer.config.settings import DrawSettings, Settings, TrackerSettings
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError
from streamer.flow.cadence import Cadence
from streamer.flow.playout import Playout
from streamer.interfaces import Annotator, StreamInfo
from streamer.registry import ANNOTATORS, TRACKERS
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
