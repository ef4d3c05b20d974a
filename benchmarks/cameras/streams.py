"""Many RTSP cameras in one process that needs little CPU time: the packets of one clip, sent without encoding.

    python -m benchmarks.cameras.streams CLIP FPS CAMERAS

Each camera is a scripted camera of the fault lab on a port of its own on 127.0.0.1. The process prints a line of JSON
when a camera listens, reads a command per line (`{"camera": 2, "do": "half_open"}`) and answers each; it ends with its
standard input. Everything belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cameras.clip import KEY_FRAME_EVERY_S, Clip, ClipEncoding
from tests.faults.camera.server import CameraServer
from tests.faults.camera.settings import Settings
from tests.faults.camera.shots import ShotList


async def _serve(clip: Clip, fps: float, cameras: int) -> None:
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    settings = Settings(fps=fps, key_frame_every_s=KEY_FRAME_EVERY_S)
    readers = [asyncio.StreamReader() for _ in range(cameras)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        async with asyncio.TaskGroup() as group:
            for number, reader in enumerate(readers):
                shots = stack.enter_context(closing(ShotList(folder / str(number))))
                first = number * len(clip.frames) // cameras
                encode = partial(_encoding, clip, first)
                server = CameraServer(settings, shots, partial(_say, number, shots), encode)
                group.create_task(server.run(0, reader))
                await asyncio.sleep(1 / fps / cameras)  # the frames of the cameras do not all come at one time
            while line := await commands.readline():
                order = json.loads(line)
                readers[order.pop("camera")].feed_data(json.dumps(order).encode() + b"\n")
            for reader in readers:
                reader.feed_eof()


def _encoding(clip: Clip, first: int, settings: Settings) -> ClipEncoding:
    return ClipEncoding(clip, settings.fps, first)


def _say(camera: int, shots: ShotList, message: dict[str, Any]) -> None:
    if message.get("event") in (None, "listening"):
        print(json.dumps({"camera": camera, "taken": shots.next_number, **message}), flush=True)


def main() -> None:
    """Serve until standard input ends."""
    path, fps, cameras = sys.argv[1:]
    asyncio.run(_serve(Clip(Path(path)), float(fps), int(cameras)))


if __name__ == "__main__":
    main()
