"""What a login has begun ends with it: WebSockets, streams, and video by WebRTC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiortc.mediastreams import MediaStreamError

from streamer.accounts.account_store import Token
from tests.api.live.running import Live, WebRtc
from tests.broadcast.shown import scene
from tests.page.sites import ADMIN, VIEWER, ServedSite, served_site

ENDS_WITHIN_S = 10.0
Ending = Callable[[ServedSite, str], Awaitable[object]]


async def log_out(site: ServedSite, cookie: str) -> None:
    async with aiohttp.ClientSession() as client:
        await client.delete(f"{address_of(site)}/session", headers={"Cookie": cookie})


async def change_password(site: ServedSite, _: str) -> None:
    await asyncio.to_thread(site.store.set_password, "otto", "another hash")


async def remove_user(site: ServedSite, _: str) -> None:
    await asyncio.to_thread(site.store.remove, "otto")


@pytest.mark.parametrize("ending", [log_out, change_password, remove_user])
def test_a_websocket_ends_with_its_login(tmp_path: Path, ending: Ending) -> None:
    async def watch(site: ServedSite) -> None:
        ended, other = site.cookie("otto"), site.cookie("anna")
        address = f"{address_of(site)}/status"
        async with aiohttp.ClientSession() as client:
            async with (
                client.ws_connect(address, headers={"Cookie": ended}) as one,
                client.ws_connect(address, headers={"Cookie": other}) as two,
            ):
                assert (await one.receive(ENDS_WITHIN_S)).type is aiohttp.WSMsgType.TEXT
                await ending(site, ended)
                async with asyncio.timeout(ENDS_WITHIN_S):
                    while (await one.receive()).type is aiohttp.WSMsgType.TEXT:
                        pass
                assert (await two.receive(ENDS_WITHIN_S)).type is aiohttp.WSMsgType.TEXT
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                await client.ws_connect(address, headers={"Cookie": ended})

    with served_site(tmp_path, ADMIN, VIEWER) as site:
        asyncio.run(watch(site))


def test_a_websocket_ends_with_its_token(tmp_path: Path) -> None:
    async def watch(site: ServedSite) -> None:
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer secret"}) as client,
            client.ws_connect(f"{address_of(site)}/status") as one,
        ):
            assert (await one.receive(ENDS_WITHIN_S)).type is aiohttp.WSMsgType.TEXT
            await asyncio.to_thread(site.store.revoke, "otto", "test")
            async with asyncio.timeout(ENDS_WITHIN_S):
                while (await one.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass

    with served_site(tmp_path, VIEWER) as site:
        site.store.add_token("otto", Token("test", time.time(), None), "secret")
        asyncio.run(watch(site))


def test_a_stream_ends_with_its_login(tmp_path: Path) -> None:
    async def watch(site: ServedSite) -> None:
        cookie = site.cookie("otto")
        async with (
            aiohttp.ClientSession(headers={"Cookie": cookie}) as client,
            client.get(f"{address_of(site)}/cameras/door/stream.mjpg") as stream,
        ):
            assert await stream.content.readuntil(b"\r\n\r\n")
            await remove_user(site, cookie)
            async with asyncio.timeout(ENDS_WITHIN_S):
                with suppress(aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
                    while await stream.content.readany():
                        pass

    with served_site(tmp_path, VIEWER, cameras=["door"]) as site:
        site.context.broadcasts.of("door").put(scene(1))
        asyncio.run(watch(site))
        site.context.broadcasts.close()


@pytest.mark.slow
def test_video_by_webrtc_ends_with_its_login(tmp_path: Path) -> None:
    async def watch(site: ServedSite) -> None:
        cookie = site.cookie("otto")
        place = SimpleNamespace(api=address_of(site), base=address_of(site).removesuffix("/api/v1"))
        async with aiohttp.ClientSession(headers={"Cookie": cookie}) as client, asyncio.timeout(30):
            viewer = WebRtc(cast(Live, place), client)
            await viewer.open()
            await viewer.track.recv()
            await log_out(site, cookie)
            with suppress(MediaStreamError):
                while await viewer.track.recv():
                    pass
            await viewer.peer.close()

    with served_site(tmp_path, VIEWER, cameras=["door"]) as site:
        site.context.broadcasts.of("door").put(scene(1))
        asyncio.run(watch(site))
        site.context.broadcasts.close()


def address_of(site: ServedSite) -> str:
    """The address of the API."""
    host, port = site.page.address
    return f"http://{host}:{port}/api/v1"
