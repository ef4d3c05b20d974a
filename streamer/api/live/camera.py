"""Finds the live video that a request is about, and admits its viewer. Web server's thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from streamer.api.context import ApiContext
from streamer.api.operation import Call, Problem
from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.viewers import TooManyViewers, ViewerKind
from streamer.system.suggestions import nearest

VIEWER_TIMEOUT_S = 10.0
"""A viewer that takes no data for so long is disconnected."""


def broadcast_of(context: ApiContext, call: Call) -> Broadcast:
    """The live video of the camera in the path of a request.

    Raises:
        Problem: 404, there is no such camera.
    """
    name, cameras = call.path["name"], context.site.settings.cameras
    if name not in cameras:
        raise Problem(HTTPStatus.NOT_FOUND, f"no camera {name!r}{nearest(name, cameras)}")
    return context.broadcasts.of(name)


@contextmanager
def viewer_of(context: ApiContext, broadcast: Broadcast, kind: ViewerKind = ViewerKind.VIDEO) -> Iterator[None]:
    """The running task watches a camera, from entering to leaving.

    Raises:
        Problem: 503, there are too many viewers.
    """
    with refused_if_full(), context.broadcasts.viewers.admitted(broadcast.camera, kind):
        yield


@contextmanager
def refused_if_full() -> Iterator[None]:
    """Turns `TooManyViewers` into the problem 503."""
    try:
        yield
    except TooManyViewers as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
