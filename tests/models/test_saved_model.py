"""SavedModels are described without TensorFlow, and damaged ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ModelError
from streamer.models import saved_model, saved_model_proto

WEIGHTS = b"\x0a\x86\x01\x0a\x07weights\x12\x05Const\x2a\x74" + b"\x12\x0bVarHandleOp" * 8 + b"\x00" * 12
"""A `GraphDef` of one constant, whose value contains the bytes of another operation's name."""
VARIABLE = b"\x0a\x10\x0a\x01v\x12\x0bVarHandleOp"


def written(folder: Path, *graphs: bytes) -> Path:
    """A SavedModel with a signature for each graph, the first with the tag `train`."""
    model: Any = saved_model_proto.message_class()(saved_model_schema_version=1)
    for number, content in enumerate(graphs):
        graph = model.meta_graphs.add(graph_def=content)
        graph.meta_info_def.tags.extend([] if number else ["train"])
        signature = graph.signature_def.add(key=f"number {number}").value
        signature.inputs.add(key="picture").value.name = "picture:0"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder


def test_the_signatures_of_all_graphs_are_found(tmp_path: Path) -> None:
    found = saved_model.read_signatures(written(tmp_path / "model", WEIGHTS, WEIGHTS))
    assert [(one.name, one.tags) for one in found] == [("number 0", ("train",)), ("number 1", ())]
    assert all(one.inputs["picture"].name == "picture:0" for one in found)


def test_a_weight_with_the_name_of_an_operation_is_no_variable(tmp_path: Path) -> None:
    assert saved_model.defect(written(tmp_path / "constants", WEIGHTS)) == ""
    assert "checkpoint is missing" in saved_model.defect(written(tmp_path / "variables", WEIGHTS, VARIABLE))


def test_a_file_that_was_cut_short_is_damaged(tmp_path: Path) -> None:
    model = written(tmp_path / "model", WEIGHTS)
    whole = (model / "saved_model.pb").read_bytes()
    for size in range(1, len(whole)):
        (model / "saved_model.pb").write_bytes(whole[:size])
        if size != 2:  # the version, which is a message of its own
            assert saved_model.defect(model) == "its saved_model.pb is damaged", size


@pytest.mark.parametrize(
    "content",
    [b"\xff" * 100, b"\x12\x05", b"\x0b", b"\x09\x00", b"\x12\x02\x12\x05", b"\x12\x04\x12\x02\x0a\x05", b"<html>"],
)
def test_other_content_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(content)
    assert saved_model.defect(tmp_path) == "its saved_model.pb is damaged"
    with pytest.raises(ModelError, match=r"is no SavedModel: its saved_model\.pb is damaged"):
        saved_model.read_signatures(tmp_path)


def test_a_description_that_is_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x12\x04\x2a\x02\x0a\x05")  # a signature that goes on after its end
    with pytest.raises(ModelError, match="is damaged"):
        saved_model.read_signatures(tmp_path)


def test_a_message_without_graphs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(ModelError, match="holds no graph"):
        saved_model.read_signatures(tmp_path)
