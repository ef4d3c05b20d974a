"""A server that accepts a published stream and reports which frames arrive, and when.

`Listener` belongs to the thread that made it, with a thread that reads from its process. That process (`python -m
tests.faults.lab.listener PORT`) is FFmpeg's own RTSP server: it accepts one publisher after the other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self, cast

import av

from tests.faults import counter
from tests.faults.camera.ports import reserve_port

_ROOT = Path(__file__).parents[3]
_READY = "ready"
_OPEN_WITHIN_S = 3600.0
_SILENT_MOST_S = 5.0
"""Read timeout. The kernel drops a publisher while this process is stopped without notice; the server would wait for
it without end and accept no other."""
_OPTIONS = {"rtsp_flags": "listen", "listen_timeout": "3600", "fflags": "nobuffer"}
_AT_ONCE = {"analyzeduration": "0", "probesize": "32"}


class Listener:
    """On its own port on 127.0.0.1; it runs inside `with`.

    Args:
        saw: called by the listening thread with the number of each frame, and when it was decoded (monotonic).
    """

    def __init__(self, saw: Callable[[int, float], None]) -> None:
        self._saw = saw
        self._reserved = reserve_port()
        self.url = f"rtsp://127.0.0.1:{self._reserved.getsockname()[1]}/live"
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.kill()
        self._reserved.close()

    def start(self) -> float:
        """Start it; returns the monotonic time from which it listens."""
        command = [sys.executable, "-m", __name__, self.url]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, text=True)
        words = cast("IO[str]", self._process.stdout)
        if words.readline().strip() != _READY:
            raise RuntimeError("the listener did not start")
        self._thread = threading.Thread(target=self._listen, args=(words,), name="listener-says", daemon=True)
        self._thread.start()
        return time.monotonic()

    def kill(self) -> None:
        """Kill it (SIGKILL); does nothing if it is not running."""
        if self._process is not None and self._thread is not None:
            self._process.kill()
            self._process.wait()
            self._thread.join()
            self._process = None

    def stop(self) -> None:
        """Stop its process (SIGSTOP): it accepts data until the buffers are full, and answers nothing."""
        os.kill(self._running().pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Continue it (SIGCONT)."""
        os.kill(self._running().pid, signal.SIGCONT)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the listener does not run")
        return self._process

    def _listen(self, words: IO[str]) -> None:
        with words:
            for line in words:
                if not line.endswith("\n") or line.strip() == _READY:
                    continue
                number, at_s = line.split()
                self._saw(int(number), float(at_s))


def receive(url: str) -> None:
    """Accept one publisher, and print the number of each frame."""
    print(_READY, flush=True)
    with av.open(url, options=_OPTIONS | _AT_ONCE, timeout=(_OPEN_WITHIN_S, _SILENT_MOST_S)) as container:
        container.streams.video[0].thread_type = "SLICE"
        for frame in container.decode(video=0):
            number = counter.read_number(frame)
            if number is not None:
                print(number, time.monotonic(), flush=True)


def main() -> None:
    """Accept publishers without end."""
    while True:
        try:
            receive(sys.argv[1])
        except (av.error.FFmpegError, OSError):  # it disconnected; accept the next one
            continue
        except (KeyboardInterrupt, BrokenPipeError):
            return


if __name__ == "__main__":
    main()
