"""Reads the query and the body of a request into the models of an operation. Web server's thread."""

from __future__ import annotations

import asyncio
import types
import unicodedata
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Union, get_args, get_origin

from aiohttp import web
from pydantic import BaseModel, ValidationError

from streamer.api import answers
from streamer.api.operation import Operation, Problem

JSON = "application/json"
MOST_CHARACTERS = 255
"""Of a variable part of a path: a name or an id."""
BODY_S = 30.0
"""A body must arrive within this time."""
_SERIES = (tuple, list, set, frozenset)


def path_values(found: Mapping[str, str]) -> dict[str, str]:
    """The variable parts of a path.

    Raises:
        Problem: one is too long, or has characters that no name has.
    """
    for name, value in found.items():
        if len(value) > MOST_CHARACTERS or any(unicodedata.category(one) in ("Cc", "Cs") for one in value):
            raise Problem(HTTPStatus.NOT_FOUND, f"path: there is no such {name}")
    return dict(found)


def query_values(request: web.Request, model: type[BaseModel] | None) -> BaseModel | None:
    """The query as an instance of its model; None without one.

    Raises:
        Problem: a name is unknown or repeated, or a value is invalid.
    """
    given, values = request.query, dict[str, Any]()
    if model is None:
        if unknown := sorted(given):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"query.{unknown[0][:MOST_CHARACTERS]}: no such name; leave it out"
            )
        return None
    many = {name for name, field in model.model_fields.items() if _is_series(field.annotation)}
    for name in given:
        found = given.getall(name)
        if name in model.model_fields and name not in many and len(found) > 1:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"query.{name}: given {len(found)} times; give it once")
        values[name] = found if name in many else found[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise answers.of_values(error, model, "query") from error


async def body_of(request: web.Request, operation: Operation) -> BaseModel | None:
    """The JSON body as an instance of its model; None without one.

    The body of an operation with another media type is read, too, so that `request.read()` returns it at once.

    Raises:
        Problem: its media type is another one, it is too large, it does not arrive, or a value is invalid.
    """
    if operation.body is None and not operation.takes:
        return None
    wanted = operation.takes or JSON
    if request.content_type != wanted:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is {request.content_type}; send {wanted} with the header 'Content-Type: {wanted}'",
        )
    content = await _read(request)
    if operation.body is None:
        return None
    try:
        return operation.body.model_validate_json(content)
    except ValidationError as error:
        raise answers.of_values(error, operation.body, "body") from error


async def _read(request: web.Request) -> bytes:
    most = request.client_max_size
    too_large = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is too large; send at most {most:,} bytes")
    if (request.content_length or 0) > most:
        raise too_large
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {BODY_S:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise too_large from None
    except web.RequestPayloadError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not encoded as its header says") from error


def _is_series(annotation: Any) -> bool:
    """Whether a field takes several values."""
    if get_origin(annotation) in (Union, types.UnionType):
        return any(map(_is_series, get_args(annotation)))
    return (get_origin(annotation) or annotation) in _SERIES
