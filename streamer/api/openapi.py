"""The OpenAPI 3.1 document of the API, made from the table of operations. Pure; any thread."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from streamer.accounts.client import cookie_name
from streamer.accounts.roles import Access
from streamer.api import answers
from streamer.api.operation import WEBSOCKET, Call, Operation
from streamer.api.requests import JSON, MOST_CHARACTERS

BASE = "/api/v1"
DOCUMENT = "/openapi.json"
VERSION = "3.1.0"
_REFERENCE = "#/components/schemas/{model}"
_VARIABLE = re.compile(r"\{(\w+)\}")
_ABOUT = (
    "Cameras, live video, events and settings of a Streamer site. Times are ISO 8601 in UTC. Boxes and points are "
    "relative to the frame: 0..1 of its width and height, x right, y down; a box is x1, y1, x2, y2. A request that is "
    "refused gets application/problem+json; any may get 421 for a host name that the site does not have, and 503 if "
    "the accounts cannot be read or the site is still starting."
)
_COOKIE = "streamer-PORT"
_SECURITY = {
    "session": {"type": "apiKey", "in": "cookie", "name": _COOKIE, "description": "Set by POST /session."},
    "token": {"type": "http", "scheme": "bearer", "description": "Made by `streamer user token`."},
}
_OF_BODIES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)

Models = Mapping[Any, Mapping[str, Any]]
"""References to schemas by (model, mode)."""


def operation(operations: Sequence[Operation]) -> Operation:
    """The operation that answers the document of operations, and of itself."""

    @functools.cache
    def text() -> str:
        return json.dumps(document([*operations, own]))

    async def show(call: Call) -> web.StreamResponse:
        return web.Response(text=text().replace(_COOKIE, cookie_name(call.request)), content_type=JSON)

    own = Operation("GET", DOCUMENT, "This document", Access.ANYONE, show, media=JSON)
    return own


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document of operations.

    Args:
        operations: in the order in which they are shown.

    Returns:
        An object of OpenAPI 3.1, for JSON. A WebSocket is a GET with the answer 101; `x-messages` has the schemas of
        its messages.
    """
    models, schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, models, schemas)
    shown = {name: schema for name, schema in schemas.items() if name not in _query_names(operations, models)}
    return {
        "openapi": VERSION,
        "info": {"title": "Streamer", "version": "1", "description": _ABOUT},
        "servers": [{"url": BASE}],
        "paths": paths,
        "components": {"schemas": shown, "securitySchemes": _SECURITY},
    }


def _schemas(operations: Sequence[Operation]) -> tuple[Models, dict[str, Any]]:
    """References to the schemas of all models, and the schemas by name."""
    chosen: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(answers.ProblemAnswer, "serialization"): None}
    for one in operations:
        chosen.update({(model, "validation"): None for model in (one.query, one.body) if model is not None})
        sent = (one.answer, *one.messages)
        chosen.update({(model, "serialization"): None for model in sent if model is not None})
    models, found = models_json_schema(list(chosen), ref_template=_REFERENCE)
    return models, found.get("$defs", {})


def _operation(one: Operation, models: Models, schemas: Mapping[str, Any]) -> dict[str, Any]:
    words = [one.method.lower(), *re.findall(r"\w+", one.path)]
    found: dict[str, Any] = {
        "operationId": "_".join(words),
        "tags": [one.path.split("/")[1].partition(".")[0]],
        "summary": one.summary,
        "description": "For anyone." if one.access is Access.ANYONE else f"For the role {one.access}.",
        "security": [] if one.access is Access.ANYONE else [{name: []} for name in _SECURITY],
        "responses": _responses(one, models),
    }
    if parameters := [*_path_parameters(one), *_query_parameters(one, models, schemas)]:
        found["parameters"] = parameters
    if one.body is not None:
        content: dict[str, Any] = {JSON: {"schema": models[one.body, "validation"]}}
        found["requestBody"] = {"required": True, "content": content}
    elif one.takes:
        found["requestBody"] = {"required": True, "content": {one.takes: {"schema": {"type": "string"}}}}
    if one.messages:
        found["x-messages"] = [models[model, "serialization"] for model in one.messages]
    return found


def _responses(one: Operation, models: Models) -> dict[str, Any]:
    refused = {HTTPStatus.UNPROCESSABLE_ENTITY, *(status for status in one.others if status >= HTTPStatus.BAD_REQUEST)}
    if one.access is not Access.ANYONE:
        refused |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    elif one.method != "GET":
        refused.add(HTTPStatus.FORBIDDEN)  # the page of another site sent it
    if _VARIABLE.search(one.path):
        refused.add(HTTPStatus.NOT_FOUND)
    if one.body is not None or one.takes:
        refused.update(_OF_BODIES)
    if one.media == WEBSOCKET:
        refused |= {HTTPStatus.BAD_REQUEST, HTTPStatus.UPGRADE_REQUIRED}
    schema = models[answers.ProblemAnswer, "serialization"]
    found = {str(int(status)): _success(one, status, models) for status in _successes(one)}
    for status in sorted(refused):
        content = {answers.MEDIA: {"schema": schema}}
        found[str(int(status))] = {"description": status.phrase, "content": content}
    return found


def _successes(one: Operation) -> list[HTTPStatus]:
    if one.media == WEBSOCKET:
        return [HTTPStatus.SWITCHING_PROTOCOLS]
    has_content = one.answer is not None or bool(one.media)
    first = one.status if has_content or one.status is not HTTPStatus.OK else HTTPStatus.NO_CONTENT
    return [first, *(status for status in one.others if status < HTTPStatus.BAD_REQUEST)]


def _success(one: Operation, status: HTTPStatus, models: Models) -> dict[str, Any]:
    found: dict[str, Any] = {"description": status.phrase}
    if status in (HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return found
    if one.answer is not None:
        found["content"] = {JSON: {"schema": models[one.answer, "serialization"]}}
    elif one.media:
        found["content"] = {one.media: {}}
    return found


def _path_parameters(one: Operation) -> Iterable[dict[str, Any]]:
    for name in _VARIABLE.findall(one.path):
        schema = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(one: Operation, models: Models, schemas: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if one.query is None:
        return
    model = schemas[_name_of(models[one.query, "validation"])]
    for name, schema in model["properties"].items():
        found = {"name": name, "in": "query", "schema": {k: v for k, v in schema.items() if k != "description"}}
        if "description" in schema:
            found["description"] = schema["description"]
        yield found | ({"required": True} if name in model.get("required", ()) else {})


def _query_names(operations: Sequence[Operation], models: Models) -> set[str]:
    """The names of the models of queries, whose fields are shown as parameters."""
    return {_name_of(models[one.query, "validation"]) for one in operations if one.query is not None}


def _name_of(reference: Mapping[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
