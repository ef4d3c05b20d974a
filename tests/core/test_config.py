"""Settings: what wins over what, and errors that name the path and the nearest valid name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamer.config import Settings, load_settings
from streamer.errors import ConfigError
from streamer.wiring import build_tracker
from tracking.types import Detections

CONFIGS = Path(__file__).parents[2] / "configs"


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("detector:\n  every: 3\n  min_score: 0.5\noutput:\n  crf: 20\n")
    settings = load_settings(file, ["output.crf=30"], {"detector.every": 2, "detector.min_score": None})
    assert settings.detector.every == 2
    assert settings.detector.min_score == 0.5
    assert settings.output.crf == 30
    assert settings.draw.boxes is True


def test_assignments_are_read_as_yaml() -> None:
    settings = load_settings(None, ["draw.hud=true", "detector.classes=[Car, Person]", "output.options.g=12"])
    assert settings.draw.hud is True
    assert settings.detector.classes == ("Car", "Person")
    assert settings.output.options == {"g": "12"}


@pytest.mark.parametrize(("given", "exact"), [("30000/1001", "30000/1001"), ("29.97", "2997/100"), ("25", "25")])
def test_frame_rates_are_exact(given: str, exact: str) -> None:
    assert load_settings(None, [f"source.fps={given}"]).source.fps == Fraction(exact)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("detector.min_scor=1", "detector.min_scor: no such setting; did you mean min_score"),
        ("detectr.every=1", "detectr: no such setting; did you mean detector"),
        ("output.crf=abc", "output.crf"),
        ("detector.every=0", "detector.every"),
        ("tracker.name=iuo", "did you mean iou"),
        ("source.fps=fast", "source.fps: a frame rate looks like"),
        ("source.fps=1/0", "source.fps: a frame rate looks like"),
        ("source.fps=-3", "source.fps"),
        ("draw", "key.path=value"),
        ("draw.hud=[", "not a YAML value"),
        ("detector.every.deep=1", "detector.every"),
    ],
)
def test_a_wrong_setting_is_named_with_its_path(assignment: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected.replace("[", r"\[")) as caught:
        load_settings(None, [assignment])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["- a list", "detector: [", "\xff\xfe"])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_settings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*none\.yaml"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_example_configurations_hold_the_defaults(file: Path) -> None:
    assert load_settings(file) == Settings()


def test_an_unknown_tracker_option_gets_the_nearest_name() -> None:
    settings = load_settings(None, ["tracker.options.memroy_s=2"])
    with pytest.raises(ConfigError, match=r"tracker\.options\.memroy_s: no such option; did you mean memory_s"):
        build_tracker(settings.tracker)


def test_the_tracker_remembers_from_one_detection_to_the_next_however_rare_they_are() -> None:
    one = Detections(np.array([[10, 10, 60, 60]]), np.array([0.9]), np.array([1]))
    for interval_s in (0.04, 3.0):
        tracker = build_tracker(load_settings(None).tracker, detection_interval_s=interval_s)
        seen = [tracker.update(one, index * interval_s).ids.tolist() for index in range(5)]
        assert seen[-1] == seen[-2] == [1]
