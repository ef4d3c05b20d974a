"""Makes the JPEG files of snapshots, on a thread of its own.

Files are full-range BT.601 as JFIF demands, upright, with square pixels: few viewers apply an aspect ratio.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2

from streamer.clips.event_files import CROP, SNAPSHOT, absolute, camera_folder, event_file
from streamer.config.events import SnapshotSettings
from streamer.errors import SinkError, StreamerError
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.render.annotators import Renderer
from streamer.render.boxes import BoxAnnotator
from streamer.render.labels.annotator import LabelAnnotator
from streamer.system.partial_file import replace_file
from streamer.values.frame import Frame, RgbArray, bgr_of, held_bytes

log = logging.getLogger(__name__)

_PADDING = 0.15
"""Of the crop, on each side: share of the longer side of the box, because a tight crop hides what the object does."""
_LEAST_CROP_PX = 160
"""The least width and height of a crop: a small object is told by what is around it."""
_MOST_QUEUED = 64
_MOST_QUEUED_BYTES = 96 << 20
"""Pictures that wait for the disk; beyond that the oldest are left out."""


@dataclass(frozen=True, slots=True)
class FinishedSnapshot:
    """The files of an event that have been written, or replaced by those of a better picture.

    Attributes:
        event_id: of the event.
        snapshot, crop: paths relative to the folder of the store, with /; `crop` is empty if there is none.
        bytes: by how much the files of the event grew.
    """

    event_id: str
    snapshot: str
    crop: str
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture to write: the scene with the tracks to draw, and the box of the event's track, if it has one."""

    event_id: str
    scene: Scene
    box: tuple[float, ...] | None


def displayed_size(frame: Frame, ratio: Fraction) -> tuple[int, int]:
    """Width and height with square pixels; one of them grows, so that no detail is lost.

    Args:
        frame: upright.
        ratio: sample aspect ratio of frames without their own.
    """
    ratio = frame.sample_aspect_ratio or ratio
    if ratio >= 1:
        return round(frame.width * ratio), frame.height
    return frame.width, round(frame.height / ratio)


def drawn(scene: Scene, ratio: Fraction) -> Frame:
    """The frame with the boxes and labels of the tracks of the scene; `ratio` as of `displayed_size`."""
    renderer = Renderer((BoxAnnotator(show_origin=False), LabelAnnotator()), ratio)
    return replace(scene.frame, picture=renderer.render(replace(scene, picture=None)))


def crop_area(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The area of a crop: the box with padding, moved into the frame where it exceeds it.

    Args:
        box: x0, y0, x1, y1 in pixels.
        size: width and height of the picture, pixels. A smaller picture than the least crop is taken whole.

    Returns:
        x0, y0, x1, y1 in pixels.
    """
    pad = _PADDING * max(box[2] - box[0], box[3] - box[1])
    x0, x1 = _span(box[0] - pad, box[2] + pad, size[0])
    y0, y1 = _span(box[1] - pad, box[3] + pad, size[1])
    return x0, y0, x1, y1


def _span(low: float, high: float, most: int) -> tuple[int, int]:
    low, high = max(low, 0.0), min(high, float(most))
    missing = min(_LEAST_CROP_PX, most) - (high - low)
    if missing > 0:
        low = min(max(low - missing / 2, 0.0), most - (high - low + missing))
        high = low + min(_LEAST_CROP_PX, most)
    return round(low), max(round(high), round(low) + 1)


def cropped(rgb: RgbArray, box: Sequence[float], frame: Frame) -> RgbArray:
    """The part of a picture around a box.

    Args:
        rgb: the whole picture, of any size.
        box: x0, y0, x1, y1 in pixels of the frame.
        frame: the frame that the picture shows.
    """
    height, width = rgb.shape[:2]
    across, down = width / frame.width, height / frame.height
    scaled = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    x0, y0, x1, y1 = crop_area(scaled, (width, height))
    return rgb[y0:y1, x0:x1]


def jpeg_of(rgb: RgbArray, quality: int) -> bytes:
    """Encode a picture as baseline JPEG with 4:2:0 chroma.

    Args:
        rgb: uint8 `(height, width, 3)`, full range.
        quality: 1..100 on libjpeg's scale.

    Raises:
        SinkError: it is too large for JPEG.
    """
    try:
        _, data = cv2.imencode(".jpg", bgr_of(rgb), [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        size = f"{rgb.shape[1]}x{rgb.shape[0]}"
        raise SinkError(f"a snapshot of {size} cannot be encoded as JPEG: {error.err}") from error
    return data.tobytes()


class SnapshotFiles:
    """Encodes pictures and writes their files: those of the queue on the thread that calls `run`."""

    def __init__(
        self,
        camera: str,
        settings: SnapshotSettings,
        folder: Path,
        finished: Callable[[FinishedSnapshot], None],
        ratio: Fraction,
        stats: RunStats,
    ) -> None:
        self._camera, self._settings, self._folder = camera, settings, folder
        self._finished, self._ratio, self._stats = finished, ratio, stats
        self.queue: BoundedQueue[Picture] = BoundedQueue(
            _MOST_QUEUED,
            newest=True,
            bytes_of=lambda picture: held_bytes(picture.scene.frame.picture),
            most_bytes=_MOST_QUEUED_BYTES,
        )
        self._lock = threading.Lock()
        self._failed = 0  # under the lock
        self._fails = False  # under the lock: the last write failed, which has been logged

    @property
    def failed(self) -> int:
        with self._lock:
            return self._failed

    def put(self, picture: Picture, *, waits: bool) -> None:
        """Display thread: add a picture; the oldest one is left out if too many wait."""
        dropped = self.queue.put(picture, waits=waits)
        if dropped is not None:
            self._fail("the disk is too slow; pictures are left out")

    def run(self) -> None:
        self._remove_unfinished()
        try:
            for picture in self.queue:
                self.write(picture)
        except Closed:
            return

    def _remove_unfinished(self) -> None:
        """Remove the temporary files of a killed program (`replace_file`)."""
        for path in (self._folder / camera_folder(self._camera)).glob("*/*.jpg.tmp"):
            with suppress(OSError):
                path.unlink()

    def write(self, picture: Picture) -> None:
        """Write the files of a picture. A failure is told once and counted."""
        try:
            self._write(picture)
        except (StreamerError, OSError) as error:
            self._fail(error.strerror or str(error) if isinstance(error, OSError) else str(error))
        except Exception as error:  # a bug in one picture must not end the others, nor hold who waits for the queue
            log.exception("%s: an error of the program", self._camera)
            self._fail(f"{type(error).__name__}: {error}")
        else:
            self._succeed()

    def _write(self, picture: Picture) -> None:
        frame, size = picture.scene.frame, displayed_size(picture.scene.frame, self._ratio)
        plain = frame.rgb(size)
        whole = drawn(picture.scene, self._ratio).rgb(size) if self._settings.boxes else plain
        names, grown = ["", ""], 0
        made = [(SNAPSHOT, whole)]
        if picture.box is not None and self._settings.crop:
            made.append((CROP, cropped(plain, picture.box, frame)))
        for at, (suffix, rgb) in enumerate(made):
            names[at] = event_file(self._camera, picture.event_id, suffix)
            path = absolute(self._folder, names[at])
            content = jpeg_of(rgb, self._settings.quality)
            before = path.stat().st_size if path.exists() else 0
            replace_file(path, content)
            grown += len(content) - before
        self._finished(FinishedSnapshot(picture.event_id, names[0], names[1], grown))

    def _fail(self, why: str) -> None:
        self._stats.count("snapshot", "dropped")
        with self._lock:
            self._failed += 1
            said, self._fails = self._fails, True
        if not said:
            log.warning("%s: cannot write snapshots: %s; they are counted and left out meanwhile", self._camera, why)

    def _succeed(self) -> None:
        self._stats.count("snapshot", "written")
        with self._lock:
            said, self._fails = self._fails, False
            failed = self._failed
        if said:
            log.warning("%s: snapshots are written again; %d are missing so far", self._camera, failed)
