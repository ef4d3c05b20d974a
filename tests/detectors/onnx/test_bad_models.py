"""Files and settings that cannot work: one line that names the problem and the remedy."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from streamer.config.detector import DetectorSettings, OnnxSettings
from streamer.detectors.onnx import header
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.features import DetectorContext
from tests.detectors.frames import blank, frame_of
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import BOXES, SCORES, write_dfine, write_rfdetr, write_yolov8


def settings_of(path: Path, **detector: object) -> DetectorSettings:
    return DetectorSettings.model_validate({"name": str(path), **detector})


def refused(path: Path, message: str, **detector: object) -> None:
    with pytest.raises((ModelError, ConfigError), match=message) as caught:
        OnnxDetector(settings_of(path, **detector))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(share: float, tmp_path: Path) -> None:
    content = write_yolov8(tmp_path / "whole.onnx").read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: round(len(content) * share)])
    refused(path, r"model\.onnx is (truncated: it (has|ends after) \d+ bytes|no ONNX model: it has no graph)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no ONNX model: it is empty"),
        (b"<html>404</html>", "is no ONNX model: it has another format"),
        (b"PK\x03\x04" + bytes(100), "is no ONNX model"),
        (b"\x08\x08", "is no ONNX model: it has no graph"),
        (bytes(range(256)), "is no ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS.*git lfs pull"),
    ],
)
def test_another_file_is_no_model(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    refused(path, message)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    refused(tmp_path / "missing.onnx", r"there is no .*missing\.onnx")
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / "folder.onnx", r"cannot read .*folder\.onnx")


def test_an_address_is_no_file() -> None:
    with pytest.raises(ModelError, match="download it"):
        OnnxDetector(DetectorSettings(name="https://example.com/model.onnx"))


def test_a_classifier_gets_its_signature_and_the_families(tmp_path: Path) -> None:
    path = graphs.constant(tmp_path / "model.onnx", {"scores": np.zeros((1, 1000), np.float32)})
    refused(
        path,
        r"no detector of a known family \(dfine, .*yolov8\): it has inputs images float32 \(1, 3, 64, 96\); "
        r"outputs scores float32 \(1, 1000\); it gives no boxes, like a classifier",
    )


def test_boxes_in_a_form_of_no_family_are_no_classifier(tmp_path: Path) -> None:
    """A model of torchvision."""
    outputs: dict[str, np.ndarray[Any, Any]] = {
        "boxes": np.zeros((3, 4), np.float32),
        "labels": np.ones(3, np.int64),
        "scores": np.ones(3, np.float32),
    }
    path = graphs.constant(tmp_path / "model.onnx", outputs, shapes={"boxes": ("k", 4), "labels": "k", "scores": "k"})
    refused(path, r"no detector of a known family .* boxes float32 \(k, 4\).*; export it for one of these$")


def test_weights_in_another_file_that_is_missing_are_named(tmp_path: Path) -> None:
    path = write_yolov8(tmp_path / "model.onnx")
    model = onnx.load(str(path))
    onnx.save_model(model, str(path), save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    assert len(OnnxDetector(settings_of(path)).detect(frame_of(blank(192, 128)))) == 2
    (tmp_path / "model.onnx.data").unlink()
    refused(path, r"its weights are in model\.onnx\.data, which is missing; put it beside the model")


@pytest.mark.parametrize("task", ["classify", "segment", "pose", "obb"])
def test_a_model_for_another_task_is_named(task: str, tmp_path: Path) -> None:
    metadata = graphs.ULTRALYTICS | {"task": task}
    path = graphs.constant(tmp_path / "model.onnx", {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=metadata)
    refused(path, f"for the task '{task}', not for detection")


def test_outputs_of_unknown_rank_are_refused(tmp_path: Path) -> None:
    outputs = {"one": np.zeros((1, 3, 20, 20, 7), np.float32), "two": np.zeros((1, 3, 10, 10, 7), np.float32)}
    refused(graphs.constant(tmp_path / "model.onnx", outputs), "no detector of a known family")


@pytest.mark.parametrize("picture", [("N", 3, "height", "width"), ("N", 3, 64, "width")])
def test_a_model_of_any_size_needs_the_size(picture: tuple[int | str, ...], tmp_path: Path) -> None:
    dets, logits = graphs.detr(BOXES, SCORES)
    path = graphs.constant(tmp_path / "model.onnx", {"dets": dets, "labels": logits}, picture=picture)
    refused(path, r"takes pictures of any size .*detector\.onnx\.input_size=\[640,640\]")


def test_a_fixed_size_is_not_changed(tmp_path: Path) -> None:
    path = write_yolov8(tmp_path / "model.onnx")
    refused(path, r"input_size is 640x640, but .* takes 96x64 only", onnx={"input_size": [640, 640]})


@pytest.mark.parametrize(
    ("picture", "message"), [((8, 3, 64, 96), "takes 8 frames at a time"), ((1, 1, 64, 96), "1 channels, not 3")]
)
def test_other_inputs_are_refused(picture: tuple[int, ...], message: str, tmp_path: Path) -> None:
    output = {"output0": graphs.yolov8(BOXES, SCORES)}
    refused(graphs.constant(tmp_path / "model.onnx", output, picture=picture), message)


@pytest.mark.parametrize("names", ["{0: 'a'}", "{0: 'a', 1: 'b', 2: 'c'}", "['a', 'b', 'c']"])
def test_names_that_do_not_match_the_classes_are_refused(names: str, tmp_path: Path) -> None:
    metadata = graphs.ULTRALYTICS | {"names": names}
    path = graphs.constant(tmp_path / "model.onnx", {"output0": graphs.yolov8(BOXES, SCORES)}, metadata=metadata)
    refused(path, r"as yolov8, has 2 classes, but names \d; set detector\.label_map=FILE\.txt")


def test_a_label_map_that_does_not_match_the_classes_is_refused(tmp_path: Path) -> None:
    path = write_rfdetr(tmp_path / "model.onnx")
    refused(path, "has 2 classes, but the label map coco has 80", label_map="coco")


def test_a_model_without_names_needs_a_label_map(tmp_path: Path) -> None:
    refused(write_rfdetr(tmp_path / "one.onnx"), r"does not name its 2 classes; .*label_map=FILE\.txt")
    refused(write_dfine(tmp_path / "two.onnx"), r"does not name its classes; .*label_map=coco, or FILE\.txt")


def test_an_unknown_family_suggests_the_nearest(tmp_path: Path) -> None:
    path = write_yolov8(tmp_path / "model.onnx")
    refused(path, r"no family 'yolo8'; did you mean yolov8\?", onnx={"family": "yolo8"})


@pytest.mark.parametrize("family", ["dfine", "detr", "yolox", "end_to_end"])
def test_a_family_that_does_not_fit_gets_the_signature(family: str, tmp_path: Path) -> None:
    refused(write_yolov8(tmp_path / "m.onnx"), f"is not of the family {family}: it has", onnx={"family": family})


def test_a_family_needs_scores_behind_the_boxes(tmp_path: Path) -> None:
    path = graphs.constant(tmp_path / "model.onnx", {"output0": np.zeros((1, 4, 50), np.float32)})
    refused(path, "is not of the family yolov8", onnx={"family": "yolov8"})


def test_a_model_of_uint8_has_no_normalization(tmp_path: Path) -> None:
    path = graphs.seeing(tmp_path / "model.onnx", dtype="uint8", metadata={"names": graphs.YOLO_NAMES})
    refused(path, r"takes uint8 pictures; detector\.onnx\.mean and std", onnx={"std": [255, 255, 255]})


def test_a_graph_that_the_runtime_cannot_load_is_named(tmp_path: Path) -> None:
    path = write_yolov8(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(b"ReduceMean", b"ReduceNone"))
    refused(path, "ONNX Runtime cannot load .*ReduceNone")


def test_a_missing_runtime_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_yolov8(tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(path, r"pip install 'streamer-video\[onnx\]'.*onnxruntime-gpu")
    labels = OnnxDetector.labels_of(settings_of(path))
    assert labels is not None
    assert labels.names == ("person", "car")


def test_a_gpu_without_its_package_is_an_error(tmp_path: Path) -> None:
    refused(write_yolov8(tmp_path / "model.onnx"), r"no gpu:0: .*pip install 'onnxruntime-gpu", device="gpu:0")


def test_a_gpu_whose_libraries_are_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ONNX Runtime falls back to the CPU and only logs it."""
    import onnxruntime

    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda *given, **_: real(*given, providers=["CPUExecutionProvider"])
    )
    path = write_yolov8(tmp_path / "model.onnx")
    refused(path, "no gpu:0: ONNX Runtime cannot load the libraries of CUDA and cuDNN", device="gpu:0")
    assert OnnxDetector(settings_of(path)).describe(1, 1)[1] == "device cpu"
    assert "the detector runs on the CPU: ONNX Runtime cannot load the libraries" in caplog.text


def test_reading_the_head_of_a_file_loads_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_yolov8(tmp_path / "model.onnx")
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        assert not name.startswith("onnx"), name
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    assert header.read(path).outputs[0].shape == (1, 6, 126)


def test_a_closed_detector_says_so(tmp_path: Path) -> None:
    detector = OnnxDetector(settings_of(write_yolov8(tmp_path / "model.onnx")))
    detector.close()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(frame_of(blank(8, 8)))


def test_a_checksum_is_for_hub_modules(tmp_path: Path) -> None:
    settings = settings_of(write_yolov8(tmp_path / "model.onnx"), sha256="0" * 64)
    with pytest.raises(ConfigError, match="sha256 is for hub modules"):
        OnnxDetector.from_settings(settings, DetectorContext())


@pytest.mark.parametrize(("live", "threads", "workers"), [(True, 1, 1), (False, 64, 1)])
def test_a_live_source_has_one_detector(live: bool, threads: int, workers: int, tmp_path: Path) -> None:
    settings = settings_of(write_yolov8(tmp_path / "model.onnx"), threads=threads)
    context = DetectorContext(info=SimpleNamespace(live=live))  # type: ignore[arg-type]
    assert len(OnnxDetector.from_settings(settings, context)) == workers


def test_all_detectors_of_a_run_share_one_session(tmp_path: Path) -> None:
    settings = settings_of(write_yolov8(tmp_path / "model.onnx"), workers=3)
    first, second, third = OnnxDetector.from_settings(settings, DetectorContext())
    assert first._session is second._session is third._session
    first.close()
    assert len(second.detect(frame_of(blank(192, 128)))) == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"input_size": [0, 640]}, "width and height"), ({"std": [1, 0, 1]}, "above 0"), ({"layout": "hw"}, "nchw")],
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OnnxSettings.model_validate(setting)
