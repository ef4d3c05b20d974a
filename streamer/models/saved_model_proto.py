"""The parts of TensorFlow's `SavedModel` message that are read and written without TensorFlow. Any thread.

The message is `tensorflow/core/protobuf/saved_model.proto`, with those that it contains. The needed fields are declared
at run time. The graph is bytes here: it is neither parsed nor changed. Maps are declared as what they are on the wire,
repeated pairs of a key and a value.
"""

from __future__ import annotations

from functools import cache
from typing import Any

DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 9: "int64"}
DTYPES |= {10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64"}
"""TensorFlow's names of the data types (types.proto, `DataType`)."""
UINT8, FLOAT32 = 4, 1

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


def parse(content: bytes) -> Any:
    """The message; raises `google.protobuf.message.DecodeError`."""
    return message_class().FromString(content)


@cache
def message_class() -> Any:
    """The class of the message `SavedModel`."""
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
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("streamer.saved_model.SavedModel"))
