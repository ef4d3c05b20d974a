"""The process behind `WindowSink`: shows the images from standard input, writes requests to standard output.

It is a separate process for three reasons. The wheels of PyAV and OpenCV contain X11 libraries of the same name, and a
window hangs if PyAV's are loaded first. Qt aborts its process if there is no display. And the window keeps responding
while the program waits for its detector.

Images are sent on request only, so at most one new image is in transit and no old ones queue up. Input, for each image:
`HEADER` (number, width and height, full width and height, length of a message in bytes), the message in UTF-8, then
height * width * 3 bytes of RGB; the end of input ends the process. Output: the line `ready` once the window system
works, then requests with the number of the image on screen and the inner size of the window in pixels

    next N W H    send the first image after N
    again N W H   send N again, for this size
    hud N W H     the user toggled the head-up line: send N again
    save N W H    the user saves N
    pause N W H   send nothing until the next request
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
import textwrap
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

HEADER = struct.Struct("<QIIIII")
READY = b"ready\n"
FIRST_VIEW = 1280, 800
"""Maximum size of the window when it opens, in pixels; it can be resized."""

_QUIT_KEYS = (ord("q"), ord("Q"), 27)  # 27: Esc
_PAUSE_KEYS = (ord(" "),)
_SAVE_KEYS = (ord("s"), ord("S"))
_HUD_KEYS = (ord("h"), ord("H"))
_HELP_KEYS = (ord("?"), 0xFFBE)  # F1 as X11 numbers it (keysymdef.h)
_HELP = ("q, Esc: end", "space: pause", "s: save the frame", "h: head-up line", "?, F1: this help")
_EVENTS_S = 0.02  # interval of the checks for keys and resizing while no image arrives
_TEXT_PX = 16
_WIDEST_TEXT_PX = 40 * _TEXT_PX
_LETTER_PX = 9  # mean width of a letter
_MESSAGE_S = 5.0
_PIPE_BYTES = 1 << 20  # instead of 64 KiB: fewer context switches for each image

RgbArray = npt.NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image to show.

    Attributes:
        number: of the scene.
        size: full width and height, pixels.
        rgb: uint8 `(height, width, 3)`; smaller than `size` if the window is.
        message: text to show for some seconds; may be empty.
    """

    number: int
    size: Size
    rgb: RgbArray
    message: str = ""


def fitting(size: Size, view: Size) -> Size:
    """The largest width and height with the same aspect ratio that fit in a view; at least 1 by 1."""
    scale = min(view[0] / size[0], view[1] / size[1])
    return max(min(round(size[0] * scale), view[0]), 1), max(min(round(size[1] * scale), view[1]), 1)


def main(title: str) -> None:
    """Show images until the input ends or the user closes the window."""
    # Ctrl-C and a service manager's SIGTERM reach all processes of the group; the program ends this one.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Qt reads this once. It would warn at length that OpenCV's wheel has no fonts, which are not needed.
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    _use_matching_xlib()
    import cv2  # after that call; no other module of this project is imported, because it might load PyAV

    window = _Window(cv2, title)
    sys.stdout.buffer.write(READY)
    window.send_request("next")
    images: queue.SimpleQueue[Image] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, images), daemon=True).start()
    while window.open:
        with suppress(queue.Empty):
            window.show(images.get(timeout=_EVENTS_S))
        window.handle_events()
    window.send_request("closed")
    # The reading thread may block on standard input: exit without waiting for it.
    os._exit(0)


def _use_matching_xlib() -> None:
    """Have Qt use the system's libX11-xcb, which matches the system's libX11.

    OpenCV's wheel contains its own libX11-xcb but uses the system's libX11. `XSetEventQueueOwner` of the first then
    writes to the wrong field of the second (offset 0x40 instead of 0x48 in libX11 1.8.4), so Xlib continues to take
    events that Qt waits for. On two busy cores 8 of 25 windows never received their expose event and stayed black; with
    this call none of 50.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # not installed
            ctypes.CDLL("libX11-xcb.so.1", mode=ctypes.RTLD_GLOBAL)


class _Window:
    def __init__(self, cv2: Any, title: str) -> None:
        self.open = True
        self._cv2 = cv2
        self._title = title
        self._font = cv2.FontFace("sans")
        self._image: Image | None = None
        self._view: Size = FIRST_VIEW
        self._paused = self._shows_help = False
        self._requested_again: tuple[int, Size] | None = None
        self._message, self._message_until_s = "", 0.0
        # Every image given to OpenCV is as large as the window's inside, because its own scaling is coarse.
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)

    def send_request(self, word: str) -> None:
        """Write a request with the state of the window."""
        number = 0 if self._image is None else self._image.number
        sys.stdout.buffer.write(f"{word} {number} {self._view[0]} {self._view[1]}\n".encode())
        sys.stdout.buffer.flush()

    def show(self, image: Image) -> None:
        """Show an image and request the next; an image older than the shown one is ignored."""
        before = -1 if self._image is None else self._image.number
        if image.number < before:
            return
        if self._image is None:
            size = fitting(image.size, (min(FIRST_VIEW[0], image.size[0]), min(FIRST_VIEW[1], image.size[1])))
            self._cv2.resizeWindow(self._title, *size)
            self._view = size
        self._image = image
        if image.message:
            self._message, self._message_until_s = image.message, time.monotonic() + _MESSAGE_S
        self._draw()
        if image.number > before and not self._paused:
            self._handle_key(1)  # which updates the screen
            self.send_request("next")

    def handle_events(self) -> None:
        """Handle a key and a new size of the window."""
        self._handle_key(1)
        try:
            if self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) < 1:
                self.open = False
                return
            _, _, width, height = self._cv2.getWindowImageRect(self._title)
        except self._cv2.error:  # there is no window
            self.open = False
            return
        if width > 0 and height > 0 and self._view != (width, height):
            self._view = width, height
            self._draw()
        if self._message and time.monotonic() > self._message_until_s:
            self._message = ""
            self._draw()
        self._refine()

    def _handle_key(self, wait_ms: int) -> None:
        key = self._cv2.waitKeyEx(wait_ms)
        if key in _QUIT_KEYS:
            self.open = False
        elif key in _PAUSE_KEYS:
            self._paused = not self._paused
            self.send_request("pause" if self._paused else "next")
            self._draw()
        elif key in _SAVE_KEYS and self._image is not None:
            self.send_request("save")
        elif key in _HUD_KEYS:
            self.send_request("hud")
        elif key in _HELP_KEYS:
            self._shows_help = not self._shows_help
            self._draw()

    def _refine(self) -> None:
        """Request the image again if the window has room for more pixels of it than were sent."""
        if self._image is None:
            return
        room = min(fitting(self._image.size, self._view)[0], self._image.size[0])
        request = self._image.number, self._view
        if self._image.rgb.shape[1] < room and request != self._requested_again:
            self._requested_again = request
            self.send_request("again")

    def _draw(self) -> None:
        width, height = self._view
        shown = np.zeros((height, width, 3), np.uint8)
        words: list[str] = []
        if self._image is None:
            words.append("waiting for the first frame")
        else:
            self._paste(shown, self._image)
        if self._paused:
            words.append("paused")
        width = min(width, _WIDEST_TEXT_PX) // _LETTER_PX
        words += textwrap.wrap(self._message, max(width, 1), break_on_hyphens=False)
        self._write(shown, [*words, *(_HELP if self._shows_help else ())])
        self._cv2.imshow(self._title, shown)

    def _paste(self, shown: RgbArray, image: Image) -> None:
        """The image in the middle with its aspect ratio, black beside it."""
        width, height = fitting(image.size, self._view)
        left, top = (self._view[0] - width) // 2, (self._view[1] - height) // 2
        place = shown[top : top + height, left : left + width]
        rgb = image.rgb
        if rgb.shape != place.shape:
            shrinks = height < rgb.shape[0] or width < rgb.shape[1]
            interpolation = self._cv2.INTER_AREA if shrinks else self._cv2.INTER_CUBIC
            rgb = self._cv2.resize(rgb, (width, height), interpolation=interpolation)
        self._cv2.cvtColor(rgb, self._cv2.COLOR_RGB2BGR, dst=place)

    def _write(self, shown: RgbArray, lines: list[str]) -> None:
        """Text in the upper left corner on a dark background, as many lines as fit."""
        pad, step = _TEXT_PX // 2, round(1.5 * _TEXT_PX)
        lines = lines[: (shown.shape[0] - pad) // step]
        if not lines:
            return
        scratch = np.zeros((len(lines) * step + pad, _WIDEST_TEXT_PX, 3), np.uint8)
        right = 0
        for row, line in enumerate(lines):
            place, white = (pad, (row + 1) * step), (255, 255, 255)
            (end, _), _ = self._cv2.putText(scratch, line, place, white, self._font, _TEXT_PX, 500)
            right = max(right, end)
        words = scratch[: shown.shape[0], : min(right + pad, shown.shape[1])]
        ground = shown[: words.shape[0], : words.shape[1]]
        ground[...] = np.maximum(ground // 3, words)


def _read(stream: BinaryIO, images: queue.SimpleQueue[Image]) -> None:
    """Reading thread: queue every image; the end of input ends the process at once."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # more than the system allows
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        number, width, height, shown_width, shown_height, message_bytes = HEADER.unpack(header)
        message = stream.read(message_bytes).decode()
        rgb = np.empty((height, width, 3), np.uint8)
        if stream.readinto(rgb.data.cast("B")) < rgb.nbytes:  # type: ignore[attr-defined]
            break
        images.put(Image(number, (shown_width, shown_height), rgb, message))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
