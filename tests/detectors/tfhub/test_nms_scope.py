"""Which post-processing is recognised and removed from a graph, and that a module then detects the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.cli.commands import packaged_clip
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub import nms_scope
from streamer.detectors.tfhub.hub import HubDetector
from streamer.detectors.tfhub.scope_text import UnknownScopeError
from streamer.detectors.tfhub.suppression import Parameters, Suppression
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tests.detectors.tfhub import api_scope, tiny_module
from tests.detectors.tfhub.api_scope import SCOPE, Limits

# Not imported, because the import takes seconds.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

CPU = DetectorSettings(device="cpu", min_score=0.0)
WARNING = "runs in TensorFlow, which starts slowly"


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api_scope.write_module(tmp_path_factory.mktemp("scope") / "module")


@pytest.fixture(scope="session")
def frames() -> list[Frame]:
    with open_source(str(packaged_clip())) as source:
        return list(islice(source, 0, 100, 20))


@pytest.mark.parametrize("with_scores", [True, False])
def test_parameters_are_read_from_the_graph(with_scores: bool) -> None:
    limits = Limits(12, iou_threshold=0.5, score_threshold=0.25, per_class=30, total=70, with_scores=with_scores)
    scope = nms_scope.find(api_scope.graph(limits))
    assert scope is not None
    assert scope.parameters == Parameters(12, iou_threshold=0.5, score_threshold=0.25, per_class=30, total=70)
    assert scope.inputs == {role: f"{role}:0" for role in ("boxes", "scores", "count", "window")}


def test_a_graph_without_the_scope_has_none() -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.identity(1.0, name="SecondStagePostprocessor/other")
    assert nms_scope.find(graph.as_graph_def()) is None


def node(graph: Any, name: str) -> Any:
    return next(each for each in graph.node if each.name == SCOPE + name)


def number(graph: Any, name: str, value: float) -> None:
    """Change a constant."""
    import tensorflow as tf

    tensor = node(graph, name).attr["value"].tensor
    tensor.CopyFrom(tf.make_tensor_proto(value, tf.dtypes.as_dtype(tensor.dtype)))


def swap(graph: Any, name: str, one: int, other: int) -> None:
    """Exchange two inputs."""
    names = node(graph, name).input
    names[one], names[other] = names[other], names[one]


NMS = "MultiClassNonMaxSuppression/"
CHANGES: dict[str, Callable[[Any], None]] = {
    "another operation": lambda graph: setattr(node(graph, f"{NMS}Maximum"), "op", "Minimum"),
    "corners in another order": lambda graph: swap(graph, f"{NMS}concat_6", 0, 1),
    "classes in another order": lambda graph: swap(graph, f"{NMS}concat_18", 2, 3),
    "one threshold of another class": lambda graph: number(
        graph, f"{NMS}non_max_suppression_with_scores_3/iou_threshold", 0.7
    ),
    "one limit of another class": lambda graph: number(graph, f"{NMS}Minimum_4/x", 7),
    "another constant": lambda graph: number(graph, f"{NMS}Greater/y", 1.0),
    "another padding": lambda graph: number(graph, "PadOrClipBoxList/sub/y", 49),
    "an attribute": lambda graph: node(graph, f"{NMS}TopKV2").attr["sorted"].__setattr__("b", False),
    "a loop": lambda graph: node(graph, f"{NMS}Reshape").input.__setitem__(0, f"{SCOPE}{NMS}Reshape"),
    "missing inputs": lambda graph: node(graph, f"{NMS}Slice").ClearField("input"),
    "a missing node": lambda graph: node(graph, f"{NMS}Reshape").input.__setitem__(0, f"{SCOPE}none"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_scope_with_one_change_is_not_known(change: Callable[[Any], None]) -> None:
    graph = api_scope.graph(Limits())
    assert nms_scope.find(graph) is not None
    change(graph)
    with pytest.raises(UnknownScopeError):
        nms_scope.find(graph)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(soft_nms_sigma=0.5), "soft_nms_sigma"), (Limits(score_threshold=-1.0), "score threshold is -1, below 0")],
)
def test_parameters_that_are_not_supported(limits: Limits, reason: str) -> None:
    with pytest.raises(UnknownScopeError, match=reason):
        nms_scope.find(api_scope.graph(limits))


@pytest.mark.parametrize("variables", [False, True], ids=["frozen", "checkpoint"])
@pytest.mark.parametrize("limits", [Limits(), Limits(with_scores=False, score_threshold=0.05, per_class=2, total=12)])
def test_a_module_detects_as_the_reference_on_real_frames(
    limits: Limits, variables: bool, tmp_path: Path, frames: list[Frame], caplog: pytest.LogCaptureFixture
) -> None:
    module = api_scope.write_module(tmp_path / "module", limits, variables=variables)
    detector = HubDetector(module, CPU)
    reference = HubDetector(module, CPU.model_copy(update={"reference": True}))
    for frame in frames:
        found, expected = detector.detect(frame), reference.detect(frame)
        assert len(expected) >= 10
        assert found.labels.tolist() == expected.labels.tolist()
        np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=1e-5 * frame.width)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5)
    assert WARNING not in caplog.text


def test_what_enters_the_scope_on_real_frames_gives_the_same_bits(module: Path, frames: list[Frame]) -> None:
    import tensorflow as tf

    v1: Any = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        loaded = v1.saved_model.load(session, [], str(module))
        image = graph.get_tensor_by_name(loaded.signature_def["default"].inputs["images"].name)
        scope = nms_scope.find(loaded.graph_def)
        assert scope is not None
        entering = list(scope.inputs.values())
        leaving = [f"{name}:0" for name in scope.outputs]
        for frame in frames:
            values = session.run(entering + leaving, {image: frame.rgb()[np.newaxis] / np.float32(255)})
            for ours, theirs in zip(Suppression(scope.parameters)(*values[:4]), values[4:], strict=True):
                assert ours.tobytes() == theirs.tobytes()


def test_only_what_is_in_front_of_the_scope_is_loaded(module: Path, frames: list[Frame]) -> None:
    """The module has 9 classes of 52 operations."""
    detector = HubDetector(module, CPU)
    ran = detector.placement(96, 64)["CPU:0"]
    assert 10 < ran < 60
    assert len(detector.detect(frames[0])) > 0


def test_an_unknown_scope_runs_as_it_is_with_a_warning(
    tmp_path: Path, frames: list[Frame], caplog: pytest.LogCaptureFixture
) -> None:
    module = api_scope.write_module(tmp_path / "module", changed=True)
    detector = HubDetector(module, CPU)
    assert [message for message in caplog.messages if WARNING in message] == [
        f"the post-processing of {module} {WARNING}: its operations are not those of a known export"
    ]
    reference = HubDetector(module, CPU.model_copy(update={"reference": True}))
    found, expected = detector.detect(frames[0]), reference.detect(frames[0])
    assert found.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5)
    soft = replace(Limits(), soft_nms_sigma=0.5)
    HubDetector(api_scope.write_module(tmp_path / "soft", soft), CPU)
    assert "soft_nms_sigma" in caplog.messages[-1]


def test_a_module_without_the_scope_gives_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    HubDetector(tiny_module.write(tmp_path / "module"), CPU)
    assert WARNING not in caplog.text


@pytest.mark.parametrize("optimize_graph", [None, True, False])
def test_fusing_changes_no_detection(optimize_graph: bool | None, module: Path, frames: list[Frame]) -> None:
    expected = HubDetector(module, CPU.model_copy(update={"reference": True})).detect(frames[1])
    detector = HubDetector(module, CPU.model_copy(update={"optimize_graph": optimize_graph}))
    found = detector.detect(frames[1])
    assert found.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5)
