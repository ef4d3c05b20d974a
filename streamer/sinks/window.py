"""A window that shows every scene as it comes.

The window lives in a process of its own (`window_process`); this end belongs to the thread that writes.
"""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import IO, Self

import numpy as np

from streamer.errors import Interrupted, SinkError, SinkUnavailable
from streamer.frame import Frame
from streamer.protocols import Scene
from streamer.sinks.window_process import CLOSED, HEADER, READY

COMMAND = (sys.executable, "-m", "streamer.sinks.window_process")
"""How the process of the window is started; its title follows."""
_END_S = 2.0


class WindowClosed(Interrupted):
    """The user closed the window or pressed q or Esc: a normal end. Like Ctrl-C it completes all other outputs."""


class WindowSink:
    """Shows scenes; q, Esc or closing the window ends the run, space pauses and goes on.

    Frames are shown as they come, not at their own pace. The window can be resized.

    Args:
        title: of the window.

    Raises:
        SinkUnavailable: on entering, when there is no display to show it on.
        WindowClosed: from `write`, when the user wants to end.
        SinkError: the window is gone and the user did not close it.
    """

    stage = "window"
    main_thread = True  # a pause holds the whole run, and WindowClosed ends it as Ctrl-C does
    wants_picture = True
    notes = ()

    def __init__(self, title: str) -> None:
        # It becomes an argument and C text.
        self._title = title.replace("\0", " ") or "Streamer"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # The arguments are constants and a title that no shell reads.
        self._process = process = subprocess.Popen(
            [*COMMAND, self._title], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        try:
            ready = _pipe(process.stdout).read(1)
        except BaseException:
            self._end()
            raise
        if ready != READY:
            self._end()
            raise SinkUnavailable(
                "no window can be opened: no display (DISPLAY is not set or not reachable); "
                "leave out --show, or run under xvfb-run or ssh -X"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def write(self, scene: Scene) -> None:
        """Show the scene's picture; waits while the user has paused."""
        if self._process is None:
            raise SinkError("the window is not open: enter the sink before writing")
        picture, shown = scene.picture, scene.frame
        if picture is not None:
            shown = Frame(picture, shown.index, shown.pts, shown.time_base, shown.captured_s)
        rgb = shown.rgb()
        try:
            pipe = _pipe(self._process.stdin)
            _write_whole(pipe, HEADER.pack(rgb.shape[1], rgb.shape[0]))
            _write_whole(pipe, np.ascontiguousarray(rgb).data.cast("B"))
        except OSError as error:
            if _pipe(self._process.stdout).read(1) == CLOSED:
                raise WindowClosed from None
            raise SinkError("the window ended by itself; run again, or leave out --show") from error

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _pipe(process.stdin).close()  # which ends it
        _pipe(process.stdout).close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _write_whole(pipe: IO[bytes], data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]
