"""A virtual display, what is on it, and a hand for the window's keys."""

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
    """An X server that is running; windows are placed in its upper left corner."""

    def __init__(self, name: str) -> None:
        self.name = name
        options = {"video_size": f"{SIZE[0]}x{SIZE[1]}", "draw_mouse": "0", "framerate": "50"}
        self._camera = av.open(name, format="x11grab", options=options)

    def grab(self) -> UInt8Array:
        """What is seen now: uint8 RGB `(height, width, 3)`."""
        now_s = time.time()
        # Some pictures were taken when the camera was opened; x11grab stamps them with the time of day.
        seen = next(frame for frame in self._camera.decode(video=0) if frame.time >= now_s)
        return np.asarray(seen.to_ndarray(format="rgb24"), np.uint8)

    def close(self) -> None:
        """Look no more."""
        self._camera.close()

    def number(self, size: tuple[int, int], at: tuple[int, int] = (0, 0)) -> int:
        """The number of the test picture that is seen in this size at x, y."""
        seen = self.grab()[at[1] : at[1] + size[1], at[0] : at[0] + size[0]]
        return read_number(av.VideoFrame.from_ndarray(np.ascontiguousarray(seen), "rgb24"))

    def wait_for(self, seen: Callable[[], bool]) -> None:
        """Look until it is so."""
        end_s = time.monotonic() + DEADLINE_S
        while not seen():
            assert time.monotonic() < end_s, "never seen on the screen"


@contextmanager
def running_screen(folder: Path) -> Iterator[Screen]:
    """An X server of its own; skips the test where there is none."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read_end, write_end = os.pipe()
    with (folder / "xvfb.log").open("wb") as log:
        # A server that begins anew when its last client is gone forgets that it was told to end meanwhile.
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
            with os.fdopen(read_end) as told:
                screen = Screen(f":{told.readline().strip()}")
            yield screen
            screen.close()
        finally:
            server.terminate()
            server.wait(10)


class Hand:
    """Presses keys in, resizes and closes the window of a process; the window is real, only the hand is not.

    Attributes:
        command: starts a window's process that this hand can reach.
    """

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "hand"
        os.mkfifo(self._pipe)
        self._end = os.open(self._pipe, os.O_RDWR)
        program = f"""
            import os, sys, cv2
            from streamer.sinks.window import process
            look, hand, told = cv2.waitKeyEx, os.open({str(self._pipe)!r}, os.O_RDONLY | os.O_NONBLOCK), []
            def find(wait_ms):
                key = look(wait_ms)
                try:
                    told.extend(os.read(hand, 4096).decode().splitlines())
                except BlockingIOError:
                    pass
                if not told:
                    return key
                word, *numbers = told.pop(0).split()
                if word == "size":
                    cv2.resizeWindow(sys.argv[1], *map(int, numbers))
                elif word == "close":
                    cv2.destroyWindow(sys.argv[1])
                return int(numbers[0]) if word == "key" else key
            cv2.waitKeyEx = find
            process.main(sys.argv[1])
        """
        self.command = (sys.executable, "-c", textwrap.dedent(program))

    def press(self, *keys: str | int) -> None:
        """Press keys, one after the other: characters, or X11's numbers of keys."""
        for key in keys:
            self._tell(f"key {key if isinstance(key, int) else ord(key)}")

    def resize(self, size: tuple[int, int]) -> None:
        """Give the inside of the window another size."""
        self._tell(f"size {size[0]} {size[1]}")

    def close_window(self) -> None:
        """Close the window as its button does."""
        self._tell("close")

    def leave(self) -> None:
        """Give the pipe back."""
        os.close(self._end)

    def _tell(self, line: str) -> None:
        os.write(self._end, f"{line}\n".encode())
