"""Stills, MJPEG and WebSockets of a camera, with real clients."""

from __future__ import annotations

import io
import json
import socket
import threading
import urllib.request
from contextlib import ExitStack
from typing import Any

import aiohttp
import av
import cv2
import numpy as np
import pytest

from streamer.api.live import sockets
from streamer.broadcast.overlay import Condition, LiveState
from tests.api.live.running import WAIT_S, live, parted
from tests.broadcast.shown import SIZE, scene
from tests.clips import read_number


def number_of(jpeg: bytes) -> int:
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as container:
        return read_number(next(container.decode(video=0)))


def test_a_snapshot_is_the_newest_frame() -> None:
    with live() as server:
        early = server.request("GET", "/cameras/door/snapshot.jpg")
        assert early.status == 503
        assert "no frame of camera 'door' yet" in early.json["detail"]
        server.broadcasts.of("door").put(scene(4, count=1))
        plain = server.request("GET", "/cameras/door/snapshot.jpg")
        assert (plain.status, plain.headers["Content-Type"]) == (200, "image/jpeg")
        assert number_of(plain.content) == 4
        drawn = server.request("GET", "/cameras/door/snapshot.jpg?boxes=true")
        assert drawn.content != plain.content


@pytest.mark.parametrize("path", ["snapshot.jpg", "stream.mjpg", "overlay", "frames"])
def test_an_unknown_camera_is_not_found(path: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = upgrade | {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    with live() as server:
        found = server.request("GET", f"/cameras/dor/{path}", None, **headers)
        assert found.status == 404
        assert "no camera 'dor'" in found.json["detail"]


def test_a_stream_has_every_frame_that_its_viewer_takes() -> None:
    with live() as server, server.shooting():
        with urllib.request.urlopen(f"{server.api}/cameras/door/stream.mjpg", timeout=WAIT_S) as stream:
            numbers = [number_of(jpeg) for jpeg in parts(stream, 5)]
            assert numbers == sorted(numbers)
        server.wait_for_viewers(0)


def parts(stream: Any, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        line = stream.readline()
        if line.lower().startswith(b"content-length"):
            length = int(line.split(b":")[1])
            while stream.readline().strip():
                pass
            found.append(stream.read(length))
    return found


def test_overlay_messages_tell_each_frame_and_the_state() -> None:
    with live() as server:

        async def watch(session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(f"{server.api}/cameras/door/overlay") as client:
                assert (await client.receive_json())["hello"]["camera"] == "door"
                assert (await client.receive_json())["state"] == "starting"
                server.broadcasts.of("door").put(scene(1, count=1))
                assert len((await client.receive_json())["tracks"]) == 1
                server.broadcasts.of("door").set_condition(Condition(LiveState.LOST, "no data for 5 s"))
                lost = await client.receive_json()
                assert (lost["state"], lost["reason"], len(lost["tracks"])) == ("lost", "no data for 5 s", 1)

        server.run(watch)


def test_a_frame_comes_with_its_overlay_once_the_one_before_is_acknowledged() -> None:
    with live() as server, server.shooting():

        async def watch(session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(f"{server.api}/cameras/door/frames") as client:
                for _ in range(3):
                    overlay, jpeg = parted(await client.receive_bytes())
                    assert len(overlay["tracks"]) == 1
                    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                    assert shown is not None
                    assert shown.shape[1::-1] == SIZE
                    with pytest.raises(TimeoutError):
                        await client.receive(timeout=0.2)
                    await client.send_str("")

        server.run(watch)
        server.wait_for_viewers(0)


def test_a_client_that_acknowledges_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "VIEWER_TIMEOUT_S", 0.2)
    with live() as server, server.shooting():

        async def watch(session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(f"{server.api}/cameras/door/frames") as client:
                await client.receive_bytes()
                assert (await client.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)

        server.run(watch)
        server.wait_for_viewers(0)


def test_a_viewer_that_stops_reading_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.api.live.pictures.VIEWER_TIMEOUT_S", 1.0)
    with ExitStack() as stack:
        server = stack.enter_context(live())
        stack.enter_context(server.shooting())
        stalled = stack.enter_context(socket.create_connection(server.request.address, timeout=WAIT_S))
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(b"GET /api/v1/cameras/door/stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        stream = stack.enter_context(urllib.request.urlopen(f"{server.api}/cameras/door/stream.mjpg", timeout=WAIT_S))
        assert len(parts(stream, 20)) == 20
        server.wait_for_viewers(1)  # the stalled one is gone
        assert len(parts(stream, 5)) == 5


def test_a_flood_of_messages_from_a_client_is_ignored_and_a_large_one_ends_it() -> None:
    with live() as server:

        async def watch(session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(f"{server.api}/cameras/door/overlay") as client:
                for _ in range(100):
                    await client.send_str("x")
                assert (await client.receive_json())["hello"]
                await client.send_str("x" * 100_000)
                while (await client.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass

        server.run(watch)


def test_more_videos_than_allowed_are_refused_and_overlays_are_counted_apart() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(live(viewers=1))
        stack.enter_context(server.shooting())
        stack.enter_context(urllib.request.urlopen(f"{server.api}/cameras/door/stream.mjpg", timeout=WAIT_S))
        server.wait_for_viewers(1)
        refused = server.request("GET", "/cameras/yard/stream.mjpg")
        assert refused.status == 503
        assert "web.live.viewers" in refused.json["detail"]

        async def watch(session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(f"{server.api}/cameras/door/overlay") as client:
                assert json.loads(await client.receive_str())["hello"]

        server.run(watch)


def test_no_thread_is_left_when_the_viewers_are_gone() -> None:
    with live() as server, server.shooting():
        with urllib.request.urlopen(f"{server.api}/cameras/door/stream.mjpg", timeout=WAIT_S) as stream:
            parts(stream, 1)
        server.wait_for_viewers(0)
        wait_for_no_thread("streamer-jpeg-door")


def wait_for_no_thread(name: str) -> None:
    pause, left = threading.Event(), WAIT_S
    while name in [thread.name for thread in threading.enumerate()]:
        assert left > 0, f"{name} still runs"
        pause.wait(0.01)
        left -= 0.01
