"""A camera that serves MJPEG over HTTP without time stamps, with the same numbered frames as the RTSP camera.

`HttpCamera` belongs to the thread that made it; the camera itself is a process (`python -m tests.faults.lab.http_camera
PORT SHOTS`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, Self, cast

import av

from tests.faults import counter
from tests.faults.camera.ports import reserve_port
from tests.faults.camera.shots import Shot, ShotList

_ROOT = Path(__file__).parents[3]
_SIZE = (640, 360)
_FPS = 25.0


class HttpCamera:
    """On its own port on 127.0.0.1; it runs inside `with`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="http-camera-")
        self._path = Path(self._folder.name) / "shots"
        self._shots = ShotList(self._path)
        self._reserved = reserve_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.kill()
        self._reserved.close()
        self._shots.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._reserved.getsockname()[1]}/"

    def start(self) -> float:
        """Start it; returns the monotonic time from which it answers."""
        command = [sys.executable, "-m", __name__, str(self._reserved.getsockname()[1]), str(self._path)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT)
        with cast("IO[bytes]", self._process.stdout) as said:
            if said.readline() != b"listening\n":
                raise RuntimeError("the HTTP camera did not start")
        return time.monotonic()

    def kill(self) -> None:
        """Kill it (SIGKILL); does nothing if it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def captured_at_s(self, number: int) -> float | None:
        """When a frame was drawn, monotonic."""
        shot = self._shots.read(number)
        return None if shot is None else shot.drawn_s


class _Film(threading.Thread):
    """Takes pictures; each waiting client gets the newest."""

    def __init__(self, shots: ShotList) -> None:
        super().__init__(daemon=True)
        self._shots = shots
        self._taken = threading.Condition()
        self._jpeg = b""
        self._number = -1

    def run(self) -> None:
        context: Any = av.CodecContext.create("mjpeg", "w")
        context.width, context.height = _SIZE
        context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 1000)
        pace, due_s = threading.Event(), time.monotonic()
        for number in range(self._shots.next_number, counter.NUMBERS):
            due_s += 1 / _FPS
            pace.wait(max(due_s - time.monotonic(), 0.0))
            drawn_s = time.monotonic()
            frame = av.VideoFrame.from_ndarray(counter.draw(number, _SIZE), "yuvj420p")
            frame.pts = round(drawn_s * 1000)
            jpeg = b"".join(bytes(packet) for packet in context.encode(frame))
            self._shots.write(Shot(number, drawn_s, due_s, None, 1, 0, True, False))
            with self._taken:
                self._jpeg, self._number = jpeg, number
                self._taken.notify_all()

    def after(self, number: int) -> tuple[int, bytes]:
        """The newest picture after a number, and its own."""
        with self._taken:
            self._taken.wait_for(lambda: self._number > number)
            return self._number, self._jpeg


def _handler(film: _Film) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = -1
            try:
                while True:
                    number, jpeg = film.after(number)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return  # the client has disconnected

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler


def main() -> None:
    """Run the camera."""
    film = _Film(ShotList(Path(sys.argv[2])))
    film.start()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _handler(film))
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
