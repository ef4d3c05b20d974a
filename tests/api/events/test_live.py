"""The WebSocket of events: changes as they are committed, and clients that do not read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamer.api.events import feed
from streamer.api.events.feed import Follower
from streamer.api.openapi import BASE
from streamer.values.events import EventPhase
from tests.api.sites import Served, served_site
from tests.store.stores import DEADLINE_S, NOON, ended, event

PATH = "/events/live"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    store = {"folder": str(tmp_path / "events"), "keep_days": None, "min_free_gb": 0}
    with served_site(tmp_path, store=store) as site:
        yield site


def url(site: Served) -> str:
    host, port = site.client.address
    return f"http://{host}:{port}{BASE}{PATH}"


async def received(channel: aiohttp.ClientWebSocketResponse) -> Any:
    return await channel.receive_json(timeout=DEADLINE_S)


def test_each_change_of_an_event_is_sent_when_it_is_stored(site: Served) -> None:
    record = event()
    last = replace(ended(), id=record.id, revision=2)

    async def follow() -> list[Any]:
        async with aiohttp.ClientSession() as session, session.ws_connect(url(site)) as channel:
            site.store.save(record, EventPhase.START)
            found = [await received(channel)]
            site.store.save(last, EventPhase.END)
            found.append(await received(channel))
            site.store.favourite([record.id], True)
            found.append(await received(channel))
            site.store.delete([record.id])
            return [*found, await received(channel)]

    start, end, favourite, removed = asyncio.run(follow())
    assert (start["change"], start["event"]["id"], start["event"]["end_time"]) == ("saved", record.id, None)
    assert (end["change"], end["event"]["duration_s"]) == ("saved", 2.0)
    assert favourite["event"]["favourite"] is True
    assert removed == {"change": "removed", "event": {"id": record.id}}


def test_a_client_that_does_not_read_is_closed_and_disturbs_no_other(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_WAITING", 30)
    records = [ended(NOON + number, text="x" * 100_000) for number in range(200)]

    async def follow() -> tuple[list[str], int | None]:
        async with aiohttp.ClientSession() as session, session.ws_connect(url(site), max_msg_size=0) as channel:
            slow = await session.ws_connect(url(site), max_msg_size=0)
            transport = slow._response.connection.transport  # type: ignore[union-attr]
            transport.pause_reading()  # type: ignore[union-attr]
            found = []
            for record in records:
                site.store.save(record, EventPhase.END)
                found.append((await received(channel))["event"]["id"])
            transport.resume_reading()  # type: ignore[union-attr]
            async for _ in slow:
                pass
            return found, slow.close_code

    found, code = asyncio.run(follow())
    assert found == [record.id for record in records]
    assert code == aiohttp.WSCloseCode.TRY_AGAIN_LATER


def test_a_follower_keeps_the_newest_change_of_an_event() -> None:
    async def follow() -> list[str]:
        follower = Follower()
        follower.put({"a": "1", "b": "1"})
        follower.put({"a": "2"})
        return [await anext(follower), await anext(follower)]

    assert asyncio.run(follow()) == ["1", "2"]
