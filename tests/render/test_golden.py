"""Small crops of annotated frames, compared with reviewed images.

For an intended change run `STREAMER_UPDATE_GOLDEN=1 pytest tests/render/test_golden.py`, then review the changed files
in `tests/render/golden/`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamer.interfaces import Annotator
from streamer.render.annotators import Renderer
from streamer.render.boxes import BoxAnnotator
from streamer.render.labels.annotator import LabelAnnotator
from streamer.render.overlays.hud import HudAnnotator
from streamer.render.overlays.trails import TrailAnnotator
from tests.render.scenes import painted, scene, tracks
from tracking.types import Origin, Tracks

GOLDEN = Path(__file__).parent / "golden"
# Rasterizers and colour conversion may round differently from one version or processor to the next.
LARGEST_DIFFERENCE, MEAN_DIFFERENCE = 24, 0.5

Pixels = npt.NDArray[np.uint8]


class Look(NamedTuple):
    size: tuple[int, int]
    crop: tuple[int, int, int, int]
    annotators: Sequence[Annotator]
    scenes: Sequence[Tracks]
    ground: tuple[int, int] = (40, 220)
    pixel_format: str = "yuv420p"
    sample_aspect_ratio: Fraction = Fraction(1)


WALK = [tracks([(20 + 4 * step, 20 + step * step / 8, 50 + 4 * step, 80 + step * step / 8)]) for step in range(25)]
_CORNERS = np.random.default_rng(5).uniform((0, 20), (560, 260), (100, 2))
CROWD = np.hstack([_CORNERS, _CORNERS + np.array((40, 60))])
LOOKS = {
    "small-picture": Look(
        (320, 240),
        (0, 0, 160, 120),
        [BoxAnnotator(), LabelAnnotator()],
        [tracks([(21, 30, 101, 111), (80, 51, 128, 99), (0, 0, 20, 14)], labels=[0, 1, 2])],
    ),
    "hd-light": Look(
        (1280, 720),
        (30, 30, 230, 160),
        [BoxAnnotator(), LabelAnnotator()],
        [tracks([(45, 70, 150, 400), (121, 101, 300, 300)], ids=[4, 12], labels=[1, 3], scores=[1.0, 0.305])],
        (230, 255),
    ),
    "hd-dark": Look(
        (1280, 720),
        (30, 30, 230, 160),
        [BoxAnnotator(), LabelAnnotator()],
        [tracks([(45, 70, 150, 400), (121, 101, 300, 300)], ids=[5, 7], labels=[1, 2])],
        (0, 30),
    ),
    "predicted": Look(
        (640, 480),
        (0, 0, 150, 120),
        [BoxAnnotator(thickness_px=2), LabelAnnotator(show_score=False)],
        [tracks([(11, 31, 90, 111), (101, 40, 140, 90)], origin=Origin.PREDICTED, unseen_s=0.8)],
    ),
    "just-detected": Look(
        (640, 480),
        (0, 0, 150, 120),
        [BoxAnnotator(thickness_px=2), LabelAnnotator(show_score=False)],
        [tracks([(11, 31, 90, 111), (101, 40, 140, 90)], origin=Origin.PREDICTED, unseen_s=0.2)],
    ),
    "passing": Look(
        (640, 360),
        (0, 40, 320, 200),
        [BoxAnnotator(), LabelAnnotator()],
        [
            tracks([(20 + 8 * step, 74, 90 + 8 * step, 190), (150, 72, 215, 188)], labels=[0, 1])
            for step in [0] * 25 + list(range(16))
        ],
    ),
    "staying": Look(
        (640, 360),
        (0, 40, 320, 240),
        [BoxAnnotator(), LabelAnnotator()],
        [tracks([(110, 74, 180, 190), (150, 72 - step % 2, 215, 188)], labels=[0, 1]) for step in range(60)],
    ),
    "palette": Look(
        (640, 360),
        (0, 0, 330, 190),
        [BoxAnnotator(), LabelAnnotator(show_score=False)],
        [
            tracks(
                [
                    (10 + 105 * (row % 4), 30 + 55 * (row // 4), 100 + 105 * (row % 4), 60 + 55 * (row // 4))
                    for row in range(16)
                ]
            )
        ],
    ),
    "crowd": Look(
        (640, 360),
        (0, 180, 320, 360),
        [BoxAnnotator(), HudAnnotator(), LabelAnnotator()],
        [tracks(CROWD.tolist(), labels=[row % 4 for row in range(100)])],
    ),
    "tiny-picture": Look(
        (160, 120),
        (0, 0, 160, 120),
        [BoxAnnotator(), HudAnnotator(), LabelAnnotator()],
        [tracks((CROWD[:12] / 4 + np.array((0, 6, 0, 6))).tolist(), labels=[row % 4 for row in range(12)])],
    ),
    "head-up-line-and-labels": Look(
        (640, 360),
        (0, 220, 320, 360),
        [BoxAnnotator(), HudAnnotator(), LabelAnnotator()],
        [tracks([(20, 346, 120, 360), (150, 290, 230, 350), (4, 250, 60, 345)], labels=[0, 1, 2])],
    ),
    "wide-pixels": Look(
        (720, 576),
        (0, 0, 220, 150),
        [BoxAnnotator(thickness_px=3), LabelAnnotator(), TrailAnnotator()],
        [tracks([(20 + 4 * step, 40 + step, 110 + 4 * step, 120 + step)]) for step in range(20)],
        sample_aspect_ratio=Fraction(64, 45),
    ),
    "narrow-pixels": Look(
        (720, 576),
        (0, 0, 440, 150),
        [BoxAnnotator(thickness_px=3), LabelAnnotator()],
        [tracks([(20, 40, 300, 120)])],
        sample_aspect_ratio=Fraction(1, 2),
    ),
    "trail": Look((320, 240), (10, 40, 160, 170), [TrailAnnotator(length_s=0.8), BoxAnnotator()], WALK),
    "head-up-line": Look(
        (640, 360), (0, 320, 240, 360), [HudAnnotator()], [tracks([(1, 1, 9, 9)] * 3, labels=[1, 0, 1])]
    ),
    "odd-size-nv12": Look(
        (161, 121),
        (81, 61, 161, 121),
        [BoxAnnotator(), LabelAnnotator()],
        [tracks([(90, 85, 170, 130)])],
        pixel_format="nv12",
    ),
    "rgb": Look(
        (160, 120),
        (0, 0, 100, 60),
        [BoxAnnotator(), LabelAnnotator()],
        [tracks([(5, 25, 90, 80)])],
        pixel_format="rgb24",
    ),
}


def drawn(look: Look) -> Pixels:
    width, height = look.size
    ramp = np.linspace(*look.ground, width).astype(np.uint8)
    pixels = np.repeat(np.repeat(ramp[np.newaxis, :, np.newaxis], height, axis=0), 3, axis=2)
    shown = pixels
    renderer = Renderer(look.annotators, look.sample_aspect_ratio)
    for index, shown_tracks in enumerate(look.scenes):
        shot = scene(painted(pixels, look.pixel_format), shown_tracks, time_s=12.34 + index / 25)
        shown = scene(renderer.render(shot), shown_tracks).frame.rgb()
    x0, y0, x1, y1 = look.crop
    return shown[y0:y1, x0:x1]


@pytest.mark.parametrize("name", LOOKS)
def test_annotated_frames_match_the_reviewed_images(name: str) -> None:
    crop, path = drawn(LOOKS[name]), GOLDEN / f"{name}.png"
    if os.environ.get("STREAMER_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), crop[..., ::-1])
    approved = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert approved is not None, f"{path} is missing"
    difference = np.abs(crop.astype(int) - approved[..., ::-1])
    assert difference.max() <= LARGEST_DIFFERENCE
    assert difference.mean() <= MEAN_DIFFERENCE
