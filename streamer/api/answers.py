"""Answers as JSON, without credentials; refused requests as `application/problem+json` (RFC 9457). Pure; any thread."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from streamer.api.operation import Answer, Problem
from streamer.errors import ConfigError, StreamerError
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import nearest

MEDIA = "application/problem+json"
_SHOWN_CHARACTERS = 80
_MOST_LINES = 20
_SCALARS = str | int | float


class ProblemAnswer(Answer):
    """A request that is refused (RFC 9457)."""

    type: str = "about:blank"
    """Always `about:blank`: the status says what kind of problem it is."""
    title: str
    """Of the status."""
    status: int
    """Of the answer."""
    detail: str
    """What is wrong and what to do, one line."""
    problems: list[str]
    """One line for each invalid value."""


def text_of(answer: BaseModel) -> str:
    """An answer or a message as JSON, without credentials."""
    text = answer.model_dump_json()
    if SECRETS.hide(text) == text:
        return text
    return json.dumps(_hidden(answer.model_dump(mode="json")))


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return SECRETS.hide(value)
    if isinstance(value, dict):
        return {name: _hidden(one) for name, one in value.items()}
    return [_hidden(one) for one in value] if isinstance(value, list) else value


def response(problem: Problem) -> web.Response:
    """The answer to a refused request."""
    title = HTTPStatus(problem.status).phrase
    detail, *lines = (readable(SECRETS.hide(line)) for line in (problem.detail, *problem.lines))
    answer = ProblemAnswer.model_construct(title=title, status=int(problem.status), detail=detail, problems=lines)
    text = answer.model_dump_json()
    return web.Response(text=text, status=problem.status, content_type=MEDIA, headers=problem.headers)


def of_error(error: StreamerError) -> Problem:
    """The problem of an error that is meant for users."""
    lines = error.problems if isinstance(error, ConfigError) else (str(error),)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), lines)


def of_exception(error: web.HTTPException) -> Problem:
    """The problem of an error of aiohttp."""
    status = HTTPStatus(error.status)
    text = error.text or ""
    detail = status.description or status.phrase if text == f"{error.status}: {error.reason}" else text
    return Problem(status, " ".join(detail.split()), headers={k: v for k, v in error.headers.items() if k == "Allow"})


def of_values(error: ValidationError, model: type[BaseModel], where: str) -> Problem:
    """The problem of invalid values.

    Args:
        error: of pydantic.
        model: that the values do not fit.
        where: the place of the values in the request: `query` or `body`.
    """
    lines = []
    for found in error.errors(include_url=False, include_context=False)[:_MOST_LINES]:
        if found["type"] == "json_invalid":
            return Problem(HTTPStatus.BAD_REQUEST, f"{where}: {found['msg']}; send one JSON object")
        path = ".".join([where, *(str(part) for part in found["loc"])])[:_SHOWN_CHARACTERS]
        if found["type"] == "extra_forbidden":
            name = str(found["loc"][-1])[:_SHOWN_CHARACTERS]
            lines.append(f"{path}: no such name{nearest(name, model.model_fields) if len(found['loc']) == 1 else ''}")
        else:
            message = found["msg"].removeprefix("Value error, ")
            lines.append(f"{path}: {message[:1].lower()}{message[1:]}{_given(path, found['input'])}")
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, lines[0], tuple(lines))


def _given(path: str, value: object) -> str:
    """The invalid value, if it is short and no password."""
    if not isinstance(value, _SCALARS) or "password" in path:
        return ""
    text = repr(value)
    return f" (got {text})" if len(text) <= _SHOWN_CHARACTERS else ""
