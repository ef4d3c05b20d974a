"""Labels stay where they are, leave the picture visible, and avoid what is reserved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import pytest

from streamer.render.canvas import Canvas
from streamer.render.labels.annotator import LabelAnnotator
from streamer.render.labels.label import ShownScore
from streamer.render.labels.positions import overlap
from streamer.render.overlays.hud import HudAnnotator
from streamer.values.drawable import Tile
from tests.render.scenes import noise, planes_of, same_pixels, scene, tracks
from tracking.types import Tracks

FPS = 25
Box = Sequence[float]
Area = tuple[int, int, int, int]


class Recorder(Canvas):
    """A canvas that records the label boxes."""

    def paste(self, tile: Tile, x: int, y: int) -> None:
        if not hasattr(self, "pasted"):
            self.pasted: list[Area] = []
        height, width = tile[0].shape[:2]
        self.pasted.append((x, y, x + width, y + height))
        super().paste(tile, x, y)


def labels(
    frames: Iterable[Tracks], size: tuple[int, int] = (640, 480), annotator: LabelAnnotator | None = None
) -> list[list[Area]]:
    """The label boxes on each frame, the youngest first."""
    annotator, picture, found = annotator or LabelAnnotator(), noise(*size), []
    for index, shown in enumerate(frames):
        canvas = Recorder(picture)
        annotator.draw(canvas, scene(picture, shown, time_s=index / FPS, index=index))
        found.append(getattr(canvas, "pasted", []))
    return found


def sides(frames: Iterable[Tracks], row: int, size: tuple[int, int] = (640, 480)) -> list[str]:
    """Where the label of a row lies at its box, without repetitions."""
    names: list[str] = []
    frames = list(frames)
    for shown, areas in zip(frames, labels(frames, size), strict=True):
        name = "none"
        if len(areas) == len(shown):
            box, area = shown.boxes[row], areas[len(areas) - 1 - row]
            above, below = area[3] <= box[1] + 2, area[1] >= box[3] - 2
            name = "above" if above else "below" if below else "inside"
        if not names or names[-1] != name:
            names.append(name)
    return names


def standing(boxes: Sequence[Box], seconds: float) -> list[Tracks]:
    return [tracks(boxes)] * round(seconds * FPS)


def test_a_label_does_not_follow_the_noise_of_a_box_at_the_edge() -> None:
    generator = np.random.default_rng(0)
    noisy = [tracks([(100, 16 + jitter, 180, 200)]) for jitter in generator.normal(0, 2, 100)]
    tops = [areas[0][1] for areas in labels(noisy)]
    assert max(tops) <= 8


def test_a_label_stays_while_another_object_passes() -> None:
    standing_box = (200, 100, 260, 300)
    passing = [tracks([(20 + 8 * step, 104, 80 + 8 * step, 300), standing_box]) for step in range(60)]
    assert sides(passing[:1] * FPS + passing, 1) == ["above"]


def test_the_label_of_a_new_track_moves_at_once_when_it_is_covered() -> None:
    apart, together = [(20, 100, 90, 300), (300, 104, 370, 300)], [(280, 100, 350, 300), (300, 104, 370, 300)]
    frames = standing(apart, 0.5) + standing(together, 0.1)
    assert sides(frames, 1) == ["above", "below"]


@pytest.mark.parametrize(("x0", "after_s"), [(290, 0.8), (255, 1.5)], ids=["mostly covered", "partly covered"])
def test_a_label_that_is_mostly_covered_moves_sooner(x0: int, after_s: float) -> None:
    apart, together = [(20, 100, 90, 300), (300, 104, 370, 300)], [(x0, 100, x0 + 70, 300), (300, 104, 370, 300)]
    assert sides(standing(apart, 2) + standing(together, after_s - 0.1), 1) == ["above"]
    assert sides(standing(apart, 2) + standing(together, after_s + 0.1), 1) == ["above", "below"]


def test_a_label_moves_once_where_another_object_stays() -> None:
    apart, together = [(20, 100, 90, 300), (300, 104, 370, 300)], [(280, 100, 350, 300), (300, 104, 370, 300)]
    frames = standing(apart, 1) + standing(together, 4)
    assert sides(frames, 1) == ["above", "below"]


def test_a_label_returns_to_the_better_side_when_that_stays_free() -> None:
    apart, together = [(20, 100, 90, 300), (300, 104, 370, 300)], [(280, 100, 350, 300), (300, 104, 370, 300)]
    frames = standing(together, 1) + standing(apart, 5)
    assert sides(frames, 1) == ["below"]
    assert sides(frames + standing(apart, 3), 1) == ["below", "above"]


def test_a_label_slides_along_the_upper_edge_of_the_frame() -> None:
    leaving = [tracks([(100, 60 - step, 180, 260 - step)]) for step in range(90)]
    tops = [areas[0][1] for areas in labels(leaving)]
    assert np.abs(np.diff(tops)).max() <= 2
    assert tops[-1] == 0


def test_a_score_is_smoothed_and_changes_in_steps() -> None:
    score, generator = ShownScore(0.8, 0.0), np.random.default_rng(0)
    shown = [score.update(float(value), index / FPS) for index, value in enumerate(generator.normal(0.8, 0.03, 250))]
    assert len(set(shown)) == 1
    rising = [score.update(0.95, 10 + index / FPS) for index in range(50)]
    assert 92 <= rising[-1] <= 95
    assert sorted(rising) == rising


def test_name_and_id_stay_in_place_when_the_score_changes() -> None:
    scores = [0.05] * 3 + [0.9] * 100
    found = labels([tracks([(50, 50, 150, 150)], scores=[score]) for score in scores])
    assert len({areas[0][:2] for areas in found}) == 1
    assert len({areas[0] for areas in found}) > 1


@pytest.mark.parametrize("size", [(160, 120), (176, 144), (640, 480), (1280, 720), (720, 1280)])
@pytest.mark.parametrize("count", [1, 6, 26, 100, 400])
def test_labels_cover_a_limited_share_of_the_frame(size: tuple[int, int], count: int) -> None:
    generator = np.random.default_rng(count)
    corners = generator.uniform(0, 0.9, (count, 2)) * size
    boxes = np.hstack([corners, corners + 0.1 * np.array(size)])
    frames = [tracks((boxes + step).tolist()) for step in range(5)]
    covered = np.zeros(size[::-1], np.bool_)
    for x0, y0, x1, y1 in labels(frames, size)[-1]:
        covered[y0:y1, x0:x1] = True
    assert 0 < covered.mean() <= 0.26


def test_labels_shrink_then_shorten_then_go() -> None:
    def shape(count: int) -> tuple[int, int, int]:
        rows = [
            (20 + 200 * (row % 6), 20 + 30 * (row // 6), 60 + 200 * (row % 6), 44 + 30 * (row // 6))
            for row in range(count)
        ]
        areas = labels([tracks(rows)], (1280, 720))[0]
        return len(areas), max(y1 - y0 for _, y0, _, y1 in areas), max(x1 - x0 for x0, _, x1, _ in areas)

    few, many = shape(5), shape(130)
    assert few[0] == 5
    assert many[1] < few[1]
    assert many[2] < few[2] * 0.75
    assert labels(
        [tracks([(5 * (row % 30), 9 * (row // 30), 5 * (row % 30) + 4, 9 * (row // 30) + 8) for row in range(300)])],
        (160, 120),
    )[0]


def test_labels_and_head_up_line_never_share_a_pixel() -> None:
    picture, annotators = noise(640, 360), (HudAnnotator(), LabelAnnotator())
    for step in range(60):
        shown = tracks([(5 * row, 250 + step, 5 * row + 60, 340 + step) for row in range(0, 100, 8)])
        canvas = Recorder(picture)
        for annotator in annotators:
            annotator.draw(canvas, scene(picture, shown, time_s=step / FPS))
        (line,) = canvas.reserved
        x0, y0, x1, y1 = (int(edge) for edge in line)
        assert all(overlap(area, [(x0, y0, x1, y1)]) == 0 for area in canvas.pasted)


def width_on_screen(ratio: Fraction) -> tuple[float, int]:
    picture = noise(720, 576)
    canvas = Recorder(picture, sample_aspect_ratio=ratio)
    LabelAnnotator(text_px=32).draw(canvas, scene(picture, tracks([(300, 200, 400, 400)])))
    ((x0, y0, x1, y1),) = canvas.pasted
    return (x1 - x0) * float(ratio), y1 - y0


@pytest.mark.parametrize("ratio", [Fraction(64, 45), Fraction(8, 9), Fraction(2), Fraction(1, 2)])
def test_labels_have_their_shape_on_the_screen_with_other_pixels(ratio: Fraction) -> None:
    square, other = width_on_screen(Fraction(1)), width_on_screen(ratio)
    assert other[1] == square[1]
    assert other[0] == pytest.approx(square[0], rel=0.03, abs=4)


def test_lines_are_equally_thick_on_the_screen_with_other_pixels() -> None:
    picture = noise(320, 240)
    for ratio, columns in ((Fraction(2), 2), (Fraction(1, 2), 8), (Fraction(1), 4)):
        canvas = Canvas(picture, sample_aspect_ratio=ratio)
        canvas.outline((60, 60, 260, 180), (255, 255, 255), 4, casing_px=0)
        white = planes_of(canvas.picture)[0] == 235
        assert white[100, 50:150].sum() == pytest.approx(columns, abs=1)
        assert white[50:100, 150].sum() == pytest.approx(4, abs=1)


def test_square_pixels_are_drawn_as_if_no_ratio_were_given() -> None:
    picture, shown = noise(160, 120), tracks([(20, 30, 120, 100)])
    one, other = Canvas(picture), Canvas(picture, sample_aspect_ratio=Fraction(1))
    for canvas in (one, other):
        LabelAnnotator().draw(canvas, scene(picture, shown))
    assert same_pixels(one.picture, other.picture)
