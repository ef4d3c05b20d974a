"""Sends MPEG-TS over UDP like a reconfigured encoder: other packet identifiers, another codec."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import av

from tests import clips

FPS = 25
_DATAGRAM_BYTES = 7 * 188
_GROUP = 10


@dataclass(frozen=True)
class Programme:
    """What is sent.

    Attributes:
        first, frames: the numbers of the pictures.
        codec, pid, table_pid, number: of the programme.
    """

    first: int = 0
    frames: int = 40
    codec: str = "libx264"
    pid: int = 256
    table_pid: int = 4096
    number: int = 1


def blocks(programme: Programme, size: tuple[int, int] = (160, 120)) -> list[bytes]:
    """The transport stream, one block per frame."""
    file, found, at = io.BytesIO(), list[bytes](), 0
    pids = {"mpegts_start_pid": programme.pid, "mpegts_pmt_start_pid": programme.table_pid}
    options = {name: str(value) for name, value in (pids | {"mpegts_service_id": programme.number}).items()}
    coding = {"preset": "ultrafast", "tune": "zerolatency", "g": str(_GROUP), "bf": "0"}
    if programme.codec == "libx265":
        coding["x265-params"] = f"log-level=none:keyint={_GROUP}:bframes=0"
    with av.open(file, "w", format="mpegts", options=options | {"flush_packets": "1"}) as output:
        stream: Any = output.add_stream(programme.codec, rate=FPS, options=coding)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(programme.frames):
            picture = av.VideoFrame.from_ndarray(clips.picture(programme.first + index, size), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            output.mux(stream.encode(picture))
            found.append(file.getvalue()[at:])
            at += len(found[-1])
        output.mux(stream.encode(None))
    found.append(file.getvalue()[at:])
    return found


class Sender:
    """Sends one programme after the other to a port of this machine, and the last one over and over, from `with` on.

    Args:
        programmes: each begins where the one before ended.
        port: where to.
    """

    def __init__(self, programmes: Sequence[Programme], port: int) -> None:
        self._blocks = [blocks(programme) for programme in programmes]
        self._port = port
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.began_s: list[float] = []
        """The monotonic clock at the beginning of each."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._done.set()
        self._thread.join()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for one in self._blocks:
                self.began_s.append(time.monotonic())
                self._send_one(sender, one)
            while not self._done.is_set():
                self._send_one(sender, self._blocks[-1])

    def _send_one(self, sender: socket.socket, sent: list[bytes]) -> None:
        due_s = time.monotonic()
        for block in sent:
            due_s += 1 / FPS
            if self._done.wait(max(due_s - time.monotonic(), 0)):
                return
            for at in range(0, len(block), _DATAGRAM_BYTES):
                sender.sendto(block[at : at + _DATAGRAM_BYTES], ("127.0.0.1", self._port))


def free_port() -> int:
    """A UDP port that is not in use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
