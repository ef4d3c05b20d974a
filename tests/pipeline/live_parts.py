"""A camera and a detector that a test drives step by step, and a run on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from streamer.interfaces import Damage, Scene
from streamer.pipeline import Pipeline
from streamer.values.frame import Frame
from tests.pipeline.parts import DEADLINE_S, CountingSource, grey_picture

TIME_BASE = Fraction(1, 25)


class ScriptedCamera(CountingSource):
    """A live source: frames arrive when `give` is called, and it ends with `end`."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, live=True)
        self._changed = threading.Condition()
        self._coming: deque[Frame] = deque()
        self._next = 0
        self._waits = False  # the capture thread waits for the next frame
        self._ended = False
        self._error: Exception | None = None

    def give(self, count: int = 1, *, segment: int = 0, damage: str = "", lost: Damage | None = None) -> None:
        """Provide the next frames; returns when the pipeline has captured them all or has stopped."""
        with self._changed:
            self._damage += [lost] if lost else []
            for _ in range(count):
                self._coming.append(
                    Frame(grey_picture(), self._next, self._next, TIME_BASE, time.monotonic(), segment, damage=damage)
                )
                self._next += 1
            self._changed.notify_all()
            taken = self._changed.wait_for(lambda: self._ended or (self._waits and not self._coming), DEADLINE_S)
            assert taken

    def end(self, error: Exception | None = None) -> None:
        """End the stream, or fail with this error."""
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def stop(self) -> None:
        self.end()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._changed:
                self._waits = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._coming) or self._ended)
                self._waits = False
                if not self._coming:
                    break
                frame = self._coming.popleft()
            yield frame
        if self._error is not None:
            raise self._error


class Gate:
    """Blocks its callers one after the other until the test releases them."""

    def __init__(self) -> None:
        self._came: deque[int] = deque()
        self._arrived = threading.Semaphore(0)
        self._free = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, item: Frame | Scene) -> None:
        """Block until the test releases this caller."""
        if self._open.is_set():
            return
        self._came.append((item if isinstance(item, Frame) else item.frame).index)
        self._arrived.release()
        assert self._free.acquire(timeout=DEADLINE_S)

    def next_index(self) -> int:
        """Wait for the next caller; returns the index of its frame."""
        assert self._arrived.acquire(timeout=DEADLINE_S)
        return self._came.popleft()

    def release(self) -> None:
        """Release the current caller."""
        self._free.release()

    def open(self) -> None:
        """From now on, block no caller."""
        self._open.set()
        self._free.release(100)


class Run:
    """A pipeline that runs on a thread of its own, with the scenes that it showed."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.scenes: list[Scene] = []
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def indexes(self) -> list[int]:
        """The indexes of the frames that were shown."""
        return [scene.frame.index for scene in self.scenes]

    def wait_for_shown(self, count: int) -> None:
        """Wait until so many frames were shown."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.scenes) >= count, DEADLINE_S)

    def join(self) -> None:
        """Wait for the end of the run; its error is stored, not raised."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for scene in self.pipeline:
                with self._changed:
                    self.scenes.append(scene)
                    self._changed.notify_all()
        except BaseException as error:
            self.error = error
