"""The viewers by WebRTC of all cameras, by the ids that WHEP gives them. Used by the web server's thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.peer import NotConnected, Peer
from streamer.broadcast.sdp import parse_offer
from streamer.broadcast.viewers import TooManyViewers, Viewers

log = logging.getLogger(__name__)

MOST_IN_NEGOTIATION = 16
"""Connections that have an answer and are not up yet."""


class Peers:
    """Answers offers, and keeps each connection until its end.

    Args:
        viewers: admits them.
    """

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._negotiating = 0

    async def add(self, broadcast: Broadcast, offer: str, near: str | None) -> tuple[str, str]:
        """Answer an offer.

        Args:
            broadcast: what the viewer sees.
            offer: SDP.
            near: the address of this machine that the browser uses for HTTP.

        Returns:
            The id of the viewer, and the answer.

        Raises:
            BadOffer: it cannot be answered.
            TooManyViewers: there is no place.
            NoPort: no UDP port is free.
        """
        parsed = parse_offer(offer)
        if self._negotiating >= MOST_IN_NEGOTIATION:
            raise TooManyViewers(f"{MOST_IN_NEGOTIATION} viewers are connecting by WebRTC; try again in some seconds")
        peer = Peer(parsed, broadcast.settings, broadcast.video.ask_fresh, near)
        number = secrets.token_urlsafe(16)
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        answered.add_done_callback(lambda one: one.cancelled() or one.exception())  # taken, if the client is gone
        task = asyncio.create_task(self._serve(peer, broadcast, answered), name=f"whep {broadcast.camera}")
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))
        return number, await asyncio.shield(answered)  # a client that is gone leaves the negotiation to its time limit

    def __contains__(self, number: str) -> bool:
        """Whether there is a viewer of this id."""
        return number in self._tasks

    def end(self, number: str) -> asyncio.Task[None] | None:
        """Begin to end a viewer; the task that ends with it, None if there is none of this id."""
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()
        return task

    async def remove(self, number: str) -> bool:
        """End a viewer; False if there is none of this id."""
        task = self.end(number)
        if task is None:
            return False
        await asyncio.wait([task])
        return True

    async def _serve(self, peer: Peer, broadcast: Broadcast, answered: asyncio.Future[str]) -> None:
        """Everything of one viewer, from the answer to the end."""
        try:
            with self._viewers.admitted(broadcast.camera):
                await self._negotiate(peer, answered)
                with broadcast.video.watch(peer.send):
                    await peer.wait()
        except NotConnected as error:
            log.debug("%s", error)
        except Exception as error:
            if answered.done():
                log.exception("a viewer by WebRTC failed")
            else:
                answered.set_exception(error)
        finally:
            if not answered.done():
                answered.cancel()
            await self._close(peer)

    async def _close(self, peer: Peer) -> None:
        """End a connection, also if the viewer is ended a second time meanwhile: its sockets would stay open."""
        closing = asyncio.create_task(peer.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(closing)

    async def _negotiate(self, peer: Peer, answered: asyncio.Future[str]) -> None:
        self._negotiating += 1
        try:
            answered.set_result(await peer.answer())
            await peer.connect()
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # asyncio.wait_for of Python 3.11, in aiortc, may lose it
                raise asyncio.CancelledError
        finally:
            self._negotiating -= 1
