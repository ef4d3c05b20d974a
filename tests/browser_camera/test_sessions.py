"""Webcams of browsers at a running site: real WebRTC on both ends, real codecs, the starter."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.candidates import NoPort
from streamer.broadcast.viewers import Viewers
from streamer.browser_camera import session as session_module
from streamer.browser_camera.session import BrowserSession, Returns
from streamer.browser_camera.sessions import BrowserCameras, InvalidOffer, TooMany
from streamer.browser_camera.source import BrowserSource
from streamer.config.web import WebSettings
from streamer.serve.site import Site
from tests.browser_camera.webcam import CLOCK_HZ, FPS, Client, session
from tests.serve.test_site import Kept, running, site_of

pytestmark = pytest.mark.usefixtures("starter_weights")


@pytest.fixture
def site() -> Iterator[tuple[Site, Kept]]:
    """A site without cameras."""
    with running(site_of({})) as (site, kept, _):
        yield site, kept


def run(site: Site, work: Callable[[BrowserCameras], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def with_cameras() -> None:
        cameras = BrowserCameras(site, WebSettings.model_validate({"browser_camera": settings}), Viewers(4))
        try:
            await work(cameras)
        finally:
            await cameras.close()

    asyncio.run(with_cameras())


def test_boxes_come_back_with_the_time_stamps_of_the_frames(site: tuple[Site, Kept]) -> None:
    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras) as (client, _):
            found = await client.wait_for_frames(12)
        steps = [(after["rtp"] - before["rtp"]) % (1 << 32) for before, after in pairwise(found)]
        assert all(step % (CLOCK_HZ // FPS) == 0 for step in steps)
        assert all("tracks" in one for one in found)

    run(site[0], work)


def test_detector_is_loaded_at_the_first_session_and_stays(site: tuple[Site, Kept]) -> None:
    async def work(cameras: BrowserCameras) -> None:
        for _ in range(2):
            async with session(cameras) as (client, _):
                await client.wait_for_frames(1)
        assert sum("is loaded now" in str(one) for one in client.messages) == 0

    run(site[0], work)
    assert sum("using starter" in line for line in site[1].lines) == 1


def test_number_of_sessions_is_bounded(site: tuple[Site, Kept]) -> None:
    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras) as (first, _):
            await first.wait_for_frames(1)
            client = Client()
            with pytest.raises(TooMany, match=r"1 of 1 webcams.*web.browser_camera.sessions"):
                await cameras.open(await client.offer(), Returns.BOXES, "")
            await client.peer.close()
        async with session(cameras) as (client, _):  # there is room again
            await client.wait_for_frames(1)

    run(site[0], work, sessions=1)


def test_end_of_annotated_video_delays_no_other(site: tuple[Site, Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    closed_by, close = list[threading.Thread](), Broadcast.close

    def note(self: Broadcast) -> None:
        closed_by.append(threading.current_thread())
        close(self)

    monkeypatch.setattr(Broadcast, "close", note)

    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras, returns=Returns.VIDEO) as (client, _):
            await client.wait_for_frames(1)

    run(site[0], work)
    assert closed_by
    assert threading.current_thread() not in closed_by  # it has the event loop, and closing waits for the encoder


def test_session_without_pictures_ends(site: tuple[Site, Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SILENCE_S", 1.0)

    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras) as (client, _):
            await client.wait_for_frames(1)
            client.webcam.muted.set()
            assert await client.ended() == "no picture arrived for 1 s"

    run(site[0], work)


def test_session_is_told_before_its_time_is_over(site: tuple[Site, Kept]) -> None:
    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras) as (client, _):
            assert "web.browser_camera.max_s" in await client.ended()
            assert any("ends_in_s" in one for one in client.messages)

    run(site[0], work, max_s=1.0)


def test_larger_pictures_are_refused_with_the_limit(site: tuple[Site, Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SILENCE_S", 1.5)

    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras) as (client, opened):
            await client.wait_for(lambda messages: {"max_width": 64} in messages)
            assert "web.browser_camera.max_width" in await client.ended()
            assert opened.run.stats.shown == 0

    run(site[0], work, max_width=64)


def test_session_ends_with_the_site(site: tuple[Site, Kept]) -> None:
    async def work(cameras: BrowserCameras) -> None:
        async with session(cameras) as (client, _):
            await client.wait_for_frames(1)
            site[0].stop()
            assert "site" in await client.ended()

    run(site[0], work)


@pytest.mark.parametrize("offer", ["", "v=0", "nonsense\r\n", "v=0\r\nm=video 9 UDP 1\r\n"])
def test_broken_offer_is_refused_and_takes_no_place(site: tuple[Site, Kept], offer: str) -> None:
    async def work(cameras: BrowserCameras) -> None:
        with pytest.raises(InvalidOffer):
            await cameras.open(offer, Returns.BOXES, "")
        assert cameras.sessions == []
        async with session(cameras) as (client, _):
            await client.wait_for_frames(1)

    run(site[0], work, sessions=1)


def test_session_without_a_free_port_is_refused_and_keeps_nothing(site: tuple[Site, Kept]) -> None:
    async def work() -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
            taken.bind(("0.0.0.0", 0))
            port = taken.getsockname()[1]
            web = WebSettings.model_validate({"live": {"udp_ports": f"{port}-{port}", "public_address": "192.0.2.1"}})
            cameras, client = BrowserCameras(site[0], web, Viewers(4)), Client()
            with pytest.raises(NoPort, match=r"web\.live\.udp_ports"):
                await cameras.open(await client.offer(), Returns.BOXES, "")
            await client.peer.close()
            assert cameras.sessions == []
        await asyncio.sleep(0)  # cancelled tasks end in the next turn of the loop
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())


@pytest.mark.parametrize(("kinds", "direction"), [(("video", "audio"), "sendonly"), (("video",), "recvonly"), ((), "")])
def test_offer_has_one_video_track_that_is_sent(
    site: tuple[Site, Kept], kinds: tuple[str, ...], direction: str
) -> None:
    async def work(cameras: BrowserCameras) -> None:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.createDataChannel("messages")
        for kind in kinds:
            peer.addTransceiver(kind, direction=direction)
        await peer.setLocalDescription()
        with pytest.raises(InvalidOffer, match="video track"):
            await cameras.open(peer.localDescription.sdp, Returns.BOXES, "")
        await peer.close()

    run(site[0], work)


@pytest.mark.slow
def test_fifty_sessions_leave_nothing_behind(site: tuple[Site, Kept]) -> None:
    found = list[tuple[int, int]]()

    async def work(cameras: BrowserCameras) -> None:
        for _ in range(50):
            async with session(cameras) as (client, _):
                await client.wait_for_frames(2)
            assert cameras.sessions == []
            threads = [one for one in threading.enumerate() if not one.name.startswith("asyncio")]  # of the client
            found.append((len(threads), len(list(Path("/proc/self/fd").iterdir()))))

    run(site[0], work, sessions=1)
    assert found[-1] == found[1]
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, BrowserSession | BrowserSource | RTCPeerConnection)]
    assert kept == []
