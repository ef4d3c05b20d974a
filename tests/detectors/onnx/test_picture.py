"""Frames as the input of a model: colours, normalization, letterbox, layout and type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings, OnnxSettings
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.detectors.onnx.picture import FrameInput, InputFormat, place
from tests.detectors.frames import blank, frame_of
from tests.detectors.onnx import graphs

COLOUR = (200, 100, 50)


def filled(form: InputFormat, width: int, height: int) -> np.ndarray:
    picture = FrameInput(form)
    picture.fill(frame_of(blank(width, height) + np.array(COLOUR, np.uint8)))
    return np.asarray(picture.tensor)


def test_values_are_normalized_by_channel() -> None:
    tensor = filled(InputFormat(8, 4, mean=(100, 50, 0), std=(50, 25, 10)), 16, 8)
    assert tensor.shape == (1, 3, 4, 8)
    assert np.allclose(tensor[0], np.array([2, 2, 5]).reshape(3, 1, 1))


def test_channels_are_in_the_order_of_the_model() -> None:
    tensor = filled(InputFormat(8, 4, colours="bgr", mean=(50, 0, 0), std=(1, 1, 2)), 16, 8)
    assert tensor[0, :, 0, 0].tolist() == [0, 100, 100]


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_every_type_and_layout_has_the_same_values(dtype: str, layout: str) -> None:
    form = InputFormat(8, 8, dtype=dtype, layout=layout, std=(1, 1, 1), letterbox="centre")  # type: ignore[arg-type]
    tensor = filled(form, 16, 8)
    planes = tensor[0] if layout == "nchw" else tensor[0].transpose(2, 0, 1)
    assert tensor.dtype == dtype
    assert planes[:, 0, 0].tolist() == [114, 114, 114]
    assert planes[:, 2, 0].tolist() == planes[:, 5, 7].tolist() == list(COLOUR)
    assert planes[:, 6, 0].tolist() == [114, 114, 114]


def test_padding_is_grey_again_after_a_frame_of_another_shape() -> None:
    picture = FrameInput(InputFormat(8, 8, std=(1, 1, 1), letterbox="top_left"))
    picture.fill(frame_of(blank(8, 8)))
    picture.fill(frame_of(blank(16, 8)))
    assert (picture.tensor[0, :, 4:] == 114).all()
    assert (picture.tensor[0, :, :4] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (3000, 20), (20, 3000), (641, 359)], ids=str)
@pytest.mark.parametrize("letterbox", ["none", "centre", "top_left"])
def test_the_whole_input_maps_to_the_frame_or_beyond(size: tuple[int, int], letterbox: str) -> None:
    placed = place(InputFormat(96, 64, letterbox=letterbox), *size)  # type: ignore[arg-type]
    assert placed.left >= 0
    assert placed.left + placed.width <= 96
    assert placed.top + placed.height <= 64
    assert placed.to_frame(np.array([[0, 0, 96, 64]], np.float32)).tolist() == [[0, 0, *size]]


@pytest.mark.parametrize(
    ("told", "mean_of_first", "mean_of_last"),
    [
        ({}, 200 / 255, 50 / 255),
        ({"colours": "bgr"}, 50 / 255, 200 / 255),
        ({"std": [100, 100, 50]}, 2, 1),
        ({"mean": [100, 0, 0], "std": [100, 100, 25]}, 1, 2),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_the_model_sees_what_the_settings_say(
    told: dict[str, object], mean_of_first: float, mean_of_last: float, dtype: str, layout: str, tmp_path: Path
) -> None:
    path = graphs.seeing(tmp_path / "model.onnx", dtype=dtype, layout=layout, metadata={"names": graphs.YOLO_NAMES})
    detector = OnnxDetector(DetectorSettings(name=str(path), onnx=OnnxSettings.model_validate(told)))
    found = detector.detect(frame_of(blank(80, 40) + np.array(COLOUR, np.uint8)))
    corner = np.array([mean_of_first, mean_of_last])
    assert np.allclose(found.boxes, [[*(corner * 10), *(corner * 10 + (40, 20))]], atol=0.02)


def test_a_model_of_uint8_gets_the_pixels(tmp_path: Path) -> None:
    path = graphs.seeing(tmp_path / "model.onnx", dtype="uint8", metadata={"names": graphs.YOLO_NAMES})
    detector = OnnxDetector(DetectorSettings(name=str(path), onnx=OnnxSettings(letterbox="none")))
    frame = frame_of(blank(800, 400) + np.array((3, 3, 1), np.uint8))
    assert np.allclose(detector.detect(frame).boxes, [[300, 100, 700, 300]])
