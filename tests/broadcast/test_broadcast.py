"""The live video of a camera, from scenes to encoded frames."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.broadcasts import Broadcasts
from streamer.broadcast.h264 import EncodedFrame
from streamer.broadcast.jpegs import BoxDrawing, JpegFrame
from streamer.config.web import LiveVideoSettings
from streamer.interfaces import Scene
from streamer.sinks.mjpeg.rate_limit import RateLimit
from streamer.values.frame import Frame
from tests.broadcast.shown import Decoder, scene

T = TypeVar("T")

WAIT_S = 10.0
SETTINGS = LiveVideoSettings(max_fps=1e6)


async def taken(queue: asyncio.Queue[T]) -> T:
    async with asyncio.timeout(WAIT_S):
        return await queue.get()


async def _video(broadcast: Broadcast) -> None:
    frames, decoder = asyncio.Queue[EncodedFrame](), Decoder()
    with broadcast.video.watch(frames.put_nowait):
        for number in range(3):
            await asyncio.to_thread(broadcast.put, scene(number))
            while decoder.number(await taken(frames)) != number:  # the frame before may come again, as a keyframe
                pass
        await asyncio.to_thread(broadcast.put, scene(3, (640, 360)))
        picture = decoder(await taken(frames))
        assert (picture.width, picture.height) == (640, 360)
    late = asyncio.Queue[EncodedFrame]()
    with broadcast.video.watch(late.put_nowait):  # the camera shows nothing any more
        encoded = await taken(late)
        assert encoded.keyframe
        assert Decoder().number(encoded) == 3


def test_a_viewer_sees_each_frame_and_a_late_one_the_last() -> None:
    broadcast = Broadcast("door", SETTINGS)
    asyncio.run(_video(broadcast))
    broadcast.close()


async def _times(broadcast: Broadcast) -> list[int]:
    frames = asyncio.Queue[EncodedFrame]()
    times = []
    with broadcast.video.watch(frames.put_nowait):
        for number in range(5):
            await asyncio.to_thread(broadcast.put, scene(number))
            times.append((await taken(frames)).rtp)
    return times


def test_timestamps_rise_over_the_runs_of_a_camera() -> None:
    broadcast = Broadcast("door", SETTINGS)
    times = [time for _ in range(2) for time in asyncio.run(_times(broadcast))]
    assert all((later - earlier) % (1 << 32) < 1 << 31 for earlier, later in itertools.pairwise(times))
    assert len(set(times)) == len(times)


async def _jpegs(broadcast: Broadcast) -> dict[bool, bytes]:
    queues = {boxes: asyncio.Queue[JpegFrame]() for boxes in (False, True)}
    with broadcast.jpegs[False].watch(queues[False].put_nowait), broadcast.jpegs[True].watch(queues[True].put_nowait):
        await asyncio.to_thread(broadcast.put, scene(1, count=1))
        return {boxes: (await taken(queue)).jpeg.data for boxes, queue in queues.items()}


def picture(jpeg: bytes) -> npt.NDArray[Any]:
    found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found)


def test_boxes_are_drawn_where_they_are_asked_for() -> None:
    broadcast = Broadcast("door", SETTINGS)
    jpegs = {boxes: picture(jpeg) for boxes, jpeg in asyncio.run(_jpegs(broadcast)).items()}
    difference = np.abs(jpegs[True].astype(int) - jpegs[False]).max(axis=2)
    assert difference[:40, :80].max() > 100
    assert difference[120:].max() < 40


def test_a_still_is_encoded_once_for_a_frame() -> None:
    broadcast = Broadcast("door", SETTINGS)

    async def stills() -> None:
        assert await broadcast.stills[False].newest() is None
        broadcast.put(scene(1))
        first, again = await broadcast.stills[False].newest(), await broadcast.stills[False].newest()
        assert first is again
        broadcast.put(scene(2))
        assert await broadcast.stills[False].newest() is not first

    asyncio.run(stills())


def test_a_still_is_not_drawn_while_another_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first client leaves while its still is drawn, and the second one asks for the next frame."""
    drawing, begun, go_on = list[str](), threading.Event(), threading.Event()
    draw = BoxDrawing.__call__

    def slowly(self: BoxDrawing, one: Scene) -> Frame:
        drawing.append("begins")
        begun.set()
        go_on.wait(WAIT_S)
        drawing.append("ends")
        return draw(self, one)

    monkeypatch.setattr(BoxDrawing, "__call__", slowly)
    broadcast = Broadcast("door", SETTINGS)

    async def stills() -> None:
        broadcast.put(scene(1))
        first = asyncio.create_task(broadcast.stills[True].newest())
        await asyncio.to_thread(begun.wait, WAIT_S)
        first.cancel()
        await asyncio.wait([first])
        broadcast.put(scene(2))
        second = asyncio.create_task(broadcast.stills[True].newest())
        await asyncio.sleep(0.05)
        go_on.set()
        assert await second is not None

    asyncio.run(stills())
    assert drawing == ["begins", "ends"] * 2


def test_without_viewers_no_thread_runs_and_nothing_is_converted() -> None:
    before, broadcast = threading.active_count(), Broadcast("door", SETTINGS)
    for number in range(10):
        broadcast.put(scene(number))
    assert threading.active_count() == before
    assert broadcast.newest is not None
    assert broadcast.newest.frame.index == 9


def test_frames_beyond_the_rate_limit_are_left_out() -> None:
    limit = RateLimit(10.0)
    taken_at = [number for number in range(300) if limit.takes(number / 30)]
    assert len(taken_at) == 100
    assert all(limit.takes(100 + number / 10 + (0.01 if number % 2 else 0.0)) for number in range(50))


def test_a_camera_keeps_its_broadcast_until_it_is_removed() -> None:
    broadcasts = Broadcasts(SETTINGS)
    broadcasts.observers("door")
    kept = broadcasts.get("door")
    broadcasts.observers("door")
    assert broadcasts.get("door") is kept
    broadcasts.remove("door")
    assert broadcasts.get("door") is None
