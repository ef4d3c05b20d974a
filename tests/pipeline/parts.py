"""Scripted sources, detectors and sinks for tests of the pipeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator
from fractions import Fraction
from typing import Self

import av
import numpy as np

from streamer.errors import DetectorError, SourceLost
from streamer.interfaces import Damage, Scene, StreamInfo
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

DEADLINE_S = 10.0
FRAMES = 40


def grey_picture() -> av.VideoFrame:
    """64x48 grey pixels: motion estimation must not see uninitialized memory."""
    return av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="yuv420p")


class Boom(Exception):
    """The error of failing parts."""


class CountingSource:
    """Grey frames; fails at one index, or reports damage."""

    def __init__(self, frames: int | None = FRAMES, fail_at: int | None = None, damage: Damage | None = None) -> None:
        self.info = StreamInfo("counting", 64, 48, "yuv420p", Fraction(1, 25))
        self.captured = 0
        self._frames = frames
        self._fail_at = fail_at
        self._damage = [damage] if damage else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return None

    def __iter__(self) -> Iterator[Frame]:
        while self.captured != self._frames:
            if self.captured == self._fail_at:
                raise SourceLost("the camera went away")
            self.captured += 1
            yield Frame(grey_picture(), self.captured - 1, self.captured - 1, Fraction(1, 25), 0.0)

    def take_damage(self) -> list[Damage]:
        damage, self._damage = self._damage, []
        return damage

    def stop(self) -> None:
        """It never waits."""


class OneBox:
    """Detects one box; `before` runs first and may wait or raise."""

    labels = LabelTable(("thing", "other"))

    def __init__(self, before: Callable[[Frame], None] = lambda _: None, label: int = 0) -> None:
        self._before = before
        self._label = label

    def detect(self, frame: Frame) -> Detections:
        self._before(frame)
        return Detections(np.array([[1, 1, 30, 30]]), np.array([0.9]), np.array([self._label]))

    def close(self) -> None:
        return None


class ListSink:
    """Keeps the indexes of the scenes; `before` runs first and may wait or raise."""

    stage = "list"
    main_thread = False
    wants_picture = False
    notes = ()

    def __init__(self, before: Callable[[Scene], None] = lambda _: None) -> None:
        self.indexes: list[int] = []
        self.thread_names: set[str] = set()
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return None

    def write(self, scene: Scene) -> None:
        self._before(scene)
        self.thread_names.add(threading.current_thread().name)
        self.indexes.append(scene.frame.index)


class MainThreadSink(ListSink):
    """Must be written by the display thread, like a window."""

    main_thread = True


def raising(error: Exception) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


def failing_on(indexes: Container[int]) -> Callable[[Frame], None]:
    def fail(frame: Frame) -> None:
        if frame.index in indexes:
            raise DetectorError(f"no luck with {frame.index}") from Boom(f"the cause at {frame.index}")

    return fail
