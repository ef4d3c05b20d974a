"""A second, independent RTSP server for the fault lab: GStreamer's, with the interface of the scripted camera.

It shows that the program works with a server by other authors, and it accepts published streams. It needs Debian's
`gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
gstreamer1.0-plugins-ugly`. Everything belongs to the thread that made it.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from functools import cache
from pathlib import Path
from typing import IO, Self, cast
from urllib.parse import quote

from tests.faults.camera import Scheme
from tests.faults.camera.ports import reserve_port

_PYTHON = Path("/usr/bin/python3")
_SERVER = Path(__file__).with_name("gstreamer_server.py")
_START_WITHIN_S = 30.0


class GStreamerFailed(RuntimeError):
    """The server ended, or did not start in time."""


@cache
def missing() -> str:
    """The reason why this machine has no GStreamer server, in one line; empty if it has one."""
    if not _PYTHON.exists():
        return f"no {_PYTHON}"
    asked = subprocess.run(
        [_PYTHON, _SERVER, "--check"], capture_output=True, text=True, timeout=_START_WITHIN_S, check=False
    )
    return "" if asked.returncode == 0 else (asked.stderr.strip().splitlines() or ["it does not start"])[-1]


class GStreamerServer:
    """A GStreamer RTSP server on its own port on 127.0.0.1; it runs inside `with`.

    Paths: `/h264`, `/h265`, `/mjpeg` (a bouncing ball, 640x360 at 25 fps), `/publish`, `/relay`.

    Args:
        auth: `("basic" | "digest", user, password)`; None for no login.
        file: a QuickTime file with H.264 and `sound` that `/file` plays.
        sound: `aac` or `pcm_alaw`.
        record: a Matroska file for the stream that is published to `/record`.
    """

    def __init__(
        self,
        *,
        auth: tuple[Scheme, str, str] | None = None,
        file: Path | None = None,
        sound: str = "aac",
        record: Path | None = None,
    ) -> None:
        self._auth = auth
        self._arguments = [] if file is None else ["--file", str(file), "--sound", sound]
        self._arguments += [] if record is None else ["--record", str(record)]
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.kill()
        self._reserved.close()

    def url(self, path: str = "/h264") -> str:
        """The address to read or publish, with the right login."""
        return self.url_with(*self._auth[1:], path) if self._auth else f"rtsp://127.0.0.1:{self.port}{path}"

    def url_with(self, user: str, password: str, path: str = "/h264") -> str:
        """The same with the given login."""
        return f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}{path}"

    @property
    def pid(self) -> int:
        """Of the server's process."""
        if self._process is None:
            raise GStreamerFailed("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, on the same port; returns when it answers."""
        if self._process is not None:
            raise GStreamerFailed("the server runs already")
        login = ["--login", ":".join(self._auth)] if self._auth else []
        self._process = subprocess.Popen(
            [_PYTHON, _SERVER, str(self.port), *login, *self._arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        lines: queue.Queue[bytes] = queue.Queue()
        words = cast("IO[bytes]", self._process.stdout)
        threading.Thread(target=_listen, args=(words, lines), name="gstreamer-says", daemon=True).start()
        try:
            said = lines.get(timeout=_START_WITHIN_S)
        except queue.Empty:
            said = b""
        if not said.startswith(b"listening"):
            self.kill()
            raise GStreamerFailed("the GStreamer server did not start")

    def kill(self) -> None:
        """Kill it (SIGKILL), like a power cut; does nothing if it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            cast("IO[bytes]", self._process.stdin).close()
            self._process = None

    def stop(self) -> None:
        """Stop its process (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Continue a stopped process (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)


def _listen(words: IO[bytes], lines: queue.Queue[bytes]) -> None:
    """Take what the server says until it ends; runs in a thread of its own."""
    with words:
        for line in words:
            lines.put(line)
    lines.put(b"")
