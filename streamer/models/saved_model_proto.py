"""The parts of TensorFlow's `SavedModel` message that are read and written without TensorFlow. Any thread.

The message is `tensorflow/core/protobuf/saved_model.proto`, with those that it contains. The needed fields are declared
at run time. The graph is bytes here: it is neither parsed nor changed. Maps are declared as what they are on the wire,
repeated pairs of a key and a value. `fields` finds the parts of a message without copying them, since a detector's
graph contains its weights, hundreds of MB (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import cache
from typing import Any

DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 9: "int64"}
DTYPES |= {10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64"}
"""TensorFlow's names of the data types (types.proto, `DataType`)."""
UINT8, FLOAT32 = 4, 1

_LONGEST_VARINT = 10  # bytes
_FIXED_SIZES = {1: 8, 5: 4}  # bytes, by wire type

_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Dim": {"size": (1, "int64")},
    "Shape": {"dim": (2, "*Dim"), "unknown_rank": (3, "bool")},
    "TensorInfo": {"name": (1, "string"), "dtype": (2, "int32"), "tensor_shape": (3, "Shape")},
    "TensorEntry": {"key": (1, "string"), "value": (2, "TensorInfo")},
    "Signature": {"inputs": (1, "*TensorEntry"), "outputs": (2, "*TensorEntry"), "method_name": (3, "string")},
    "SignatureEntry": {"key": (1, "string"), "value": (2, "Signature")},
    "MetaInfo": {"tags": (4, "*string")},
    "MetaGraph": {
        "meta_info_def": (1, "MetaInfo"),
        "graph_def": (2, "bytes"),
        "signature_def": (5, "*SignatureEntry"),
    },
    "SavedModel": {"saved_model_schema_version": (1, "int64"), "meta_graphs": (2, "*MetaGraph")},
}


@cache
def message_class(wanted: str = "SavedModel") -> Any:
    """The class of a message, one of `_MESSAGES`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="streamer/saved_model.proto", package="streamer.saved_model", syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for key, (number, kind) in fields.items():
            label = field.LABEL_REPEATED if kind.startswith("*") else field.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in _MESSAGES:
                type_name = f".streamer.saved_model.{kind}"
                message.field.add(name=key, number=number, label=label, type=field.TYPE_MESSAGE, type_name=type_name)
            else:
                message.field.add(name=key, number=number, label=label, type=field.Type.Value(f"TYPE_{kind.upper()}"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"streamer.saved_model.{wanted}"))


class DamagedMessageError(Exception):
    """The bytes are no message, or were cut short."""


def fields(content: bytes | mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message between two positions of the content.

    Yields:
        The number of the field, and the positions of its tag, of its value and of what follows it.

    Raises:
        DamagedMessageError: a field has an unknown type, or reaches beyond the end.
    """
    at = begin
    while at < end:
        start = at
        key, at = _varint(content, at, end)
        kind = key & 7
        if kind == 2:  # a string, bytes or a message
            length, at = _varint(content, at, end)
            after = at + length
        elif kind == 0:
            _, after = _varint(content, at, end)
        elif kind in _FIXED_SIZES:
            after = at + _FIXED_SIZES[kind]
        else:
            raise DamagedMessageError
        if after > end:
            raise DamagedMessageError
        yield key >> 3, start, at, after
        at = after


def _varint(content: bytes | mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """A number of variable length, and the position after it."""
    if at < end and (value := content[at]) < 0x80:  # nearly all
        return value, at + 1
    value = 0
    for index in range(at, min(at + _LONGEST_VARINT, end)):
        byte = content[index]
        value |= (byte & 0x7F) << 7 * (index - at)
        if byte < 0x80:
            return value, index + 1
    raise DamagedMessageError
