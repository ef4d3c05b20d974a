"""The operations of webcams of browsers. Web server's thread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus

from aiohttp import web
from pydantic import Field

from streamer.accounts.roles import Access, Role
from streamer.api.context import ApiContext
from streamer.api.live.whep import SDP, Whep, near
from streamer.api.operation import Answer, Call, Operation, Problem, Values
from streamer.browser_camera.session import BrowserSession, Returns
from streamer.browser_camera.sessions import MOST_OFFER, InvalidOffer, TooMany
from streamer.values.states import FrameState

_ALL = "/browser-cameras"
_LIST = "The webcams of browsers that are sent now: admins see all, viewers their own."
_END = "End a session: viewers their own, admins any."


class Offer(Values):
    """What a browser sends to open a session."""

    sdp: str = Field(max_length=MOST_OFFER)
    """An SDP offer with one video track that the browser sends, and a data channel `messages`."""
    returns: Returns = Returns.BOXES
    """What comes back: the `boxes` of each frame over the data channel; or also the annotated `video`, by WHEP."""


class OpenSession(Answer):
    """An open session."""

    id: str
    sdp: str
    """The SDP answer."""
    max_width: int
    """The longer side of a frame may have so many pixels."""
    max_s: float
    """The session ends after this time."""


class BrowserCamera(Answer):
    """A session."""

    id: str
    user: str
    returns: Returns
    opened: datetime
    ends: datetime
    width: int | None
    height: int | None
    fps: float
    """Frames shown per second, over the whole session."""
    age_s: float | None
    """Age of the shown frames since their arrival, median."""
    entered: int
    shown: int
    detected: int
    dropped: int


class BrowserCameraList(Answer):
    """The sessions that a user may see: admins all, viewers their own."""

    browser_cameras: tuple[BrowserCamera, ...]


def operations(context: ApiContext) -> Sequence[Operation]:
    """See `streamer.api.operations`."""
    part, one = _Part(context), f"{_ALL}/{{id}}"
    gone, busy = HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE
    return (
        Operation(
            "POST",
            _ALL,
            "Send the webcam of a browser by WebRTC and get boxes or video back.",
            Access.VIEWER,
            part.open,
            body=Offer,
            answer=OpenSession,
            status=HTTPStatus.CREATED,
            others=(HTTPStatus.BAD_REQUEST, busy),
        ),
        Operation("GET", _ALL, _LIST, Access.VIEWER, part.list, answer=BrowserCameraList),
        Operation(
            "POST",
            f"{one}/whep",
            "Watch the annotated video of a session by WebRTC (WHEP): an offer in, an answer out, both SDP.",
            Access.VIEWER,
            part.watch,
            takes=SDP,
            media=SDP,
            status=HTTPStatus.CREATED,
            others=(gone, HTTPStatus.CONFLICT, busy),
        ),
        Operation("DELETE", one, _END, Access.VIEWER, part.end, status=HTTPStatus.NO_CONTENT, others=(gone,)),
    )


class _Part:
    def __init__(self, context: ApiContext) -> None:
        self._cameras = context.browser_cameras
        self._guard = context.guard
        self._whep = Whep(context)

    async def open(self, call: Call) -> OpenSession:
        settings = self._cameras.settings
        try:
            session, sdp = await self._cameras.open(call.body.sdp, call.body.returns, _name(call), near(call))
        except TooMany as error:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        except InvalidOffer as error:
            raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from error
        is_open = partial(self._is_open, session)
        self._guard.follow(call.request, Access.VIEWER, partial(session.end, "the login has ended"), is_open)
        return OpenSession(id=session.facts.id, sdp=sdp, max_width=settings.max_width, max_s=settings.max_s)

    def _is_open(self, session: BrowserSession) -> bool:
        return self._cameras.get(session.facts.id) is session

    async def list(self, call: Call) -> BrowserCameraList:
        found = (_shown(session) for session in self._cameras.sessions if _may_see(call, session))
        return BrowserCameraList(browser_cameras=tuple(found))

    async def watch(self, call: Call) -> web.StreamResponse:
        broadcast = self._session(call).broadcast
        if broadcast is None:
            raise Problem(HTTPStatus.CONFLICT, 'the session returns boxes; open one with "returns": "video"')
        return await self._whep.answer(call, broadcast)

    async def end(self, call: Call) -> None:
        self._session(call).end("")

    def _session(self, call: Call) -> BrowserSession:
        session = self._cameras.get(call.path["id"])
        if session is None or not _may_see(call, session):
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such session; it may have ended")
        return session


def _name(call: Call) -> str:
    return "" if call.user is None else call.user.name


def _may_see(call: Call, session: BrowserSession) -> bool:
    if call.user is None:
        return False
    return call.user.role is Role.ADMIN or call.user.name == session.facts.user


def _shown(session: BrowserSession) -> BrowserCamera:
    facts, stats, size = session.facts, session.run.stats, session.run.frame_size
    ages = stats.ages.get("shown")
    return BrowserCamera(
        id=facts.id,
        user=facts.user,
        returns=facts.returns,
        opened=facts.opened,
        ends=facts.opened + timedelta(seconds=facts.max_s),
        width=None if size is None else size[0],
        height=None if size is None else size[1],
        fps=round(session.fps, 1),
        age_s=None if ages is None else round(ages.percentile_s(50), 3),
        entered=stats.ledger.entered,
        shown=stats.shown,
        detected=stats.ledger.count(FrameState.DETECTED),
        dropped=stats.ledger.count(FrameState.DROPPED),
    )
