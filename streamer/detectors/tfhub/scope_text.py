"""Writes the operations of a scope as text that does not depend on names, parameters and the number of classes.

Two scopes with the same text compute the same. Main thread.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.models.tensorflow_import import tensorflow

_PASSED_THROUGH = frozenset({"Identity"})
_SAME_OPERATION = {"AddV2": "Add"}  # TensorFlow 1.15 and later write AddV2
_FLOAT, _INT32, _BOOL = 1, 3, 10  # DataType in tensorflow/core/framework/types.proto
_IMPLIED = frozenset({"N", "num"})
# An export may leave out attributes that have their default.
_DEFAULTS = {
    "Tidx": _INT32, "Tk": _INT32, "Tpaddings": _INT32, "Tshape": _INT32, "index_type": _INT32, "out_type": _INT32,
    "T_threshold": _FLOAT, "sorted": True, "incompatible_shape_error": True,
}  # fmt: skip
_DEFAULT_TYPES = {"NonMaxSuppressionV3": _FLOAT, "NonMaxSuppressionV5": _FLOAT, "Where": _BOOL}
_NMS_PARAMETERS = {3: "iou_threshold", 4: "score_threshold", 5: "soft_nms_sigma"}
_NMS = ("NonMaxSuppressionV3", "NonMaxSuppressionV5")


class UnknownScopeError(Exception):
    """The operations of a scope are not those of a known one."""


class _Value(NamedTuple):
    """One tensor: the number of its line, and the class that it belongs to, if to one."""

    line: int
    row: int | None


class ScopeText:
    """The text of one scope.

    Args:
        graph: a `GraphDef`.
        prefix: of the names of the nodes in the scope.

    Attributes:
        inputs: names of the tensors that enter, in the order in which the text refers to them.
        outputs: names of the nodes whose first output is used outside, in the order of the graph.
        parameters: values that the text leaves out, by name.

    Raises:
        UnknownScopeError: the scope has a loop, or parameters that are not the same for all classes.
    """

    def __init__(self, graph: Any, prefix: str) -> None:
        self._prefix = prefix
        self._nodes = {node.name: node for node in graph.node}
        self._lines: dict[str, int] = {}
        self._known: dict[str, _Value | None] = {}
        self._arrays: dict[bytes, npt.NDArray[Any]] = {}
        self.inputs: list[str] = []
        self.parameters: dict[str, float] = {}
        inside = [node for node in graph.node if node.name.startswith(prefix)]
        used = {name for node in graph.node if not node.name.startswith(prefix) for name in node.input}
        self.outputs = tuple(node.name for node in inside if node.name in used)
        self._classes = sum(node.op in _NMS for node in inside)
        self._set("classes", self._classes)
        try:
            self._line(f"outputs {[self._tensor(name).line for name in self.outputs]}")
        except (RecursionError, LookupError, TypeError, ValueError) as error:
            raise UnknownScopeError("its operations form a loop, or some or their inputs are missing") from error

    @property
    def lines(self) -> tuple[str, ...]:
        """The text: one operation a line, each once. `%N` is the result of line N."""
        return tuple(self._lines)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256("\n".join(self._lines).encode()).hexdigest()

    def _line(self, text: str) -> int:
        return self._lines.setdefault(text, len(self._lines))

    def _set(self, name: str, value: float) -> None:
        if self.parameters.setdefault(name, value) != value:
            raise UnknownScopeError(f"it has several values of {name}")

    def _tensor(self, name: str) -> _Value:
        """The value of a tensor `node` or `node:output`."""
        node_name, _, output = name.partition(":")
        if not name.startswith(self._prefix):
            if name not in self.inputs:
                self.inputs.append(name)
            return _Value(self._line(f"input {self.inputs.index(name)}"), None)
        if node_name not in self._known:
            self._known[node_name] = None  # until it is known: a loop
            self._known[node_name] = self._node(self._nodes[node_name])
        value = self._known[node_name]
        if value is None:
            raise UnknownScopeError("its operations form a loop")
        node = self._nodes[node_name]
        if node.op == "Unpack" and node.attr["axis"].i == 1:
            return _Value(self._line(f"the class of %{value.line}"), int(output or 0))
        return value if output in ("", "0") else _Value(self._line(f"output {output} of %{value.line}"), value.row)

    def _node(self, node: Any) -> _Value:
        names = [name for name in node.input if not name.startswith("^")]
        if node.op in _PASSED_THROUGH:
            return self._tensor(names[0])
        constants = {index: self._nodes[name] for index, name in enumerate(names) if self._is_constant(name)}
        values = {index: self._tensor(name) for index, name in enumerate(names) if index not in constants}
        row = self._common_row(node.op, list(values.values()))
        words = {index: f"%{value.line}" for index, value in values.items()}
        if node.op == "ConcatV2" and len(names) == self._classes + 1 and row is None:
            words = {0: f"%{values[0].line} of all classes"}
        for index, constant in constants.items():
            words[index], own_row = self._constant(node, index, constant, row)
            row = own_row if own_row is not None else row
        arguments = ", ".join(word for _, word in sorted(words.items()))
        return _Value(self._line(f"{_SAME_OPERATION.get(node.op, node.op)}({arguments}){self._attributes(node)}"), row)

    def _common_row(self, op: str, values: list[_Value]) -> int | None:
        """The class of all inputs; None if they belong to none, or are one tensor of each class in order."""
        rows = {value.row for value in values} - {None}
        if len(rows) < 2:
            return next(iter(rows), None)
        in_order = [value.row for value in values] == list(range(self._classes))
        if op == "ConcatV2" and in_order and len({value.line for value in values}) == 1:
            return None
        raise UnknownScopeError("its classes differ, or are mixed")

    def _is_constant(self, name: str) -> bool:
        return name.startswith(self._prefix) and self._nodes[name.partition(":")[0]].op == "Const"

    def _constant(self, node: Any, index: int, constant: Any, row: int | None) -> tuple[str, int | None]:
        """How the text names a constant, and the class that it selects, if it selects one."""
        array = self._array(constant)
        if node.op in _NMS and index in _NMS_PARAMETERS:
            self._set(_NMS_PARAMETERS[index], float(array))
            return _NMS_PARAMETERS[index], None
        if node.op == "Minimum" and index == 0 and array.dtype == np.int32:
            name = "max_detections" if row is None else "max_detections_per_class"
            self._set(name, int(array))
            return name, None
        if node.op == "Slice" and index == 1 and self._is_one_column(node) and array[0] == 0:
            return "the class", int(array[1])
        if node.op in ("Add", "AddV2") and self._nodes[node.input[0]].op == "ZerosLike" and array.ndim == 0:
            return "the class", int(array)
        values = array.reshape(-1).tolist()
        if node.op == "Reshape" and len(values) > 1 and values[1] == self._classes:
            values[1] = "classes"
        if array.ndim == 0 and array.dtype == np.int32 and values[0] == self.parameters.get("max_detections"):
            return "max_detections", None
        return f"{array.dtype}{list(array.shape)} {values}", None

    def _is_one_column(self, node: Any) -> bool:
        """Whether a Slice takes one column: its size is `(rows, 1)`."""
        size = self._nodes[node.input[2]]
        if size.op != "Pack" or len(size.input) != 2 or not self._is_constant(size.input[1]):
            return False
        return bool(self._array(self._nodes[size.input[1]]) == 1)

    def _array(self, constant: Any) -> npt.NDArray[Any]:
        """The value of a constant. Thousands of constants have one of a few values."""
        tensor = constant.attr["value"].tensor
        key = tensor.SerializeToString()
        if key not in self._arrays:
            self._arrays[key] = tensorflow().make_ndarray(tensor)
        return self._arrays[key]

    def _attributes(self, node: Any) -> str:
        """The attributes that differ from their default, without those that the inputs imply."""
        shown = ""
        for key, value in sorted(node.attr.items()):
            kind = value.WhichOneof("value")
            if key.startswith("_") or key in _IMPLIED or kind is None:
                continue
            plain = getattr(value, kind)
            if kind == "list":
                plain = [*plain.i, *plain.type, *plain.s, *plain.f, *plain.b]
            default = _DEFAULT_TYPES.get(node.op) if key == "T" else _DEFAULTS.get(key)
            if plain != default and (plain or default):
                shown += f" {key}={plain}"
        return shown
