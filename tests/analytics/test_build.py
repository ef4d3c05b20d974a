"""What is checked, and what rules get, before a run."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from streamer.analytics.build import build_rules, check_rules
from streamer.config.analytics import AnalyticsSettings
from streamer.config.section import validated
from streamer.errors import ConfigError
from streamer.interfaces import StreamInfo
from tests.analytics.paths import PICTURE, box_at
from tests.render.scenes import LABELS, scene, tracks

WHOLE = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "enter_s": 0}


def settings(**values: object) -> AnalyticsSettings:
    return validated(AnalyticsSettings, values)


def info(name: str, *, path: str | None = None, live: bool = False) -> StreamInfo:
    return StreamInfo(name, 640, 360, "yuv420p", Fraction(1, 25), path=path, live=live)


def camera_of(source: StreamInfo) -> str:
    rules = build_rules(settings(zones=[WHOLE]), LABELS, source, lambda _what, _rule: None)
    (event,) = rules(scene(PICTURE, tracks([box_at(320, 200)]))).watched.events
    return event.camera


def test_events_of_a_file_have_its_name_without_folders(tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"")
    assert camera_of(info("clips/clip.mp4", path=str(file))) == "clip.mp4"
    assert camera_of(info(str(file), live=True)) == "clip.mp4"  # played in real time
    assert camera_of(info("rtsp://192.0.2.10/stream1", live=True)) == "rtsp://192.0.2.10/stream1"
    assert camera_of(info("camera:0", live=True)) == "camera:0"


def test_every_rule_with_an_unknown_class_is_told() -> None:
    wrong = settings(
        zones=[WHOLE, {**WHOLE, "name": "b", "classes": ["Persn"]}], counts=[{"name": "c", "classes": ["Bus"]}]
    )
    with pytest.raises(ConfigError) as refused:
        check_rules(wrong, LABELS)
    first, second = refused.value.problems
    assert first.startswith("analytics.zones.1.classes: no class 'Persn' in this detector; did you mean Person?")
    assert second.startswith("analytics.counts.0.classes: no class 'Bus' in this detector")


def test_a_class_that_the_detector_drops_is_refused() -> None:
    cars = settings(presence=[{"name": "car", "classes": ["Car"]}])
    check_rules(cars, LABELS, ["Person", "Car"])
    with pytest.raises(ConfigError, match=r"presence.0.classes: Car is never found, as detector.classes keeps Person"):
        check_rules(cars, LABELS, ["Person"])
