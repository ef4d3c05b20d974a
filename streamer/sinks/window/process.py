"""The process behind `WindowSink`: shows the pictures that come on standard input, tells on standard output.

A process of its own for three reasons. The wheels of PyAV and OpenCV bring X11 libraries of the same name, and a
window hangs when PyAV's are loaded first. Qt aborts its process where there is no display. And a window stays alive
here while the program waits for its detector.

Nothing is sent that was not asked for, so at most one new picture is on its way, and no queue grows old. In, for each
picture: `HEADER` (its number, its width and height, and the width and height that it is meant to be shown in), then
height * width * 3 bytes of RGB; the end of input ends the process. Out, a line each: `ready` once the window system
works, then with the number of the picture on screen and the size of the window's inside in pixels

    next N W H    send the first picture after that one, once there is one
    again N W H   send that one again, for this size
    hud N W H     the user toggled the head-up line: send that one again
    save N W H    the user wants that one saved
    pause N W H   send nothing until asked again
    closed N W H  the user closed the window

The main thread owns the window; a second thread reads.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import struct
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

HEADER = struct.Struct("<QIIII")
READY = b"ready\n"
FIRST_VIEW = 1280, 800
"""A window is not opened larger than this, in pixels; it can be resized."""

_QUIT_KEYS = (ord("q"), ord("Q"), 27)  # 27: Esc
_PAUSE_KEYS = (ord(" "),)
_SAVE_KEYS = (ord("s"), ord("S"))
_HUD_KEYS = (ord("h"), ord("H"))
_HELP_KEYS = (ord("?"), 0xFFBE)  # F1 as X11 numbers it (keysymdef.h)
_HELP = ("q, Esc: end", "space: pause", "s: save the picture", "h: head-up line", "?, F1: this help")
_EVENTS_S = 0.02  # how often keys and the window's size are looked at while no picture comes
_TEXT_PX = 16
_PIPE_BYTES = 1 << 20  # instead of 64 KiB: fewer changes between the two processes for each picture

RgbArray = npt.NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture to show.

    Attributes:
        number: as the sender counts.
        size: width and height that it is meant to be shown in at full size, pixels.
        rgb: uint8 `(height, width, 3)`; smaller than `size` where the window is.
    """

    number: int
    size: Size
    rgb: RgbArray


def fitting(size: Size, view: Size) -> Size:
    """The largest width and height of the same shape that fit in a view; at least 1 by 1."""
    scale = min(view[0] / size[0], view[1] / size[1])
    return max(min(round(size[0] * scale), view[0]), 1), max(min(round(size[1] * scale), view[1]), 1)


def main(title: str) -> None:
    """Show pictures until the input ends or the user closes the window."""
    # Ctrl-C and a service manager's SIGTERM reach all processes; when this one ends is for the program to say.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Qt reads this once. It complains at length that OpenCV's wheel brings no fonts; nothing here needs one.
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    _use_matching_xlib()
    import cv2  # not before that; and nothing else of this project, which might load PyAV

    window = _Window(cv2, title)
    sys.stdout.buffer.write(READY)
    window.tell("next")
    pictures: queue.SimpleQueue[Picture] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, pictures), daemon=True).start()
    while window.open:
        with suppress(queue.Empty):
            window.take(pictures.get(timeout=_EVENTS_S))
        window.handle_events()
    window.tell("closed")
    # The reading thread may hold standard input: end without waiting for it.
    os._exit(0)


def _use_matching_xlib() -> None:
    """Have Qt use the system's libX11-xcb, which fits the system's libX11.

    OpenCV's wheel brings a libX11-xcb of its own but uses the system's libX11. `XSetEventQueueOwner` of the first then
    writes into the wrong field of the second (offset 0x40 instead of 0x48 in libX11 1.8.4), so that Xlib goes on taking
    events that Qt waits for. On two busy cores 8 of 25 windows were never told that they are visible, and stayed
    black; with this none of 50.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # not installed; then there is hardly a display
            ctypes.CDLL("libX11-xcb.so.1", mode=ctypes.RTLD_GLOBAL)


class _Window:
    def __init__(self, cv2: Any, title: str) -> None:
        self.open = True
        self._cv2 = cv2
        self._title = title
        self._font = cv2.FontFace("sans")
        self._picture: Picture | None = None
        self._view: Size = FIRST_VIEW
        self._paused = self._helps = False
        self._asked_again: tuple[int, Size] | None = None
        # Every picture that is given to OpenCV is as large as the window's inside: its own scaling is coarse.
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)

    def tell(self, word: str) -> None:
        """Say something to the program, with what is on screen."""
        number = 0 if self._picture is None else self._picture.number
        sys.stdout.buffer.write(f"{word} {number} {self._view[0]} {self._view[1]}\n".encode())
        sys.stdout.buffer.flush()

    def take(self, picture: Picture) -> None:
        """Show a picture and ask for the next; one that is older than what is shown is left out."""
        before = -1 if self._picture is None else self._picture.number
        if picture.number < before:
            return
        if self._picture is None:
            size = fitting(picture.size, (min(FIRST_VIEW[0], picture.size[0]), min(FIRST_VIEW[1], picture.size[1])))
            self._cv2.resizeWindow(self._title, *size)
            self._view = size
        self._picture = picture
        self._draw()
        if picture.number > before and not self._paused:
            self._pump(1)  # which puts it on the screen
            self.tell("next")

    def handle_events(self) -> None:
        """Take keys, clicks and a new size."""
        self._pump(1)
        try:
            if self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) < 1:
                self.open = False
                return
            _, _, width, height = self._cv2.getWindowImageRect(self._title)
        except self._cv2.error:  # no window at all is left
            self.open = False
            return
        if width > 0 and height > 0 and self._view != (width, height):
            self._view = width, height
            self._draw()
        self._refine()

    def _pump(self, wait_ms: int) -> None:
        key = self._cv2.waitKeyEx(wait_ms)
        if key in _QUIT_KEYS:
            self.open = False
        elif key in _PAUSE_KEYS:
            self._paused = not self._paused
            self.tell("pause" if self._paused else "next")
            self._draw()
        elif key in _SAVE_KEYS and self._picture is not None:
            self.tell("save")
        elif key in _HUD_KEYS:
            self.tell("hud")
        elif key in _HELP_KEYS:
            self._helps = not self._helps
            self._draw()

    def _refine(self) -> None:
        """Ask for what is shown again where the window has room for more pixels of it than were sent."""
        if self._picture is None:
            return
        room = min(fitting(self._picture.size, self._view)[0], self._picture.size[0])
        asked = self._picture.number, self._view
        if self._picture.rgb.shape[1] < room and asked != self._asked_again:
            self._asked_again = asked
            self.tell("again")

    def _draw(self) -> None:
        width, height = self._view
        shown = np.zeros((height, width, 3), np.uint8)
        words: list[str] = []
        if self._picture is None:
            words.append("waiting for the first picture")
        else:
            self._paste(shown, self._picture)
        if self._paused:
            words.append("paused")
        self._write(shown, [*words, *(_HELP if self._helps else ())])
        self._cv2.imshow(self._title, shown)

    def _paste(self, shown: RgbArray, picture: Picture) -> None:
        """The picture in the middle, in its own shape, black beside it."""
        width, height = fitting(picture.size, self._view)
        left, top = (self._view[0] - width) // 2, (self._view[1] - height) // 2
        place = shown[top : top + height, left : left + width]
        rgb = picture.rgb
        if rgb.shape != place.shape:
            shrinks = height < rgb.shape[0] or width < rgb.shape[1]
            way = self._cv2.INTER_AREA if shrinks else self._cv2.INTER_CUBIC
            rgb = self._cv2.resize(rgb, (width, height), interpolation=way)
        self._cv2.cvtColor(rgb, self._cv2.COLOR_RGB2BGR, dst=place)

    def _write(self, shown: RgbArray, lines: list[str]) -> None:
        """Words in the upper left corner on a dark ground, as many lines as there is room for."""
        pad, step = _TEXT_PX // 2, round(1.5 * _TEXT_PX)
        lines = lines[: (shown.shape[0] - pad) // step]
        if not lines:
            return
        scratch = np.zeros((len(lines) * step + pad, 40 * _TEXT_PX, 3), np.uint8)
        right = 0
        for row, line in enumerate(lines):
            place, white = (pad, (row + 1) * step), (255, 255, 255)
            (end, _), _ = self._cv2.putText(scratch, line, place, white, self._font, _TEXT_PX, 500)
            right = max(right, end)
        words = scratch[: shown.shape[0], : min(right + pad, shown.shape[1])]
        ground = shown[: words.shape[0], : words.shape[1]]
        ground[...] = np.maximum(ground // 3, words)


def _read(stream: BinaryIO, pictures: queue.SimpleQueue[Picture]) -> None:
    """Reading thread: hand on one picture after the other; the end of input ends the process, whatever it is doing."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # more than the system allows
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        number, width, height, shown_width, shown_height = HEADER.unpack(header)
        rgb = np.empty((height, width, 3), np.uint8)
        if stream.readinto(rgb.data.cast("B")) < rgb.nbytes:  # type: ignore[attr-defined]
            break
        pictures.put(Picture(number, (shown_width, shown_height), rgb))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
