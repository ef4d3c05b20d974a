"""Which classes of the truth a detection counts for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.classes import label_maps, open_images
from streamer.errors import ConfigError
from streamer.evaluation.detection.class_map import ClassMap
from streamer.evaluation.detection.coco_json import read
from streamer.values.labels import Hierarchy, LabelTable
from tests.evaluation.detection.made import coco

COCO_NAMES = [name for name in label_maps.coco_table().names if name]


def names(detector: LabelTable, truth: LabelTable, name: str, *, expand: bool = False, exact: bool = False) -> set[str]:
    """The classes of the truth that a detection of the class `name` counts for."""
    mapped = ClassMap(detector, truth, np.array(list(truth.used())), expand=expand, exact=exact)
    source, rows = mapped(np.array([detector.names.index(name)]))
    assert set(source.tolist()) <= {0}
    return {truth.names[row] for row in rows.tolist()}


def coco_truth(classes: list[str]) -> LabelTable:
    categories = [{"id": row + 1, "name": name} for row, name in enumerate(classes)]
    return read(Path("truth.json"), coco({"a.png": []}, categories=categories)).classes


def test_a_detector_of_open_images_on_the_classes_of_coco() -> None:
    detector, truth = open_images.label_table(), coco_truth(COCO_NAMES)
    assert names(detector, truth, "Mobile phone") == {"cell phone"}
    assert names(detector, truth, "Computer mouse") == {"mouse"}
    assert names(detector, truth, "Mouse") == set()
    assert names(detector, truth, "Man") == set()  # the detector has Person, too


def test_a_detector_of_coco_on_open_images() -> None:
    detector, truth = label_maps.coco_table(), open_images.label_table()
    assert names(detector, truth, "car", exact=True) == {"Car"}
    assert names(detector, truth, "car", expand=True, exact=True) == {"Car", "Land vehicle", "Vehicle"}


def test_a_class_above_those_of_the_detector() -> None:
    truth = coco_truth(["Vehicle", "Person"])
    assert names(LabelTable(("Car", "Bus", "Tree")), truth, "Bus") == {"Vehicle"}
    assert names(LabelTable(("Car", "Vehicle")), truth, "Car") == set()


def test_a_class_without_mid_has_the_classes_above_that_of_its_name() -> None:
    tree = Hierarchy("made", {"/m/van": "Van", "/m/all": "All"}, {"/m/van": ("/m/all",)})
    truth = LabelTable(("Van", "All"), ("/m/van", "/m/all"), tree)
    assert names(LabelTable(("van",)), truth, "van", expand=True, exact=True) == {"Van", "All"}


def test_names_match_in_any_case_and_without_mids() -> None:
    truth = LabelTable(("Forklift",))
    assert names(LabelTable(("forklift", "Car")), truth, "forklift") == {"Forklift"}
    with pytest.raises(ConfigError, match=r"none of the evaluated classes \(Forklift\); it has Car"):
        names(LabelTable(("Car",)), truth, "Car")
