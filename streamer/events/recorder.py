"""Stores the events of one run: a row for each, with its clip, its snapshots and the alerts about it.

Owned by the display thread. The threads that read the source hand in packets and frames, and report that it is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, Self

from av.video.stream import VideoStream

from streamer.clips.clip_recorder import ClipRecorder
from streamer.clips.snapshots import Snapshots
from streamer.errors import SourceLost, SourceUnavailable
from streamer.flow.observers import PacketReceiver, RunObserver
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.notify.target import CameraCondition
from streamer.store.ids import new_id
from streamer.store.records import Ending, EventRecord
from streamer.values.events import Event, EventPhase, Watched
from streamer.values.frame import Frame
from streamer.values.recordings import RecordedFile


class RecordedCamera(Protocol):
    """What is recorded of a camera besides the events of one run. Any thread may call it."""

    @property
    def name(self) -> str:
        """Of the camera, in all of its events and in the paths of their files."""
        ...

    def save(self, record: EventRecord, phase: EventPhase) -> None:
        """Store a record, with the part of the event that has happened, and tell targets."""
        ...

    def clips(self, stats: RunStats) -> ClipRecorder | None:
        """What makes the clips of a run; None for none."""
        ...

    def snapshots(self, info: StreamInfo, stats: RunStats, *, live: bool) -> Snapshots | None:
        """What makes the snapshots of a run; None for none."""
        ...

    def check_rules(self, *, live: bool) -> None:
        """Warn if no rule can lead to an event of this source."""
        ...

    def source_changed(self, fault: str, at_s: float) -> None:
        """As of `RunObserver`."""
        ...

    def record_file(self, file: RecordedFile) -> None:
        """As `RunObserver.file_recorded`."""
        ...

    def finish_clips(self, stopped: threading.Event) -> None:
        """A run that is not live has ended: wait for the clips with boxes, or until `stopped` is set.

        Call `stop_waiting` after that.
        """
        ...

    def stop_waiting(self) -> None:
        """See `finish_clips`."""
        ...

    def shows(self, watched: Watched) -> None:
        """A scene was shown."""
        ...

    def change(self, condition: CameraCondition) -> None:
        """What the camera does has changed."""
        ...


class EventRecorder(RunObserver):
    """Observes one run. Its events end with it.

    Args:
        camera: gets everything.
        stats: of the run.
        destination: where the events go, one line for the start of a run; empty if that is told already.
        now: seconds since 1970.
    """

    wants_packets = True

    def __init__(
        self,
        camera: RecordedCamera,
        stats: RunStats,
        destination: str = "",
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.destination = destination
        self._camera, self._stats, self._now = camera, stats, now
        self._clips: ClipRecorder | None = None
        self._snapshots: Snapshots | None = None
        self._open: dict[int, EventRecord] = {}
        self._began_time = 0.0
        self._live = True
        self._stopped = threading.Event()

    # main thread

    def __enter__(self) -> Self:
        self._clips = self._camera.clips(self._stats)
        self._camera.change(CameraCondition.STARTING)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        for part in (self._snapshots, self._clips):
            if part is not None:
                part.close()
        if kind is None and not self._live:
            self._camera.finish_clips(self._stopped)
        if isinstance(error, SourceLost | SourceUnavailable):
            self._camera.source_changed(str(error), time.monotonic())
        else:
            self._camera.change(CameraCondition.STOPPED)

    def source_opened(self, info: StreamInfo, *, live: bool) -> None:
        """As of `RunObserver`."""
        self._began_time, self._live = self._now(), live
        self._camera.source_changed("", time.monotonic())  # a file does not report it
        self._camera.check_rules(live=live)
        self._snapshots = self._camera.snapshots(info, self._stats, live=live)
        if self._clips is not None:
            self._clips.source_opened(info, live=live)

    def passthrough_opened(self, passthrough: Passthrough) -> None:
        """As of `RunObserver`."""
        if self._clips is not None:
            self._clips.passthrough_opened(passthrough)

    def source_closing(self) -> None:
        """As of `RunObserver`: the last audio of the clips is read from the source."""
        if self._clips is not None:
            self._clips.close()

    # capture thread, and the thread that reads the source

    def stream_opened(self, number: int, stream: VideoStream) -> PacketReceiver | None:
        """As of `RunObserver`."""
        return None if self._clips is None else self._clips.stream_opened(number, stream)

    def frame_captured(self, frame: Frame) -> None:
        """As of `RunObserver`."""
        if self._clips is not None:
            self._clips.frame_captured(frame)

    def source_changed(self, fault: str, at_s: float) -> None:
        """As of `RunObserver`."""
        self._camera.source_changed(fault, at_s)

    # any thread

    def stopping(self) -> None:
        """As of `RunObserver`."""
        self._stopped.set()
        self._camera.stop_waiting()

    def file_recorded(self, file: RecordedFile) -> None:
        """As of `RunObserver`."""
        self._camera.record_file(file)

    # display thread

    def scene_shown(self, scene: Scene) -> None:
        """As of `RunObserver`."""
        self._camera.shows(scene.watched)
        if self._clips is not None:
            self._clips.scene_shown(scene)
        if self._snapshots is not None:
            self._snapshots.scene_shown(scene)
        for event in scene.watched.events:
            self._take(event, scene, Ending.RULE)

    def events_ended(self, scene: Scene) -> None:
        """As of `RunObserver`."""
        self._camera.shows(scene.watched)
        for event in scene.watched.events:
            self._take(event, scene, Ending.RUN)

    def _take(self, event: Event, scene: Scene, ending: Ending) -> None:
        if not event.number:  # a loss of the camera, which was stored when it happened
            return
        if event.phase is EventPhase.START:
            self._open[event.number] = self._begin(self._record_of(event, scene), EventPhase.START)
        elif event.phase is EventPhase.MOMENT:
            moment = self._begin(_ended(self._record_of(event, scene), event, Ending.RULE), EventPhase.MOMENT)
            self._end_files(moment.id, event.time_s)
        elif event.number in self._open:
            record = _updated(self._open[event.number], event)
            if event.phase is EventPhase.UPDATE:
                self._open[event.number] = record
                self._camera.save(record, EventPhase.UPDATE)
            else:
                del self._open[event.number]
                self._camera.save(_ended(record, event, ending), EventPhase.END)
                self._end_files(record.id, event.time_s)

    def _begin(self, record: EventRecord, phase: EventPhase) -> EventRecord:
        self._stats.count("event", "stored")
        self._camera.save(record, phase)
        if self._clips is not None:
            self._clips.start(record.id, record.start_s, record.start_time)
        if self._snapshots is not None:
            self._snapshots.start(record)
        return record

    def _end_files(self, event_id: str, time_s: float) -> None:
        if self._clips is not None:
            self._clips.end(event_id, time_s)
        if self._snapshots is not None:
            self._snapshots.end(event_id)

    def _time_of(self, time_s: float, scene: Scene) -> float:
        """Seconds since 1970 of a media time of the run."""
        arrived = scene.frame.arrival_wall_clock_s
        return self._began_time + time_s if arrived is None else arrived - scene.frame.time_s + time_s

    def _record_of(self, event: Event, scene: Scene) -> EventRecord:
        return EventRecord(
            new_id(),
            self._camera.name,
            event.rule,
            event.kind,
            self._time_of(event.time_s, scene),
            event.time_s,
            track=event.track,
            label=event.label,
            direction=event.direction or "",
            zones=event.zones,
            score=event.score,
            value=event.value,
            text=event.text,
        )


def _updated(record: EventRecord, event: Event) -> EventRecord:
    """The record after a later part of its event, which may know the class better.

    Its value stays the extreme one: that of the end is within the limits again.
    """
    is_extreme = event.phase is EventPhase.UPDATE and event.value is not None
    return replace(
        record,
        label=event.label or record.label,
        zones=tuple(dict.fromkeys((*record.zones, *event.zones))),
        score=record.score if event.score is None else max(event.score, record.score or 0.0),
        value=event.value if is_extreme else record.value,
        text=event.text or record.text,
        revision=record.revision + 1,
    )


def _ended(record: EventRecord, event: Event, ending: Ending) -> EventRecord:
    """The record with its end. Its duration is that of media time, which has no jumps, unlike the clock."""
    duration_s = event.time_s - record.start_s
    return replace(record, end_time=record.start_time + duration_s, end_s=event.time_s, ending=ending)
