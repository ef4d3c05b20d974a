"""WebRTC for viewers: WHEP, an offer in a request and the answer in its response. Web server's thread."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.live.camera import broadcast_of, refused_if_full
from streamer.api.operation import Call, Problem

if TYPE_CHECKING:
    from streamer.broadcast.peers import Peers

SDP = "application/sdp"


class Whep:
    """Answers offers and ends viewers (draft-ietf-wish-whep).

    The answer has all candidates; there is no trickling, and `PATCH` is not supported.

    Args:
        context: what the API works on.
    """

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._made: Peers | None = None

    async def add(self, call: Call) -> web.StreamResponse:
        """Answer an offer.

        Raises:
            Problem: 404, or 503 if there are too many viewers.
            BadOffer: it cannot be answered.
        """
        broadcast, request = broadcast_of(self._context, call), call.request
        offer = (await request.read()).decode("utf-8", "replace")
        transport = request.transport
        near = None if transport is None else transport.get_extra_info("sockname")[0]
        with refused_if_full():
            peers = self._peers
            number, answer = await peers.add(broadcast, offer, near)
        self._context.guard.follow(request, Access.VIEWER, lambda: peers.end(number), lambda: number in peers)
        location = f"{request.path.partition('/cameras/')[0]}/whep/{number}"
        return web.Response(status=HTTPStatus.CREATED, text=answer, content_type=SDP, headers={"Location": location})

    async def remove(self, call: Call) -> None:
        """End a viewer. Raises Problem: 404, there is none."""
        if not await self._peers.remove(call.path["id"]):
            raise Problem(HTTPStatus.NOT_FOUND, "no such viewer; it may have ended")

    @property
    def _peers(self) -> Peers:
        if self._made is None:
            from streamer.broadcast.peers import Peers  # here: aiortc takes 0.2 s, and some programs use no WebRTC

            self._made = Peers(self._context.broadcasts.viewers)
        return self._made
