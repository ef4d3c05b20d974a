"""Objects with class names: the view of tracks and detections that a scene offers."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.values.labels import LabelTable
from streamer.values.objects import Object, Objects
from tracking.types import Detections, Tracks

TABLE = LabelTable(("car", "person"))
FOUND = Detections(
    np.array([[0, 10, 20, 40], [5, 5, 9, 9]], np.float32), np.array([0.5, 0.25], np.float32), np.array([1, 0], np.int32)
)


def tracks() -> Tracks:
    zeros = np.zeros(2, np.float32)
    return Tracks(
        ids=np.array([7, 3]),
        boxes=FOUND.boxes,
        scores=FOUND.scores,
        labels=FOUND.labels,
        velocities=np.zeros((2, 2), np.float32),
        age_s=zeros,
        unseen_s=zeros,
        origin=np.zeros(2, np.uint8),
        confirmed=np.ones(2, np.bool_),
    )


def test_a_track_is_an_object_with_a_name_and_an_id() -> None:
    first, second = Objects(tracks(), TABLE)
    assert first == Object("person", 0.5, (0, 10, 20, 40), id=7)
    assert second == Object("car", 0.25, (5, 5, 9, 9), id=3)
    assert (first.width, first.height, first.center) == (20, 30, (10, 25))


def test_a_detection_has_no_id() -> None:
    assert [item.id for item in Objects(FOUND, TABLE)] == [0, 0]
    assert Objects(FOUND, TABLE).ids.tolist() == [0, 0]


def test_the_same_as_arrays() -> None:
    objects = Objects(tracks(), TABLE)
    assert np.array_equal(objects.boxes, FOUND.boxes)
    assert objects.scores.tolist() == [0.5, 0.25]
    assert objects.class_ids.tolist() == [1, 0]
    assert objects.ids.tolist() == [7, 3]
    assert objects.labels == ["person", "car"]


def test_it_is_a_sequence() -> None:
    objects = Objects(tracks(), TABLE)
    assert len(objects) == 2
    assert objects[-1].label == "car"
    assert [item.id for item in objects[:1]] == [7]
    assert not Objects(Detections.empty(), TABLE)
    with pytest.raises(IndexError):
        objects[2]


def test_it_is_readable_in_a_notebook() -> None:
    shown = "Objects([Object('person', score=0.50, box=(0.0, 10.0, 20.0, 40.0), id=7), "
    assert repr(Objects(tracks(), TABLE)).startswith(shown)
    assert "id=" not in repr(Objects(FOUND, TABLE))


def test_a_row_without_a_name_is_a_class_number() -> None:
    assert Objects(FOUND, LabelTable(("car",))).labels == ["class 1", "car"]
