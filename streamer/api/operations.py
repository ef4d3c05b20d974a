"""The table of all operations, from the parts of the API that have them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamer.api import session
from streamer.api.context import ApiContext
from streamer.api.operation import Operation

Part = Callable[[ApiContext], Sequence[Operation]]

PARTS: Sequence[Part] = (session.operations,)
"""Each folder of `streamer.api` adds its line here."""


def all_operations(context: ApiContext) -> list[Operation]:
    """All operations of the API, in the order of the parts.

    Args:
        context: what they work on.

    Raises:
        ValueError: two operations have the same method and path.
    """
    found = [operation for part in PARTS for operation in part(context)]
    seen: set[tuple[str, str]] = set()
    for operation in found:
        key = operation.method, operation.path
        if key in seen:
            raise ValueError(f"{operation.method} {operation.path} is there twice")
        seen.add(key)
    return found
