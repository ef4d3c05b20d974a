"""Writes `goldens.json`: the results of the evaluator of the TensorFlow Object Detection API on `cases.py`.

It needs that API (PyPI: `tf-models-research-object-detection==2.8.0.post1`, NumPy below 2, pandas), which is not a
dependency of this project. In an environment that has it, in the folder with `pyproject.toml`:

    PYTHONPATH=.:PATH_OF_THE_API:PATH_OF_THE_API/slim python -m tests.evaluation.detection.make_goldens

The steps are those of `metrics/oid_challenge_evaluation.py`. The hierarchy is applied by
`dataset_tools/oid_hierarchical_labels_expansion.py` to boxes and image-level labels, for `both` also to detections.
"""

from __future__ import annotations

import importlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

for name, kind in (("float", float), ("bool", bool), ("int", int), ("object", object)):
    if name not in np.__dict__:  # removed in NumPy 1.24, which the API was not written for
        setattr(np, name, kind)

from tests.evaluation.detection.cases import CLASSES, HIERARCHY, Case, cases  # noqa: E402

pandas: Any = importlib.import_module("pandas")
expansion: Any = importlib.import_module("object_detection.dataset_tools.oid_hierarchical_labels_expansion")
utils: Any = importlib.import_module("object_detection.metrics.oid_challenge_evaluation_utils")
evaluation: Any = importlib.import_module("object_detection.utils.object_detection_evaluation")

PREFIX = "OpenImagesDetectionChallenge_PerformanceByCategory/AP@0.5IOU/"


def main() -> None:
    """Write the results of every case, with and without the hierarchy applied to detections."""
    goldens = {case.name: {each: evaluate(case, each == "both") for each in ("both", "truth")} for case in cases()}
    text = json.dumps(goldens, indent=1, sort_keys=True)
    Path(__file__).with_name("goldens.json").write_text(text + "\n", encoding="utf-8")


def evaluate(case: Case, expand_detections: bool) -> dict[str, float]:
    """The average precision of each class that has boxes, and `mAP`."""
    grown = expansion.OIDHierarchicalLabelsExpansion(HIERARCHY)
    boxes, labels, found = case.texts
    location = _table(boxes, grown.expand_boxes_or_segments_from_csv)
    verified = _table(labels, grown.expand_labels_from_csv)
    verified = verified.rename(columns={"Confidence": "ConfidenceImageLabel"})
    predictions = _table(found, grown.expand_boxes_or_segments_from_csv if expand_detections else None)
    ids = {name: row + 1 for row, name in enumerate(CLASSES)}
    evaluator = evaluation.OpenImagesChallengeEvaluator(
        [{"id": row, "name": name} for name, row in ids.items()], evaluate_masks=False
    )
    for image, truth in pandas.concat([location, verified]).groupby("ImageID"):
        evaluator.add_single_ground_truth_image_info(image, _arrays(utils.build_groundtruth_dictionary(truth, ids)))
        chosen = predictions.loc[predictions["ImageID"] == image]
        evaluator.add_single_detected_image_info(image, _arrays(utils.build_predictions_dictionary(chosen, ids)))
    metrics = evaluator.evaluate()
    result = {name: float(metrics[PREFIX + name]) for name in CLASSES}
    mean = float(metrics["OpenImagesDetectionChallenge_Precision/mAP@0.5IOU"])
    return {"mAP": mean, **{name: value for name, value in result.items() if not math.isnan(value)}}


def _arrays(content: dict[str, Any]) -> dict[str, Any]:
    """Copies: since pandas 3 a column is read-only, and an empty one has no type."""
    whole = ("classes", "group_of")
    return {key: np.array(value, int if key.endswith(whole) else float) for key, value in content.items()}


def _table(text: str, expand: Callable[[str], list[str]] | None) -> Any:
    header, *rows = text.splitlines()
    if expand is not None:
        rows = [line for row in rows for line in expand(row)]
    return pandas.read_csv(io.StringIO("\n".join([header, *rows])))


if __name__ == "__main__":
    main()
