"""Boxes in pixels become fractions of the frame where the size of the picture is known, and are an error otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.detectors.tfhub.box_units import BoxUnits
from streamer.errors import DetectorError, ModelError

CAR = (0.25, 0.125, 0.5, 0.375)


def boxes(*rows: tuple[float, ...]) -> Any:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_fractions_stay_also_a_little_beyond_the_frame() -> None:
    units = BoxUnits((256, 256))
    given_boxes = boxes(CAR, (-0.3, 0, 1.6, 1))
    np.testing.assert_array_equal(units.fractions(given_boxes, None), given_boxes)


def test_pixels_of_the_fixed_input_are_scaled() -> None:
    found = BoxUnits((320, 240)).fractions(boxes((60, 40, 120, 120)), None)
    np.testing.assert_allclose(found, boxes(CAR))


def test_pixels_of_the_picture_inside_the_model_are_scaled_by_its_image_info() -> None:
    """A frame of 640x480 in a picture of 512x512: scaled by 0.8, padded below."""
    info = np.array([480, 640, 384, 512, 0.8, 0.8, 0, 0], np.float32)
    found = BoxUnits(None).fractions(boxes((96, 64, 192, 192)), info)
    np.testing.assert_allclose(found, boxes(CAR), rtol=1e-6)


def test_the_offset_of_a_crop_is_added() -> None:
    info = np.array([480, 640, 960, 1280, 2, 2, 100, 40], np.float32)
    found = BoxUnits(None).fractions(boxes((140, 120, 380, 440)), info)
    np.testing.assert_allclose(found, boxes(CAR), rtol=1e-6)


def test_fractions_beside_an_image_info_stay() -> None:
    """Exported with `output_normalized_coordinates`."""
    info = np.array([480, 640, 384, 512, 0.8, 0.8, 0, 0], np.float32)
    np.testing.assert_array_equal(BoxUnits(None).fractions(boxes(CAR), info), boxes(CAR))


@pytest.mark.parametrize(
    ("size", "info"),
    [(None, None), ((256, 256), None), (None, [0] * 8), (None, [100, 100, 50, 50, 0.5, 0.5, 0, 0])],
    ids=["no size", "another size", "an empty image_info", "another image_info"],
)
def test_pixels_of_an_unknown_picture_are_refused(size: tuple[int, int] | None, info: list[float] | None) -> None:
    with pytest.raises(ModelError, match=r"boxes in pixels \(up to 900\)") as caught:
        BoxUnits(size).fractions(boxes((10, 10, 900, 700)), None if info is None else np.array(info, np.float32))
    assert "\n" not in str(caught.value)


def test_empty_rows_decide_nothing() -> None:
    units = BoxUnits((320, 240))
    padding = [(0.0, 0.0, 0.0, 0.0)] * 98
    assert len(units.fractions(boxes(), None)) == 0
    units.fractions(boxes(*padding), None)
    found = units.fractions(boxes((60, 40, 120, 120), *padding), None)
    np.testing.assert_allclose(found[0], CAR)


def test_one_far_box_among_others_is_no_box_in_pixels() -> None:
    given_boxes = boxes(CAR, CAR, (0.1, 0.1, 0.5, 37))
    np.testing.assert_array_equal(BoxUnits((320, 240)).fractions(given_boxes, None), given_boxes)


def test_a_small_box_of_a_model_in_pixels_stays_small() -> None:
    units = BoxUnits((320, 240))
    units.fractions(boxes((60, 40, 120, 120)), None)
    assert units.fractions(boxes((0, 0, 2.4, 3.2)), None).max() == pytest.approx(0.01)


def test_pixels_after_fractions_cost_the_frame() -> None:
    units = BoxUnits((320, 240))
    units.fractions(boxes(CAR), None)
    with pytest.raises(DetectorError, match="a box up to 120 after boxes as fractions"):
        units.fractions(boxes((60, 40, 120, 120)), None)


@given(
    frame=st.tuples(st.integers(320, 4000), st.integers(320, 4000)),
    scale=st.floats(0.2, 3),
    corner=st.tuples(st.floats(0, 0.7), st.floats(0, 0.7)),
)
def test_any_scale_gives_the_same_fractions(frame: tuple[int, int], scale: float, corner: tuple[float, float]) -> None:
    height, width = frame
    wanted = np.array([[*corner, corner[0] + 0.3, corner[1] + 0.3]])
    info = np.array([height, width, height * scale, width * scale, scale, scale, 0, 0])
    pixels = (wanted * [height, width, height, width] * scale).astype(np.float32)
    np.testing.assert_allclose(BoxUnits(None).fractions(pixels, info), wanted, atol=1e-5)
