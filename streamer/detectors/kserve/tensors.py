"""Tensors in requests and answers, as the binary tensor data extension of the Open Inference Protocol has them.

A body is a JSON object and behind it the bytes of all tensors, little-endian and row-major; the header
`Inference-Header-Content-Length` has the length of the JSON
(https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol/binary-tensor-data-extension). Pure.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.errors import InvalidOutput

Array = npt.NDArray[Any]
HEADER_LENGTH = "Inference-Header-Content-Length"
BYTES = "BYTES"
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "FP32": "float32", "FP16": "float16", "FP64": "float64", "UINT8": "uint8", "INT8": "int8", "INT16": "int16",
        "INT32": "int32", "INT64": "int64", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "BOOL": "bool",
        BYTES: "object",
    }
)  # fmt: skip
"""The names of NumPy by those of the protocol."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_NO_BINARY = (
    "the server gives its outputs as JSON; it needs the binary tensor data extension, as Triton, OpenVINO Model Server "
    "and KServe have it"
)


class Request(NamedTuple):
    """A request for an inference.

    Attributes:
        body: its parts, which share the memory of the inputs.
        headers: besides those of the connection.
    """

    body: Sequence[bytes | memoryview]
    headers: Mapping[str, str]


def request(inputs: Mapping[str, Array], outputs: Sequence[str]) -> Request:
    """The request for some outputs, in binary form.

    Args:
        inputs: C-contiguous arrays of numbers, by name. They may be written anew between two uses of the request.
        outputs: names.
    """
    head = {
        "inputs": [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": _NAMES[array.dtype.name],
                "parameters": {"binary_data_size": array.nbytes},
            }
            for name, array in inputs.items()
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }
    text = json.dumps(head).encode()
    headers = {HEADER_LENGTH: str(len(text)), "Content-Type": "application/octet-stream"}
    return Request((text, *(array.data.cast("B") for array in inputs.values())), headers)


def outputs_of(headers: Mapping[str, str], body: bytes, names: Sequence[str]) -> list[Array]:
    """The named outputs in the answer to a request; they share the memory of the body.

    Raises:
        InvalidOutput: it is no such answer, or lacks an output.
    """
    size = headers.get(HEADER_LENGTH, "")
    if not size.isdecimal():
        raise InvalidOutput(_NO_BINARY if body[:1] == b"{" else "the server's answer has no outputs")
    found: dict[str, Array] = {}
    at = int(size)
    try:
        for output in json.loads(body[:at])["outputs"]:
            length = output.get("parameters", {}).get("binary_data_size")
            if length is None:
                raise InvalidOutput(_NO_BINARY)
            found[output["name"]] = _array(output, body, at, int(length))
            at += int(length)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError, struct.error) as error:
        raise InvalidOutput(f"the server's answer is no binary tensor data: {error or type(error).__name__}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise InvalidOutput(f"the server's answer lacks the output {missing[0]}")
    return [found[name] for name in names]


def _array(output: Mapping[str, Any], body: bytes, at: int, length: int) -> Array:
    name, shape = output["name"], tuple(map(int, output["shape"]))
    if length < 0 or at + length > len(body):
        raise ValueError(f"{name} has {length} bytes, but {len(body) - at} are left")
    dtype = DTYPES.get(output["datatype"])
    if dtype is None or min(shape, default=0) < 0:
        raise ValueError(f"{name} is {output['datatype']} {list(shape)}")
    if dtype == "object":
        texts = list(_texts(memoryview(body)[at : at + length]))
        if len(texts) != math.prod(shape):
            raise ValueError(f"{name} has {len(texts)} texts, which is not {list(shape)}")
        array = np.empty(len(texts), object)
        array[:] = texts
        return array.reshape(shape)
    kind = np.dtype(dtype).newbyteorder("<")
    if length != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{name} has {length} bytes, which is not {output['datatype']} {list(shape)}")
    return np.frombuffer(body, kind, math.prod(shape), at).reshape(shape)


def _texts(data: memoryview) -> Iterator[bytes]:
    """Elements of the type BYTES: a length of four bytes each, then the bytes."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        if at + 4 + length > len(data):
            raise ValueError("a text ends behind the end of its tensor")
        yield bytes(data[at + 4 : at + 4 + length])
        at += 4 + length
