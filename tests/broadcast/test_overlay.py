"""The overlay messages: their content, who gets them, and that each is made once."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from dataclasses import replace
from typing import Any

import pytest

from streamer.broadcast import overlay_feed
from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.overlay import Condition, LiveState, hello, message
from streamer.broadcast.shown import CLOCK_HZ, ShownFrame
from streamer.config.web import LiveVideoSettings
from streamer.render.colours.track_colours import TrackColours
from streamer.values.events import CountState, LineState, Watched, ZoneState
from tests.broadcast.shown import scene, shown

RUNNING = Condition(LiveState.RUNNING)
WAIT_S = 10.0


def content(frame: ShownFrame | None, condition: Condition = RUNNING) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message(frame, condition, TrackColours()))
    return found


def test_the_greeting_tells_the_clock() -> None:
    assert json.loads(hello("door")) == {"hello": {"camera": "door", "rtp_clock_hz": CLOCK_HZ}}


def test_a_message_has_the_tracks_in_relative_coordinates() -> None:
    found = content(shown(3, (64, 48), count=1))
    assert found["rtp"] == shown(3).rtp
    assert found["state"] == "running"
    (track,) = found["tracks"]
    assert re.fullmatch("#[0-9a-f]{6}", track.pop("colour"))
    assert track == {"id": 1, "label": "person", "score": 0.88, "box": [0.0019, 0.0208, 0.3203, 0.625]}
    assert (found["width"], found["height"]) == (64, 48)


def test_a_message_has_the_counts_of_the_rules() -> None:
    watched = Watched(
        lines=(LineState("gate", ((0, 0), (1, 1)), entered=2, left=1),),
        zones=(ZoneState("yard", ((0, 0), (1, 0), (1, 1)), inside=3, entered=5),),
        counts=(CountState("people", 4),),
    )
    frame = ShownFrame(replace(scene(0), watched=watched), 0, 0)
    assert content(frame)["counts"] == {"lines": {"gate": [2, 1]}, "zones": {"yard": 3}, "objects": {"people": 4}}
    assert "counts" not in content(shown(0))


def test_a_lost_camera_keeps_its_last_frame_and_gives_the_reason() -> None:
    found = content(shown(3, count=1), Condition(LiveState.LOST, "no data for 5 s"))
    assert (found["state"], found["reason"]) == ("lost", "no data for 5 s")
    assert found["rtp"] == shown(3).rtp
    assert len(found["tracks"]) == 1


def test_before_the_first_frame_there_is_a_state() -> None:
    assert content(None, Condition(LiveState.STARTING)) == {"rtp": None, "state": "starting", "tracks": []}


def test_the_timestamp_wraps_like_that_of_rtp() -> None:
    assert content(ShownFrame(scene(0), (1 << 32) + 5, 0))["rtp"] == 5


class Client:
    """A viewer of overlays."""

    def __init__(self) -> None:
        self.messages = asyncio.Queue[str]()

    def take(self, text: str) -> None:
        self.messages.put_nowait(text)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            found: dict[str, Any] = json.loads(await self.messages.get())
            return found


async def _run_of_a_camera(broadcast: Broadcast) -> list[str]:
    client = Client()
    with broadcast.overlay.watch(client.take):
        states = [(await client.next())["state"]]
        for _ in range(2):
            with broadcast.observer() as observer:
                observer.source_changed("", 0.0)
                await client.next()
                await asyncio.to_thread(observer.scene_shown, scene(0))
                states.append((await client.next())["state"])
                observer.source_changed("no data for 5 s", 0.0)
                states.append((await client.next())["state"])
            states.append((await client.next())["state"])
    return states


def test_viewers_stay_over_the_runs_of_a_camera() -> None:
    broadcast = Broadcast("door", LiveVideoSettings(max_fps=1e6))
    assert asyncio.run(_run_of_a_camera(broadcast)) == ["starting", *["running", "lost", "ended"] * 2]


async def _shared(broadcast: Broadcast, made: list[object]) -> None:
    one, other = Client(), Client()
    with broadcast.overlay.watch(one.take), broadcast.overlay.watch(other.take):
        await one.next()
        await other.next()
        made.clear()
        for number in range(5):
            await asyncio.to_thread(broadcast.put, scene(number))
            assert await one.next() == await other.next()
        assert len(made) == 5
    broadcast.put(scene(6))
    await asyncio.sleep(0)
    assert len(made) == 5


def test_a_message_is_made_once_for_all_and_not_without_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(frame: ShownFrame | None, condition: Condition, colours: TrackColours) -> str:
        made.append(frame)
        return message(frame, condition, colours)

    monkeypatch.setattr(overlay_feed, "message", counted)
    asyncio.run(_shared(Broadcast("door", LiveVideoSettings(max_fps=1e6)), made))


async def _stalled(broadcast: Broadcast) -> int:
    client = Client()
    with broadcast.overlay.watch(client.take):

        def put_all() -> None:
            for number in range(100):
                broadcast.put(scene(number))

        writer = threading.Thread(target=put_all)
        writer.start()
        writer.join()  # the loop delivers nothing meanwhile
        await asyncio.sleep(0.01)
        return client.messages.qsize()


def test_an_event_loop_that_stalls_gets_the_newest_messages() -> None:
    count = asyncio.run(_stalled(Broadcast("door", LiveVideoSettings(max_fps=1e6))))
    assert count <= overlay_feed.MOST_WAITING + 1


async def _another_comes(broadcast: Broadcast) -> list[Any]:
    one, other = Client(), Client()
    with broadcast.overlay.watch(one.take):
        states = [(await one.next())["state"]]
        broadcast.set_condition(Condition(LiveState.LOST, "no data for 5 s"))
        with broadcast.overlay.watch(other.take):
            states += [(await one.next())["state"], (await other.next())["state"]]
    return states


def test_a_viewer_that_comes_takes_no_message_from_the_others() -> None:
    """That of a lost camera would be the last one for long."""
    broadcast = Broadcast("door", LiveVideoSettings())
    assert asyncio.run(_another_comes(broadcast)) == ["starting", "lost", "lost"]
