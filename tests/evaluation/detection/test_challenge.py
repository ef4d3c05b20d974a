"""The Open Images Challenge metric against the results of the TensorFlow Object Detection API (`make_goldens.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.evaluation.detection.evaluate import Request, prepare, score
from streamer.evaluation.detection.truth import Expansion
from tests.evaluation.detection.cases import CLASSES, HIERARCHY, Case, cases
from tests.evaluation.detection.made import write_pictures, write_rows

GOLDENS = json.loads(Path(__file__).with_name("goldens.json").read_text(encoding="utf-8"))
CASES = {case.name: case for case in cases()}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), [f"{name}.png" for name in "abcde"])


def evaluate(case: Case, pictures: Path, folder: Path, expansion: Expansion) -> dict[str, Any]:
    """The average precision of each class, and `mAP`, from files as a user has them."""
    boxes, labels, _ = case.texts
    files = {"boxes.csv": boxes, "labels.csv": labels, "hierarchy.json": json.dumps(HIERARCHY)}
    files["classes.csv"] = "".join(f"{mid},{mid.removeprefix('/m/')}\n" for mid in CLASSES)
    for name, text in files.items():
        (folder / name).write_text(text)
    write_rows(folder / "det.jsonl", pictures, case.found)
    truth = [folder / name for name in files]
    request = Request(str(pictures), truth, detections=folder / "det.jsonl", expansion=expansion)
    scores = score(prepare(request))
    return {**scores.summary, **{f"/m/{each.name}": each.ap for each in scores.classes}}


def test_there_is_a_golden_for_each_case() -> None:
    assert set(CASES) == set(GOLDENS)


@pytest.mark.parametrize("expansion", [Expansion.BOTH, Expansion.TRUTH])
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("drawn")])
def test_equals_the_evaluator_of_the_api(name: str, expansion: Expansion, pictures: Path, tmp_path: Path) -> None:
    assert evaluate(CASES[name], pictures, tmp_path, expansion) == pytest.approx(GOLDENS[name][expansion], abs=1e-6)


def test_a_box_that_may_be_a_group_counts_as_one(pictures: Path, tmp_path: Path) -> None:
    """Released files have IsGroupOf -1; the API makes it a bool."""
    boxes = (("a", "/m/tree", 0.1, 0.9, 0.1, 0.9, -1), ("b", "/m/tree", 0.1, 0.3, 0.1, 0.3, 0))
    found = (("a", "/m/tree", 0.9, 0.2, 0.4, 0.2, 0.4), ("b", "/m/tree", 0.8, 0.1, 0.3, 0.1, 0.3))
    unknown = evaluate(Case("unknown", boxes, (), found), pictures, tmp_path, Expansion.BOTH)
    as_group = Case("group", [(*row[:-1], abs(row[-1])) for row in boxes], (), found)
    assert unknown == evaluate(as_group, pictures, tmp_path, Expansion.BOTH)
    assert unknown["/m/tree"] == 1


@pytest.mark.slow
def test_equals_the_evaluator_on_drawn_cases(pictures: Path, tmp_path: Path) -> None:
    for name, case in CASES.items():
        for expansion in (Expansion.BOTH, Expansion.TRUTH):
            found = evaluate(case, pictures, tmp_path, expansion)
            assert found == pytest.approx(GOLDENS[name][expansion], abs=1e-6), (name, expansion)
