"""A virtual display, its content, and simulated user input for the window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.clips import read_number

SIZE = 1000, 700
DEADLINE_S = 30.0

UInt8Array = npt.NDArray[np.uint8]


class Screen:
    """A running X server; windows open in its upper left corner."""

    def __init__(self, name: str) -> None:
        self.name = name
        options = {"video_size": f"{SIZE[0]}x{SIZE[1]}", "draw_mouse": "0", "framerate": "50"}
        self._grabber = av.open(name, format="x11grab", options=options)

    def grab(self) -> UInt8Array:
        """The current content: uint8 RGB `(height, width, 3)`."""
        now_s = time.time()
        # The first frames date from when the grabber was opened; x11grab stamps frames with the time of day.
        seen = next(frame for frame in self._grabber.decode(video=0) if frame.time >= now_s)
        return np.asarray(seen.to_ndarray(format="rgb24"), np.uint8)

    def close(self) -> None:
        """End grabbing."""
        self._grabber.close()

    def number(self, size: tuple[int, int], at: tuple[int, int] = (0, 0)) -> int:
        """The number of the test frame that is shown in this size at x, y."""
        seen = self.grab()[at[1] : at[1] + size[1], at[0] : at[0] + size[0]]
        return read_number(av.VideoFrame.from_ndarray(np.ascontiguousarray(seen), "rgb24"))

    def wait_for(self, seen: Callable[[], bool]) -> None:
        """Wait for a condition."""
        end_s = time.monotonic() + DEADLINE_S
        while not seen():
            assert time.monotonic() < end_s, "not seen on the screen in time"


@contextmanager
def running_screen(folder: Path) -> Iterator[Screen]:
    """A new X server; skips the test if Xvfb is not installed."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read_end, write_end = os.pipe()
    with (folder / "xvfb.log").open("wb") as log:
        # Without -noreset the server restarts when its last client disconnects, and loses a signal that arrives then.
        server = subprocess.Popen(
            [
                "Xvfb",
                "-noreset",
                "-displayfd",
                str(write_end),
                "-screen",
                "0",
                f"{SIZE[0]}x{SIZE[1]}x24",
                "-nolisten",
                "tcp",
            ],
            pass_fds=[write_end],
            stderr=log,
        )
        os.close(write_end)
        try:
            with os.fdopen(read_end) as number:
                screen = Screen(f":{number.readline().strip()}")
            yield screen
            screen.close()
        finally:
            server.terminate()
            server.wait(10)


class Hand:
    """Presses keys in a window, resizes and closes it. The window is real, only the input is simulated.

    Attributes:
        command: starts a window's process that takes this input.
    """

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "hand"
        os.mkfifo(self._pipe)
        self._end = os.open(self._pipe, os.O_RDWR)
        program = f"""
            import os, sys, cv2
            from streamer.sinks.window import process
            wait_key, hand, lines = cv2.waitKeyEx, os.open({str(self._pipe)!r}, os.O_RDONLY | os.O_NONBLOCK), []
            def find_key(wait_ms):
                key = wait_key(wait_ms)
                try:
                    lines.extend(os.read(hand, 4096).decode().splitlines())
                except BlockingIOError:
                    pass
                if not lines:
                    return key
                word, *numbers = lines.pop(0).split()
                if word == "size":
                    cv2.resizeWindow(sys.argv[1], *map(int, numbers))
                elif word == "close":
                    cv2.destroyWindow(sys.argv[1])
                return int(numbers[0]) if word == "key" else key
            cv2.waitKeyEx = find_key
            process.main(sys.argv[1])
        """
        self.command = (sys.executable, "-c", textwrap.dedent(program))

    def press(self, *keys: str | int) -> None:
        """Press keys in order: characters or X11 key codes."""
        for key in keys:
            self._send(f"key {key if isinstance(key, int) else ord(key)}")

    def resize(self, size: tuple[int, int]) -> None:
        """Resize the inside of the window."""
        self._send(f"size {size[0]} {size[1]}")

    def close_window(self) -> None:
        """Close the window like its close button."""
        self._send("close")

    def leave(self) -> None:
        """Close the pipe."""
        os.close(self._end)

    def _send(self, line: str) -> None:
        os.write(self._end, f"{line}\n".encode())
