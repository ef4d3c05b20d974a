"""The camera: its port, its clients and its commands. Owned by the event loop of its process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tests.faults.camera import settings as camera_settings
from tests.faults.camera.encoding import Encoding, recording
from tests.faults.camera.rtsp_connection import RtspConnection
from tests.faults.camera.settings import Settings
from tests.faults.camera.shots import ShotList
from tests.faults.camera.stream import Stream

_SEND_BYTES = 1 << 18


class CameraServer:
    """A running camera.

    Args:
        settings: initial settings.
        shots: the log of its frames.
        emit: takes its events.
        encode: makes its content for the settings.
    """

    def __init__(
        self,
        settings: Settings,
        shots: ShotList,
        emit: Callable[[dict[str, Any]], None],
        encode: Callable[[Settings], Encoding] = recording,
    ) -> None:
        self._stream = Stream(settings, shots, encode)
        self._emit = emit
        self._awake = asyncio.Event()
        self._awake.set()
        self._connections: dict[RtspConnection, asyncio.Task[None]] = {}
        self._clients = 0
        self._port = 0
        self._listening: asyncio.Server | None = None

    async def run(self, port: int, commands: asyncio.StreamReader) -> None:
        """Listen on the port (0 selects one) and send frames until the commands end."""
        await self._open_port(port)
        self._emit({"event": "listening", "port": self._port})
        async with asyncio.TaskGroup() as group:
            endless = [group.create_task(work) for work in (self._stream.take_pictures(), self._stream.send_reports())]
            await self._obey(commands)
            for task in endless:
                task.cancel()
        self._close_port()
        self._awake.set()
        self._each(RtspConnection.cut)
        await asyncio.gather(*self._connections.values())

    async def _obey(self, commands: asyncio.StreamReader) -> None:
        while line := await commands.readline():
            order = json.loads(line)
            answer: dict[str, Any] = {"answer": order.pop("id", 0)}
            try:
                answer["result"] = await self._do(order.pop("do"), order)
            except (ValueError, TypeError, LookupError, OSError) as error:
                answer["error"] = f"{type(error).__name__}: {error}"
            self._emit(answer)

    async def _do(self, name: str, order: dict[str, Any]) -> Any:
        stream = self._stream
        match name:
            case "lose":
                stream.lose(order["fraction"], order["seed"])
            case "insert_garbage":
                stream.insert_garbage(order["fraction"], order["seed"])
            case "skip":
                stream.skip(order["fraction"], order["seed"])
            case "jump_pts":
                stream.jump_pts(order["by_s"])
            case "wrap_pts":
                stream.wrap_pts(order["in_s"])
            case "withhold_key_frames":
                stream.withhold_key_frames(order["for_s"])
            case "change":
                self._change(**order)
            case "silence":
                stream.sends_pictures, stream.sends_reports = False, order["reports"]
            case "half_open":
                stream.sends_pictures = stream.sends_reports = False
                self._awake.clear()
            case "resume":
                stream.sends_pictures = stream.sends_reports = True
                self._awake.set()
            case "close_port":
                self._close_port()
            case "open_port":
                await self._open_port(self._port)
            case "end_streams":
                self._each(RtspConnection.end)
            case "disconnect":
                self._each(RtspConnection.cut)
            case "clients":
                return {"connected": len(self._connections), "playing": len(stream.clients)}
            case _:
                raise LookupError(f"a camera cannot {name}")
        return None

    def _change(self, *, disconnect: bool, **changes: Any) -> None:
        if "size" in changes:
            changes["size"] = tuple(changes["size"])
        if changes.get("login") is not None:
            changes["login"] = camera_settings.Login(*changes["login"])
        if disconnect:
            self._each(RtspConnection.end)
        self._stream.change(**changes)

    def _each(self, act: Callable[[RtspConnection], None]) -> None:
        for conversation in list(self._connections):
            act(conversation)

    async def _open_port(self, port: int) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_server(self._meet, "127.0.0.1", port, reuse_address=True)
            self._port = self._listening.sockets[0].getsockname()[1]

    def _close_port(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A small buffer, as in a small camera; a larger one holds seconds of video for a slow client.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self._clients += 1
        client = self._clients
        conversation = RtspConnection(
            reader,
            writer,
            stream=self._stream,
            awake=self._awake,
            emit=lambda event: self._emit({"event": event, "client": client}),
        )
        self._connections[conversation] = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            await conversation.run()
        finally:
            del self._connections[conversation]
            self._emit({"event": "gone", "client": client})


def say(message: dict[str, Any]) -> None:
    """One line of JSON on standard output, with the monotonic time."""
    print(json.dumps(message | {"at_s": time.monotonic()}), flush=True)


async def serve(settings: Settings, port: int, shots: Path) -> None:
    """Run a camera until standard input ends."""
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    with contextlib.closing(ShotList(shots)) as shot_list:
        await CameraServer(settings, shot_list, say).run(port, commands)
