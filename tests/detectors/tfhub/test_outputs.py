"""From the outputs of a module to detections."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamer.classes import open_images
from streamer.detectors.tfhub.outputs import OutputReader
from streamer.detectors.tfhub.signatures import recognise
from streamer.errors import DetectorError
from streamer.values.labels import LabelTable
from tests.detectors.tfhub.test_signatures import FOLDER, api_model, hub_module
from tracking.types import Detections

CAR, PERSON = 571, 69
WIDTH, HEIGHT = 200, 100


def reader(min_score: float = 0.0) -> OutputReader:
    return OutputReader(recognise([hub_module()], FOLDER), open_images.label_table(), min_score)


def outputs(boxes: Any, scores: Any, ids: list[int] | None = None) -> list[np.ndarray[Any, Any]]:
    """Outputs of a module; Cars by default."""
    rows = [CAR] * len(scores) if ids is None else ids
    mids = [open_images.classes()[row - 1].mid.encode() for row in rows]
    names = [open_images.classes()[row - 1].name.encode() for row in rows]
    return [
        np.asarray(boxes, np.float32),
        np.asarray(scores, np.float32),
        np.asarray(rows, np.int64),
        np.asarray(mids, object),
        np.asarray(names, object),
    ]


def read(boxes: Any, scores: Any, ids: list[int] | None = None) -> Detections:
    return reader().read(outputs(boxes, scores, ids), WIDTH, HEIGHT)


def test_fractions_become_pixels() -> None:
    found = read([[0.1, 0.2, 0.5, 0.6]], [0.5])
    np.testing.assert_allclose(found.boxes, [[40, 10, 120, 50]], rtol=1e-6)


def test_a_batch_of_one_is_accepted() -> None:
    found = read([[[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]]], [0.5, 0.25])
    np.testing.assert_allclose(found.boxes, [[40, 10, 120, 50], [0, 0, WIDTH, HEIGHT]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 5), (12,), (1, 1, 3, 4)])
def test_boxes_of_another_shape_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectorError, match="boxes of shape"):
        read(np.zeros(shape), [0.5] * 3)


def test_classes_are_sorted_with_their_scores() -> None:
    found = read([[0, 0, 0.5, 0.5], [0, 0, 1, 1]], [0.2, 0.9], [CAR, PERSON])
    assert found.labels.tolist() == [PERSON, CAR]
    assert found.boxes[0].tolist() == [0, 0, WIDTH, HEIGHT]


def test_the_top_score_is_known_if_nothing_reaches_the_bound() -> None:
    strict = reader(0.5)
    assert len(strict.read(outputs([[0, 0, 1, 1], [0, 0, 1, 1]], [0.2, 0.4]), WIDTH, HEIGHT)) == 0
    assert strict.top_score == pytest.approx(0.4)
    assert len(strict.read(outputs(np.zeros((0, 4)), []), WIDTH, HEIGHT)) == 0
    assert strict.top_score == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_an_error(bad: float) -> None:
    with pytest.raises(DetectorError, match=r"not finite \(1 of 2\)"):
        read([[0, 0, 1, 1], [0, bad, 1, 1]], [0.5, 0.5])
    with pytest.raises(DetectorError, match=r"not finite \(1 of 2\)"):
        read([[0, 0, 1, 1], [0, 0, 1, 1]], [0.5, bad])


def test_a_box_beyond_the_frame_is_clipped_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    reads = reader()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = reads.read(outputs([[-0.2, 0.5, 0.5, 1.3]], [0.5]), WIDTH, HEIGHT)
            assert found.boxes.tolist() == [[100, 0, 200, 50]]
    assert [record.getMessage().count("beyond the frame") for record in caplog.records] == [1]


@pytest.mark.parametrize("side", range(4), ids=["top", "left", "bottom", "right"])
def test_a_box_beyond_one_side_is_reported_too(side: int, caplog: pytest.LogCaptureFixture) -> None:
    box = [0.2, 0.2, 0.8, 0.8]
    box[side] = -0.1 if side < 2 else 1.1
    found = read([box], [0.5])
    edges = [[40, 0, 160, 80], [0, 20, 160, 80], [40, 20, 160, HEIGHT], [40, 20, WIDTH, 80]]
    np.testing.assert_allclose(found.boxes, [edges[side]], rtol=1e-6)
    assert ["beyond the frame" in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("swapped", [True, False])
def test_the_mid_is_used_if_the_id_differs(swapped: bool) -> None:
    boxes, scores, ids, mids, names = outputs([[0, 0, 0.5, 0.5], [0, 0, 1, 1]], [0.2, 0.9], [CAR, PERSON])
    given_ids = np.array([1, 2], np.int64)
    columns = [names, mids] if swapped else [mids, names]
    found = reader().read([boxes, scores, given_ids, *columns], WIDTH, HEIGHT)
    assert found.labels.tolist() == ids[::-1].tolist()


def test_the_id_is_used_without_mids() -> None:
    boxes, scores, ids, mids, names = outputs([[0, 0, 0.5, 0.5], [0, 0, 1, 1]], [0.2, 0.9], [CAR, PERSON])
    found = reader().read([boxes, scores, ids, names, names], WIDTH, HEIGHT)
    assert found.labels.tolist() == [PERSON, CAR]
    table = LabelTable(tuple(f"class {row}" for row in range(602)), ("",) * 602)
    reads = OutputReader(recognise([hub_module()], FOLDER), table, 0.0)
    assert reads.read([boxes, scores, ids, mids, names], WIDTH, HEIGHT).labels.tolist() == [PERSON, CAR]


@pytest.mark.parametrize("unnamed", [0, 602, 100_000])
def test_an_id_without_a_name_stays_and_is_counted(unnamed: int, caplog: pytest.LogCaptureFixture) -> None:
    boxes, scores, _, _, names = outputs([[0, 0, 1, 1], [0, 0, 1, 1]], [0.9, 0.8])
    reads = reader()
    for _ in range(3):
        found = reads.read([boxes, scores, np.array([CAR, unnamed]), names, names], WIDTH, HEIGHT)
        assert found.labels.tolist() == [CAR, unnamed]
    assert reads.unknown_classes == {f"class {unnamed}": 3}
    (record,) = caplog.records
    assert f"gives class {unnamed}, which its label map does not have" in record.getMessage()


@pytest.mark.parametrize("wrong", [-1, 1.5, 1e12, np.nan])
def test_what_is_no_id_costs_its_row_only(wrong: float, caplog: pytest.LogCaptureFixture) -> None:
    boxes, scores, _, _, names = outputs([[0, 0, 1, 1], [0, 0, 1, 1]], [0.9, 0.8])
    reads = reader()
    found = reads.read([boxes, scores, np.array([wrong, CAR]), names, names], WIDTH, HEIGHT)
    assert found.labels.tolist() == [CAR]
    assert reads.unknown_classes == {f"class {wrong:g}": 1}
    assert len(caplog.records) == 1


def test_an_unknown_mid_costs_its_row_only(caplog: pytest.LogCaptureFixture) -> None:
    boxes, scores, ids, mids, names = outputs([[0, 0, 1, 1], [0, 0, 1, 1]], [0.9, 0.8])
    mids[0] = b"/m/none"
    reads = reader()
    for _ in range(2):
        found = reads.read([boxes, scores, ids, mids, names], WIDTH, HEIGHT)
        assert found.labels.tolist() == [CAR]
        assert found.scores.tolist() == pytest.approx([0.8])
    assert reads.unknown_classes == {"/m/none": 2}
    assert ["/m/none" in record.getMessage() for record in caplog.records] == [True]


def test_rounding_beyond_the_edge_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    found = read([[-1e-6, 0, 1, 1 + 1e-6]], [1 + 1e-6])
    assert found.boxes.tolist() == [[0, 0, WIDTH, HEIGHT]]
    assert found.scores.tolist() == [1]
    assert not caplog.records


def test_boxes_with_swapped_corners_are_removed_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    found = read([[0.5, 0.5, 0.1, 0.9], [0, 0, 1, 1]], [0.9, 0.5])
    assert found.scores.tolist() == [0.5]
    assert "swapped corners" in caplog.text


def test_scores_out_of_range_are_an_error() -> None:
    with pytest.raises(DetectorError, match=r"scores in 0\.5\.\.7"):
        read([[0, 0, 1, 1], [0, 0, 1, 1]], [0.5, 7])
    with pytest.raises(DetectorError, match=r"scores in -0\.5\.\.0\.5"):
        read([[0, 0, 1, 1], [0, 0, 1, 1]], [-0.5, 0.5])


def api_reader() -> OutputReader:
    return OutputReader(recognise([api_model()], FOLDER), open_images.label_table(), 0.0)


@pytest.mark.parametrize("valid", [0, 1, 2, 3])
def test_padding_of_an_api_model_is_removed(valid: int) -> None:
    boxes, scores = np.array([[[0, 0, 0.5, 0.5]] * 3], np.float32), np.array([[0.9, 0.8, 0.7]], np.float32)
    count = np.array([valid], np.float32)
    found = api_reader().read([boxes, scores, np.array([[CAR, PERSON, CAR]], np.float32), count], WIDTH, HEIGHT)
    assert found.labels.tolist() == [CAR, PERSON, CAR][:valid]


@pytest.mark.parametrize("count", [[-1], [4], [np.nan], [1, 1], []])
def test_an_invalid_count_of_an_api_model_is_an_error(count: list[float]) -> None:
    boxes, scores = np.zeros((1, 3, 4), np.float32), np.full((1, 3), 0.5, np.float32)
    with pytest.raises(DetectorError, match=r"gave 3 boxes and .* as their number"):
        api_reader().read([boxes, scores, np.full((1, 3), CAR), np.array(count, np.float32)], WIDTH, HEIGHT)


@given(
    boxes=arrays.arrays(np.float32, (7, 4), elements=st.floats(-2, 2, width=32)),
    scores=arrays.arrays(np.float32, 7, elements=st.floats(0, 1, width=32)),
    min_score=st.floats(0, 1),
)
def test_detections_are_valid_for_any_input(boxes: Any, scores: Any, min_score: float) -> None:
    found = reader(min_score).read(outputs(boxes, scores), WIDTH, HEIGHT)
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores >= np.float32(min_score)).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
