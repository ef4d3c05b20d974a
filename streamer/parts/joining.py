"""The detections of parts, in place of a detector: the join is the ordinary run with these.

Built and left by the main thread. The detector threads look their frames up by pts and compare the digest of the
picture that the worker detected with that of the picture that this run has decoded. A frame that no part has, or whose
picture differs, is detected here, by a detector that is loaded for the first of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from streamer.classes.class_filter import ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.detectors import selection
from streamer.detectors.litert.runtime import cores
from streamer.detectors.selection import BuiltDetectors
from streamer.errors import ConfigError, Interrupted
from streamer.features import DetectorContext
from streamer.flow.observers import RunObserver
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.stats import RunStats
from streamer.interfaces import Detector
from streamer.parts.digests import picture_digest
from streamer.parts.matching import SameWorkers, check_scores
from streamer.parts.plan import Plan
from streamer.parts.values import DETECTED_HERE, DIFFERING, JOINED, MISSING, PartDetections, PartSupply, part_names
from streamer.parts.worker.canary import canary_digest
from streamer.parts.worker.fingerprint import fingerprint
from streamer.system.secrets import redacted
from streamer.system.suggestions import counted
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

log = logging.getLogger(__name__)

_APART = 256
"""Frames by which two detector threads may be apart, at most: a part stays in memory until so many have followed."""


class JoinedDetectors(RunObserver):
    """The `DetectorProvider` of a run that joins parts, and the observer of this run: its end wakes every wait.

    `settings.detector` of the run must come from `streamer.parts.matching.joined_settings`.

    Args:
        plan: of the parts.
        supply: brings the parts; it is closed at the end of the run.
        workers: compares the workers of the parts, and with them this machine if it must detect.

    Raises:
        ConfigError: in `build`, or as the error of the run: a part belongs to another plan, its detector has other
            classes or another model, or its worker computes other numbers than the others.
    """

    def __init__(self, plan: Plan, supply: PartSupply, workers: SameWorkers) -> None:
        self._plan, self._digest = plan, plan.digest
        self._supply = supply
        self._workers = workers
        self._notes: list[str] = []
        self._stats = RunStats()
        self._local: _LocalDetectors | None = None
        self._labels: LabelTable | None = None
        self._lock = threading.Lock()  # guards the parts; `stopping` wakes the thread that waits for a part with it
        self._parts: dict[int, PartDetections | None] = {}
        self._oldest = self._next = 0
        self._missing: list[int] = []
        self._warned: set[str] = set()
        self._warning = threading.Lock()  # guards `_warned`, also while a thread waits for a part

    @property
    def longest_interval_s(self) -> float:
        """0: no other run uses the detections."""
        return 0.0

    def check_classes(self, settings: DetectorSettings) -> LabelTable | None:  # noqa: ARG002
        """None: the first part has the classes, so that this machine needs no model."""
        return None

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:
        """Wait for the first part, which has the classes; if it does not come, load the detector that has them.

        Raises:
            ConfigError: as for the class; also classes that the detector does not have, or scores below those of the
                parts.
            ModelError: the detector is needed and cannot be loaded.
            Interrupted: `stopping` was called.
        """
        if context.info is not None and context.info.time_base != self._plan.tick:
            raise ConfigError(
                f"the plan counts time in {self._plan.time_base} s, this file in {context.info.time_base} s; plan again"
            )
        self._stats = context.stats or self._stats
        self._local = local = _LocalDetectors(lambda: self._build(settings, context))
        with self._lock:
            first = self._taken(0)
        labels = self._labels = local.labels() if first is None else first.labels
        check_scores(self._plan, settings, labels)
        default = selection.default_min_score(settings)
        keep = ClassFilter(labels, settings, default)
        reason = f"joining {counted(len(self._plan.parts), 'part')}: {selection.title(settings, labels)}"
        context.say(reason)
        detectors = [_JoinedDetector(self.detect, labels) for _ in range(settings.workers or cores())]
        return BuiltDetectors(detectors, reason, keep, redacted(settings.name), default, keep.lowest_score, self._notes)

    def detect(self, frame: Frame) -> Detections:
        """The detections of a frame, from its part or from this process. Any thread.

        Raises:
            DetectorError: the detector of this process failed on it.
            Closed: the run ends.
        """
        try:
            with self._lock:
                part = self._taken(self._plan.part_of(frame.pts).number)
        except Interrupted as error:
            raise Closed from error
        found = None if part is None else part.frames.get(frame.pts)
        if found is not None and found.picture_digest == picture_digest(frame):
            self._stats.count(JOINED, "")
            return found.detections
        if found is not None:
            self._warn(DIFFERING, f"the picture of {_named(frame)} is not the one that the worker has detected: it is")
        elif part is not None:
            self._warn(MISSING, f"{_named(frame)} is missing in part {part.number}: it is")
        self._stats.count(DETECTED_HERE, MISSING if found is None else DIFFERING)
        assert self._local is not None
        return self._local.detect(frame)

    def stopping(self) -> None:
        """See `RunObserver`."""
        self._supply.close()
        if self._local is not None:
            self._local.stop()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._supply.close()
        if self._local is not None:
            self._local.close()
        if self._workers.mixed:
            self._notes.append(f"not reproducible: {self._workers.mixed}")
        if self._missing:
            owner = "its" if len(self._missing) == 1 else "their"
            self._notes.append(f"{part_names(self._missing)} did not come; {owner} frames were detected here")

    def _taken(self, number: int) -> PartDetections | None:
        """A part; those before it are taken first. With the lock."""
        while self._next <= number:
            part = self._supply.wait(self._next)
            if part is None:
                self._missing.append(self._next)
                self._warn("part", f"part {self._next} is not there: its frames are")
            else:
                self._check(part)
            self._parts[self._next] = part
            self._forget(self._next)
            self._next += 1
        return self._parts.get(number)

    def _forget(self, newest: int) -> None:
        """Drop the parts that no detector thread can ask for. With the lock."""
        parts = self._plan.parts
        since = sum(part.frames for part in parts[self._oldest + 1 : newest])
        while since >= _APART:
            del self._parts[self._oldest]
            self._oldest += 1
            since -= parts[self._oldest].frames

    def _check(self, part: PartDetections) -> None:
        if part.plan_digest != self._digest:
            raise ConfigError(f"part {part.number} belongs to another plan; detect it with this one")
        if self._labels is not None and part.labels != self._labels:
            raise ConfigError(
                f"part {part.number} was detected with other classes; detect it again with the model of the plan"
            )
        self._workers.add(f"the worker of part {part.number}", part.worker)

    def _build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:
        """The detectors of this process, if they compute the same as those of the parts."""
        built = selection.build_detector(settings, context)
        try:
            labels = built.detectors[0].labels
            if self._labels is not None and labels != self._labels:
                raise ConfigError(f"{built.name} has other classes here than the parts; give the model of the plan")
            worker = fingerprint(settings, selection.model_sha256(settings), canary_digest(built.detectors[0]))
            self._workers.add("this machine", worker)
        except BaseException:
            _close(built)
            raise
        return built

    def _warn(self, kind: str, text: str) -> None:
        """The first of a kind; the report counts the others."""
        with self._warning:
            if kind in self._warned:
                return
            self._warned.add(kind)
        log.warning("%s detected here", text)


class _JoinedDetector:
    """One detector thread's share of `JoinedDetectors`."""

    def __init__(self, detect: Callable[[Frame], Detections], labels: LabelTable) -> None:
        self._detect = detect
        self.labels = labels

    def detect(self, frame: Frame) -> Detections:
        """See `JoinedDetectors.detect`."""
        return self._detect(frame)

    def close(self) -> None:
        """Nothing to release."""


class _LocalDetectors:
    """The detectors of this process, built when the first frame needs one. Any thread.

    Args:
        build: makes them; called once.
    """

    def __init__(self, build: Callable[[], BuiltDetectors]) -> None:
        self._build = build
        self._building = threading.Lock()
        self._lock = threading.Lock()  # guards all below; never held while a detector is built or works
        self._built: BuiltDetectors | None = None
        self._free: BoundedQueue[Detector] | None = None
        self._stopped = False

    def labels(self) -> LabelTable:
        """The classes; the detectors are built."""
        self._ready()
        assert self._built is not None
        return self._built.detectors[0].labels

    def detect(self, frame: Frame) -> Detections:
        """Wait for a detector that is free, and use it.

        Raises:
            DetectorError: it failed on this frame.
            Closed: `stop` was called.
            StreamerError: the detectors cannot be built.
        """
        free = self._ready()
        detector = free.get()
        try:
            return detector.detect(frame)
        finally:
            with suppress(Closed):
                free.put(detector)

    def _ready(self) -> BoundedQueue[Detector]:
        with self._building:
            with self._lock:
                if self._stopped:
                    raise Closed
                if self._free is not None:
                    return self._free
            try:
                built = self._build()
            except BaseException:
                self.stop()  # the other threads do not try it again
                raise
            free: BoundedQueue[Detector] = BoundedQueue(len(built.detectors))
            for detector in built.detectors:
                free.put(detector)
            with self._lock:
                if not self._stopped:
                    self._built, self._free = built, free
                    return free
            _close(built)  # the run has ended while they were built
            raise Closed

    def stop(self) -> None:
        """Wake the threads that wait for a detector; no more frames are detected."""
        with self._lock:
            self._stopped = True
            if self._free is not None:
                self._free.close()

    def close(self) -> None:
        """Release the detectors."""
        self.stop()
        with self._lock:
            built, self._built = self._built, None
        if built is not None:
            _close(built)


def _close(built: BuiltDetectors) -> None:
    for detector in built.detectors:
        detector.close()


def _named(frame: Frame) -> str:
    return f"frame {frame.index} ({frame.time_s:.3f} s)"
