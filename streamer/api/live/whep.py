"""WebRTC for viewers: WHEP, an offer in a request and the answer in its response. Web server's thread."""

from __future__ import annotations

import asyncio
import importlib
from http import HTTPStatus

from aiohttp import web

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.live.camera import broadcast_of, refused_if_full
from streamer.api.openapi import BASE
from streamer.api.operation import Call, Problem
from streamer.broadcast.broadcast import Broadcast
from streamer.system.threads import Thread

SDP = "application/sdp"


class Whep:
    """Answers offers and ends viewers (draft-ietf-wish-whep).

    The answer has all candidates; there is no trickling, and `PATCH` is not supported.

    Args:
        context: what the API works on.
    """

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        # aiortc takes 0.3 s to import: not at the start of the program, and not while the first viewer waits.
        self._importing = Thread("webrtc", importlib.import_module, "streamer.broadcast.peers", shared=True)
        self._importing.start()

    async def add(self, call: Call) -> web.StreamResponse:
        """Answer an offer to watch a camera. Raises as `answer`, and Problem: 404, there is no such camera."""
        return await self.answer(call, broadcast_of(self._context, call))

    async def answer(self, call: Call, broadcast: Broadcast) -> web.StreamResponse:
        """Answer an offer.

        Raises:
            Problem: 503, there are too many viewers.
            BadOffer: it cannot be answered.
        """
        offer = (await call.request.read()).decode("utf-8", "replace")
        await asyncio.to_thread(self._importing.join)
        with refused_if_full():
            peers = self._context.broadcasts.peers
            number, answer = await peers.add(broadcast, offer, near(call))
        self._context.guard.follow(call.request, Access.VIEWER, lambda: peers.end(number), lambda: number in peers)
        location = f"{BASE}/whep/{number}"
        return web.Response(status=HTTPStatus.CREATED, text=answer, content_type=SDP, headers={"Location": location})

    async def remove(self, call: Call) -> None:
        """End a viewer. Raises Problem: 404, there is none."""
        if not await self._context.broadcasts.peers.remove(call.path["id"]):
            raise Problem(HTTPStatus.NOT_FOUND, "no such viewer; it may have ended")


def near(call: Call) -> str | None:
    """The address of this machine that the browser uses for HTTP; None if the browser is gone."""
    transport = call.request.transport
    return None if transport is None else str(transport.get_extra_info("sockname")[0])
