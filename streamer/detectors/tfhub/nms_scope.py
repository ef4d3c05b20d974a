"""Finds the multi-class non-maximum suppression that the TensorFlow Object Detection API exports, and removes it.

The API writes a suppression of 52 operations for each class: of the 42,746 nodes of the detector of record, 31,569 are
in this scope. TensorFlow spends most of its start on building them, and 50 to 70 ms of each frame on running them.
`Suppression` computes the same from what enters the scope. The scope is replaced only if all its operations are known
(`ScopeText`); their parameters are read from the graph. Main thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from streamer.detectors.tfhub.scope_text import ScopeText, UnknownScopeError
from streamer.detectors.tfhub.suppression import Parameters

_SCOPE = re.compile(r"(?:.*/)?SecondStagePostprocessor/BatchMultiClassNonMaxSuppression/")

_KNOWN = {
    "2f056b4466685fed147dc13237c47057ee0b1f397d60f27f824e63ff74ddb882": "NonMaxSuppressionV5, TensorFlow 1.14 or later",
    "126b647cc1914f26ff40aafe9c433154768a5363bbf16d7718acfe8d465f7530": "NonMaxSuppressionV3, or use_hard_nms",
}
"""Fingerprints of `batch_multiclass_non_max_suppression` in object_detection/core/post_processing.py for one frame,
with a clip window relative to which the boxes are given. `tests/detectors/tfhub/api_scope.py` builds both."""

_INPUTS_OF_TEXT = ("window", "boxes", "count", "scores")
"""What enters these scopes, in the order in which their text refers to it."""

INPUTS = ("boxes", "scores", "count", "window")
"""The same in the order of `Suppression`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A known scope of a graph.

    Attributes:
        prefix: of the names of its nodes.
        inputs: names of the tensors that enter: `boxes` float32 `(1, N, C, 4)` in pixels, `scores` float32
            `(1, N, C)`, `count` int32 `(1,)`, `window` float32 `(1, 4)`; in this order.
        outputs: its nodes that are used outside: boxes `(1, total, 4)`, scores and classes `(1, total)`, all float32,
            and their number, int32 `(1,)`.
        parameters: of the suppression.
    """

    prefix: str
    inputs: dict[str, str]
    outputs: tuple[str, ...]
    parameters: Parameters


def find(graph: Any) -> Scope | None:
    """The scope of a `GraphDef`; None if it has none.

    Raises:
        UnknownScopeError: it has one with other operations, or parameters that `Suppression` does not support.
    """
    matches = (_SCOPE.match(node.name) for node in graph.node)
    prefix = next((match[0] for match in matches if match), None)
    if prefix is None:
        return None
    text = ScopeText(graph, prefix)
    if text.fingerprint not in _KNOWN:
        raise UnknownScopeError("its operations are not those of a known export")
    names = [name if ":" in name else f"{name}:0" for name in text.inputs]
    of_roles = dict(zip(_INPUTS_OF_TEXT, names, strict=True))
    return Scope(prefix, {role: of_roles[role] for role in INPUTS}, text.outputs, _parameters(text.parameters))


def cut(graph: Any, scope: Scope) -> None:
    """Remove the scope from a `GraphDef`; its outputs become placeholders with the same names."""
    inside = [index for index, node in enumerate(graph.node) if node.name.startswith(scope.prefix)]
    delete(graph.node, inside)
    total = scope.parameters.total
    for name, shape, dtype in zip(
        scope.outputs, ((1, total, 4), (1, total), (1, total), (1,)), ("float32",) * 3 + ("int32",), strict=True
    ):
        node = graph.node.add(name=name, op="Placeholder")
        node.attr["dtype"].type = _TYPES[dtype]
        for size in shape:
            node.attr["shape"].shape.dim.add(size=size)


_TYPES = {"float32": 1, "int32": 3}  # DataType in tensorflow/core/framework/types.proto


def delete(nodes: Any, indices: list[int]) -> None:
    """Delete elements of a repeated field; whole runs at once, which is quick for one long run."""
    end = len(indices)
    while end:
        begin = end - 1
        while begin and indices[begin - 1] == indices[begin] - 1:
            begin -= 1
        del nodes[indices[begin] : indices[end - 1] + 1]
        end = begin


def _parameters(values: dict[str, float]) -> Parameters:
    if values.get("soft_nms_sigma", 0.0) != 0:
        raise UnknownScopeError("it lowers scores instead of removing boxes (soft_nms_sigma)")
    if not values["score_threshold"] >= 0:
        raise UnknownScopeError(f"its score threshold is {values['score_threshold']:g}, below 0")
    return Parameters(
        classes=int(values["classes"]),
        iou_threshold=values["iou_threshold"],
        score_threshold=values["score_threshold"],
        per_class=int(values["max_detections_per_class"]),
        total=int(values["max_detections"]),
    )
