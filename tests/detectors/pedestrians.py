"""Detections of people on a real sequence against its ground truth."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from streamer.interfaces import Detector
from streamer.values.frame import Frame
from tracking.boxes import overlapping_pairs

SEQUENCE = Path(os.environ.get("STREAMER_TEST_DATA", "test-data"), "tracking/PETS09-S2L1-a")
SCALE = 480 / 768
"""The ground truth is in pixels of 768x576."""
EVERY = 10


def precision_and_recall(detector: Detector) -> tuple[float, float]:
    """Of the class Person on every tenth frame of PETS09-S2L1-a at 480x360; a match has an IoU of 0.5 or more."""
    if not SEQUENCE.is_dir():
        pytest.skip("the optional folder of tracking data is not there")
    people: dict[int, list[list[float]]] = {}
    for row in csv.reader((SEQUENCE / "gt/gt.txt").open(encoding="ascii")):
        left, top, width, height = (float(value) * SCALE for value in row[2:6])
        people.setdefault(int(row[0]), []).append([left, top, left + width, top + height])
    (person,) = detector.labels.rows(["=Person"])
    right = shown = there = 0
    with av.open(str(SEQUENCE / "video_480x360.avi")) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number % EVERY:
                continue
            assert picture.time_base is not None
            found = detector.detect(Frame(picture, number, picture.pts or 0, picture.time_base, 0.0))
            boxes, truth = found.boxes[found.labels == person], np.array(sorted(people[number + 1]))
            pairs = overlapping_pairs(boxes.astype(np.float64), truth, 0.5)
            overlaps = np.zeros((len(boxes), len(truth)))
            overlaps[pairs.rows, pairs.cols] = pairs.iou
            right += int(np.count_nonzero(overlaps[linear_sum_assignment(overlaps, maximize=True)]))
            shown, there = shown + len(boxes), there + len(truth)
    return right / shown, right / there
