"""Streaming scores compared with hand-made figures and with a plain loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.evaluation.streaming.scores import Displayed, score

Array = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
BOX = [10.0, 10.0, 40.0, 80.0]


def shown(*boxes: list[float]) -> Displayed:
    """Boxes `left, top, width, height, score`."""
    array = np.array(boxes, np.float64).reshape(-1, 5)
    return Displayed(array[:, :4], array[:, 4])


def objects(*boxes: list[float]) -> Array:
    return np.array(boxes, np.float64).reshape(-1, 4)


def test_exact_boxes_have_full_scores() -> None:
    scores = score([shown([*BOX, 0.9])] * 3, [objects(BOX)] * 3)
    assert list(scores.to_dict()) == ["F1", "mIoU", "AP50", "AP75", "sAP"]
    assert list(scores.to_dict().values()) == pytest.approx([100] * 5)


def test_a_box_delayed_by_a_fifth_of_its_width() -> None:
    """IoU 32 / 48 = 0.67: correct at 0.5, 0.55, 0.6 and 0.65."""
    scores = score([shown([2.0, 10.0, 40.0, 80.0, 0.9])], [objects(BOX)])
    assert list(scores.to_dict().values()) == pytest.approx([100, 100 * 32 / 48, 100, 0, 40])


def test_misses_and_false_positives_lower_f1() -> None:
    alarm = [300.0, 300.0, 40.0, 80.0, 0.5]
    scores = score([shown([*BOX, 0.9], alarm), shown()], [objects(BOX), objects(BOX)])
    assert scores.f1 == pytest.approx(100 * 2 * 1 / (2 + 2))
    assert scores.ap50 == pytest.approx(100 * 51 / 101)  # recall up to one half at full precision


def test_the_box_with_the_best_score_takes_an_object_once() -> None:
    scores = score([shown([*BOX, 0.5], [12.0, 10.0, 40.0, 80.0, 0.9])], [objects(BOX)])
    assert scores.f1 == pytest.approx(200 / 3)
    assert scores.mean_iou == pytest.approx(100 * 38 / 42)


def test_no_boxes_and_no_objects() -> None:
    assert list(score([shown()] * 2, [objects(BOX)] * 2).to_dict().values()) == [0] * 5
    assert list(score([shown([*BOX, 0.9])], [objects()]).to_dict().values()) == [0] * 5
    assert list(score([shown()], [objects()]).to_dict().values()) == [0] * 5
    assert list(score([], []).to_dict().values()) == [0] * 5


def test_lengths_must_be_equal() -> None:
    with pytest.raises(ValueError, match="1 displayed frames, but 2 frames of ground truth"):
        score([shown()], [objects(), objects()])


def plain_iou(a: Array, b: Array) -> float:
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    return float(shared / max(a[2] * a[3] + b[2] * b[3] - shared, 1e-9))


def plain_scores(displayed: list[Displayed], truth: list[Array]) -> list[float]:
    """The rule of COCO as a loop: frame by frame, box by box, threshold by threshold."""
    present, precisions, f1, mean_iou = sum(map(len, truth)), [], 0.0, 0.0
    for threshold in np.arange(0.5, 0.96, 0.05):
        found: list[tuple[float, bool, float]] = []
        for one, boxes in zip(displayed, truth, strict=True):
            free = set(range(len(boxes)))
            for row in sorted(range(len(one.scores)), key=lambda row: -one.scores[row]):
                best = max(sorted(free), key=lambda at: plain_iou(one.boxes[row], boxes[at]), default=-1)
                iou = plain_iou(one.boxes[row], boxes[best]) if best >= 0 else -1.0
                if iou >= threshold:
                    free.remove(best)
                found.append((one.scores[row], iou >= threshold, iou))
        found.sort(key=lambda each: -each[0])
        hits = [iou for _, right, iou in found if right]
        if threshold == 0.5:
            f1 = 200 * len(hits) / max(len(found) + present, 1)
            mean_iou = 100 * sum(hits) / len(hits) if hits else 0.0
        curve, right = [], 0
        for count, (_, hit, _) in enumerate(found, start=1):
            right += hit
            curve.append((right / max(present, 1), right / count))
        levels = [max((p for r, p in curve if r >= recall), default=0.0) for recall in np.linspace(0, 1, 101)]
        precisions.append(100 * sum(levels) / 101)
    return [f1, mean_iou, precisions[0], precisions[5], sum(precisions) / len(precisions)]


# Coarse values make overlaps and equal scores frequent.
place, length = st.integers(0, 6).map(lambda n: 10.0 * n), st.integers(1, 6).map(lambda n: 10.0 * n)
box = st.tuples(place, place, length, length)
seen = st.lists(st.tuples(box, st.integers(0, 4).map(lambda n: n / 4)), max_size=5)
frame = st.tuples(seen, st.lists(box, max_size=4))


@settings(max_examples=150, deadline=None)
@given(st.lists(frame, max_size=70))
def test_equals_a_plain_loop(frames: list[tuple[list[tuple[Box, float]], list[Box]]]) -> None:
    displayed = [shown(*([*one, sure] for one, sure in boxes)) for boxes, _ in frames]
    truth = [objects(*map(list, boxes)) for _, boxes in frames]
    assert list(score(displayed, truth).to_dict().values()) == pytest.approx(plain_scores(displayed, truth))
