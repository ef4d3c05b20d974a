"""All webcams of browsers at a site: a bounded number of sessions, by id. Event loop of the web server."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.viewers import Viewers
from streamer.browser_camera.messages import Messages
from streamer.browser_camera.run import BrowserRun
from streamer.browser_camera.session import BrowserSession, Returns, SessionFacts
from streamer.config.web import WebSettings
from streamer.errors import StreamerError
from streamer.serve.site import Site

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection

MOST_OFFER = 64 << 10
"""Characters of an offer; that of Chromium has 6,000."""
_END_S = 1.5


class TooMany(StreamerError):
    """There is no room for one more session."""


class InvalidOffer(StreamerError):
    """The offer is not that of a webcam."""


class BrowserCameras:
    """Opens sessions and keeps them until they end.

    Args:
        site: has the detectors.
        settings: of the page: of browser cameras, and of the UDP ports of WebRTC.
        viewers: of live video, among them those of annotated webcams.

    Attributes:
        settings: of browser cameras.
    """

    def __init__(self, site: Site, settings: WebSettings, viewers: Viewers) -> None:
        self._site = site
        self._live = settings.live
        self._viewers = viewers
        self.settings = settings.browser_camera
        self._lock = threading.Lock()  # guards the dict, whose length any thread may ask for
        self._sessions: dict[str, BrowserSession] = {}
        self._opening = 0
        self._closed = False

    @property
    def sessions(self) -> list[BrowserSession]:
        """The sessions that have not ended, oldest first."""
        return list(self._sessions.values())

    def get(self, id_: str) -> BrowserSession | None:
        """A session by its id; None if it has ended."""
        return self._sessions.get(id_)

    @property
    def number(self) -> int:
        """How many sessions there are. Any thread."""
        with self._lock:
            return len(self._sessions)

    async def open(
        self, offer: str, returns: Returns, user: str, near: str | None = None
    ) -> tuple[BrowserSession, str]:
        """Open a session; returns it with the SDP answer.

        Args:
            offer: SDP with one video track that the browser sends.
            returns: what goes back.
            user: who opens it.
            near: the address of this machine that the browser uses for HTTP.

        Raises:
            TooMany: no room; the message says why.
            InvalidOffer: the offer is not that of a webcam.
        """
        self._check_room()
        check_offer(offer)
        self._opening += 1
        try:
            session = self._make(returns, user)
            try:
                answer = await session.answer(without_candidates(offer), self._live, near)
            except StreamerError:
                raise
            except Exception as error:  # an offer is a text from outside, and aiortc raises whatever comes
                raise InvalidOffer(f"the offer cannot be answered: {error or type(error).__name__}") from error
        finally:
            self._opening -= 1
        with self._lock:
            self._sessions[session.facts.id] = session
        return session, answer

    async def close(self) -> None:
        """End all sessions, and open no more."""
        self._closed = True
        sessions = self.sessions
        for session in sessions:
            session.end("the program ends")
        if sessions:
            await asyncio.wait([asyncio.create_task(one.wait_closed()) for one in sessions], timeout=_END_S)

    def _check_room(self) -> None:
        most, there = self.settings.sessions, len(self._sessions) + self._opening
        if self._closed:
            raise TooMany("the program ends")
        if not most:
            raise TooMany("webcams of browsers are switched off (web.browser_camera.sessions: 0)")
        if there >= most:
            raise TooMany(
                f"{there} of {most} webcams of browsers are in use; end one, or raise web.browser_camera.sessions"
            )

    def _make(self, returns: Returns, user: str) -> BrowserSession:
        id_ = secrets.token_urlsafe(12)
        facts = SessionFacts(id_, user, returns, datetime.now(UTC), self.settings.max_s)
        name = f"browser-{id_}"
        broadcast = Broadcast(name, self._live, annotated=True) if returns is Returns.VIDEO else None

        def make_run(messages: Messages, ended: Callable[[str], None]) -> BrowserRun:
            return BrowserRun(name, self._site, self.settings.priority, messages, ended, broadcast=broadcast)

        return BrowserSession(facts, self.settings, _peer(), make_run, self._forget, broadcast)

    def _forget(self, session: BrowserSession) -> None:
        if session.broadcast is not None:
            self._viewers.end(session.broadcast.camera)
        with self._lock:
            self._sessions.pop(session.facts.id, None)


def check_offer(offer: str) -> None:
    """Refuse an offer that would open more than one video track.

    Raises:
        InvalidOffer: it is no SDP, or has other tracks.
    """
    from aiortc.sdp import SessionDescription

    try:
        media = SessionDescription.parse(offer).media
    except Exception as error:  # it is a text from outside; aiortc's parser raises whatever comes
        raise InvalidOffer("the offer is no SDP that can be read") from error
    video = [one for one in media if one.kind == "video"]
    if len(video) != 1 or any(one.kind == "audio" for one in media):
        raise InvalidOffer("the offer must have one video track, and no sound")
    if video[0].direction not in ("sendonly", "sendrecv"):
        raise InvalidOffer("the video track of the offer must be one that the browser sends")


def without_candidates(offer: str) -> str:
    """The offer without the browser's addresses: its checks tell from where it sends.

    So nobody can make this machine send to an address of their choice.
    """
    lines = offer.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates")))


def _peer() -> RTCPeerConnection:
    from aiortc import RTCConfiguration, RTCPeerConnection  # here: it takes 0.2 s to import

    return RTCPeerConnection(RTCConfiguration(iceServers=[]))
