"""Scores of detections: a curve of precision and recall for each class, and what is read from it. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamer.evaluation.detection.truth import Metric

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """Precision, recall and F1 of the detections with at least this score."""

    score: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"score": self.score, "precision": self.precision, "recall": self.recall, "F1": self.f1}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The detections of one class by falling score, at IoU 0.5.

    Attributes:
        scores: float64 `(N,)`, falling.
        hits: float64 `(N,)`: 0 for a false positive; for a true positive 1.
        truths: the number of boxes to find.
    """

    scores: Values
    hits: Values
    truths: int

    @classmethod
    def of(cls, scores: Sequence[Values], hits: Sequence[Values], truths: int) -> Self:
        """The curve of detections in any order; of equal scores the last one comes first, as in the evaluator of the
        TensorFlow Object Detection API."""
        joined = np.concatenate([np.empty(0), *scores])
        order = np.argsort(joined, kind="stable")[::-1]
        return cls(joined[order], np.concatenate([np.empty(0), *hits])[order], truths)

    @classmethod
    def joined(cls, curves: Iterable[Curve]) -> Self:
        """The curve of the detections of several classes together."""
        each = list(curves)
        return cls.of([one.scores for one in each], [one.hits for one in each], sum(one.truths for one in each))

    @property
    def precision(self) -> Values:
        """float64 `(N,)`: of the detections up to each one, the share that is right."""
        found = np.cumsum(self.hits)
        wrong = np.cumsum(self.hits <= 0)
        return found / np.maximum(found + wrong, np.finfo(float).tiny)

    @property
    def recall(self) -> Values:
        """float64 `(N,)`: the share of the boxes that the detections up to each one have found."""
        return np.cumsum(self.hits) / max(self.truths, np.finfo(float).tiny)

    def average_precision(self) -> float:
        """The area under the curve, whose precision is made monotonic first (PASCAL VOC since 2010)."""
        recall = np.concatenate([[0.0], self.recall, [1.0]])
        precision = np.concatenate([[0.0], self.precision, [0.0]])
        highest = np.maximum.accumulate(precision[::-1])[::-1]
        steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
        return float(((recall[steps] - recall[steps - 1]) * highest[steps]).sum())

    def at(self, score: float) -> Point:
        """The point of all detections with at least this score. Precision is 0 without detections."""
        count = int((self.scores >= score).sum())
        if not count:
            return Point(score, 0.0, 0.0)
        return Point(score, float(self.precision[count - 1]), float(self.recall[count - 1]))

    def best(self) -> Point:
        """The point with the highest F1; of equal ones that with the highest score."""
        if not len(self.scores):
            return Point(0.0, 0.0, 0.0)
        last = np.append(self.scores[1:] != self.scores[:-1], True)
        precision, recall = self.precision[last], self.recall[last]
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        at = int(np.argmax(f1))
        return Point(float(self.scores[last][at]), float(precision[at]), float(recall[at]))


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """The scores of one class that has boxes to find.

    Attributes:
        name: of the class.
        ap: average precision by the definition of the metric.
        ap50: average precision at IoU 0.5; the same as `ap` for the Open Images Challenge.
        curve: at IoU 0.5.
        known: the detector can report the class.
    """

    name: str
    ap: float
    ap50: float
    curve: Curve
    known: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class DetectionScores:
    """The result of an evaluation.

    Attributes:
        metric: its definition.
        detector: name of the detector.
        images: number of evaluated images.
        score: precision, recall and F1 are told for detections with at least this score.
        classes: those with boxes to find, in the order of the truth.
        summary: the figures that the metric is known for, by name; the first is the headline.
        notes: what was left out, one line each.
    """

    metric: Metric
    detector: str
    images: int
    score: float
    classes: Sequence[ClassScores]
    summary: Mapping[str, float]
    notes: Sequence[str] = ()

    @property
    def all_classes(self) -> Curve:
        """The detections of all classes together."""
        return Curve.joined(each.curve for each in self.classes)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        pooled = self.all_classes
        return {
            "metric": str(self.metric),
            "detector": self.detector,
            "images": self.images,
            "summary": dict(self.summary),
            "all classes": _points(pooled, self.score),
            "classes": {
                each.name: {"AP": each.ap, "AP50": each.ap50, **_points(each.curve, self.score)}
                for each in self.classes
            },
            "notes": list(self.notes),
        }


def _points(curve: Curve, score: float) -> dict[str, Any]:
    return {"truths": curve.truths, "at score": curve.at(score).to_dict(), "best": curve.best().to_dict()}
