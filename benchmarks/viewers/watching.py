"""Viewers by WebRTC with their overlays, in a process of their own, so that their CPU time is not counted.

    python -m benchmarks.viewers.watching CAMERA

CAMERA is the address of a camera in the API. Standard input has a number of viewers on each line. The process answers
with a line of JSON when so many watch: the frames and bytes that each viewer has had since the last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Self, cast

import aiohttp

from benchmarks.viewers.client import RtpViewer

_ROOT = Path(__file__).parents[2]
_FIRST_FRAME_S = 60.0


class Watching:
    """One viewer with its overlay, as the page has it."""

    def __init__(self, session: aiohttp.ClientSession, camera: str) -> None:
        self._session = session
        self._camera = camera
        self._stack = AsyncExitStack()
        self.peer = RtpViewer(session, camera)
        self.messages = 0

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.peer)
        socket = await self._stack.enter_async_context(self._session.ws_connect(f"{self._camera}/overlay"))
        reading = asyncio.create_task(self._read(socket))
        self._stack.callback(reading.cancel)
        async with asyncio.timeout(_FIRST_FRAME_S):
            await self.peer.first.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in socket:
            self.messages += 1

    def take(self) -> dict[str, int]:
        """What has arrived since the last call."""
        taken = {"frames": self.peer.frames, "bytes": self.peer.bytes, "messages": self.messages}
        self.peer.frames = self.peer.bytes = self.messages = 0
        return taken


async def _watch(camera: str) -> None:
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    watching: list[Watching] = []
    async with aiohttp.ClientSession() as session:
        while line := await commands.readline():
            taken = [one.take() for one in watching]
            while len(watching) > int(line):
                await watching.pop().__aexit__()
            while len(watching) < int(line):
                watching.append(await Watching(session, camera).__aenter__())
            print(json.dumps(taken), flush=True)
        for one in watching:
            with contextlib.suppress(aiohttp.ClientError):  # the program may have ended
                await one.__aexit__()


class Viewers:
    """The process, seen from the benchmark."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._commands, self._answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

    def set(self, number: int) -> list[dict[str, Any]]:
        """Let so many watch; returns what each viewer before has had since the last call."""
        self._commands.write(f"{number}\n".encode())
        self._commands.flush()
        answer: list[dict[str, Any]] = json.loads(self._answers.readline())
        return answer


@contextmanager
def viewers(camera: str) -> Iterator[Viewers]:
    """Start the process; it ends with the context.

    Args:
        camera: address of a camera in the API.
    """
    command = [sys.executable, "-m", "benchmarks.viewers.watching", camera]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            yield Viewers(process)
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_watch(sys.argv[1]))
