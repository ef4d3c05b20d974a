"""A window that shows scenes as they arrive.

The window is a separate process (`streamer.sinks.window.process`). Two threads here serve it: the listener reads its
requests, the sender writes scenes. The thread that writes the sink never uses the pipe, so a window that hangs blocks a
live run never, and a file's run only until it is released.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Self

import av

from streamer.config.output import OutputEntry
from streamer.errors import Interrupted, SinkError, SinkUnavailable
from streamer.features import SinkContext, SinkFeature
from streamer.flow.queues import Closed
from streamer.interfaces import Scene
from streamer.registry import ANNOTATORS
from streamer.render.annotators import Renderer
from streamer.sinks.window.process import HEADER, READY, Size, fitting
from streamer.sinks.window.scene_buffer import End, SceneBuffer
from streamer.sinks.window.snapshot import save_snapshot
from streamer.system import paths
from streamer.system.threads import Thread
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "streamer.sinks.window.process")
"""Starts the process of the window; the title follows."""
# Time limit for each step of an orderly end, before the process is killed.
_STEP_S = 0.5

DrawHud = Callable[[Scene], av.VideoFrame]


class WindowClosed(Interrupted):
    """The user closed the window or pressed q or Esc: the run ends and all other outputs are completed."""


class WindowSink(SinkFeature):
    """Shows scenes in a resizable window.

    Keys: q, Esc or closing the window ends the run, space pauses and resumes, s saves the shown frame at full size, h
    toggles the head-up line, ? or F1 shows these keys. Frames are shown as they arrive, not at their media time, and
    are sent no larger than the window. The window shows for some seconds where a snapshot was saved.

    Args:
        entry: not used.
        context: `info` has the window's title and the aspect ratio of frames without one. The run of a file waits for
            the window, which shows every scene, and a pause stops it. With a live source `write` never waits: the
            window shows the newest scene, and a pause stops the display only. Snapshots go to
            `window.snapshot_folder`, which is created for the first one. A thread of the window calls `on_close` when
            the user ends the run; the next `write`, if there is one, raises WindowClosed.
        draw_hud: draws the head-up line on a scene; called by a thread of the window. If None, the annotator `hud` is
            used, unless `draw` has the line drawn for all outputs.

    Raises:
        SinkUnavailable: on entering, if there is no display.
        WindowClosed: from `write`, after the user closed the window.
        SinkError: from `write`, if the window ended and the user did not close it.
    """

    writes_files = False
    stage = "window"
    wants_picture = True
    notes = ()

    def __init__(
        self,
        entry: OutputEntry,  # noqa: ARG002
        context: SinkContext,
        *,
        draw_hud: DrawHud | None = None,
    ) -> None:
        info = context.info
        # The title becomes a command-line argument and a C string.
        self._title = paths.readable(info.name).replace("\0", " ") or "Streamer"
        self.main_thread = not info.live  # a pause stops the whole run
        self._snapshots = Path() if context.window is None else context.window.snapshot_folder
        if draw_hud is None and context.draw is not None and not context.draw.hud:
            draw_hud = Renderer([ANNOTATORS["hud"].from_settings(context.draw)], info.sample_aspect_ratio).render
        self._draw_hud = draw_hud
        self._aspect = info.sample_aspect_ratio
        self._on_close = context.on_close
        self._buffer = SceneBuffer(keeps_all=not info.live, hud=False)
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[Thread] = []

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """Only `window`."""
        return entry.to == "window"

    @classmethod
    def is_required(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always."""
        return True

    def __enter__(self) -> Self:
        # No shell is involved: the arguments are constants and the title.
        self._process = process = subprocess.Popen(
            [*COMMAND, self._title], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        try:
            ready = _pipe(process.stdout).read(len(READY))
        except BaseException:
            self._end()
            raise
        if ready != READY:
            self._end()
            raise SinkUnavailable(
                "no window can be opened: no display (DISPLAY is not set or not reachable); "
                "show it in a browser with -o http://127.0.0.1:8080/, or connect with ssh -X"
            )
        for work, pipe in ((self._send, process.stdin), (self._listen, process.stdout)):
            thread = Thread(f"window{work.__name__}", work, _pipe(pipe))
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.release()
        self._end()

    def write(self, scene: Scene) -> None:
        """Show the scene; waits for the window in the run of a file only, and never after `release`."""
        if self._process is None and self._buffer.ended[0] is not End.RELEASED:
            raise SinkError("the window is not open: enter the sink before writing")
        try:
            self._buffer.put(scene)
        except Closed:
            end, cause = self._buffer.ended
            if end is End.CLOSED:
                raise WindowClosed from None
            if end is End.LOST:
                raise SinkError(f"{end.value}; run again, or without a window") from cause

    def release(self) -> None:
        """The run ends: `write` no longer waits and shows nothing; any thread may call this at any time."""
        self._buffer.end(End.RELEASED)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        threads, self._threads = self._threads, []
        for thread in threads[:1]:  # the sender, which may still write to a window that reads nothing
            thread.join(_STEP_S)
            if thread.is_alive():
                process.kill()
            thread.join(_STEP_S)
        _pipe(process.stdin).close()  # which ends the process
        try:
            process.wait(_STEP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in threads[1:]:
            thread.join(_STEP_S)
            if thread.is_alive():  # it saves a snapshot to a disk that hangs
                return
        _pipe(process.stdout).close()

    # the window's threads

    def _send(self, pipe: IO[bytes]) -> None:
        """Sender thread: write the requested scenes, no larger than the window."""
        try:
            while True:
                delivery = self._buffer.take()
                frame = self._frame(delivery.scene, hud=delivery.hud)
                size = self._size(frame)
                fit = fitting(size, delivery.view)
                rgb = frame.rgb(fit if fit[0] < frame.width or fit[1] < frame.height else None)
                message = paths.readable(delivery.message).encode()
                _write_whole(pipe, HEADER.pack(delivery.number, rgb.shape[1], rgb.shape[0], *size, len(message)))
                _write_whole(pipe, message)
                _write_whole(pipe, rgb.data.cast("B"))
        except (Closed, OSError):
            pass  # the listener handles the end of the process
        except Exception as error:
            self._buffer.end(End.LOST, error)

    def _listen(self, pipe: IO[bytes]) -> None:
        """Listener thread: pass on the requests of the window until it ends."""
        lines = iter(pipe.readline, b"")
        for word, *rest in (line.decode("ascii").split() for line in lines):
            number, *view = map(int, rest)
            self._handle(word, number, (view[0], view[1]))
        self._buffer.end(End.LOST)

    def _handle(self, word: str, number: int, view: Size) -> None:
        if word == "next":
            self._buffer.request_next(number, view)
        elif word == "again":
            self._buffer.request_again(number, view)
        elif word == "hud":
            self._buffer.request_again(number, view, toggle_hud=True)
        elif word == "pause":
            self._buffer.pause()
        elif word == "save":
            self._save(number, view)
        elif word == "closed":
            self._buffer.end(End.CLOSED)
            if self._on_close is not None:
                self._on_close()

    def _save(self, number: int, view: Size) -> None:
        taken, found = datetime.now(), self._buffer.sent(number)
        if found is not None:
            frame = self._frame(found[0], hud=found[1])
            size = self._size(frame)
            rgb = frame.rgb(None if size == (frame.width, frame.height) else size)
            self._buffer.request_again(number, view, message=save_snapshot(rgb, self._snapshots, taken))

    def _frame(self, scene: Scene, *, hud: bool) -> Frame:
        """The frame to show."""
        picture = self._draw_hud(scene) if hud and self._draw_hud is not None else scene.shown
        return replace(scene.frame, picture=picture)

    def _size(self, frame: Frame) -> Size:
        """Width and height of the frame with square pixels, enlarged where the aspect ratio requires it."""
        aspect = frame.sample_aspect_ratio or self._aspect
        if aspect >= 1:
            return round(frame.width * aspect), frame.height
        return frame.width, round(frame.height / aspect)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _write_whole(pipe: IO[bytes], data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]
