"""The chosen device, and the messages without a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.detectors.tfhub import devices
from streamer.detectors.tfhub.devices import Device, GpuFacts
from streamer.errors import ModelError

WORKING = GpuFacts(
    cuda_needed=(12, 5), has_driver=True, init_error=0, driver_cuda=(12, 8), has_libraries=True, gpu_count=2
)
NO_GPU = replace(WORKING, gpu_count=0)


@pytest.mark.parametrize(
    ("wanted", "expected"), [("auto", Device(0)), ("gpu:0", Device(0)), ("gpu:1", Device(1)), ("cpu", Device(None))]
)
def test_with_two_gpus(wanted: str, expected: Device) -> None:
    assert devices.choose(wanted, WORKING) == expected
    assert str(expected) == ("gpu:0" if wanted == "auto" else wanted)


def test_a_gpu_beyond_the_last() -> None:
    with pytest.raises(ModelError, match="no gpu:2: TensorFlow sees gpu:0 to gpu:1"):
        devices.choose("gpu:2", WORKING)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (replace(NO_GPU, cuda_needed=None), "built without CUDA"),
        (replace(NO_GPU, has_driver=False), "no NVIDIA driver is installed"),
        (replace(NO_GPU, init_error=100), "the NVIDIA driver sees no GPU"),
        (replace(NO_GPU, init_error=34), "stub"),
        (replace(NO_GPU, init_error=803), "different versions"),
        (replace(NO_GPU, init_error=999), r"CUDA error 999"),
        (replace(NO_GPU, driver_cuda=(11, 8)), r"too old: it supports CUDA 11\.8, TensorFlow needs 12\.5"),
        (replace(NO_GPU, has_libraries=False), r"libraries of CUDA 12\.5 and cuDNN are missing"),
        (NO_GPU, "TF_CPP_MIN_LOG_LEVEL=0"),
    ],
)
def test_each_reason_is_a_line_with_its_remedy(facts: GpuFacts, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        devices.choose("gpu:0", facts)
    assert "\n" not in str(caught.value)
    assert "detector.device=cpu" in str(caught.value)
    on_cpu = devices.choose("auto", facts)
    assert on_cpu.gpu is None
    assert on_cpu.why_not_gpu in str(caught.value)  # the warning of the fallback has the same words


def test_an_older_driver_of_the_same_major_version_is_accepted() -> None:
    assert "too old" not in devices.why_not_gpu(replace(NO_GPU, driver_cuda=(12, 0)))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("flags : fpu avx512f amx_bf16", True), ("flags : avx512_bf16", True), ("flags : fpu avx512f", False)],
)
def test_bfloat16_is_found_in_the_flags_of_the_cpu(flags: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(flags)
    assert devices.cpu_has_bfloat16(tmp_path / "cpuinfo") is expected
    assert devices.cpu_has_bfloat16(tmp_path / "none") is None
