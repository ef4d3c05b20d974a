"""The threads that detect one part: as in a run (`streamer.pipeline`), with the detections as results.

capture thread     part of the file ──► tasks          decodes
detector threads   tasks ──► detector ──► results      one frame each at a time
the calling thread results                             in the order of the frames
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from streamer.config.detector import DetectorSettings
from streamer.errors import DetectorError
from streamer.flow.cadence import Cadence, Schedule, choose_cadence
from streamer.flow.failures import DetectorFailures
from streamer.flow.queues import BoundedQueue, ReorderBuffer
from streamer.flow.threads import ThreadGroup
from streamer.interfaces import Detector, StreamInfo
from streamer.parts.digests import picture_digest
from streamer.parts.part_source import PartSource
from streamer.parts.values import FrameDetections
from streamer.values.delivery import Detected
from streamer.values.frame import Frame

_WAITING = 2
"""Frames that wait for each detector thread."""
_DEADLINE_S = 0.5  # neither a detection nor decoding up to the part can be interrupted


@dataclass(frozen=True, slots=True)
class Task:
    """A frame to detect.

    Attributes:
        number: from 0, among those to detect.
        position: from 1, among all frames of the part.
        frame: the frame.
    """

    number: int
    position: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task.

    Attributes:
        position: of the task.
        frame: None if the detector failed.
        detected: None if the detections were there before.
    """

    position: int
    frame: FrameDetections | None
    detected: Detected | None


def part_cadence(settings: DetectorSettings, info: StreamInfo) -> Cadence:
    """Which frames of a part to detect: at least those that a run over the whole file detects.

    `detector.every: N` goes by `Frame.index`, `detector.fps` by media time: a part detects the same frames as the whole
    file, and its first one if that is in the middle of a slot. The choice of `auto` depends on the detections on both
    sides and on all frames since the last cut, so every frame is detected.

    Raises:
        ConfigError: as `choose_cadence`.
    """
    cadence = choose_cadence(settings, info)
    return Cadence() if cadence.max_gap_s is not None else cadence


class PartJob:
    """The threads and queues of one part.

    Args:
        source: of the part; entered, iterated and left by the capture thread.
        detectors: one thread each.
        settings: which frames to detect.
        done: see `streamer.parts.detecting.PartDetector.detect`.
    """

    def __init__(
        self,
        source: PartSource,
        detectors: Sequence[Detector],
        settings: DetectorSettings,
        done: Mapping[int, FrameDetections],
    ) -> None:
        self._source, self._detectors, self._settings, self._done = source, detectors, settings, done
        capacity = _WAITING * len(detectors)
        self._tasks: BoundedQueue[Task] = BoundedQueue(capacity)
        self._results: ReorderBuffer[Result] = ReorderBuffer(capacity)
        self._failures = DetectorFailures()
        self.failed = 0
        """Frames on which the detector failed. The thread that iterates `results`."""

    def results(self) -> Generator[Result, None, None]:
        """The results in order. Raises Closed after `close`, and the first error of a thread."""
        with ThreadGroup(self.close) as threads:
            threads.start("capture", self._capture, deadline_s=_DEADLINE_S)
            for detector in self._detectors:
                threads.start("detector", partial(self._detect, detector), deadline_s=_DEADLINE_S)
            for result in self._results:
                if result.detected is not None:
                    self._failures.add(result.detected)
                    self.failed += result.detected.error is not None
                    if self._failures.fatal is not None:
                        raise self._failures.fatal
                yield result

    def close(self) -> None:
        """Any thread: end all of them."""
        self._source.stop()
        self._tasks.close()
        self._results.close()

    def _capture(self) -> None:
        number = 0
        with self._source as source:
            schedule = Schedule(part_cadence(self._settings, source.info))
            for position, frame in enumerate(source, 1):
                if schedule.selects(frame):
                    self._tasks.put(Task(number, position, frame))
                    number += 1
        self._tasks.finish()
        self._results.finish(number)

    def _detect(self, detector: Detector) -> None:
        for task in self._tasks:
            self._results.put(task.number, self._result(detector, task))

    def _result(self, detector: Detector, task: Task) -> Result:
        frame, digest = task.frame, picture_digest(task.frame)
        known = self._done.get(frame.pts)
        if known is not None and known.picture_digest == digest:
            return Result(task.position, known, None)
        try:
            found = detector.detect(frame)
        except DetectorError as error:
            return Result(task.position, None, Detected(frame, error=error))
        return Result(task.position, FrameDetections(frame.pts, digest, found), Detected(frame, found))
