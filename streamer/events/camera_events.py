"""What is kept of one camera's events over all of its runs. Any thread may call it."""

from __future__ import annotations

import logging
import threading
import time

from streamer.clips.annotated.clips import AnnotatedClips, Order
from streamer.clips.clip import FinishedClip
from streamer.clips.clip_recorder import ClipRecorder
from streamer.clips.event_files import ANNOTATED, event_file
from streamer.clips.snapshot_files import FinishedSnapshot
from streamer.clips.snapshots import Snapshots
from streamer.config.settings import StreamSettings
from streamer.events.camera_loss import CameraLoss
from streamer.events.readings import Readings
from streamer.events.recorder import EventRecorder
from streamer.events.timer import Timer
from streamer.flow.stats import RunStats
from streamer.interfaces import StreamInfo
from streamer.notify.notifier import Notifier
from streamer.notify.target import CameraCondition
from streamer.store.event_store import EventStore
from streamer.store.records import Ending, EventFilter, EventRecord
from streamer.values.events import EventPhase, Watched
from streamer.values.recordings import RecordedFile

log = logging.getLogger(__name__)

_MOST_FORMER = 30
"""Events before the start whose annotated clips are made; others are left out, so that new ones need not wait."""


class CameraEvents:
    """The events of one camera. Each of its runs has a recorder; `close` ends what lasts.

    Args:
        name: of the camera.
        settings: of the camera.
        store, notifier, annotated, timer: of the program.
    """

    def __init__(
        self,
        name: str,
        settings: StreamSettings,
        store: EventStore,
        notifier: Notifier,
        annotated: AnnotatedClips,
        timer: Timer,
    ) -> None:
        self._name, self._settings, self._store, self._notifier = name, settings.events, store, notifier
        self._annotated = annotated
        self._lock = threading.Lock()  # guards the one below
        self._snapshots: Snapshots | None = None  # of the last run
        self._analytics = settings.analytics
        watch = settings.analytics.camera
        self._loss = CameraLoss(name, None if watch.when == "never" else watch.lost_s, self._save_loss, timer)
        self._readings = Readings(name, notifier.publish)
        if self._settings.clip.annotated:
            self._annotate_former()

    @property
    def name(self) -> str:
        """As of `RecordedCamera`."""
        return self._name

    def recorder(self, stats: RunStats, destination: str = "") -> EventRecorder:
        """What observes the next run; see `EventRecorder`."""
        return EventRecorder(self, stats, destination)

    def close(self) -> None:
        """The camera is not used any more."""
        self._loss.end(time.monotonic(), Ending.RUN)
        self._readings.change(CameraCondition.STOPPED)

    def save(self, record: EventRecord, phase: EventPhase) -> None:
        """As of `RecordedCamera`."""
        self._store.save(record, phase, self._notifier.targets_for(record, phase))

    def record_file(self, file: RecordedFile) -> None:
        """As of `RecordedCamera`."""
        self._store.record_file(self._name, file)

    def finish_clips(self, stopped: threading.Event) -> None:
        """As of `RecordedCamera`."""
        self._annotated.wait(stopped)

    def stop_waiting(self) -> None:
        """As of `RecordedCamera`."""
        self._annotated.wake()

    def source_changed(self, fault: str, at_s: float) -> None:
        """As of `RecordedCamera`."""
        if fault:
            self._readings.change(CameraCondition.LOST)
            self._loss.begin(fault, at_s)
        else:
            self._loss.end(at_s)
            self._readings.back()

    def shows(self, watched: Watched) -> None:
        """As of `RecordedCamera`."""
        self._readings.scene(watched)

    def change(self, condition: CameraCondition) -> None:
        """As of `RecordedCamera`."""
        self._readings.change(condition)

    def clips(self, stats: RunStats) -> ClipRecorder | None:
        """As of `RecordedCamera`."""
        if not self._settings.clip.enabled:
            return None
        return ClipRecorder(
            self._name,
            self._settings.clip,
            self._store.folder,
            self._finish_clip,
            late_s=self._analytics.delay_s,
            stats=stats,
        )

    def snapshots(self, info: StreamInfo, stats: RunStats, *, live: bool) -> Snapshots | None:
        """As of `RecordedCamera`."""
        if not self._settings.snapshot.enabled:
            return None
        snapshots = Snapshots(
            self._name,
            self._settings.snapshot,
            self._store.folder,
            self._finish_snapshot,
            sample_aspect_ratio=info.sample_aspect_ratio,
            waits=not live,
            stats=stats,
        )
        with self._lock:
            self._snapshots = snapshots
        return snapshots

    def check_rules(self, *, live: bool) -> None:
        """As of `RecordedCamera`."""
        if not self._analytics.rules and not self._analytics.camera.watches(live=live):
            log.warning("no events will be stored: there is no line, zone or other rule; give analytics.lines or zones")

    # the threads of clips and snapshots

    def _finish_snapshot(self, made: FinishedSnapshot) -> None:
        self._store.attach(made.event_id, snapshot=made.snapshot, crop=made.crop, bytes=made.bytes)

    def _finish_clip(self, made: FinishedClip) -> None:
        self._store.attach(
            made.event_id,
            clip=made.clip,
            boxes=made.boxes,
            clip_start_time=made.start_time,
            clip_duration_s=made.duration_s,
            clip_note=made.note,
            bytes=made.bytes,
        )
        if self._settings.clip.annotated:
            self._annotate(made.event_id, made.clip, made.boxes)

    def _annotate(self, event_id: str, clip: str, boxes: str) -> None:
        self._annotated.put(Order(event_id, clip, boxes, event_file(self._name, event_id, ANNOTATED)))

    def _annotate_former(self) -> None:
        """Make the annotated clips that the program before has not made, of the newest events."""
        for record in reversed(self._store.find(EventFilter(cameras=(self._name,)), limit=_MOST_FORMER)):
            if record.clip and record.boxes and not record.annotated:
                self._annotate(record.id, record.clip, record.boxes)

    def _save_loss(self, record: EventRecord, phase: EventPhase) -> None:
        """The thread of the timer, or of a run: a loss begins, with the last picture before it, or ends."""
        self.save(record, phase)
        with self._lock:
            snapshots = self._snapshots
        if phase is EventPhase.START and snapshots is not None:
            snapshots.keep_last(record)
