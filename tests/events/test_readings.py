"""Readings are published when they change, not with every frame."""

from __future__ import annotations

from streamer.events.readings import Readings
from streamer.notify.target import CameraCondition
from streamer.values.events import CountState, Event, EventKind, LineState, PresenceState, Watched


def line(entered: int) -> Watched:
    return Watched(lines=(LineState("gate", ((0, 0.5), (1, 0.5)), entered, 0),))


def covered(kind: EventKind) -> Watched:
    return Watched((Event("camera", kind, 0, "", 1.0, "front"),))


def test_each_change_is_published_once() -> None:
    published: list[tuple[str, Watched, CameraCondition]] = []
    readings = Readings("front", lambda *reading: published.append(reading))
    readings.change(CameraCondition.STARTING)
    for entered in (0, 0, 1, 1, 2):
        readings.scene(line(entered))
    readings.change(CameraCondition.LOST)
    readings.change(CameraCondition.LOST)
    readings.scene(line(2))  # a frame of before the loss
    readings.back()
    readings.change(CameraCondition.STOPPED)
    assert {name for name, _, _ in published} == {"front"}
    counts = [
        (watched.lines[0].entered if watched.lines else 0, condition.value) for _, watched, condition in published
    ]
    assert counts == [
        (0, "starting"),
        (0, "running"),
        (1, "running"),
        (2, "running"),
        (2, "lost"),
        (2, "running"),
        (2, "stopped"),
    ]


def test_all_kinds_of_rules_are_published() -> None:
    published: list[Watched] = []
    readings = Readings("front", lambda _name, watched, _condition: published.append(watched))
    scenes = [
        Watched(counts=(CountState("cars", 1),)),
        Watched(counts=(CountState("cars", 2),)),
        Watched(counts=(CountState("cars", 2, EventKind.ABOVE),)),
        Watched(presence=(PresenceState("dog", False),)),
        Watched(presence=(PresenceState("dog", True),)),
    ]
    for watched in scenes:
        readings.scene(watched)
        readings.scene(watched)
    assert published == scenes


def test_a_covered_camera_stays_covered_until_it_is_clear() -> None:
    published: list[CameraCondition] = []
    readings = Readings("front", lambda _name, _watched, condition: published.append(condition))
    for watched in (
        Watched(),
        covered(EventKind.CAMERA_COVERED),
        Watched(),
        covered(EventKind.CAMERA_CLEAR),
        Watched(),
    ):
        readings.scene(watched)
    assert published == [CameraCondition.RUNNING, CameraCondition.COVERED, CameraCondition.RUNNING]


def test_a_lost_camera_stays_lost_until_it_sends_frames() -> None:
    published: list[CameraCondition] = []
    readings = Readings("front", lambda _name, _watched, condition: published.append(condition))
    readings.scene(line(0))
    readings.change(CameraCondition.LOST)
    for _ in range(3):  # `serve` starts its run again and again
        readings.change(CameraCondition.STARTING)
        readings.change(CameraCondition.LOST)
    readings.scene(line(0))
    readings.back()
    assert published == [CameraCondition.RUNNING, CameraCondition.LOST, CameraCondition.RUNNING]


def test_a_covered_camera_is_covered_after_a_loss() -> None:
    published: list[CameraCondition] = []
    readings = Readings("front", lambda _name, _watched, condition: published.append(condition))
    readings.scene(covered(EventKind.CAMERA_COVERED))
    readings.change(CameraCondition.LOST)
    readings.back()
    readings.change(CameraCondition.STARTING)
    readings.scene(Watched())
    assert published == [
        CameraCondition.COVERED, CameraCondition.LOST, CameraCondition.COVERED, CameraCondition.STARTING,
        CameraCondition.RUNNING,
    ]  # fmt: skip
