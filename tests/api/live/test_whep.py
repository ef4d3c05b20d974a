"""Watching by WebRTC, with aiortc as the other end."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from streamer.broadcast import peer as peers
from streamer.broadcast.peers import MOST_IN_NEGOTIATION
from tests.api.live.running import Live, WebRtc, live
from tests.broadcast.offers import VIDEO, offer
from tests.broadcast.shown import scene
from tests.clips import read_number

pytestmark = pytest.mark.slow


def post(server: Live, text: str, camera: str = "door") -> tuple[int, str]:
    found = server.request("POST", f"/cameras/{camera}/whep", text.encode(), Content_Type="application/sdp")
    return found.status, found.content.decode()


def test_a_viewer_sees_the_frames_in_order() -> None:
    with live() as server, server.shooting():

        async def watch(session: aiohttp.ClientSession) -> None:
            viewer = WebRtc(server, session)
            await viewer.open()
            numbers = [read_number(await viewer.track.recv()) for _ in range(20)]
            assert numbers == sorted(numbers)
            assert len(set(numbers)) > 10
            assert await viewer.delete() == 204
            assert await viewer.delete() == 404
            await viewer.peer.close()

        server.run(watch)
        server.wait_for_viewers(0)


def test_several_viewers_share_one_encoder() -> None:
    with live() as server, server.shooting():

        async def watch(session: aiohttp.ClientSession) -> None:
            viewers = [WebRtc(server, session) for _ in range(4)]
            for viewer in viewers:
                await viewer.open()
                await viewer.track.recv()
            encoders = [thread for thread in threading.enumerate() if thread.name == "streamer-live-door"]
            assert len(encoders) == 1
            for viewer in viewers:
                await viewer.peer.close()

        server.run(watch)
        server.wait_for_viewers(0)


def test_a_viewer_of_a_lost_camera_sees_its_last_frame() -> None:
    with live() as server:
        server.broadcasts.of("door").put(scene(321))

        async def watch(session: aiohttp.ClientSession) -> None:
            viewer = WebRtc(server, session)
            await viewer.open()
            assert read_number(await viewer.track.recv()) == 321
            await viewer.peer.close()

        server.run(watch)


def test_viewers_end_when_their_camera_is_removed() -> None:
    with live() as server, server.shooting(), server.shooting("yard"):

        async def watch(session: aiohttp.ClientSession) -> None:
            viewers = [WebRtc(server, session, camera) for camera in ("door", "yard")]
            for viewer in viewers:
                await viewer.open()
                await viewer.track.recv()
            server.broadcasts.remove("yard")
            server.wait_for_viewers(1)
            assert server.broadcasts.viewers.count("door") == 1
            for viewer in viewers:
                await viewer.peer.close()

        server.run(watch)


def test_an_abandoned_negotiation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "NEGOTIATION_S", 0.2)
    with live() as server:
        assert post(server, offer(VIDEO))[0] == 201
        server.wait_for_viewers(0)


def test_too_many_negotiations_are_refused_with_the_reason() -> None:
    with live() as server:
        found = [post(server, offer(VIDEO)) for _ in range(MOST_IN_NEGOTIATION + 1)]
        assert [status for status, _ in found] == [*[201] * MOST_IN_NEGOTIATION, 503]
        assert "connecting by WebRTC" in found[-1][1]


def test_more_viewers_than_allowed_are_refused_with_the_setting() -> None:
    with live(viewers=2) as server:
        found = [post(server, offer(VIDEO)) for _ in range(3)]
        assert [status for status, _ in found] == [201, 201, 503]
        assert "web.live.viewers" in found[-1][1]


def test_a_silent_viewer_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one whose network is gone: it sends no reports and no farewell."""
    monkeypatch.setattr(peers, "SILENCE_S", 2.0)
    with live() as server, server.shooting():

        async def watch(session: aiohttp.ClientSession) -> None:
            viewer = WebRtc(server, session)
            await viewer.open()
            await viewer.track.recv()
            (receiver,) = viewer.peer.getReceivers()
            await receiver.stop()
            server.wait_for_viewers(0)
            await viewer.peer.close()

        server.run(watch)


def test_a_viewer_waits_for_the_first_frame_of_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers report nothing of a stream that has not begun."""
    monkeypatch.setattr(peers, "SILENCE_S", 2.0)
    with live() as server:

        async def watch(session: aiohttp.ClientSession) -> None:
            viewer = WebRtc(server, session)
            await viewer.open()
            await asyncio.sleep(3.5)
            with server.shooting():
                await viewer.track.recv()
            await viewer.peer.close()

        server.run(watch)


@pytest.mark.parametrize(
    ("text", "camera", "status"), [("v=0", "door", 422), (offer(VIDEO), "nowhere", 404), ("\0" * 100, "door", 422)]
)
def test_bad_requests_are_problems(text: str, camera: str, status: int) -> None:
    with live() as server:
        found, told = post(server, text, camera)
        assert found == status
        assert '"detail"' in told
        server.wait_for_viewers(0)


def test_udp_ports_and_public_address_are_in_the_answer() -> None:
    with live(udp_ports="40000-60000", public_address="198.51.100.7") as server:
        _, answer = post(server, offer(VIDEO))
        candidates = [line.split() for line in answer.splitlines() if line.startswith("a=candidate")]
        assert candidates
        assert {words[4] for words in candidates} == {"198.51.100.7"}
        assert all(40_000 <= int(words[5]) <= 60_000 for words in candidates)
