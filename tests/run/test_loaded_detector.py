"""`streamer.load_detector`: a detector for pictures that are NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamer
from streamer.detectors.litert.starter import StarterDetector
from tests import clips
from tests.detectors.frames import frame_of, street

pytestmark = pytest.mark.usefixtures("starter_weights")
PICTURE = street(320, 240)


@pytest.fixture(scope="module")
def detector(starter_weights: object) -> Iterator[streamer.LoadedDetector]:  # noqa: ARG001
    with streamer.load_detector("starter", min_score=0.05) as loaded:
        yield loaded


def test_a_picture_has_the_detections_of_the_same_frame(detector: streamer.LoadedDetector) -> None:
    found = detector.detect(PICTURE)
    expected = StarterDetector(streamer.DetectorSettings(min_score=0.05)).detect(frame_of(PICTURE))
    assert len(found) > 0
    assert np.array_equal(found.boxes, expected.boxes)
    assert found.labels == [detector.labels.name(row) for row in expected.labels]
    assert {item.id for item in found} == {0}


def test_a_view_with_the_channels_reversed_is_taken(detector: streamer.LoadedDetector) -> None:
    bgr = np.ascontiguousarray(PICTURE[..., ::-1])
    assert np.array_equal(detector.detect(bgr[..., ::-1]).boxes, detector.detect(PICTURE).boxes)


def test_one_loaded_detector_serves_several_runs(detector: streamer.LoadedDetector, tmp_path: Path) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4", frames=3)
    runs = [list(streamer.open(clip, detector=chosen, min_score=0.05)) for chosen in (detector, detector, "starter")]
    found = [[scene.detected_objects.boxes.tolist() for scene in run] for run in runs]
    assert streamer.open(clip, detector=detector).detector == detector.name
    assert found[0] == found[1] == found[2]
    assert any(found[0])
    assert len(detector.detect(PICTURE)) > 0, "the runs do not close it"


def test_classes_of_the_detector_and_of_the_run_are_both_selected(tmp_path: Path) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4", frames=2)
    with streamer.load_detector("starter", classes=["Person"], min_score=0.01) as people:
        shown = [scene.detected_objects.labels for scene in streamer.open(clip, detector=people, classes=["Car"])]
    assert shown == [[], []]


def test_it_says_which_detector_was_chosen(detector: streamer.LoadedDetector) -> None:
    assert detector.name == "using starter (23 classes)"
    assert "Person" in detector.labels.names


def test_classes_are_selected() -> None:
    with streamer.load_detector("starter", classes=["Person"], min_score=0.01) as people:
        assert set(people.detect(PICTURE).labels) <= {"Person"}


@pytest.mark.parametrize(
    ("picture", "error", "reason"),
    [
        (PICTURE / 255, TypeError, r"uint8, not float64; multiply values in 0\.\.1 by 255"),
        (PICTURE.astype(np.int32), TypeError, "uint8, not int32"),
        (PICTURE.tolist(), TypeError, "not list"),
        (PICTURE[..., 0], ValueError, r"not \(240, 320\); repeat a grey one"),
        (PICTURE[..., :1], ValueError, r"not \(240, 320, 1\); repeat a grey one"),
        (np.dstack([PICTURE, PICTURE[..., 0]]), ValueError, r"not \(240, 320, 4\)"),
        (PICTURE.transpose(2, 0, 1), ValueError, r"not \(3, 240, 320\)"),
        (PICTURE[:0], ValueError, r"not \(0, 320, 3\)"),
    ],
    ids=["float", "int32", "list", "grey", "one channel", "alpha", "channels first", "empty"],
)
def test_what_is_no_picture_is_refused(
    detector: streamer.LoadedDetector, picture: Any, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        detector.detect(picture)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "startr"}, "did you mean starter"),
        ({"name": "starter", "classes": ["Carr"]}, "did you mean Car"),
        ({"name": "starter", "classes": "Car"}, "classes is a list of names, not the text 'Car'"),
        ({"name": "starter", "settings": {"detector.devise": "cpu"}}, "did you mean device"),
    ],
)
def test_a_wrong_name_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(streamer.ConfigError, match=message):
        streamer.load_detector(**arguments)
