"""Selection of detections by class and score, and duplicate classes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.classes import label_maps, open_images
from streamer.classes.class_filter import DUPLICATE_IOU, ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert.starter import StarterDetector
from streamer.errors import ConfigError
from streamer.values.labels import LabelTable
from tests.detectors.frames import frame_of, street
from tracking.boxes import overlapping_pairs
from tracking.types import Detections

V4 = open_images.label_table()
BODY = (100.0, 100.0, 160.0, 300.0)


def row(name: str, table: LabelTable = V4) -> int:
    return table.names.index(name)


def detections(*found: tuple[str, float] | tuple[str, float, tuple[float, float, float, float]]) -> Detections:
    """By falling score, as detectors give them."""
    ordered = sorted(found, key=lambda one: -one[1])
    return Detections(
        np.array([one[2] if len(one) == 3 else BODY for one in ordered], np.float32).reshape(-1, 4),
        np.array([one[1] for one in ordered], np.float32),
        np.array([row(one[0]) for one in ordered], np.int32),
    )


def selecting(labels: LabelTable, default_min_score: float = 0.0, **settings: Any) -> ClassFilter:
    return ClassFilter(labels, DetectorSettings(**settings), default_min_score)


def kept(keep: ClassFilter, found: Detections) -> list[tuple[str, float]]:
    left = keep(found)
    return [(V4.name(label), round(float(score), 3)) for label, score in zip(left.labels, left.scores, strict=True)]


class TestClasses:
    def test_only_selected_classes_are_kept_in_order(self) -> None:
        found = detections(("Car", 0.9), ("Person", 0.8), ("Bus", 0.7), ("Dog", 0.6))
        assert kept(selecting(V4, classes=["Vehicle"]), found) == [("Car", 0.9), ("Bus", 0.7)]
        assert kept(selecting(V4, classes=["=Vehicle"]), found) == []

    def test_all_classes_are_kept_by_default(self) -> None:
        found = detections(("Car", 0.9), ("Person", 0.01))
        assert selecting(V4)(found) is found
        assert len(selecting(V4, classes=["Person"])(Detections.empty())) == 0

    def test_an_unknown_label_is_kept_unless_classes_are_named(self) -> None:
        odd_labels = [5000, -1, len(V4), len(V4) + 1]
        odd = Detections(np.array([BODY] * 4), np.array([0.9, 0.8, 0.7, 0.6]), np.array(odd_labels))
        assert len(selecting(V4)(odd)) == 4
        assert len(selecting(V4, min_score=0.85, merge_twins=True)(odd)) == 1
        assert len(selecting(V4, classes=["Person"])(odd)) == 0

    def test_a_misspelled_class(self) -> None:
        with pytest.raises(ConfigError, match=r"'Persn'.*did you mean Person"):
            selecting(V4, classes=["Persn"])


class TestScores:
    @pytest.mark.parametrize("bound", [0.0, 1.0])
    def test_scores_0_and_1_are_valid(self, bound: float) -> None:
        found = detections(("Car", 1.0), ("Car", 0.0))
        for keep in (selecting(V4, min_score=bound), selecting(V4, min_score=0.5, min_scores={"Car": bound})):
            assert kept(keep, found) == [("Car", 1.0), ("Car", 0.0)][: 2 - int(bound)]

    @pytest.mark.parametrize("bound", [-0.001, 1.001, math.nan])
    def test_scores_out_of_range_are_refused(self, bound: float) -> None:
        with pytest.raises(ValueError, match="min_score"):
            selecting(V4, min_score=bound)
        with pytest.raises(ConfigError, match=r"detector\.min_scores\.Car: a score is in 0\.\.1"):
            selecting(V4, min_scores={"Car": bound})

    def test_a_bound_applies_to_all_classes_below(self) -> None:
        keep = selecting(V4, min_score=0.5, min_scores={"Vehicle": 0.2})
        found = detections(("Car", 0.25), ("Person", 0.25), ("Bus", 0.15), ("Person", 0.5))
        assert kept(keep, found) == [("Person", 0.5), ("Car", 0.25)]

    @pytest.mark.parametrize("order", list(itertools.permutations(["Vehicle", "Land vehicle", "Car", "=Car"])))
    def test_the_nearest_bound_applies_in_any_order(self, order: tuple[str, ...]) -> None:
        bounds = {"Vehicle": 0.1, "Land vehicle": 0.3, "Car": 0.5, "=Car": 0.7}
        keep = selecting(V4, min_score=0.9, min_scores={name: bounds[name] for name in order})
        for name, bound in {"Boat": 0.1, "Bus": 0.3, "Limousine": 0.5, "Car": 0.7, "Dog": 0.9}.items():
            assert kept(keep, detections((name, bound), (name, bound - 0.01))) == [(name, bound)]

    def test_of_equally_near_bounds_the_lower_one_applies(self) -> None:
        for bounds in ({"Tool": 0.7, "Weapon": 0.2}, {"Weapon": 0.2, "Tool": 0.7}):
            assert kept(selecting(V4, min_scores=bounds), detections(("Axe", 0.3))) == [("Axe", 0.3)]

    @pytest.mark.parametrize(
        ("options", "lowest"),
        [
            ({}, None),
            ({"classes": ["Person"]}, None),
            ({"min_score": 0.6}, 0.6),
            ({"min_scores": {"Person": 0.2}}, 0.2),
            ({"min_scores": {"Person": 0.8}}, 0.4),
            ({"min_scores": {"Person": 0.8}, "classes": ["Person"]}, 0.8),
            ({"min_scores": {"Person": 0.1}, "classes": ["Car"]}, 0.4),
            ({"min_score": 0.6, "min_scores": {"Person": 0.7}}, 0.6),
        ],
    )
    def test_the_lowest_score_that_the_detector_must_report(
        self, options: Mapping[str, object], lowest: float | None
    ) -> None:
        keep = selecting(V4, default_min_score=0.4, **options)
        assert keep.lowest_score == (None if lowest is None else pytest.approx(lowest, abs=1e-6))

    def test_a_low_bound_for_one_class_keeps_the_default_of_others(self) -> None:
        keep = selecting(V4, min_scores={"Person": 0.1}, default_min_score=0.4)
        assert kept(keep, detections(("Person", 0.15), ("Car", 0.39), ("Car", 0.4))) == [("Car", 0.4), ("Person", 0.15)]

    @pytest.mark.parametrize("score", [-0.1, 1.5, math.nan, math.inf])
    def test_a_score_out_of_range_is_reported_with_its_path(self, score: float) -> None:
        with pytest.raises(ConfigError, match=r"^detector\.min_scores\.Person: a score is in 0\.\.1"):
            selecting(V4, min_scores={"Person": score})

    def test_a_misspelled_class_is_reported_with_its_path(self) -> None:
        with pytest.raises(ConfigError, match=r"^detector\.min_scores\.Persn: no class 'Persn'.*did you mean Person"):
            selecting(V4, min_scores={"Persn": 0.5})

    def test_one_class_with_two_bounds_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"^detector\.min_scores\./m/0k4j: 'Car' selects the same classes"):
            selecting(V4, min_scores={"Car": 0.5, "/m/0k4j": 0.6})
        selecting(V4, min_scores={"Car": 0.5, "/m/0k4j": 0.5})


@pytest.mark.usefixtures("starter_weights")
def test_a_low_bound_for_one_class_changes_nothing_for_others() -> None:
    plain = StarterDetector()
    keep = selecting(plain.labels, min_scores={"Person": 0.02}, default_min_score=StarterDetector.default_min_score)
    assert keep.lowest_score is not None
    frame, person = frame_of(street(640, 360, seed=3)), row("Person", plain.labels)
    lowered = StarterDetector(DetectorSettings(min_score=keep.lowest_score))
    before, after = plain.detect(frame), keep(lowered.detect(frame))
    people = after.labels == person
    assert np.array_equal(after.select(~people).boxes, before.select(before.labels != person).boxes)
    assert people.sum() > (before.labels == person).sum()


class TestTwins:
    def test_off_by_default(self) -> None:
        assert len(selecting(V4)(detections(("Person", 0.9), ("Man", 0.8)))) == 2

    @pytest.mark.parametrize(("specific", "general"), [("Man", "Person"), ("Limousine", "Vehicle")])
    @pytest.mark.parametrize("scores", [(0.9, 0.8), (0.8, 0.9), (0.8, 0.8)])
    def test_the_specific_box_is_kept_unchanged(self, specific: str, general: str, scores: tuple[float, float]) -> None:
        found = detections((specific, scores[0]), (general, scores[1], (102, 98, 163, 303)))
        left = selecting(V4, merge_twins=True)(found)
        assert left.labels.tolist() == [row(specific)]
        assert left.boxes.tolist() == [list(BODY)]
        assert left.scores[0] == np.float32(scores[0])

    def test_a_chain_of_related_classes_becomes_one_box(self) -> None:
        line = ["Vehicle", "Land vehicle", "Car", "Limousine"]
        for names in itertools.permutations(line):
            found = detections(*((name, 0.9 - at / 10) for at, name in enumerate(names)))
            assert [name for name, _ in kept(selecting(V4, merge_twins=True), found)] == ["Limousine"]

    def test_several_specific_boxes_on_a_general_one_are_one_object(self) -> None:
        found = detections(("Woman", 0.5), ("Person", 0.4), ("Man", 0.6), ("Boy", 0.3))
        assert kept(selecting(V4, merge_twins=True), found) == [("Man", 0.6)]

    def test_the_order_by_score_is_kept(self) -> None:
        elsewhere = (400.0, 100.0, 460.0, 300.0)
        found = detections(
            ("Person", 0.9), ("Dog", 0.8), ("Man", 0.7), ("Woman", 0.6, elsewhere), ("Person", 0.5, elsewhere)
        )
        assert kept(selecting(V4, merge_twins=True), found) == [("Dog", 0.8), ("Man", 0.7), ("Woman", 0.6)]

    def test_unrelated_classes_keep_their_boxes(self) -> None:
        keep = selecting(V4, merge_twins=True)
        for pair in (("Person", "Bicycle"), ("Man", "Woman"), ("Person", "Person"), ("Human body", "Person")):
            assert len(keep(detections((pair[0], 0.9), (pair[1], 0.8)))) == 2

    def test_boxes_side_by_side_are_two_people(self) -> None:
        shared = 60 * 2 * DUPLICATE_IOU / (1 + DUPLICATE_IOU)  # of 60 px, where the IoU is just DUPLICATE_IOU
        for width, people in ((shared + 0.5, 1), (shared - 0.5, 2)):
            right = (160 - width, 100.0, 220 - width, 300.0)
            keep = selecting(V4, merge_twins=True)
            assert len(keep(detections(("Person", 0.9), ("Man", 0.8, right)))) == people

    def test_a_duplicate_that_is_not_selected_removes_nothing(self) -> None:
        found = detections(("Person", 0.9), ("Man", 0.6))
        assert kept(selecting(V4, classes=["=Person"], merge_twins=True), found) == [("Person", 0.9)]
        keep = selecting(V4, min_scores={"Man": 0.7}, merge_twins=True)
        assert kept(keep, found) == [("Person", 0.9)]

    def test_without_a_hierarchy_there_are_no_duplicates(self) -> None:
        flat = LabelTable(V4.names, V4.mids)
        assert len(selecting(flat, merge_twins=True)(detections(("Person", 0.9), ("Man", 0.8)))) == 2

    def test_coco_has_no_duplicate_classes_and_the_starter_has(self) -> None:
        starter = label_maps.starter_table(b"???\nVehicle\nCar\n")
        boxes = np.array([BODY, BODY], np.float32)
        found = Detections(boxes, np.array([0.6, 0.5], np.float32), np.array([2, 1], np.int32))
        assert selecting(starter, merge_twins=True)(found).labels.tolist() == [2]
        assert len(selecting(label_maps.coco_table(), merge_twins=True)(found)) == 2


FAMILY = ("Person", "Man", "Woman", "Vehicle", "Land vehicle", "Car", "Dog")
SPOTS = ((0, 0, 100, 100), (5, 5, 105, 105), (20, 0, 120, 100), (300, 0, 340, 90), (300, 0, 300, 90))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(FAMILY), st.integers(0, 20), st.sampled_from(SPOTS)), max_size=14))
def test_no_duplicates_remain_and_no_object_is_lost(drawn: list[tuple[str, int, tuple[int, int, int, int]]]) -> None:
    found = detections(*((name, score / 20, box) for name, score, box in drawn))
    left = selecting(V4, merge_twins=True)(found)
    assert (np.diff(left.scores) <= 0).all()
    assert not any(are_duplicates(left, a, left, b) for a in range(len(left)) for b in range(len(left)))
    # A group of duplicates is one object, or a few that touch: at least one box remains.
    stays = Counter(key(left, at) for at in range(len(left)))
    unseen = set(range(len(found)))
    while unseen:
        group = [unseen.pop()]
        for at in group:
            near = {other for other in unseen if are_duplicates(found, at, found, other)}
            unseen -= near
            group.extend(near)
        assert any(key(found, at) in stays for at in group)
        if len(group) == 1:
            assert key(found, group[0]) in stays


def key(found: Detections, at: int) -> tuple[object, ...]:
    return (*found.boxes[at].tolist(), float(found.scores[at]), int(found.labels[at]))


def are_duplicates(a: Detections, i: int, b: Detections, j: int) -> bool:
    one, other = V4.mid(int(a.labels[i])), V4.mid(int(b.labels[j]))
    related = one != other and (one in V4.above(int(b.labels[j])) or other in V4.above(int(a.labels[i])))
    close = len(overlapping_pairs(a.boxes[[i]].astype(float), b.boxes[[j]].astype(float), DUPLICATE_IOU).rows)
    return related and bool(close)
