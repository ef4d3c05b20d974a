"""Builds the rules of a run from its settings, and refuses those that the detector cannot serve. Main thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.analytics.camera.watch import CameraWatch
from streamer.analytics.rules import Rules
from streamer.config.analytics import AnalyticsSettings
from streamer.errors import ConfigError
from streamer.interfaces import StreamInfo
from streamer.system import paths
from streamer.values.labels import LabelTable


def build_rules(
    settings: AnalyticsSettings, labels: LabelTable, info: StreamInfo, count: Callable[[str, str], None]
) -> Rules:
    """The rules of a run.

    Args:
        settings, count: as of `Rules`.
        labels: of the detector.
        info: of the source. Events of a file have its name without the folders.

    Raises:
        ConfigError: as of `check_rules`.
    """
    check_rules(settings, labels)
    camera_watch = CameraWatch(settings.camera) if settings.camera.watches(live=info.live) else None
    camera = camera_of(info.name) if info.path is None else Path(info.path).name
    return Rules(settings, camera, count, camera_watch)


def check_rules(settings: AnalyticsSettings, labels: LabelTable, detected: Sequence[str] = ()) -> None:
    """Refuse a rule whose classes are never found.

    Args:
        settings: the rules.
        labels: the classes of the detector.
        detected: those that are kept (`detector.classes`); all if empty.

    Raises:
        ConfigError: with a line for each rule: the path of the setting, and the nearest names if a class is unknown.
    """
    problems = []
    for path, rule in settings.by_path():
        try:
            rows = labels.rows(rule.classes)
        except ConfigError as error:
            problems.append(f"{path}.classes: {error}")
            continue
        if rows and detected and not set(rows) & set(labels.rows(detected)):
            wanted, kept = ", ".join(rule.classes), ", ".join(detected)
            problems.append(f"{path}.classes: {wanted} is never found, as detector.classes keeps {kept} only")
    if problems:
        raise ConfigError(*problems)


def camera_of(source: str) -> str:
    """The name in events of a source that has no other: of a file, its name without the folders.

    Args:
        source: a path, or what the source is called (`StreamInfo.name`).
    """
    return Path(source).name if paths.is_file(source) else source
