"""Curves of precision and recall, and the COCO metric."""

from __future__ import annotations

import contextlib
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.evaluation.detection.evaluate import Request, prepare, score
from streamer.evaluation.detection.scores import Curve
from streamer.evaluation.detection.truth import Metric
from tests.evaluation.detection.made import CATEGORIES, coco, header, line, write_json, write_pictures


def curve(scores: list[float], hits: list[float], truths: int) -> Curve:
    return Curve.of([np.array(scores)], [np.array(hits)], truths)


def test_precision_and_recall_at_a_score() -> None:
    found = curve([0.2, 0.9, 0.5, 0.5], [1, 1, 0, 1], 4)
    at = found.at(0.5)
    assert [at.precision, at.recall, at.f1] == pytest.approx([2 / 3, 0.5, 4 / 7])
    assert found.at(0.95).f1 == 0
    assert found.at(0).recall == 0.75


def test_the_best_score_takes_all_detections_with_that_score() -> None:
    best = curve([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 2).best()
    assert [best.score, best.precision, best.recall] == pytest.approx([0.5, 2 / 3, 1])
    assert curve([], [], 3).best().f1 == 0


def drawn_boxes(draw: random.Random, name: str) -> list[tuple[int, list[float]]]:
    del name
    return [
        (draw.randint(0, 1), [draw.uniform(0, 40), draw.uniform(0, 30), draw.uniform(4, 24), draw.uniform(4, 18)])
        for _ in range(draw.randint(0, 6))
    ]


def test_coco_equals_pycocotools_on_the_files(tmp_path: Path) -> None:
    """The file of truth and the same detections in COCO's own form of results, read by pycocotools itself."""
    pycoco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    draw = random.Random(5)
    names = [f"{number}.png" for number in range(12)]
    pictures = write_pictures(tmp_path / "pictures", names)
    truth = coco({name: drawn_boxes(draw, name) for name in names})
    for annotation in truth["annotations"]:
        annotation |= {"id": annotation["id"] + 1, "area": draw.choice([50, 3000]), "iscrowd": int(draw.random() < 0.2)}
    lines, results = [header("made", CATEGORIES)], list[dict[str, Any]]()
    for image in truth["images"]:
        mine = [each for each in truth["annotations"] if each["image_id"] == image["id"]]
        near = [(each["category_id"] - 1, [v + draw.uniform(-2, 2) for v in each["bbox"]]) for each in mine * 2]
        rows = [(*each, draw.uniform(0.01, 1)) for each in [*near, *drawn_boxes(draw, "")]]
        results += [
            {"image_id": image["id"], "category_id": kind + 1, "bbox": box, "score": score} for kind, box, score in rows
        ]
        corners = [[x, y, x + width, y + height] for _, (x, y, width, height), _ in rows]
        scores, kinds = [row[2] for row in rows], [row[0] for row in rows]
        lines.append(line(pictures / image["file_name"], corners, scores, kinds))
    (tmp_path / "det.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    write_json(tmp_path / "truth.json", truth)
    with contextlib.redirect_stdout(io.StringIO()):
        read = pycoco.COCO(str(tmp_path / "truth.json"))
        expected = cocoeval.COCOeval(read, read.loadRes(results), "bbox")
        expected.evaluate()
        expected.accumulate()
        expected.summarize()
    scores_ = score(prepare(Request(str(pictures), [tmp_path / "truth.json"], detections=tmp_path / "det.jsonl")))
    assert scores_.summary["AP"] == pytest.approx(expected.stats[0], abs=1e-9)
    assert list(scores_.summary.values()) == pytest.approx([each for each in expected.stats if each > -1], abs=1e-9)
    assert 0.1 < scores_.summary["AP"] < 0.9
    precision = expected.eval["precision"][0, :, :, 0, -1].mean(axis=0)
    assert [each.ap50 for each in scores_.classes] == pytest.approx(precision.tolist(), abs=1e-9)


def test_the_curve_of_coco_gives_its_recall(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    pictures = write_pictures(tmp_path / "pictures")
    boxes = [(0, [5, 5, 20, 20]), (0, [30, 5, 20, 20]), (1, [5, 27, 20, 20])]
    truth = write_json(tmp_path / "truth.json", coco({"a.png": boxes, "b.png": []}))
    found = [
        line(pictures / "a.png", [[5, 5, 25, 25], [6, 5, 26, 25], [5, 27, 25, 47]], [0.9, 0.8, 0.4], [0, 0, 1]),
        line(pictures / "b.png", [[5, 5, 25, 25]], [0.7], [0]),
    ]
    lines = [header("made", CATEGORIES), *found]
    (tmp_path / "det.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    for metric in Metric:
        scores = score(prepare(Request(str(pictures), [truth], metric, detections=tmp_path / "det.jsonl")))
        person, car = scores.classes
        assert (person.name, car.name) == CATEGORIES
        assert (person.curve.hits.tolist(), person.curve.truths) == ([1, 0, 0], 2)
        assert person.curve.at(0.5).precision == pytest.approx(1 / 3)
        assert [car.curve.at(0.5).recall, car.curve.best().f1, car.ap50] == pytest.approx([0, 1, 1])
        assert scores.all_classes.at(0.4).recall == pytest.approx(2 / 3)
