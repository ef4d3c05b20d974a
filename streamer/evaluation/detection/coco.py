"""The metric of COCO, computed by pycocotools. Main thread."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamer.evaluation.detection.scores import Curve, Values
from streamer.evaluation.detection.truth import Boxes, TruthImage
from streamer.system.suggestions import import_extra
from tracking.types import IdArray

SUMMARY = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""The figures of pycocotools in its order: average precision over IoU 0.50 to 0.95, at 0.50, at 0.75, of small, medium
and large objects; average recall with 1, 10 and 100 detections an image, and by size."""
_AT_50 = 0
_ALL_SIZES = 0


class CocoMetric:
    """Collects images, then evaluates all of them.

    Args:
        classes: number of rows of the table of classes.
    """

    def __init__(self, classes: int) -> None:
        self._images: list[dict[str, Any]] = []
        self._truth: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []
        self._categories = [{"id": row, "name": str(row)} for row in range(classes)]
        self._evaluated: Any = None

    def add(self, truth: TruthImage, boxes: Boxes, scores: Values, labels: IdArray) -> None:
        """Add one image.

        Args:
            truth: boxes in pixels.
            boxes: float64 `(N, 4)`, the detections in pixels.
            scores: float64 `(N,)`.
            labels: int64 `(N,)`, rows of the classes of the truth.
        """
        number = len(self._images) + 1
        self._images.append({"id": number})
        columns = (truth.boxes, truth.labels.tolist(), truth.groups.tolist(), truth.areas.tolist())
        for box, label, crowd, area in zip(*columns, strict=True):
            entry = _entry(number, len(self._truth), box, label)
            self._truth.append({**entry, "area": area, "iscrowd": int(crowd)})
        for box, score, label in zip(boxes, scores.tolist(), labels.tolist(), strict=True):
            entry = _entry(number, len(self._found), box, label)
            self._found.append({**entry, "area": entry["bbox"][2] * entry["bbox"][3], "iscrowd": 0, "score": score})

    def curves(self) -> dict[int, Curve]:
        """The curve of each class that has boxes, by its row, at IoU 0.5 with at most 100 detections an image."""
        result = self._evaluate()
        images, sizes = len(self._images), len(result.params.areaRng)
        found: dict[int, Curve] = {}
        for label in range(len(self._categories)):
            start = (label * sizes + _ALL_SIZES) * images
            each = [one for one in result.evalImgs[start : start + images] if one is not None]
            curve = _curve(each)
            if curve.truths:
                found[label] = curve
        return found

    def average_precisions(self) -> Mapping[int, tuple[float, float]]:
        """AP over IoU 0.50 to 0.95 and AP at 0.50 of each class that has boxes, by its row."""
        precision = self._evaluate().eval["precision"][:, :, :, _ALL_SIZES, -1]
        return {
            label: (float(precision[:, :, label].mean()), float(precision[_AT_50, :, label].mean()))
            for label in range(len(self._categories))
            if (precision[:, :, label] > -1).all()
        }

    def summary(self) -> dict[str, float]:
        """`SUMMARY` by name; a figure without boxes of that size is left out."""
        stats = self._evaluate().stats
        return {name: float(value) for name, value in zip(SUMMARY, stats, strict=True) if value > -1}

    def _evaluate(self) -> Any:
        if self._evaluated is None:
            cocoeval = import_extra("pycocotools.cocoeval")
            with contextlib.redirect_stdout(io.StringIO()):  # it prints progress and results
                evaluated = cocoeval.COCOeval(self._dataset(self._truth), self._dataset(self._found), "bbox")
                evaluated.evaluate()
                evaluated.accumulate()
                evaluated.summarize()
            self._evaluated = evaluated
        return self._evaluated

    def _dataset(self, annotations: Sequence[dict[str, Any]]) -> Any:
        dataset = import_extra("pycocotools.coco").COCO()
        dataset.dataset = {"images": self._images, "annotations": list(annotations), "categories": self._categories}
        dataset.createIndex()
        return dataset


def _entry(image: int, at: int, box: Boxes, label: int) -> dict[str, Any]:
    """An annotation; its id counts from 1, because pycocotools takes 0 for no match."""
    left, top, right, bottom = box.tolist()
    return {"id": at + 1, "image_id": image, "category_id": label, "bbox": [left, top, right - left, bottom - top]}


def _curve(images: Sequence[Mapping[str, Any]]) -> Curve:
    truths = sum(int((np.asarray(one["gtIgnore"]) == 0).sum()) for one in images)
    counted = [~np.asarray(one["dtIgnore"][_AT_50], np.bool_) for one in images]
    scores = [np.asarray(one["dtScores"], np.float64)[keep] for one, keep in zip(images, counted, strict=True)]
    hits = [
        (np.asarray(one["dtMatches"][_AT_50])[keep] > 0).astype(np.float64)
        for one, keep in zip(images, counted, strict=True)
    ]
    return Curve.of(scores, hits, truths)
