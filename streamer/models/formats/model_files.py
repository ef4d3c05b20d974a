"""Which model a file or folder of the user is: found, or refused with what it is and what to do. Main thread.

TensorFlow is not imported: its import takes seconds, which a wrong file should not cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamer.errors import ModelError
from streamer.models.formats import frozen_graph
from streamer.models.saved_model import FILE_NAME
from streamer.system import paths

FROZEN_GRAPH = "frozen_inference_graph.pb"
_TEXT_FORM = "saved_model.pbtxt"
_HEAD_BYTES = 512
_ARCHIVES = ("", ".gz", ".tgz", ".tar")

_TO_ONNX = "export it to ONNX and name the .onnx file"
_UNPACK = f"unpack it and name the folder with {FILE_NAME}"
_KERAS = "a Keras model; write it as a SavedModel (Keras: model.export('FOLDER')) and name the folder"
_PYTORCH = f"a PyTorch model; {_TO_ONNX}"
_CHECKPOINT = (
    "a checkpoint, which has weights and no graph; export it as a SavedModel (Object Detection API: "
    "exporter_main_v2.py) and name the folder"
)
_TEXT = f"a SavedModel as text; write it in the binary form, {FILE_NAME}, and name the folder"
_OF_SUFFIX = {
    ".keras": _KERAS,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".safetensors": f"a file of weights without a graph; {_TO_ONNX}",
    ".tflite": f"a LiteRT (TensorFlow Lite) model; name the SavedModel that it was made from, or {_TO_ONNX}",
    ".index": _CHECKPOINT,
    ".meta": _CHECKPOINT,
    ".ckpt": _CHECKPOINT,
    ".config": "the configuration of a model; name the folder with its SavedModel",
    ".xml": f"no model of TensorFlow; if it is one of OpenVINO, {_TO_ONNX}",
    ".csv": "a table and no model; detections are taken from .jsonl and .txt files (MOT Challenge)",
    ".engine": f"a TensorRT engine; {_TO_ONNX}",
    ".mlmodel": f"a Core ML model; {_TO_ONNX}",
    ".pbtxt": "a file in protobuf's text form and no model; detector.label_map takes label maps",
}
_OTHER = (
    "no model; detector.name takes ONNX models (.onnx), SavedModels (a folder, .tar.gz), frozen graphs (.pb), and "
    "detections (.jsonl, .txt)"
)
_OF_MAGIC = (
    (0, b"\x89HDF\r\n\x1a\n", _KERAS),
    (4, b"TFL3", _OF_SUFFIX[".tflite"]),
    (0, b"PK\x03\x04", f"a zip archive; {_UNPACK}"),
    (0, b"BZh", f"compressed with bzip2; {_UNPACK}"),
    (0, b"\xfd7zXZ", f"compressed with xz; {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"compressed with Zstandard; {_UNPACK}"),
    (0, b"7z\xbc\xaf", f"a 7z archive; {_UNPACK}"),
)


def located(path: Path) -> Path:
    """The folder of the SavedModel that a path means, or a file that is unpacked or converted into the cache.

    A folder may have its SavedModel, or a frozen graph, up to two folders deeper. `saved_model.pb` means its folder.

    Raises:
        ModelError: another file, or a folder with several models; one line that says what it is and what to do.
    """
    if paths.is_dir(path):
        return _in_folder(path)
    if path.name == FILE_NAME:
        return path.absolute().parent
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if path.suffix.lower() == ".pb":
            _check_graph(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if kind := _kind(path, head):
        raise ModelError(f"{path} is {kind}")
    return path


def is_frozen_graph(path: Path) -> bool:
    """Whether a file that `located` accepted is converted, and not unpacked."""
    return path.suffix.lower() == ".pb"


def _in_folder(folder: Path) -> Path:
    for pattern in (FILE_NAME, f"*/{FILE_NAME}", f"*/*/{FILE_NAME}"):
        if found := _matches(folder, pattern):
            return _only(folder, found).parent
    for pattern in (FROZEN_GRAPH, f"*/{FROZEN_GRAPH}"):
        if found := _matches(folder, pattern):
            return located(_only(folder, found))
    if _matches(folder, _TEXT_FORM):
        raise ModelError(f"{folder / _TEXT_FORM} is {_TEXT}")
    if _matches(folder, "*.index") or _matches(folder, "checkpoint/*.index"):
        raise ModelError(f"{folder} has {_CHECKPOINT}")
    return folder


def _only(folder: Path, found: Sequence[Path]) -> Path:
    if len(found) > 1:
        names = ", ".join(str(path.parent.relative_to(folder)) for path in found[:3])
        raise ModelError(f"{folder} has several models ({names}{', ...' if len(found) > 3 else ''}); name one of them")
    return found[0]


def _matches(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError as error:
        raise ModelError(f"cannot read {folder}: {error.strerror}") from error


def _kind(path: Path, head: bytes) -> str:
    if path.name == _TEXT_FORM:
        return _TEXT
    if ".data-" in path.name or path.name == "checkpoint":
        return _CHECKPOINT
    if kind := _OF_SUFFIX.get(path.suffix.lower()):
        return kind
    is_archive = head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar" or path.suffix.lower() in _ARCHIVES
    otherwise = "" if is_archive or path.suffix.lower() == ".pb" else _OTHER
    return next((kind for at, magic, kind in _OF_MAGIC if head[at:].startswith(magic)), otherwise)


def _check_graph(path: Path) -> None:
    content = path.read_bytes()
    if content.startswith(b"\x08\x01\x12"):
        raise ModelError(f"{path} is the graph of a SavedModel; name it {FILE_NAME} beside its folder variables")
    if not frozen_graph.is_graph(content):
        raise ModelError(f"{path} is no TensorFlow graph, or a damaged one; fetch or export it again")
    if missing := frozen_graph.missing_names(content):
        raise ModelError(
            f"{path} is a TensorFlow graph, but no detector of the Object Detection API: it has no "
            f"{', '.join(missing)}; export the model as a SavedModel and name the folder"
        )
