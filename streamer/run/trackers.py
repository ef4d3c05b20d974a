"""Builds the tracker that `tracker.name` means, with the options of the run. Main thread, before the first frame."""

from __future__ import annotations

import inspect
from typing import Any

from streamer.config.settings import Settings, TrackerSettings
from streamer.errors import ConfigError
from streamer.registry import TRACKERS
from streamer.system.suggestions import nearest
from tracking.types import Tracker


def tracker_settings(settings: Settings) -> TrackerSettings:
    """The tracker's settings of a run. A score bound that the user gave is the only one.

    Without one the tracker compares scores with the usual score: it hides objects far below it, and shows weak ones
    late. The user's own options stay.
    """
    given, tracker = settings.detector, settings.tracker
    if given.min_score is None and not given.min_scores:
        return tracker
    known = inspect.signature(TRACKERS[tracker.name]).parameters
    options = {name: 0.0 for name in ("shown_ratio", "weak_confirm_s") if name in known}
    return tracker.model_copy(update={"options": {**options, **tracker.options}})


def build_tracker(settings: TrackerSettings, *, detection_interval_s: float = 0.0) -> Tracker:
    """The tracker that the settings name, built with its options.

    Args:
        settings: name and options.
        detection_interval_s: media time between two detected frames. A tracker forgets a track after `memory_s`; to
            connect two detections it needs twice this interval, which is the least value unless an option sets it.

    Raises:
        ConfigError: the tracker has no such option, or refuses a value.
    """
    factory = TRACKERS[settings.name]
    known = inspect.signature(factory).parameters
    for option in settings.options:
        if option not in known:
            raise ConfigError(f"tracker.options.{option}: no such option{nearest(option, known)}")
    options: dict[str, Any] = dict(settings.options)
    memory_s = known["memory_s"].default if "memory_s" in known else None
    if isinstance(memory_s, int | float) and 2 * detection_interval_s > memory_s:
        options.setdefault("memory_s", 2 * detection_interval_s)
    try:
        tracker: Tracker = factory(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"tracker.options: {error}") from error
    return tracker
