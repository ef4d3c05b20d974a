"""What a server says about a model: inputs, outputs, and names of classes where it has them. Main thread.

Triton also has `/config` (its extension `model_configuration`), whose `parameters` its operator chooses. The keys that
exporters write into ONNX files have the same meaning there, such as `names` and `imgsz`. Ultralytics' guide to Triton
has all of them in one parameter, `metadata`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.detectors.kserve import answers
from streamer.detectors.kserve.answers import Answer
from streamer.detectors.kserve.connection import Connection
from streamer.detectors.kserve.tensors import DTYPES
from streamer.detectors.onnx.header import Dimension, Header, Tensor
from streamer.detectors.onnx.metadata import of_file
from streamer.errors import DetectorError, DetectorUnreachable, ModelError
from streamer.system.suggestions import nearest

LIMIT_S = 5.0
"""Of each question before the first frame."""
_START = "check the address, and that the server runs"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is ready.

    Attributes:
        header: its inputs, outputs and metadata.
        where: the server and the version of the model, for `models check`.
    """

    header: Header
    where: str


def read(connection: Connection) -> ServedModel:
    """Ask the server for the model.

    Raises:
        ModelError: no server, no such model, or it is not ready.
    """
    address = connection.address
    answer = _asked(connection, address.path)
    if not answer.is_success:
        raise ModelError(_no_model(connection, answer))
    told = answer.json()
    try:
        inputs, outputs = _tensors(told["inputs"]), _tensors(told["outputs"])  # type: ignore[index]
        name = str(told["name"])  # type: ignore[index]
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ModelError(f"{address} does not describe a model (Open Inference Protocol, KServe v2)") from error
    ready = _asked(connection, f"{address.path}/ready")
    if not ready.is_success:
        raise ModelError(f"{address}: the model is not ready; the log of the server says why")
    header = Header(str(address), inputs, outputs, _metadata(connection, told or {}))
    return ServedModel(header, f"model {name} of {_server(connection)}")


def _asked(connection: Connection, path: str) -> Answer:
    try:
        answer = connection.get(path, LIMIT_S)
    except DetectorUnreachable as error:
        raise ModelError(f"{error}; {_START}") from error
    except DetectorError as error:
        raise ModelError(str(error)) from error
    if answers.is_about_login(answer):
        raise ModelError(answers.refusal(connection.address, answer))
    return answer


def _no_model(connection: Connection, answer: Answer) -> str:
    """Why there is no description of the model."""
    address = connection.address
    is_unknown = answer.status in (400, 404) and "not ready" not in str(answer.json())
    if not is_unknown:
        return answers.refusal(address, answer)
    names = _names_of_models(connection)
    if address.version and address.name in names:
        return f"{address.server} has no version {address.version} of the model {address.name}"
    known = f": it has {', '.join(names)}{nearest(address.name, names)}" if names else "; check the address"
    return f"{address.server} has no model {address.name} that is ready{known}"


def _names_of_models(connection: Connection) -> Sequence[str]:
    """The models of a server with the extension `model_repository`; else none."""
    try:
        answer = connection.post("/repository/index", [b"{}"], {"Content-Type": "application/json"}, LIMIT_S)
        return [str(one["name"]) for one in json.loads(answer.body)]
    except (DetectorError, KeyError, TypeError, ValueError):
        return ()


def _server(connection: Connection) -> str:
    """Its name and version, if it tells them."""
    told = _optional(connection, "")
    words = [str(told[key]) for key in ("name", "version") if isinstance(told.get(key), str)]
    return " ".join([*words, f"at {connection.address.server}"])


def _metadata(connection: Connection, told: Mapping[str, Any]) -> Mapping[str, str]:
    """The parameters of the model by name, as texts: `{"string_value": ...}` in Triton."""
    config = _optional(connection, f"{connection.address.path}/config")
    found: dict[str, str] = {}
    for parameters in (told.get("parameters"), config.get("parameters")):
        for key, value in parameters.items() if isinstance(parameters, dict) else ():
            text = value.get("string_value") if isinstance(value, dict) and "string_value" in value else value
            found[str(key)] = text if isinstance(text, str) else json.dumps(text)
    return {**of_file(found.get("metadata")), **found}


def _optional(connection: Connection, path: str) -> Mapping[str, Any]:
    """A JSON object that not every server has."""
    try:
        answer = connection.get(path, LIMIT_S)
    except DetectorError:
        return {}
    return (answer.json() or {}) if answer.is_success else {}


def _tensors(told: Sequence[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(str(one["name"]), DTYPES.get(one["datatype"], str(one["datatype"])), tuple(map(_length, one["shape"])))
        for one in told
    )


def _length(told: Any) -> Dimension:
    """A length, or "?" for a dynamic axis, which is -1."""
    return int(told) if int(told) > 0 else "?"
