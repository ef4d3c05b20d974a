"""A run whose events are scripted, and the clips that it makes: real sources, packets and files."""

from __future__ import annotations

import queue
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.clips.clip import FinishedClip
from streamer.clips.clip_recorder import ClipRecorder
from streamer.config.events import ClipSettings
from streamer.config.source import SourceSettings
from streamer.features import SourceContext
from streamer.flow.observers import PacketReceiver, RunObserver, packet_tap
from streamer.flow.stats import RunStats
from streamer.interfaces import PassthroughSource, Scene, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.pipeline import Pipeline
from streamer.sources.selection import open_source
from streamer.store.ids import new_id
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.iou import IouTracker
from tracking.types import Detections

CAMERA = "gate"
CLOCK = 1_700_000_000.0
"""Seconds since 1970 at media time 0."""


class OneBox:
    """A detector that finds one object on every frame."""

    labels = LabelTable(("thing",))

    def detect(self, frame: Frame) -> Detections:
        box = [frame.width / 4, frame.height / 4, frame.width / 2, frame.height / 2]
        return Detections(np.array([box]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        """Nothing to release."""


class ScriptedEvents(RunObserver):
    """Hands a run to the clips, and each scene to a script, which starts and ends events."""

    wants_packets = True

    def __init__(self, clips: ClipRecorder, script: Callable[[Scene], None]) -> None:
        self._clips, self._script = clips, script
        self.payloads: list[bytes] = []

    def __exit__(self, *_: object) -> None:
        self._clips.close()

    def source_closing(self) -> None:
        self._clips.close()

    def source_opened(self, info: StreamInfo, *, live: bool) -> None:
        self._clips.source_opened(info, live=live)

    def passthrough_opened(self, passthrough: Passthrough) -> None:
        self._clips.passthrough_opened(passthrough)

    def stream_opened(self, number: int, stream: VideoStream) -> PacketReceiver | None:
        receive = self._clips.stream_opened(number, stream)
        if receive is None:
            return None

        def take(packet: Packet[VideoStream]) -> None:
            self.payloads.append(bytes(packet))
            receive(packet)

        return take

    def frame_captured(self, frame: Frame) -> None:
        self._clips.frame_captured(frame)

    def scene_shown(self, scene: Scene) -> None:
        self._clips.scene_shown(scene)
        self._script(scene)


class ClipRun:
    """One run of a source with clips.

    Args:
        uri: the source.
        folder: of the store.
        settings: of the clips.
        source: settings of the source.
        late_s: how late events are reported at most.
    """

    def __init__(
        self,
        uri: str,
        folder: Path,
        settings: ClipSettings,
        source: SourceSettings | None = None,
        late_s: float = 0.0,
    ) -> None:
        self.stats = RunStats()
        self.folder = folder
        self.finished: queue.SimpleQueue[FinishedClip] = queue.SimpleQueue()
        self.clips = ClipRecorder(CAMERA, settings, folder, self.finished.put, late_s=late_s, stats=self.stats)
        self._uri, self._source = uri, source or SourceSettings()
        self.observer: ScriptedEvents | None = None

    def run(self, script: Callable[[Scene, ClipRecorder], bool]) -> None:
        """Run until the script returns true or the source ends."""
        over: list[bool] = []
        events = self.observer = ScriptedEvents(self.clips, lambda scene: over.append(script(scene, self.clips)))
        context = SourceContext(self.stats, packet_tap([events]))
        with events, open_source(self._uri, self._source, context) as source:
            events.source_opened(source.info, live=source.info.live)
            if isinstance(source, PassthroughSource) and source.passthrough is not None:
                events.passthrough_opened(source.passthrough)
            for _ in Pipeline(source, [OneBox()], IouTracker(), stats=self.stats, observers=[events]):
                if over[-1]:
                    break
            events.source_closing()

    @property
    def clips_made(self) -> list[FinishedClip]:
        """The clips so far."""
        made = []
        while not self.finished.empty():
            made.append(self.finished.get())
        return made


class Moment(NamedTuple):
    """An event of one moment.

    Attributes:
        id: of the event.
        time_s: its media time.
        number: what the frame shows.
    """

    id: str
    time_s: float
    number: int | None


def begin(clips: ClipRecorder, scene: Scene, number: int | None = None, at_s: float | None = None) -> Moment:
    """Start an event on a scene; at an earlier media time if that is given."""
    moment = Moment(new_id(), scene.frame.time_s if at_s is None else at_s, number)
    clips.start(moment.id, moment.time_s, CLOCK + moment.time_s)
    return moment


class Picture(NamedTuple):
    """A decoded picture of a clip: seconds from the start of the file, and the frame."""

    time_s: float
    picture: av.VideoFrame


def pictures(path: Path) -> list[Picture]:
    """All pictures of a file."""
    with av.open(str(path)) as read:
        return [Picture(float(one.time or 0), one) for one in read.decode(video=0)]


def payloads(path: Path, kind: str = "video") -> list[bytes]:
    """The packets of a file."""
    read: Any
    with av.open(str(path)) as read:
        return [bytes(packet) for packet in read.demux(**{}) if packet.size and packet.stream.type == kind]


def duration_s(path: Path) -> float:
    """As players read it."""
    with av.open(str(path)) as read:
        return float(Fraction(read.duration or 0, 1_000_000))
