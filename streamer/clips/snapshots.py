"""The best picture of each event, as JPEG files: the whole frame, and a crop of the object.

The display thread chooses pictures; it keeps references to frames and copies none. A thread of its own encodes and
writes them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamer.clips.picture_quality import Candidates
from streamer.clips.snapshot_files import FinishedSnapshot, Picture, SnapshotFiles
from streamer.config.events import SnapshotSettings
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.render.planes import writable_copy
from streamer.store.records import EventRecord
from streamer.system.threads import Thread
from streamer.values.frame import held_bytes

log = logging.getLogger(__name__)

EARLY_S = 0.5
"""Media time after which the first picture of an event is written; a better one replaces it at the end."""
_MEASURED_EVERY_S = 0.2
"""Media time between two measurements of the sharpness of a track, unless the rest of its quality has grown."""
_MUCH_BETTER = 1.1
_EXACT_S = 1e-6
_MOST_HELD_BYTES = 96 << 20
"""Frames that wait for the end of their events; beyond this, the picture that waits longest is written."""
_END_S, _LIVE_END_S = 30.0, 2.0
"""How long the end of a run waits for its last pictures."""


@dataclass(slots=True, eq=False)
class _Open:
    """An event that lasts.

    Attributes:
        record: of its start.
        since_s: media time of the scene on which it was opened.
        quality: of the best picture so far.
        held: the best picture, if it is not written yet.
        written: a picture has been written.
        measured_s: media time of the last measurement of sharpness.
        measured_most: quality without sharpness at that time.
    """

    record: EventRecord
    since_s: float
    quality: float = -1.0
    held: Picture | None = None
    written: bool = False
    measured_s: float = float("-inf")
    measured_most: float = 0.0


class Snapshots:
    """Makes the snapshots of one camera.

    An event of a track gets the best picture of its track (`streamer.clips.picture_quality`): a first one after
    `EARLY_S`, for alerts, and at its end a better one if there was one. Another event gets the frame on which it
    started. Files are replaced in one step, so a reader never finds a part of one.

    Args:
        camera: its name, for paths and the log.
        settings: the section `events.snapshot`.
        folder: of the store.
        finished: called by the thread of the snapshots after each write.
        sample_aspect_ratio: of frames without their own.
        waits: wait for the disk instead of leaving pictures out, for a source that is not live.
        stats: counts pictures (`snapshot` by `written` and `dropped`).
    """

    def __init__(
        self,
        camera: str,
        settings: SnapshotSettings,
        folder: Path,
        finished: Callable[[FinishedSnapshot], None],
        *,
        sample_aspect_ratio: Fraction = Fraction(1),
        waits: bool = False,
        stats: RunStats | None = None,
    ) -> None:
        self._camera, self._settings = camera, settings
        self._files = SnapshotFiles(camera, settings, folder, finished, sample_aspect_ratio, stats or RunStats())
        self._waits = waits
        self._lock = threading.Lock()  # guards the three
        self._closed = False
        self._scene: Scene | None = None
        self._open: dict[str, _Open] = {}
        self._thread = Thread("snapshots", self._files.run)
        self._thread.start()

    @property
    def failed(self) -> int:
        """Pictures that could not be written, or had to be left out. Any thread."""
        return self._files.failed

    def scene_shown(self, scene: Scene) -> None:
        """Display thread: a scene was shown. Call it before `start` and `end` of the events on that scene."""
        with self._lock:
            self._scene = replace(scene, picture=None)
            if not self._open:
                return
            candidates = Candidates(self._scene)
            for event in self._open.values():
                self._improve(event, candidates)
                is_new = 0 <= scene.frame.time_s - event.since_s < EARLY_S
                if not (event.written or is_new):
                    self._write(event)
            self._limit()

    def start(self, record: EventRecord) -> None:
        """Any thread: an event started on the last scene, or after it. Without one it gets the first that is shown."""
        with self._lock:
            if self._closed:
                return
            scene = self._scene
            event = self._open[record.id] = _Open(record, 0.0 if scene is None else scene.frame.time_s)
            if scene is not None:
                self._improve(event, Candidates(scene))
                if record.track == 0:
                    self._write(event)

    def keep_last(self, record: EventRecord) -> None:
        """Any thread, also after `close`: write the last frame for an event without a track. Waits for the disk."""
        with self._lock:
            scene = self._scene
        if scene is not None:
            self._files.write(Picture(record.id, scene, None))

    def end(self, event_id: str) -> None:
        """Any thread: an event ended. Its best picture is written. Does nothing for an unknown one."""
        with self._lock:
            event = self._open.pop(event_id, None)
            if event is not None:
                self._write(event)

    def close(self) -> None:
        """Write the pictures of the events that last, and wait for the files. Closing twice is allowed."""
        with self._lock:
            for event in self._open.values():
                self._write(event)
            self._open.clear()
            self._closed = True
        self._files.queue.finish()
        self._thread.join(_END_S if self._waits else _LIVE_END_S)
        if self._thread.is_alive():
            log.warning("%s: %d snapshots were not written in time", self._camera, len(self._files.queue) + 1)
            self._files.queue.close()

    def _improve(self, event: _Open, candidates: Candidates) -> None:
        """Hold the picture of a scene if it is the best one of the event."""
        scene = candidates.scene
        row, now_s = candidates.row_of(event.record.track), scene.frame.time_s  # no track has the id 0
        if row is None:
            if event.quality < 0:  # the track is not shown now: a picture of the moment is better than none
                self._hold(event, 0.0, scene, None)
            return
        most = candidates.most(row)
        is_recent = 0 <= now_s - event.measured_s < _MEASURED_EVERY_S - _EXACT_S
        if most <= event.quality or (is_recent and most < event.measured_most * _MUCH_BETTER):
            return
        measured = candidates.sharpness(row)
        if measured is None:
            return
        event.measured_s, event.measured_most = now_s, most
        if most * measured > event.quality:
            tracks = scene.tracks.select(np.array([row]))
            self._hold(event, most * measured, replace(scene, tracks=tracks), candidates.box(row))

    def _hold(self, event: _Open, quality: float, scene: Scene, box: tuple[float, ...] | None) -> None:
        picture = scene.frame.picture
        if picture.sw_format is not None:  # a frame in GPU memory would keep a buffer of the decoder
            scene = replace(scene, frame=replace(scene.frame, picture=writable_copy(picture)[0]))
        event.quality, event.held = quality, Picture(event.record.id, scene, box)

    def _limit(self) -> None:
        """Write pictures while the frames that are held need too much memory; events may share a frame."""
        holding = [event for event in self._open.values() if event.held is not None]
        frames = {id(event.held.scene.frame.picture): event.held.scene.frame.picture for event in holding if event.held}
        total = sum(map(held_bytes, frames.values()))
        while total > _MOST_HELD_BYTES and holding:
            event = holding.pop(0)
            assert event.held is not None
            total -= held_bytes(event.held.scene.frame.picture)
            self._write(event)

    def _write(self, event: _Open) -> None:
        picture, event.held = event.held, None
        if picture is not None:
            event.written = True
            self._files.put(picture, waits=self._waits)
