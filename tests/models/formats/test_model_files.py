"""Files and folders that users have in place of a folder with `saved_model.pb`: taken, or refused with the reason."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ModelError
from streamer.models import listing, store
from streamer.models.formats import model_files
from tests.detectors.frames import blank, frame_of
from tests.detectors.tfhub import tiny_api_model

COCO = DetectorSettings(label_map="coco", device="cpu")
GRAPH = b"\x08\x01\x12\x00"
needs_tensorflow = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")


def folder_of(path: Path) -> Path:
    """A folder that looks like a SavedModel."""
    path.mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(GRAPH)
    return path


@pytest.mark.parametrize("inner", ["", "saved_model", "export/saved_model", "1"])
def test_a_saved_model_up_to_two_folders_deeper_is_found(inner: str, tmp_path: Path) -> None:
    folder_of(tmp_path / "model" / inner)
    (tmp_path / "model" / "pipeline.config").write_text("x")
    assert store.fetch(str(tmp_path / "model")) == tmp_path / "model" / inner
    assert listing.check(str(tmp_path / "model")).path == tmp_path / "model" / inner


def test_the_nearest_saved_model_is_taken(tmp_path: Path) -> None:
    folder_of(tmp_path / "model")
    folder_of(tmp_path / "model" / "old" / "saved_model")
    assert model_files.located(tmp_path / "model") == tmp_path / "model"


def test_several_saved_models_are_refused_with_their_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder_of(tmp_path / "zoo" / name)
    with pytest.raises(ModelError, match=r"has several models \(a, b\); name one of them"):
        store.fetch(str(tmp_path / "zoo"))


def test_the_file_of_the_graph_means_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "model")
    assert store.fetch(str(folder / "saved_model.pb")) == folder
    monkeypatch.chdir(folder)
    assert store.fetch("saved_model.pb") == folder


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("net.h5", b"\x89HDF\r\n\x1a\n" + bytes(600), "a Keras model; write it as a SavedModel"),
        ("weights", b"\x89HDF\r\n\x1a\n" + bytes(600), "a Keras model"),
        ("net.keras", b"PK\x03\x04" + bytes(600), "a Keras model"),
        ("model.zip", b"PK\x03\x04" + bytes(600), "a zip archive; unpack it"),
        ("yolo.pt", b"PK\x03\x04" + bytes(600), "a PyTorch model; export it to ONNX"),
        ("old.pth", b"\x80\x02\x8a", "a PyTorch model; export it to ONNX"),
        ("ssd.tflite", b"\x20\x00\x00\x00TFL3", "a LiteRT"),
        ("model.tar.bz2", b"BZh91AY&SY", "compressed with bzip2; unpack it"),
        ("model.tar.xz", b"\xfd7zXZ\x00", "compressed with xz; unpack it"),
        ("saved_model.pbtxt", b"saved_model_schema_version: 1", "a SavedModel as text"),
        ("map.pbtxt", b"item { id: 1 }", "detector.label_map takes label maps"),
        ("pipeline.config", b"model {", "the configuration of a model"),
        ("ckpt-0.index", b"x", "a checkpoint"),
        ("ckpt-0.data-00000-of-00001", b"x", "a checkpoint"),
        ("model.xml", b"<net/>", "no model of TensorFlow; if it is one of OpenVINO, export it to ONNX"),
        ("boxes.csv", b"frame,time_s", "a table and no model; detections are taken from .jsonl and .txt"),
        ("clip.mp4", bytes(600), "no model; detector.name takes ONNX models (.onnx), SavedModels"),
        ("notes.md", b"", "no model; detector.name takes ONNX models"),
        ("model.pb", GRAPH, "the graph of a SavedModel; name it saved_model.pb"),
        ("model.pb", b"\x0a\x05\x0a\x03abc", "no detector of the Object Detection API: it has no image_tensor"),
        ("model.pb", b"nothing", "no TensorFlow graph"),
        ("model.pb", b"", "no TensorFlow graph"),
    ],
)
def test_another_file_is_named_with_the_remedy(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    for take in (store.fetch, listing.check):
        with pytest.raises(ModelError) as caught:
            take(str(file))
        assert str(caught.value).startswith(f"{file} is ")
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inner", "told"), [("saved_model.pbtxt", "a SavedModel as text"), ("checkpoint/ckpt-0.index", "a checkpoint")]
)
def test_a_folder_without_a_graph_is_named_with_the_remedy(inner: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "model" / inner
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    with pytest.raises(ModelError, match=told):
        store.fetch(str(tmp_path / "model"))


def test_a_wrong_file_is_refused_without_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    code = """
import sys
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ModelError
from streamer.features import DetectorContext
try:
    HubDetector.from_settings(DetectorSettings(name=sys.argv[1]), DetectorContext())
except ModelError as error:
    assert "Keras" in str(error)
    assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "net.h5")], check=True, timeout=100)


def frozen_graph(path: Path) -> Path:
    """The graph of a TensorFlow 1 detector with one constant box."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(tf.uint8, (None, None, None, 3), name="image_tensor")
        zero = 0 * tf.cast(tf.reduce_sum(tf.cast(picture, tf.int32)), tf.float32)
        answers: dict[str, Any] = {
            "detection_boxes": [[[0.1, 0.2, 0.5, 0.6]]],
            "detection_scores": [[0.75]],
            "detection_classes": [[18.0]],
            "num_detections": [1.0],
        }
        for name, value in answers.items():
            tf.add(tf.constant(value), zero, name=name)
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@needs_tensorflow
@pytest.mark.parametrize("deeper", ["", "folder"])
def test_a_frozen_graph_of_tensorflow_1_is_converted_once(deeper: str, tmp_path: Path) -> None:
    (tmp_path / deeper).mkdir(exist_ok=True)
    file = frozen_graph(tmp_path / deeper / "frozen_inference_graph.pb")
    named = file.parent if deeper else file
    directory = store.fetch(str(named))
    found = HubDetector(directory, COCO).detect(frame_of(blank(200, 100)))
    np.testing.assert_allclose(found.boxes, [[40, 10, 120, 50]], rtol=1e-6)
    assert found.labels.tolist() == [18]
    written_ns = (directory / "saved_model.pb").stat().st_mtime_ns
    assert store.fetch(str(named)) == directory
    assert (directory / "saved_model.pb").stat().st_mtime_ns == written_ns
    assert listing.check(str(named)).state is listing.State.READY


@needs_tensorflow
def test_an_export_that_takes_encoded_pictures_names_the_option(tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    names = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def takes(pictures: Any) -> dict[str, Any]:
        count = tf.cast(tf.size(pictures), tf.float32)
        return {name: tf.zeros([1, 4]) + count for name in names}

    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": takes})
    with pytest.raises(ModelError, match=r"takes encoded pictures .*input_type image_tensor"):
        HubDetector(tmp_path / "model", COCO)


@needs_tensorflow
def test_signatures_are_those_that_tensorflow_reads(tmp_path: Path) -> None:
    import tensorflow as tf

    from streamer.models import saved_model

    model = tiny_api_model.write(tmp_path / "model", size=(50, 100))
    (signature,) = saved_model.read_signatures(model)
    loaded = tf.saved_model.load(str(model)).signatures["serving_default"]
    assert signature.tags == ("serve",)
    (given,) = signature.inputs.values()
    assert (given.dtype, given.shape) == ("uint8", (1, 50, 100, 3))
    assert set(signature.outputs) == set(loaded.structured_outputs)
    shutil.rmtree(model)
