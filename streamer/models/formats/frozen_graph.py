"""Frozen graphs of TensorFlow 1 detectors (`frozen_inference_graph.pb`), made into SavedModels. Without TensorFlow.

The exporter of the Object Detection API wrote the graph, with the weights in it, beside the SavedModel and under fixed
names of tensors
(https://github.com/tensorflow/models/blob/master/research/object_detection/exporter.py). Such a file is a `GraphDef`;
the SavedModel holds it unchanged, with a signature. Main thread.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from streamer.models import saved_model_proto
from streamer.models.archive import FileRecord, Unpacked
from streamer.models.saved_model import FILE_NAME

INPUT = "image_tensor"
OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


def is_graph(content: bytes) -> bool:
    """Whether bytes look like a graph: its first field is a node."""
    return content.startswith(b"\x0a")


def missing_names(content: bytes) -> list[str]:
    """Which of the nodes of a detector a graph lacks; quick, because the graph is not parsed."""
    # NodeDef.name is field 1 of its message: 0x0a, length, name.
    return [name for name in (INPUT, *OUTPUTS) if bytes([0x0A, len(name)]) + name.encode() not in content]


def convert(file: Path, target: Path) -> Unpacked:
    """Write the SavedModel of a frozen graph.

    Args:
        file: the graph; `missing_names` of it is empty.
        target: the folder, which is made.

    Raises:
        OSError: the file cannot be read, or the folder cannot be written.
    """
    model = saved_model_proto.message_class()(saved_model_schema_version=1)
    graph = model.meta_graphs.add(graph_def=file.read_bytes())
    graph.meta_info_def.tags.append("serve")
    signature = graph.signature_def.add(key="serving_default").value
    signature.method_name = "tensorflow/serving/predict"
    _add(signature.inputs, INPUT, saved_model_proto.UINT8)
    for name in OUTPUTS:
        _add(signature.outputs, name, saved_model_proto.FLOAT32)
    target.mkdir()
    content = model.SerializeToString()
    (target / FILE_NAME).write_bytes(content)
    return Unpacked(target, {FILE_NAME: FileRecord(len(content), hashlib.sha256(content).hexdigest())})


def _add(entries: Any, name: str, dtype: int) -> None:
    entry = entries.add(key=name)
    entry.value.name, entry.value.dtype = f"{name}:0", dtype
    entry.value.tensor_shape.unknown_rank = True
