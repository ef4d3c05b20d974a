"""The WebSocket of events: a message for each event that is stored, changes or is deleted. Web server's thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus

from aiohttp import WSCloseCode, web

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.events.feed import EventFeed, Follower
from streamer.api.events.models import EventChange
from streamer.api.operation import WEBSOCKET, Call, Operation
from streamer.store.event_store import EventStore

HEARTBEAT_S = 20.0
"""A client that answers no ping for half of this time is gone."""
MOST_BYTES = 1024
"""Of a message from the client, which has nothing to say."""


def operation(context: ApiContext) -> Operation:
    """The operation of a site."""
    feeds: dict[EventStore, EventFeed] = {}

    async def follow(call: Call) -> web.StreamResponse:
        store = context.required_store()
        if store not in feeds:
            feeds[store] = EventFeed(store)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MOST_BYTES)
        with feeds[store].follower() as follower:
            await socket.prepare(call.request)
            await _send(socket, follower)
        return socket

    return Operation(
        "GET",
        "/events/live",
        "Follow the changes of events",
        Access.VIEWER,
        follow,
        media=WEBSOCKET,
        messages=(EventChange,),
        others=(HTTPStatus.NOT_FOUND,),
    )


async def _send(socket: web.WebSocketResponse, follower: Follower) -> None:
    """Send changes until the client closes, or loses its place."""
    receiving = asyncio.create_task(_discard(socket, follower))
    try:
        with suppress(ConnectionError):  # the client is gone
            async for text in follower:
                await socket.send_str(text)
            if follower.lost:
                await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too many changes wait; read the list")
    finally:
        receiving.cancel()
        with suppress(asyncio.CancelledError):
            await receiving


async def _discard(socket: web.WebSocketResponse, follower: Follower) -> None:
    """Read what the client sends, which answers its pings, until it closes."""
    async for _ in socket:
        pass
    follower.end()
