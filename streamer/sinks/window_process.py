"""The process behind `WindowSink`: shows the pictures that come on standard input, tells on standard output.

A process of its own for three reasons. The wheels of PyAV and OpenCV bring X11 libraries of the same name, and a
window hangs when PyAV's are loaded first. Qt aborts its process where there is no display. And a window stays alive
here while the program waits for its detector.

In: width and height as little-endian uint32, then height * width * 3 bytes of RGB, again and again; the end of input
closes the window. Out: `READY` once the window system works, `CLOSED` when the user has closed the window.
"""

from __future__ import annotations

import os
import queue
import signal
import struct
import sys
import threading
from typing import Any, BinaryIO

HEADER = struct.Struct("<II")
READY = b"r"
CLOSED = b"q"

_QUIT_KEYS = (ord("q"), 27)  # 27: Esc
_PAUSE_KEY = ord(" ")
_EVENTS_S = 0.02  # how often keys are looked for while no picture comes
_LARGEST_PX = 1280, 800  # a window is not opened larger than this; it can be resized


def main(title: str) -> None:
    """Show pictures until the input ends or the user closes the window."""
    # Qt reads this once. It complains at length that OpenCV's wheel brings no fonts; nothing here needs one.
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    import cv2  # not before that; and nothing else of this project, which might load PyAV

    window = _Window(cv2, title)
    # Ctrl-C reaches every process of a terminal; here it only ends a pause, so that the program can end the run.
    signal.signal(signal.SIGINT, lambda *_: window.resume())
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    _tell(READY)
    pictures: queue.Queue[tuple[int, int, bytes] | None] = queue.Queue(1)
    threading.Thread(target=_read, args=(sys.stdin.buffer, pictures), daemon=True).start()
    while True:
        try:
            picture = None if window.paused else pictures.get(timeout=_EVENTS_S)
            if picture is None and not window.paused:
                break
            if picture is not None:
                window.show(*picture)
        except queue.Empty:
            pass
        if not window.handle_events():
            _tell(CLOSED)
            break
    # The reading thread may hold standard input: end without waiting for it.
    sys.stdout.flush()
    os._exit(0)


class _Window:
    def __init__(self, cv2: Any, title: str) -> None:
        self._cv2 = cv2
        self._title = title
        self._shown = False
        self.paused = False
        self._ending = False

    def resume(self) -> None:
        """End a pause, and let no other begin: the program is about to end and must not be held up."""
        self.paused = False
        self._ending = True

    def show(self, width: int, height: int, rgb: bytes) -> None:
        import numpy as np

        if not self._shown:
            scale = min(_LARGEST_PX[0] / width, _LARGEST_PX[1] / height, 1.0)
            self._cv2.resizeWindow(self._title, max(round(width * scale), 1), max(round(height * scale), 1))
            self._shown = True
        picture = np.frombuffer(rgb, np.uint8).reshape(height, width, 3)
        self._cv2.imshow(self._title, self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2BGR))

    def handle_events(self) -> bool:
        """Take keys and clicks; False when the user wants to end."""
        # Paused, this wait is the loop's only one.
        key = self._cv2.waitKey(round(_EVENTS_S * 1000) if self.paused else 1)
        if key in _QUIT_KEYS:
            return False
        if key == _PAUSE_KEY and not self._ending:
            self.paused = not self.paused
        try:
            return not self._shown or self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1
        except self._cv2.error:  # no window at all is left
            return False


def _read(stream: BinaryIO, pictures: queue.Queue[tuple[int, int, bytes] | None]) -> None:
    """Reading thread: hand on one picture after the other, None at the end."""
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        width, height = HEADER.unpack(header)
        rgb = stream.read(width * height * 3)
        if len(rgb) < width * height * 3:
            break
        pictures.put((width, height, rgb))
    pictures.put(None)


def _tell(word: bytes) -> None:
    sys.stdout.buffer.write(word)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
