"""The converted NanoDet-g against the published graph, run by TensorFlow (`published_nanodet`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ModelError
from streamer.models import store
from streamer.models.pinned import nanodet
from tests.models.pinned.published_nanodet import GOLDEN, picture

MONITOR = 62
"""`tv`; another converter of these weights lost its bias to an integer overflow."""


def test_equals_the_published_graph(nanodet_weights: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(nanodet_weights), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (tuple(given["shape"]), given["dtype"]) == ((1, 416, 416, 3), np.float32)
    interpreter.set_tensor(given["index"], picture()[None])
    interpreter.invoke()
    rows = interpreter.get_tensor(made["index"])
    assert (rows.shape, rows.dtype) == ((3549, 124), np.float32)
    scores, golden = 1 / (1 + np.exp(-rows[:, : nanodet.CLASSES])), np.load(GOLDEN)
    np.testing.assert_allclose(scores[golden["rows"]], golden["scores"], atol=2e-5)
    np.testing.assert_allclose(rows[golden["rows"], nanodet.CLASSES :], golden["distances"], atol=2e-4)
    np.testing.assert_allclose(scores[:, MONITOR], golden["monitors"], atol=2e-5)
    assert golden["monitors"].max() > 0.1


def test_the_file_in_the_cache_names_its_sources(nanodet_weights: Path) -> None:
    manifest = json.loads(nanodet_weights.with_suffix(".json").read_bytes())
    assert manifest["sources"] == {item.name: item.sha256 for item in nanodet.SOURCES}
    assert nanodet_weights.stat().st_size == store.PINNED[store.NANODET].size_bytes == manifest["size_bytes"]


@pytest.mark.parametrize(
    ("manifest", "values"),
    [
        ("{}", b""),
        ("[]", b""),
        ("no JSON", b""),
        ('{"weightsManifest": [], "modelTopology": {"node": []}}', b"left over"),
        ('{"weightsManifest": [{"weights": [{"name": "a", "shape": [4], "dtype": "float32"}]}]}', b"short"),
    ],
)
def test_other_sources_are_refused(tmp_path: Path, manifest: str, values: bytes) -> None:
    (tmp_path / "nanodet.json").write_text(manifest)
    (tmp_path / "nanodet.bin").write_bytes(values)
    with pytest.raises(ModelError, match=r"nanodet\.json does not hold the weights of NanoDet-g"):
        nanodet.convert([tmp_path / "nanodet.json", tmp_path / "nanodet.bin"])
