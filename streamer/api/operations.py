"""The table of all operations, from the parts of the API that have them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamer.api import browser_cameras, openapi, session
from streamer.api.cameras.operations import operations as cameras
from streamer.api.cameras.probe import operations as probe
from streamer.api.context import ApiContext
from streamer.api.events.operations import operations as events
from streamer.api.live.operations import operations as live
from streamer.api.operation import Operation
from streamer.api.system.log import operations as log
from streamer.api.system.status_feed import operations as status
from streamer.api.system.system import operations as system

Part = Callable[[ApiContext], Sequence[Operation]]

PARTS: Sequence[Part] = (
    session.operations,
    cameras,
    live,
    probe,
    events,
    status,
    system,
    log,
    browser_cameras.operations,
)
"""Each folder of `streamer.api` adds its line here."""


def all_operations(context: ApiContext) -> list[Operation]:
    """All operations of the API, in the order of the parts; the last one is the document of the others.

    Args:
        context: what they work on.

    Raises:
        ValueError: two operations have the same method and path.
    """
    found = [operation for part in PARTS for operation in part(context)]
    found.append(openapi.operation(found))
    seen: set[tuple[str, str]] = set()
    for operation in found:
        key = operation.method, operation.path
        if key in seen:
            raise ValueError(f"{operation.method} {operation.path} is there twice")
        seen.add(key)
    return found
