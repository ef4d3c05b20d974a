"""The operations of webcams of browsers: who may use them, and the annotated video by WHEP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamer.accounts.roles import Role, User
from tests.api.served import Answer
from tests.browser_camera.webcam import Client
from tests.page.sites import ADMIN, VIEWER, ServedSite, served_site
from tests.pipeline.parts import DEADLINE_S

pytestmark = pytest.mark.usefixtures("starter_weights")
OTHER = User("rita", Role.VIEWER)
PATH = "/browser-cameras"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedSite]:
    """A site with three users, for one webcam."""
    with served_site(tmp_path, ADMIN, VIEWER, OTHER, browser_camera={"sessions": 1}) as served:
        yield served


@pytest.fixture
def send(served: ServedSite) -> Callable[..., Answer]:
    """Sends a request of a user."""
    cookies = {user: served.cookie(user.name) for user in (ADMIN, VIEWER, OTHER)}
    origin = f"http://127.0.0.1:{served.page.address[1]}"

    def send(user: User, method: str, path: str, content: Any = None) -> Answer:
        headers = {"Cookie": cookies[user], "Origin": origin}
        if content is None:
            return served.client(method, path, None, **headers)
        if isinstance(content, str):
            return served.client(method, path, content.encode(), Content_Type="application/sdp", **headers)
        return served.client.send(method, path, content, **headers)

    return send


def webcam(work: Callable[[Client], Any]) -> None:
    """Run `work` with a client that has not connected."""

    async def run() -> None:
        client = Client()
        try:
            await work(client)
        finally:
            await client.peer.close()

    asyncio.run(run())


def test_session_belongs_to_its_user(send: Callable[..., Answer]) -> None:
    async def work(client: Client) -> None:
        opened = await asyncio.to_thread(send, VIEWER, "POST", PATH, {"sdp": await client.offer()})
        assert opened.status == 201, opened
        path = f"{PATH}/{opened.json['id']}"
        seen = {user: send(user, "GET", PATH).json["browser_cameras"] for user in (ADMIN, VIEWER, OTHER)}
        assert [one["user"] for one in seen[ADMIN]] == [VIEWER.name]
        assert (len(seen[VIEWER]), seen[OTHER]) == (1, [])
        assert send(OTHER, "DELETE", path).status == 404
        assert send(VIEWER, "DELETE", path).status == 204

    webcam(work)


def test_refusals_say_why(send: Callable[..., Answer]) -> None:
    async def work(client: Client) -> None:
        offer = {"sdp": await client.offer()}
        assert send(VIEWER, "POST", PATH, {"sdp": "nonsense"}).status == 400
        opened = await asyncio.to_thread(send, VIEWER, "POST", PATH, offer)
        full = send(OTHER, "POST", PATH, offer)
        assert (full.status, "web.browser_camera.sessions" in full.json["detail"]) == (503, True)
        watched = send(VIEWER, "POST", f"{PATH}/{opened.json['id']}/whep", offer["sdp"])
        assert (watched.status, "returns" in watched.json["detail"]) == (409, True)

    webcam(work)


def test_annotated_video_comes_back_by_whep(send: Callable[..., Answer]) -> None:
    async def work(client: Client) -> None:
        wanted = {"sdp": await client.offer(), "returns": "video"}
        opened = (await asyncio.to_thread(send, VIEWER, "POST", PATH, wanted)).json
        await client.connect(opened["sdp"])
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription()
        path = f"{PATH}/{opened['id']}/whep"
        answer = await asyncio.to_thread(send, VIEWER, "POST", path, peer.localDescription.sdp)
        assert answer.status == 201, answer
        await peer.setRemoteDescription(RTCSessionDescription(answer.content.decode(), "answer"))
        (receiver,) = peer.getReceivers()
        picture = await asyncio.wait_for(receiver.track.recv(), DEADLINE_S)
        assert isinstance(picture, av.VideoFrame)
        assert (picture.width, picture.height) == (128, 96)
        await peer.close()

    webcam(work)
