"""What a login has begun ends with it: WebSockets, streams, and video by WebRTC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from streamer.accounts.account_store import Token
from tests.page.sites import ADMIN, VIEWER, ServedSite, served_site

ENDS_WITHIN_S = 10.0
Ending = Callable[[ServedSite, str], Awaitable[object]]


async def log_out(site: ServedSite, cookie: str) -> None:
    host, port = site.page.address
    async with aiohttp.ClientSession() as client:
        address = f"http://{host}:{port}/api/v1/session"
        await client.delete(address, headers={"Cookie": cookie})


async def change_password(site: ServedSite, _: str) -> None:
    await asyncio.to_thread(site.store.set_password, "otto", "another hash")


async def remove_user(site: ServedSite, _: str) -> None:
    await asyncio.to_thread(site.store.remove, "otto")


@pytest.mark.parametrize("ending", [log_out, change_password, remove_user])
def test_a_websocket_ends_with_its_login(tmp_path: Path, ending: Ending) -> None:
    async def watch(site: ServedSite) -> None:
        ended, other = site.cookie("otto"), site.cookie("anna")
        host, port = site.page.address
        address = f"http://{host}:{port}/api/v1/status"
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
        host, port = site.page.address
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer secret"}) as client,
            client.ws_connect(f"http://{host}:{port}/api/v1/status") as one,
        ):
            assert (await one.receive(ENDS_WITHIN_S)).type is aiohttp.WSMsgType.TEXT
            await asyncio.to_thread(site.store.revoke, "otto", "test")
            async with asyncio.timeout(ENDS_WITHIN_S):
                while (await one.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass

    with served_site(tmp_path, VIEWER) as site:
        site.store.add_token("otto", Token("test", time.time(), None), "secret")
        asyncio.run(watch(site))
