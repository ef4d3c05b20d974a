"""The fingerprint of a worker: machine, versions, model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import model_sha256
from streamer.errors import ConfigError
from streamer.models import store
from streamer.parts.worker.fingerprint import cpu_name, driver_version, fingerprint, gpu_names

X86 = """processor\t: 0
model name\t: Some CPU @ 2.60GHz
cpu family\t: 6
model\t\t: 143
flags\t\t: fpu sse2 sse4_2 avx avx2 fma avx512f amx_tile rdrand

processor\t: 1
model name\t: Some CPU @ 2.60GHz
flags\t\t: fpu
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve bf16 i8mm crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"


def test_a_processor_is_named_with_the_instructions_of_kernels(tmp_path: Path) -> None:
    (tmp_path / "x86").write_text(X86)
    (tmp_path / "arm").write_text(ARM)
    x86 = "Some CPU @ 2.60GHz cpu family 6 model 143 (sse4_2 avx avx2 fma avx512f amx_tile)"
    assert cpu_name(tmp_path / "x86") == x86
    assert cpu_name(tmp_path / "arm") == "CPU implementer 0x41 CPU part 0xd40 (asimd sve bf16 i8mm)"
    assert cpu_name(tmp_path / "absent")


def test_gpus_are_named(tmp_path: Path) -> None:
    for bus, name in (("0000:01:00.0", "NVIDIA H100 80GB HBM3"), ("0000:02:00.0", "NVIDIA L4")):
        folder = tmp_path / "gpus" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 16\n")
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.133.20  Release Build"
    (tmp_path / "version").write_text(f"{line}\nGCC version:  gcc version 12.2.0\n")
    assert gpu_names(tmp_path) == ["NVIDIA H100 80GB HBM3", "NVIDIA L4"]
    assert driver_version(tmp_path) == "570.133.20"
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n")
    assert driver_version(tmp_path) == "535.104.05"
    assert (gpu_names(tmp_path / "absent"), driver_version(tmp_path / "absent")) == ([], "")


def test_a_model_file_has_the_checksum_that_sha256sum_prints(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    alone = model_sha256(DetectorSettings(name=str(model)))
    assert alone == hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "model.onnx.data").write_bytes(b"more weights")
    assert model_sha256(DetectorSettings(name=str(model))) != alone
    (tmp_path / "model.onnx.data").write_bytes(b"more_weights")
    lines = f"{alone}  model.onnx\n{hashlib.sha256(b'more_weights').hexdigest()}  model.onnx.data\n"
    assert model_sha256(DetectorSettings(name=str(model))) == hashlib.sha256(lines.encode()).hexdigest()


def test_the_models_known_by_name_have_their_checksums() -> None:
    sources = store.PINNED[store.STARTER].sources
    assert model_sha256(DetectorSettings(name="starter")) == sources[0].sha256


def test_a_model_that_is_not_on_this_machine_has_no_checksum(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path))
    assert model_sha256(DetectorSettings(name="https://example.org/module.tar.gz", offline=True)) == ""
    with pytest.raises(ConfigError, match="no detector 'nanodot'"):
        model_sha256(DetectorSettings(name="nanodot"))


def test_a_fingerprint_has_the_versions_of_the_libraries_in_use() -> None:
    worker = fingerprint(DetectorSettings(name="starter"), "model", "canary")
    assert worker.versions["av"] == "18.1.0"
    assert "libavcodec" in worker.versions
    assert (worker.model, worker.precision, worker.canary) == ("model", "float32", "canary")
