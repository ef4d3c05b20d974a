"""A camera that is covered, moved or lost is reported; light, weather and traffic are not."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.analytics.camera.watch import CameraWatch
from streamer.analytics.rules import Rules
from streamer.config.analytics import AnalyticsSettings
from streamer.config.analytics.camera_watch import CameraWatchSettings
from streamer.sources.file.file import FileSource
from streamer.values.events import Event, EventKind, EventPhase
from tests.analytics import views
from tests.analytics.views import EVERY_S, Effect, Grey, frame, street, view
from tests.render.scenes import scene, tracks

BEFORE_S, DURING_S = 20.0, 20.0
CLIPS = sorted(Path(os.environ.get("STREAMER_TEST_DATA", "none"), "clips").glob("*.mp4"))


class Camera:
    """A camera that is watched, two pictures a second."""

    def __init__(self, **settings: object) -> None:
        watch = CameraWatch(CameraWatchSettings.model_validate(settings))
        self._rules = Rules(AnalyticsSettings(), "yard", camera_watch=watch)
        self._number, self.time_s, self.segment = 0, 0.0, 0
        self.events: list[Event] = []

    def show(self, pictures: Iterable[Grey]) -> None:
        for picture in pictures:
            one = frame(picture, self._number, time_s=self.time_s, segment=self.segment)
            shown = scene(one.picture, tracks([]), time_s=self.time_s, segment=self.segment)
            self.events += self._rules(shown).watched.events
            self._number, self.time_s = self._number + 1, self.time_s + EVERY_S

    def film(self, duration_s: float, effect: Effect = lambda picture, _: picture, *, left: int = 0) -> None:
        """The street for a while, as the camera sees it."""
        numbers = range(self._number, self._number + round(duration_s / EVERY_S))
        self.show(effect(view(street(number), left), number) for number in numbers)

    def finish(self) -> None:
        last = self._rules.finish()
        self.events += () if last is None else last.watched.events

    @property
    def kinds(self) -> list[str]:
        return [str(event.kind) for event in self.events]


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (views.cloth, "the picture has no details"),
        (views.hand, "the picture has no details"),
        (views.black, "the picture is dark"),
        (views.blinded, "the picture is bright"),
        (views.blurred, "the picture is out of focus"),
    ],
)
def test_a_covered_camera_is_reported_and_its_return(effect: Effect, text: str) -> None:
    camera = Camera()
    camera.film(BEFORE_S)
    camera.film(DURING_S, effect)
    camera.film(5)
    covered, clear = camera.events
    assert (covered.kind, covered.phase, covered.text) == (EventKind.CAMERA_COVERED, EventPhase.START, text)
    assert (clear.kind, clear.phase, clear.number) == (EventKind.CAMERA_CLEAR, EventPhase.END, covered.number)
    assert covered.time_s == pytest.approx(BEFORE_S, abs=1)
    assert clear.time_s == pytest.approx(BEFORE_S + DURING_S, abs=3)
    assert (covered.rule, covered.camera, covered.track, covered.label) == ("camera", "yard", 0, "")


@pytest.mark.parametrize("left", [20, 64, 200, 600])
def test_a_camera_that_is_turned_has_moved_once(left: int) -> None:
    camera = Camera()
    camera.film(BEFORE_S)
    camera.film(DURING_S, left=left)
    (moved,) = camera.events
    assert (moved.kind, moved.phase) == (EventKind.CAMERA_MOVED, EventPhase.MOMENT)
    assert moved.time_s == pytest.approx(BEFORE_S, abs=1)
    assert moved.text in (f"the view has shifted by {left / views.SIZE[0]:.0%}", "another view")


@pytest.mark.parametrize(
    "effect",
    [views.dark, views.exposed, views.dimmed, views.foggy, views.infrared, views.lorry],
)
def test_light_weather_and_traffic_are_no_events(effect: Effect) -> None:
    camera = Camera()
    camera.film(BEFORE_S)
    camera.film(DURING_S, effect)
    camera.film(DURING_S)
    assert camera.events == []


def test_a_shift_of_a_hundredth_of_the_width_is_vibration() -> None:
    camera = Camera()
    camera.film(BEFORE_S)
    camera.film(DURING_S, left=6)
    assert camera.events == []


def test_what_is_shorter_than_the_setting_is_not_reported() -> None:
    camera = Camera(covered_s=10, moved_s=10)
    camera.film(BEFORE_S)
    camera.film(6, views.cloth)
    camera.film(DURING_S)
    camera.film(6, left=100)
    camera.film(DURING_S)
    assert camera.events == []


def test_durations_of_null_turn_the_events_off() -> None:
    camera = Camera(covered_s=None, moved_s=None, lost_s=None)
    camera.film(BEFORE_S)
    camera.film(DURING_S, views.cloth)
    camera.film(DURING_S, left=100)
    camera.time_s, camera.segment = camera.time_s + 60, 1
    camera.film(1)
    assert camera.events == []


def test_a_camera_in_a_hand_is_never_reported() -> None:
    camera = Camera()
    for number in range(120):
        camera.show([view(street(number), 37 * number % 600)])
    assert camera.events == []


def test_a_view_without_edges_that_stay_is_never_missed() -> None:
    def ball(number: float) -> Grey:
        picture = np.full((views.SIZE[1], views.SIZE[0]), 16.0)
        x, y = 40 * math.sin(2 * math.pi * number * 0.116), 30 * math.cos(2 * math.pi * number * 0.0656)
        cv2.circle(picture, (round(320 + x), round(180 + y)), 20, (235.0,), -1)
        return picture

    camera = Camera()
    camera.show(map(ball, range(50)))
    camera.show(ball(number + 315.474) for number in range(40))
    camera.film(DURING_S, views.black)
    assert camera.events == []


def test_a_camera_that_starts_covered_is_not_reported_as_moved() -> None:
    camera = Camera()
    camera.film(BEFORE_S, views.black)
    camera.film(BEFORE_S)
    camera.film(DURING_S, views.black)
    assert camera.kinds == ["camera_covered"]


def test_the_end_of_the_run_ends_a_cover() -> None:
    camera = Camera()
    camera.film(BEFORE_S)
    camera.film(DURING_S, views.cloth)
    camera.finish()
    assert camera.kinds == ["camera_covered", "camera_clear"]
    assert camera.events[1].time_s == BEFORE_S + DURING_S - EVERY_S


def test_a_gap_between_two_connections_is_a_loss_that_is_not_stored() -> None:
    camera = Camera(lost_s=10)
    camera.film(BEFORE_S)
    camera.time_s, camera.segment = camera.time_s + 5, 1
    camera.film(5)
    assert camera.events == []
    camera.time_s, camera.segment = camera.time_s + 10, 2
    camera.film(5)
    lost, back = camera.events
    assert (lost.kind, lost.phase, lost.number) == (EventKind.CAMERA_LOST, EventPhase.START, 0)
    assert (back.kind, back.phase, back.number) == (EventKind.CAMERA_BACK, EventPhase.END, 0)
    assert back.time_s - lost.time_s == 10 + EVERY_S


def test_a_camera_that_was_turned_while_it_was_away_has_moved() -> None:
    camera = Camera()
    camera.film(BEFORE_S)
    camera.time_s, camera.segment = camera.time_s + 60, 1
    camera.film(DURING_S, left=150)
    assert camera.kinds == ["camera_lost", "camera_back", "camera_moved"]


@pytest.mark.elsewhere
@pytest.mark.slow
@pytest.mark.skipif(not CLIPS, reason="set STREAMER_TEST_DATA to a folder with clips/*.mp4")
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_real_clips_of_fixed_cameras_have_no_events(path: Path) -> None:
    watch = CameraWatch(CameraWatchSettings(when="always"))
    with FileSource(path) as source:
        kinds = [change.kind for one in source for change in watch.update(one)]
    assert kinds == []
