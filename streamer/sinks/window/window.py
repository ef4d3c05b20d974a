"""A window that shows scenes as they come.

The window lives in a process of its own (`window_process`). Two threads serve it from here: the listener hears what it
wants, the sender sends what is due. Whoever writes never touches the pipe, so a window that hangs holds nobody who does
not want to be held.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import av

from streamer.config.output import OutputEntry
from streamer.errors import Interrupted, SinkError, SinkUnavailable
from streamer.features import SinkContext, SinkFeature
from streamer.flow.queues import Closed
from streamer.interfaces import Annotator, Scene
from streamer.registry import ANNOTATORS
from streamer.render.canvas import Canvas
from streamer.sinks.window.exchange import Ending, Exchange
from streamer.sinks.window.process import HEADER, READY, Size, fitting
from streamer.sinks.window.snapshot import save_snapshot
from streamer.system import paths
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "streamer.sinks.window.process")
"""How the process of the window is started; its title follows."""
# How long leaving waits for each step of an orderly end, before the process is killed.
_PATIENCE_S = 0.5

DrawHud = Callable[[Scene], av.VideoFrame]


class WindowClosed(Interrupted):
    """The user closed the window or pressed q or Esc: the run ends and all other outputs are completed."""


class WindowSink(SinkFeature):
    """Shows scenes in a window that can be resized.

    Keys: q, Esc or closing the window ends the run, space pauses and goes on, s saves the picture that is shown at its
    full size, h toggles the head-up line, ? or F1 tells these keys. Pictures are shown as they come, not at their own
    pace, and are sent no larger than the window is.

    Args:
        entry: not used.
        context: `info` has the window's title and the aspect ratio of frames without one. A file's run waits for the
            window, which shows every scene, and a pause holds it. With a live source `write` never waits: the window
            shows the newest scene, and a pause holds the picture only. Snapshots go to `window.snapshot_folder`, which
            is made for the first one. A thread of the window calls `on_close` when the user ends the run; `write`
            raises WindowClosed then, but no further scene may come.
        draw_hud: draws the head-up line on a scene's picture; a thread of the window calls it. None: as `draw` has it,
            where that does not draw the line for all outputs.

    Raises:
        SinkUnavailable: on entering, when there is no display to show it on.
        WindowClosed: from `write`, when the user wants to end.
        SinkError: from `write`, when the window is gone and the user did not close it.
    """

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
        # It becomes an argument and C text.
        self._title = paths.readable(info.name).replace("\0", " ") or "Streamer"
        self.main_thread = not info.live  # a pause holds the whole run
        self._snapshots = Path() if context.window is None else context.window.snapshot_folder
        if draw_hud is None and context.draw is not None and not context.draw.hud:
            draw_hud = _hud_drawer()
        self._draw_hud = draw_hud
        self._aspect = info.sample_aspect_ratio
        self._on_close = context.on_close
        self._exchange = Exchange(holds_run=not info.live, hud=False)
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """The word `window`."""
        return entry.to == "window"

    @classmethod
    def is_required(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always: the run is watched."""
        return True

    @classmethod
    def from_settings(cls, entry: OutputEntry, context: SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    def __enter__(self) -> Self:
        # The arguments are constants and a title that no shell reads.
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
                "leave out --show, or run under xvfb-run or ssh -X"
            )
        for work, pipe in ((self._send, process.stdin), (self._listen, process.stdout)):
            thread = threading.Thread(
                target=work, args=(_pipe(pipe),), name=f"streamer-window{work.__name__}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
        self._end()

    def write(self, scene: Scene) -> None:
        """Show the scene's picture; waits for the window only if that holds the run, and never after `release`."""
        if self._process is None and self._exchange.ending[0] is not Ending.RELEASED:
            raise SinkError("the window is not open: enter the sink before writing")
        try:
            self._exchange.put(scene)
        except Closed:
            ending, cause = self._exchange.ending
            if ending is Ending.CLOSED:
                raise WindowClosed from None
            if ending is Ending.LOST:
                raise SinkError(f"{ending.value}; run again, or leave out --show") from cause

    def release(self) -> None:
        """The run is about to end: no `write` waits any more, nor shows anything. From any thread, at any time."""
        self._exchange.end(Ending.RELEASED)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        threads, self._threads = self._threads, []
        for thread in threads[:1]:  # the sender, which may be in the middle of a picture that nobody takes
            thread.join(_PATIENCE_S)
            if thread.is_alive():
                process.kill()
            thread.join(_PATIENCE_S)
        _pipe(process.stdin).close()  # which ends it
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in threads[1:]:
            thread.join(_PATIENCE_S)
            if thread.is_alive():  # it saves a picture to a disk that hangs
                return
        _pipe(process.stdout).close()

    # the window's threads

    def _send(self, pipe: IO[bytes]) -> None:
        """Sender: each picture that is due, no larger than the window shows it."""
        try:
            while True:
                order = self._exchange.take()
                frame = self._frame(order.scene, hud=order.hud)
                size = self._size(frame)
                fit = fitting(size, order.view)
                rgb = frame.rgb(fit if fit[0] < frame.width or fit[1] < frame.height else None)
                _write_whole(pipe, HEADER.pack(order.number, rgb.shape[1], rgb.shape[0], *size))
                _write_whole(pipe, rgb.data.cast("B"))
        except (Closed, OSError):
            pass  # of a broken pipe the listener hears, too, and why
        except Exception as error:
            self._exchange.end(Ending.LOST, error)

    def _listen(self, pipe: IO[bytes]) -> None:
        """Listener: what the window wants, to its end."""
        lines = iter(pipe.readline, b"")
        for word, *rest in (line.decode("ascii").split() for line in lines):
            number, *view = map(int, rest)
            self._hear(word, number, (view[0], view[1]))
        self._exchange.end(Ending.LOST)

    def _hear(self, word: str, number: int, view: Size) -> None:
        if word == "next":
            self._exchange.ask_next(number, view)
        elif word == "again":
            self._exchange.ask_again(number, view)
        elif word == "hud":
            self._exchange.ask_again(number, view, toggle_hud=True)
        elif word == "pause":
            self._exchange.pause()
        elif word == "save":
            self._save(number)
        elif word == "closed":
            self._exchange.end(Ending.CLOSED)
            if self._on_close is not None:
                self._on_close()

    def _save(self, number: int) -> None:
        taken, found = datetime.now(), self._exchange.sent(number)
        if found is not None:
            frame = self._frame(found[0], hud=found[1])
            size = self._size(frame)
            save_snapshot(frame.rgb(None if size == (frame.width, frame.height) else size), self._snapshots, taken)

    def _frame(self, scene: Scene, *, hud: bool) -> Frame:
        """What is shown of a scene."""
        frame = scene.frame
        picture = self._draw_hud(scene) if hud and self._draw_hud is not None else scene.picture
        return frame if picture is None else replace(frame, picture=picture)

    def _size(self, frame: Frame) -> Size:
        """Width and height of the whole picture with square pixels, never fewer than it has."""
        aspect = frame.sample_aspect_ratio or self._aspect
        if aspect >= 1:
            return round(frame.width * aspect), frame.height
        return frame.width, round(frame.height / aspect)


def _hud_drawer() -> DrawHud:
    """Draws the head-up line on a scene's picture."""
    hud: Annotator = ANNOTATORS["hud"]()

    def draw(scene: Scene) -> av.VideoFrame:
        canvas = Canvas(scene.frame.picture if scene.picture is None else scene.picture)
        hud.draw(canvas, scene)
        return canvas.picture

    return draw


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _write_whole(pipe: IO[bytes], data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]
