"""Detections that were made on a picture of another size are recognised, and those of the right size are not."""

from __future__ import annotations

import os
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest

from streamer.observe.box_sizes import BoxSizes
from streamer.values.mot import read_detections
from tracking.types import FloatArray

SEQUENCES = sorted(Path(os.environ.get("STREAMER_TEST_DATA", "none"), "tracking").glob("*/det/*.txt"))


def walkers(width: int, height: int, count: int = 600) -> FloatArray:
    """Boxes of people all over a picture, some cut off by its edge."""
    random = np.random.default_rng(3)
    size = np.array([0.06 * width, 0.2 * height])
    corner = random.uniform(-0.2, 0.2, (count, 2)) * size + random.uniform(0, 1, (count, 2)) * ([width, height] - size)
    return np.hstack([corner, corner + size]).astype(np.float32)


def sizes(width: int, height: int, boxes: FloatArray) -> BoxSizes:
    made = BoxSizes(width, height)
    for frame in np.array_split(boxes, 100):
        made.add(frame)
    return made


def test_boxes_of_the_same_size_are_no_problem() -> None:
    made = sizes(960, 540, walkers(960, 540))
    assert (made.outside(), made.in_a_corner()) == (None, None)


@pytest.mark.parametrize(
    ("made_at", "scale"),
    [((1920, 1080), "0.5"), ((1440, 810), "0.6667"), ((1280, 720), "0.75"), ((3840, 2160), "0.25")],
)
def test_the_size_of_boxes_outside_the_picture_is_named(made_at: tuple[int, int], scale: str) -> None:
    line = sizes(960, 540, walkers(*made_at)).outside()
    assert line is not None
    assert line.endswith(
        f"% of the detected boxes lie outside the picture of 960x540, as if they were made at "
        f"{made_at[0]}x{made_at[1]}; scale them by {scale} in that case"[1:]
    )


@pytest.mark.parametrize(("made_at", "scale"), [((480, 270), "2"), ((640, 360), "1.5"), ((320, 180), "3")])
def test_the_size_of_boxes_in_a_corner_is_named(made_at: tuple[int, int], scale: str) -> None:
    made = sizes(960, 540, walkers(*made_at))
    assert made.outside() is None
    size = f"{made_at[0]}x{made_at[1]}"
    assert made.in_a_corner() == (
        f"all detected boxes lie in the top left {size} of the picture of 960x540, as if they were made at {size}; "
        f"scale them by {scale} in that case"
    )


def test_one_object_in_the_corner_is_no_problem() -> None:
    parked = np.tile(np.array([[30, 40, 300, 250]], np.float32), (600, 1))
    assert sizes(960, 540, parked).in_a_corner() is None


def test_few_boxes_are_no_evidence() -> None:
    assert sizes(960, 540, walkers(1920, 1080, 40)).outside() is None


@pytest.mark.elsewhere
@pytest.mark.skipif(not SEQUENCES, reason="set STREAMER_TEST_DATA to a folder with tracking/<sequence>/")
@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_real_detections_cause_no_false_alarm(path: Path) -> None:
    info = ConfigParser()
    info.read(path.parents[1] / "seqinfo.ini")
    width, height = (int(info["Sequence"][key]) for key in ("imWidth", "imHeight"))
    boxes = np.concatenate([found.boxes for found in dict(read_detections(path)).values()])
    right, half = sizes(width, height, boxes), sizes(width // 2, height // 2, boxes)
    assert (right.outside(), right.in_a_corner()) == (None, None)
    assert half.outside() is not None
