"""The operations on events. They run on the web server's thread, and read the store on threads of its executor."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Sequence
from http import HTTPStatus

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.events import live
from streamer.api.events.files import existing, file_operations
from streamer.api.events.models import (
    EventAnswer,
    EventList,
    EventNames,
    EventPatch,
    ListQuery,
    Timeline,
    TimelineQuery,
)
from streamer.api.operation import Call, Operation, Problem
from streamer.store import queries
from streamer.store.event_json import time_text
from streamer.store.event_store import EventStore
from streamer.store.queries import Cursor
from streamer.values.events import EventKind

DAY_S = 86_400.0
WRITTEN_S = 5.0
"""How long an answer waits until a change is on the disk."""
_CURSOR = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)_(\w+)", re.ASCII)


def operations(context: ApiContext) -> Sequence[Operation]:
    """List, names, timeline, live changes, and the operations on one event."""
    events = _Events(context)
    viewer, admin, missing = Access.VIEWER, Access.ADMIN, (HTTPStatus.NOT_FOUND,)
    one, unwritten = "/events/{id}", (HTTPStatus.SERVICE_UNAVAILABLE,)
    return [
        Operation(
            "GET", "/events", "List events, the newest first", viewer, events.find, query=ListQuery, answer=EventList
        ),
        Operation("GET", "/events/names", "Names for filters", viewer, events.names, answer=EventNames, others=missing),
        Operation(
            "GET", "/events/timeline", "Count events over time", viewer, events.timeline,
            query=TimelineQuery, answer=Timeline, others=missing,
        ),
        live.operation(context),
        Operation("GET", one, "One event", viewer, events.show, answer=EventAnswer),
        Operation(
            "PATCH", one, "Make an event a favourite, or not", admin, events.change,
            body=EventPatch, answer=EventAnswer, others=unwritten,
        ),
        Operation(
            "DELETE", one, "Delete an event with its files", admin, events.delete,
            others=(HTTPStatus.CONFLICT, *unwritten),
        ),
        *file_operations(context),
    ]  # fmt: skip


class _Events:
    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def find(self, call: Call) -> EventList:
        query: ListQuery = call.query
        after = None if query.after is None else _cursor_of(query.after)
        store = self._context.store
        if store is None:
            return EventList(events=[], next=None, stored=False)
        return await asyncio.to_thread(_page, store, query, after)

    async def names(self, _: Call) -> EventNames:
        return await asyncio.to_thread(_names, self._context.required_store())

    async def timeline(self, call: Call) -> Timeline:
        query: TimelineQuery = call.query
        store = self._context.required_store()
        until = time.time() if query.until is None else query.until.timestamp()
        since = until - DAY_S if query.since is None else query.since.timestamp()
        if since >= until:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "query.until: it is not after since")
        return await asyncio.to_thread(_timeline, store, query, since, until)

    async def show(self, call: Call) -> EventAnswer:
        record = await existing(self._context.required_store(), call.path["id"])
        return EventAnswer.of(record)

    async def change(self, call: Call) -> EventAnswer:
        store, event_id = self._context.required_store(), call.path["id"]
        await existing(store, event_id)
        store.favourite([event_id], call.body.favourite)
        await _written(store)
        return EventAnswer.of(await existing(store, event_id))

    async def delete(self, call: Call) -> None:
        store, event_id = self._context.required_store(), call.path["id"]
        record = await existing(store, event_id)
        if record.end_time is None:
            raise Problem(HTTPStatus.CONFLICT, "the event lasts still; delete it when it has ended")
        store.delete([event_id])
        await _written(store)


async def _written(store: EventStore) -> None:
    if not await asyncio.to_thread(store.flush, WRITTEN_S):
        detail = "the change waits, because the database cannot be written now; the log says why"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)


def _page(store: EventStore, query: ListQuery, after: Cursor | None) -> EventList:
    found = store.find(
        query.wanted(), limit=query.limit + 1, after=after
    )  # one more tells whether there is a next page
    shown = found[: query.limit]
    following = _text_of(Cursor.of(shown[-1])) if len(found) > len(shown) else None
    return EventList(events=[EventAnswer.of(record) for record in shown], next=following)


def _names(store: EventStore) -> EventNames:
    def values(column: str) -> list[str]:
        return store.read(lambda connection: queries.names(connection, column), list[str]())

    return EventNames(
        cameras=values("camera"),
        labels=values("label"),
        rules=values("rule"),
        zones=store.read(queries.zone_names, list[str]()),
        kinds=[EventKind(kind) for kind in values("kind")],
    )


def _timeline(store: EventStore, query: TimelineQuery, since: float, until: float) -> Timeline:
    nothing: dict[str, list[int]] = {}
    cameras = store.read(
        lambda connection: queries.counts(connection, query.wanted(), since=since, until=until, bins=query.bins),
        nothing,
    )
    return Timeline(since=str(time_text(since)), until=str(time_text(until)), bins=query.bins, cameras=cameras)


def _text_of(cursor: Cursor) -> str:
    return f"{cursor.start_time!r}_{cursor.id}"


def _cursor_of(text: str) -> Cursor:
    match = _CURSOR.fullmatch(text)
    if match is None or not math.isfinite(float(match[1])):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "query.after: no place in the list; give 'next' of a page before"
        )
    return Cursor(float(match[1]), match[2])
