"""Which of several runs a message belongs to: the name of the camera, or of the input.

A run has its name on all of its threads, because `streamer.system.threads.Thread` passes the context on. A program with
one run has no name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _RunName:
    name: str
    is_camera: bool


_current: ContextVar[_RunName | None] = ContextVar("streamer_run_name", default=None)


@contextmanager
def camera_name(name: str) -> Iterator[None]:
    """What this thread does inside, and the threads that it makes, belongs to the camera: its messages say so."""
    with _named(_RunName(name, is_camera=True)):
        yield


@contextmanager
def input_name(name: str) -> Iterator[None]:
    """The same for one of several inputs; log records that have its name already are not changed."""
    with _named(_RunName(name, is_camera=False)):
        yield


@contextmanager
def _named(run: _RunName) -> Iterator[None]:
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def with_camera(message: str) -> str:
    """The message, after the name of the camera to which this thread belongs, if there is one."""
    run = _current.get()
    return message if run is None or not run.is_camera else _prefixed(run.name, message)


class RunNameFilter(logging.Filter):
    """Puts the name of the run into each log record of its threads. Add it to handlers, which get every record.

    Args:
        has_fields: the name of a camera becomes the field `camera` of the record, instead of the begin of its message.
    """

    def __init__(self, *, has_fields: bool = False) -> None:
        super().__init__()
        self._has_fields = has_fields

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; always True."""
        run = _current.get()
        if run is None:
            return True
        message = record.getMessage()
        if run.is_camera and self._has_fields:
            record.camera = run.name
        elif run.is_camera or run.name not in message:
            record.msg, record.args = _prefixed(run.name, message), None
        return True


def _prefixed(name: str, message: str) -> str:
    return message if message.startswith(f"{name}: ") else f"{name}: {message}"
