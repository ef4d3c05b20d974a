"""Which boxes are dashed: those whose object may be elsewhere, and without flicker."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import flicker
from streamer.interfaces import Scene
from streamer.render.boxes import BoxAnnotator
from streamer.render.canvas import Canvas
from streamer.values.states import FrameState
from tests.render.scenes import noise, scene, tracks
from tracking.types import Origin

FPS = 25
PICTURE = noise(64, 48)


class Recorder(Canvas):
    dashed: bool

    def outline(self, *_: Any, dashed: bool = False, **__: Any) -> None:
        self.dashed = dashed


def styles(scenes: Sequence[Scene], annotator: BoxAnnotator | None = None) -> str:
    """The style of a single box in each scene: `-` dashed, `#` solid."""
    annotator, shown = annotator or BoxAnnotator(), ""
    for one in scenes:
        canvas = Recorder(PICTURE)
        annotator.draw(canvas, one)
        shown += "-" if canvas.dashed else "#"
    return shown


def file(found: str) -> list[Scene]:
    """A file at 25 fps whose every frame is detected: `x` where the object is found."""
    scenes, found_s = [], 0.0
    for index, one in enumerate(found):
        found_s = index / FPS if one == "x" else found_s
        shown = tracks([(5, 5, 40, 40)], origin=Origin.DETECTED if one == "x" else Origin.PREDICTED)
        scenes.append(scene(PICTURE, shown, time_s=index / FPS, index=index, found_s=[found_s]))
    return scenes


def live(ages_s: Sequence[float], state: FrameState = FrameState.PREDICTED) -> list[Scene]:
    """A live source at 25 fps whose box was detected so long ago."""
    return [
        scene(
            PICTURE,
            tracks([(5, 5, 40, 40)], origin=Origin.PREDICTED),
            time_s=10 + index / FPS,
            index=index,
            found_s=[10 + index / FPS - age_s],
            state=state,
        )
        for index, age_s in enumerate(ages_s)
    ]


def test_a_box_with_single_misses_stays_solid() -> None:
    assert set(styles(file("xxxxxoxxxxxxoxxxoxxxxxxxxoxxxxooxxxx"))) == {"#"}


def test_a_missed_box_is_dashed_after_some_frames_and_solid_when_found_again() -> None:
    shown = styles(file("x" * 10 + "o" * 20 + "x" * 20))
    assert shown == "#" * 17 + "-" * 30 + "#" * 3  # 0.32 s after the last detection; 0.72 s after the last miss


@pytest.mark.parametrize("latency_s", [0.04, 0.2, 0.45])
def test_a_live_box_of_a_quick_detector_is_solid(latency_s: float) -> None:
    assert set(styles(live([latency_s] * 60))) == {"#"}


def test_a_live_box_of_a_slow_detector_is_dashed() -> None:
    assert set(styles(live([0.6 + 0.04 * (index % 15) for index in range(60)]))) == {"-"}


@given(period=st.integers(2, 40), latency=st.integers(0, 30))
def test_a_live_box_that_grows_old_and_young_in_turn_does_not_flicker(period: int, latency: int) -> None:
    ages_s = [(latency + index % period) / FPS for index in range(200)]
    assert len(list(groupby(styles(live(ages_s))))) <= 2


def test_a_live_box_is_dashed_as_soon_as_its_detection_is_old() -> None:
    assert styles(live([index / FPS for index in range(20)])) == "#" * 13 + "-" * 7


def test_a_live_box_that_others_were_found_without_is_missed() -> None:
    scenes = []
    for index in range(12):
        time_s = index / FPS
        shown = tracks([(5, 5, 40, 40), (0, 0, 9, 9)], origin=Origin.PREDICTED)
        found_s = [time_s - 0.04, 0.0]  # the box further up is drawn first
        scenes.append(
            scene(PICTURE, shown, time_s=time_s, index=index, found_s=found_s[::-1], state=FrameState.PREDICTED)
        )
    assert styles(scenes) == "#" * 8 + "-" * 4


def test_boxes_between_two_detections_are_solid() -> None:
    shown = tracks([(5, 5, 40, 40)], origin=Origin.INTERPOLATED)
    between = scene(PICTURE, shown, time_s=5, found_s=[3], state=FrameState.INTERPOLATED)
    assert styles([between]) == "#"


def test_an_old_box_is_dashed_from_its_first_frame() -> None:
    assert styles(live([0.8])) == "-"
    assert styles(live([0.8]), BoxAnnotator(show_origin=False)) == "#"


def test_a_new_segment_and_a_step_back_begin_anew() -> None:
    annotator = BoxAnnotator()
    assert styles(live([0.8] * 5), annotator) == "-----"
    assert styles(live([0.1]), annotator) == "#"  # back in time
    assert styles(live([0.8] * 12), annotator)[-1] == "-"
    fresh = scene(PICTURE, tracks([(5, 5, 40, 40)]), time_s=99, segment=1, found_s=[99])
    assert styles([fresh], annotator) == "#"


def test_where_the_last_detection_is_unknown_the_tracker_is_asked() -> None:
    shown = tracks([(5, 5, 40, 40)], origin=Origin.PREDICTED, unseen_s=0.8)
    assert styles([scene(PICTURE, shown, state=FrameState.PREDICTED)]) == "-"


@settings(max_examples=50, deadline=None)
@given(found=st.text("xo", min_size=5, max_size=120))
def test_a_style_holds_at_least_three_tenths_of_a_second(found: str) -> None:
    lengths = [len(list(group)) for _, group in groupby(styles(file("x" + found)))]
    assert all(length >= 0.3 * FPS for length in lengths[:-1])


def test_styles_are_kept_for_a_bounded_number_of_tracks() -> None:
    annotator = BoxAnnotator()
    for index in range(300):
        shown = tracks([(5, 5, 40, 40)] * 10, ids=range(1 + 10 * index, 11 + 10 * index), origin=Origin.PREDICTED)
        annotator.draw(Canvas(PICTURE), scene(PICTURE, shown, time_s=index / FPS, index=index, found_s=[0] * 10))
    assert annotator._styles is not None
    assert len(annotator._styles._memory._states) <= 10 * (FPS + 2)


@pytest.mark.parametrize("name", ["file", "live"])
def test_a_busy_scene_with_misses_is_calm(name: str) -> None:
    changes = flicker.measure(name, 8)
    assert changes.styles <= 2 * 8
    assert changes.moves <= 1 * 8
    assert changes.dashed <= 0.02 * changes.boxes
    assert changes.labels >= 0.95 * changes.boxes
