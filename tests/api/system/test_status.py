"""The status of a running site once a second, its system figures and its log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.cameras.site_files import FRONT, write_site
from tests.api.sites import Served, served_site

DEADLINE_S = 40.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    write_site(tmp_path, FRONT, f"store: {{folder: {tmp_path}/events}}\n")
    with served_site(tmp_path) as site:
        yield site


def url(site: Served) -> str:
    host, port = site.client.address
    return f"ws://{host}:{port}/api/v1/status"


async def next_status(channel: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads((await channel.receive(DEADLINE_S)).data)


def test_each_listener_gets_each_status(site: Served) -> None:
    async def listen() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url(site)) as one,
            session.ws_connect(url(site)) as other,
        ):
            status = await next_status(one)
            while status["cameras"][0]["state"] != "running" or not status["detectors"]:
                status = await next_status(one)
            assert status["revision"] == site.client.get("/cameras")["revision"]
            assert status["browser_cameras"] == 0
            assert status["detectors"][0]["workers"] == 1
            assert set(status["cameras"][0]) == set(site.client.get("/cameras")["cameras"][0])
            shown = (await next_status(other))["cameras"][0]["frames"]["shown"]
            while (await next_status(other))["cameras"][0]["frames"]["shown"] == shown:
                pass

    asyncio.run(listen())


def test_who_closes_or_sends_too_much_disturbs_no_other(site: Served) -> None:
    async def listen() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(url(site)) as stays:
            for message in ("hello", "x" * 100_000):
                async with session.ws_connect(url(site)) as leaves:
                    await next_status(leaves)
                    await leaves.send_str(message)
            for _ in range(2):
                assert (await next_status(stays))["cameras"]

    asyncio.run(listen())


def test_a_new_listener_after_the_last_has_left_gets_a_new_status(site: Served) -> None:
    async def listen() -> int:
        async with aiohttp.ClientSession() as session, session.ws_connect(url(site)) as channel:
            entered: int = (await next_status(channel))["cameras"][0]["frames"]["entered"]
            return entered

    first = asyncio.run(listen())
    while asyncio.run(listen()) == first:
        pass


def test_a_file_that_is_gone_does_not_end_the_status(site: Served, tmp_path: Path) -> None:
    async def listen() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(url(site)) as channel:
            await next_status(channel)
            (tmp_path / "site.yaml").unlink()
            while (await next_status(channel))["revision"]:
                pass

    asyncio.run(listen())


def test_the_system_accounts_for_every_frame(site: Served, tmp_path: Path) -> None:
    system = site.client.get("/system")
    while not (system["uptime_s"] and system["detectors"] and "age at shown" in str(system["cameras"][0]["latency"])):
        system = site.client.get("/system")
    ledger = system["cameras"][0]["ledger"]
    states = ("detected", "interpolated", "predicted", "lost", "dropped", "corrupt", "in_flight")
    assert sum(ledger[state] for state in states) == ledger["entered"]
    stages = {one["stage"]: one for one in system["cameras"][0]["latency"]}
    assert stages["detect"]["frames"] > 0
    assert stages["age at shown"]["mean_s"] > 0
    assert stages["age at shown"]["p95_s"] > 0
    assert system["store"]["folder"] == str(tmp_path / "events")
    assert (system["store"]["events"], system["store"]["bytes"]) == (0, 0)
    assert system["store"]["free_bytes"] > 0
    assert system["targets"] == []


def test_the_log_has_bounds(site: Served) -> None:
    assert site.client("GET", "/log?lines=0").status == 422
    assert site.client("GET", "/log?lines=1001").status == 422
    assert site.client.get("/log?lines=1000") == {"lines": []}  # of `serve`, which begins to keep it
