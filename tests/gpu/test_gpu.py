"""Tests that need a GPU. Each has its own process: TensorFlow reads its GPU options once per process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.detectors import auto
from streamer.models import tensorflow_import
from tests.detectors.tfhub import api_scope, tiny_module

pytestmark = pytest.mark.elsewhere
PREPARE = """
import logging, sys
from pathlib import Path
import numpy as np
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ModelError
from tests.detectors.tfhub.test_hub import painted_frame
logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
module = Path(sys.argv[1])
"""


def skip_without_gpu() -> None:
    # The cheap check first: TensorFlow takes seconds to import.
    if not auto.has_gpu_device():
        pytest.skip("this machine has no GPU")
    if not tensorflow_import.sees_gpu():
        pytest.skip("TensorFlow sees no GPU; docs/detectors.md describes the installation")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_without_gpu()
    return tiny_module.write(tmp_path_factory.mktemp("gpu") / "module")


def run(code: str, module: Path) -> str:
    """The output of the code."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + code, str(module)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_results_equal_those_of_the_cpu_and_operations_run_on_the_gpu(module: Path) -> None:
    printed = run(
        """
on_gpu, on_cpu = (HubDetector(module, DetectorSettings(device=device)) for device in ("gpu:0", "cpu"))
on_gpu.warm_up(160, 90)
found, expected = on_gpu.detect(painted_frame()), on_cpu.detect(painted_frame())
assert found.labels.tolist() == expected.labels.tolist() and len(found) == 2
np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-4)
print(dict(on_gpu.placement(160, 90)))
""",
        module,
    )
    assert "GPU:0" in printed


@pytest.mark.parametrize("precision", ["tensorfloat32", "mixed_float16"])
def test_a_faster_precision_runs_and_reports_its_deviation(precision: str, module: Path) -> None:
    printed = run(
        f"""
detector = HubDetector(module, DetectorSettings(device="gpu:0", precision={precision!r}))
for _ in range(4):
    assert len(detector.detect(painted_frame())) == 2
""",
        module,
    )
    assert f"{precision} against float32: on the first 3 frames" in printed


def test_the_suppression_on_the_host_gives_the_detections_of_the_cpu(tmp_path: Path) -> None:
    skip_without_gpu()
    printed = run(
        """
on_gpu, on_cpu = (HubDetector(module, DetectorSettings(device=device, min_score=0.0)) for device in ("gpu:0", "cpu"))
found, expected = on_gpu.detect(painted_frame()), on_cpu.detect(painted_frame())
assert found.labels.tolist() == expected.labels.tolist() and len(found) > 5
np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
print(dict(on_gpu.placement(160, 90)))
""",
        api_scope.write_module(tmp_path / "module"),
    )
    assert "GPU:0" in printed


TOO_LARGE = (7680, 4320)  # 398 MB as float32


def test_too_little_memory_is_one_message(module: Path) -> None:
    printed = run(
        f"""
try:
    HubDetector(module, DetectorSettings(device="gpu:0", gpu_memory_mb=256)).warm_up(*{TOO_LARGE})
except ModelError as error:
    print(error)
""",
        module,
    )
    assert "gpu:0 has too little free memory" in printed
    assert len(printed.strip().splitlines()) == 1


def test_auto_falls_back_to_the_cpu_with_a_message(module: Path) -> None:
    printed = run(
        f"""
detector = HubDetector(module, DetectorSettings(device="auto", gpu_memory_mb=256))
detector.warm_up(*{TOO_LARGE})
print(detector.device, len(detector.detect(painted_frame())))
""",
        module,
    )
    assert "moves to the CPU, which is slow" in printed
    assert printed.strip().endswith("cpu 2")


def test_memory_grows_only_as_needed(module: Path) -> None:
    printed = run(
        """
import tensorflow as tf
detector = HubDetector(module, DetectorSettings(device="gpu:0"))
detector.warm_up(1280, 720)
print(tf.config.experimental.get_memory_info("GPU:0")["peak"])
""",
        module,
    )
    assert int(printed.strip()) < 1 << 30
