"""The hub detector with small SavedModels that have the quirks of the published ones."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

import streamer
from streamer.classes import open_images
from streamer.cli.commands import packaged_clip
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tests.detectors.frames import blank, frame_of
from tests.detectors.tfhub import tiny_module
from tests.detectors.tfhub.tiny_module import Paint

# Not imported, because the import takes seconds.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_module.write(tmp_path_factory.mktemp("hub") / "module")


def painted_frame(width: int = 160, height: int = 90) -> Frame:
    rgb = blank(width, height)
    rgb[10:30, 20:60] = RED
    rgb[40:80, 100:140] = BLUE
    return frame_of(rgb)


VARIANTS = {
    "as the real ones": {},
    "columns as documented": {"swapped_columns": False},
    "true static shapes": {"claims_rank_2": False},
    "columns of rank 2": {"is_rank_2": True},
    "weights in a checkpoint": {"variables": True},
    "another signature name": {"signature_name": "serving_default"},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_colours_are_found_on_their_pixels(variant: dict[str, bool], tmp_path: Path) -> None:
    detector = HubDetector(tiny_module.write(tmp_path / "module", **variant))  # type: ignore[arg-type]
    found = detector.detect(painted_frame())
    np.testing.assert_allclose(found.boxes, [[100, 40, 140, 80], [20, 10, 60, 30]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    assert [detector.labels.name(row) for row in found.labels] == ["Person", "Car"]
    assert [detector.labels.mid(row) for row in found.labels] == ["/m/01g317", "/m/0k4j"]
    detector.close()


def test_one_loaded_model_takes_every_frame_size(module: Path) -> None:
    detector = HubDetector(module)
    for width, height in ((160, 90), (333, 251), (1280, 720), (161, 91)):
        found = detector.detect(painted_frame(width, height))
        np.testing.assert_allclose(found.boxes, [[100, 40, 140, 80], [20, 10, 60, 30]], atol=1e-3)


def test_a_blank_frame_gives_no_detections(module: Path) -> None:
    found = HubDetector(module).detect(frame_of(blank(64, 48)))
    assert found.boxes.shape == (0, 4)
    assert len(found.scores) == len(found.labels) == 0


def test_min_score_drops_lower_scores(module: Path) -> None:
    rgb = blank(64, 48)
    rgb[4:20, 4:20] = GREEN  # score 0.1
    rgb[24:40, 4:20] = RED  # score 0.6
    assert len(HubDetector(module).detect(frame_of(rgb))) == 1
    assert len(HubDetector(module, DetectorSettings(min_score=0.0)).detect(frame_of(rgb))) == 2
    assert len(HubDetector(module, DetectorSettings(min_score=0.7)).detect(frame_of(rgb))) == 0


@pytest.mark.parametrize("swapped_columns", [True, False])
def test_the_mid_has_priority_over_the_id(swapped_columns: bool, tmp_path: Path) -> None:
    paint = Paint(RED, 1, "/m/01g317", "Person", 0.8)  # id 1 is Tortoise
    detector = HubDetector(tiny_module.write(tmp_path / "module", [paint], swapped_columns=swapped_columns))
    found = detector.detect(painted_frame())
    assert [detector.labels.name(row) for row in found.labels] == ["Person"]


def test_ids_are_used_if_no_column_has_mids(tmp_path: Path) -> None:
    paint = Paint(RED, 571, "car", "Car", 0.8)
    detector = HubDetector(tiny_module.write(tmp_path / "module", [paint]))
    found = detector.detect(painted_frame())
    assert [detector.labels.name(row) for row in found.labels] == ["Car"]


@pytest.mark.parametrize(
    ("paint", "unknown"),
    [(Paint(RED, 1, "/m/none", "Thing", 0.8), "/m/none"), (Paint(RED, 602, "thing", "Thing", 0.8), "class 602")],
)
def test_the_classes_that_the_table_lacks_are_counted_through_the_watchdog(
    paint: Paint, unknown: str, tmp_path: Path
) -> None:
    module = tiny_module.write(tmp_path / "module", [paint])
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        cv2.imwrite(str(pictures / f"{number}.png"), painted_frame().rgb()[:, :, ::-1])
    with streamer.open(pictures, detector=str(module), settings={"detector.device": "cpu"}) as scenes:
        assert sum(1 for _ in scenes) == 3
    assert scenes.stats.counts == {("without a name", unknown): 3}


def test_columns_of_different_lengths_are_an_error(tmp_path: Path) -> None:
    detector = HubDetector(tiny_module.write(tmp_path / "module", broken_rows=True))
    with pytest.raises(DetectorError, match="2 boxes, but 3"):
        detector.detect(painted_frame())


def test_detect_after_close_is_an_error(module: Path) -> None:
    detector = HubDetector(module)
    detector.close()
    detector.close()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(painted_frame())


def test_folders_without_such_a_module(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"\xff" * 100)
    other = tiny_module.write(tmp_path / "other", input_name="pictures")
    torn = tiny_module.write(tmp_path / "torn", variables=True)
    for part in (torn / "variables").iterdir():
        part.unlink()
    for directory, found in (
        (tmp_path / "none", "no such folder"),
        (empty, "holds no saved_model.pb"),
        (damaged, "damaged"),
        (other, r"default\(pictures: float32 \[1, \?, \?, 3\]\)"),
        (torn, "checkpoint is missing"),
    ):
        with pytest.raises(ModelError, match=found) as caught:
            HubDetector(directory)
        assert "\n" not in str(caught.value)
        assert str(directory) in str(caught.value)


def test_a_damaged_checkpoint_is_reported_in_one_line(tmp_path: Path) -> None:
    torn = tiny_module.write(tmp_path / "torn", variables=True)
    for part in (torn / "variables").iterdir():
        part.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        HubDetector(torn)
    assert "\n" not in str(caught.value)


def grey_palette() -> list[Paint]:
    """Colours of a few pixels of a real frame, so that a box depends on their exact values."""
    classes = open_images.classes()
    return [
        Paint((level, level, level), classes[n].label, classes[n].mid, classes[n].name, 0.3 + n / 50)
        for n, level in enumerate(range(20, 240, 20))
    ]


@pytest.mark.parametrize("variables", [False, True], ids=["frozen", "checkpoint"])
def test_detections_equal_those_of_the_reference_on_real_frames(variables: bool, tmp_path: Path) -> None:
    module = tiny_module.write(tmp_path / "module", grey_palette(), variables=variables)
    quick = HubDetector(module, DetectorSettings(device="cpu"))
    reference = HubDetector(module, DetectorSettings(device="cpu", reference=True))
    with open_source(str(packaged_clip())) as source:
        frames = list(islice(source, 0, 60, 20))
    for frame in frames:
        found, expected = quick.detect(frame), reference.detect(frame)
        assert len(expected) >= 3
        assert found.labels.tolist() == expected.labels.tolist()
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-5)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_an_optimized_graph_gives_the_same_detections(module: Path) -> None:
    plain = HubDetector(module, DetectorSettings(device="cpu"))
    optimized = HubDetector(module, DetectorSettings(device="cpu", optimize_graph=True))
    expected, found = plain.detect(painted_frame()), optimized.detect(painted_frame())
    assert found.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-5)


def test_bfloat16_logs_its_deviation(module: Path, caplog: pytest.LogCaptureFixture) -> None:
    detector = HubDetector(module, DetectorSettings(device="cpu", precision="bfloat16"))
    for _ in range(4):
        assert len(detector.detect(painted_frame())) == 2
    logged = [message for message in caplog.messages if message.startswith("bfloat16 against float32")]
    assert logged == [
        "bfloat16 against float32: on the first 3 frames 6 of 6 boxes are found again; "
        "edges move by up to 0 px, scores by up to 0"
    ]


@pytest.mark.parametrize("precision", ["mixed_float16", "tensorfloat32"])
def test_a_precision_that_the_device_does_not_have(precision: str, module: Path) -> None:
    with pytest.raises(ConfigError, match=f"{precision} is for GPUs; a CPU has bfloat16"):
        HubDetector(module, DetectorSettings.model_validate({"device": "cpu", "precision": precision}))
    with pytest.raises(ConfigError, match="float32 only"):
        HubDetector(module, DetectorSettings(device="cpu", precision="bfloat16", reference=True))


def test_a_cpu_instead_of_a_gpu_gives_a_warning(module: Path, caplog: pytest.LogCaptureFixture) -> None:
    if HubDetector(module).device.gpu is not None:
        pytest.skip("this machine has a GPU")
    assert "runs on the CPU, slowly: " in caplog.text
    caplog.clear()
    HubDetector(module, DetectorSettings(device="cpu"))  # asked for
    assert not caplog.records
    with pytest.raises(ModelError, match="no gpu:0: "):
        HubDetector(module, DetectorSettings(device="gpu:0"))


def test_warm_up_and_placement(module: Path) -> None:
    detector = HubDetector(module, DetectorSettings(device="cpu"))
    assert detector.warm_up(160, 90) > 0
    where = detector.placement(160, 90)
    assert set(where) == {"CPU:0"}
    assert where["CPU:0"] > 10


def test_a_model_that_does_not_run_is_refused_by_warm_up(tmp_path: Path) -> None:
    detector = HubDetector(tiny_module.write(tmp_path / "module", broken_rows=True), DetectorSettings(device="cpu"))
    with pytest.raises(ModelError, match=r"module does not run: the module gave 0 boxes, but 1"):
        detector.warm_up(64, 48)


def test_new_frame_sizes_add_nothing_to_the_graph(module: Path) -> None:
    """The graph is finalized after loading: a frame that adds an operation fails."""
    detector = HubDetector(module, DetectorSettings(device="cpu"))
    frames = [painted_frame(150 + 16 * n, 90 + 9 * n) for n in range(10)]
    assert all(len(detector.detect(frame)) == 2 for _ in range(10) for frame in frames)


@pytest.mark.slow
def test_loading_prints_nothing(module: Path) -> None:
    """TensorFlow's start-up messages are suppressed; a process of its own, because it starts only once."""
    code = f"""
from pathlib import Path
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
HubDetector(Path({str(module)!r}), DetectorSettings(device="cpu")).close()
"""
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, timeout=120, check=True)
    assert done.stdout == b""
    assert done.stderr == b""
