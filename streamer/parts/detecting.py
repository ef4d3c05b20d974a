"""Detects the frames of a part: the detector is loaded once, and may detect several parts one after the other.

The main thread builds a `PartDetector` and calls `detect`; the threads of a part are in
`streamer.parts.worker.part_job`. A frame on which the detector fails is left out, and the join detects it; three
failures in a row end the part, as they end a run.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from streamer.config.detector import DetectorSettings
from streamer.detectors import selection
from streamer.errors import ConfigError, Interrupted
from streamer.features import DetectorContext, Extensions
from streamer.flow.queues import Closed
from streamer.interfaces import StreamInfo
from streamer.parts.matching import OF_THIS_MACHINE, named_anywhere, planned_extensions
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Part, Plan
from streamer.parts.values import FrameDetections, PartDetections
from streamer.parts.worker.canary import canary_digest
from streamer.parts.worker.fingerprint import fingerprint
from streamer.parts.worker.part_job import PartJob

_AUTO = DetectorSettings().name
_NOTHING: Mapping[int, FrameDetections] = {}


class PartDetector:
    """Loads the detector of a plan and detects parts with it. It is a context manager that closes the detector.

    Args:
        plan: its input is on this machine.
        path: of the input, if it is not where the plan has it.
        settings: from `settings_of_worker`; the plan's if None.
        extensions: settings of features of other packages; those of the plan's detector are in the plan.
        say: gets one line about each step that takes time.

    Attributes:
        worker: this machine, with the digest of the canary.
        labels: the classes of the detector.
        reason: one line that names the detector.

    Raises:
        ConfigError: a setting, or a model that is not the plan's.
        ModelError: the detector cannot be loaded.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        path: Path | None = None,
        settings: DetectorSettings | None = None,
        extensions: Extensions | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        settings, _ = selection.chosen(settings or plan.detector)
        self._plan, self._path, self._is_shared = plan, path, False
        model = _own_model(plan, settings)  # another model is refused before it is loaded
        width, height = plan.size
        info = StreamInfo(Path(plan.input.path).name, width, height, pixel_format="", time_base=plan.tick)
        context = DetectorContext(info=info, say=say, extensions=planned_extensions(plan, extensions or {}))
        built = selection.build_detector(settings, context)
        self._detectors = built.detectors
        self.labels, self.reason = built.detectors[0].labels, built.reason
        self._lock = threading.Lock()  # guards the two below
        self._stopped = False
        self._job: PartJob | None = None
        try:
            model = model or _own_model(plan, settings)  # it has been downloaded
            self.worker = fingerprint(settings, model, canary_digest(built.detectors[0]))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def for_plan(self, plan: Plan, path: Path | None = None) -> PartDetector:
        """The same detector for the parts of another file. This one must stay open; they do not detect at a time.

        Args:
            plan: with the same detector.
            path: of its input, as above.

        Raises:
            ConfigError: the plan has another detector.
        """
        if (plan.detector, plan.model_sha256) != (self._plan.detector, self._plan.model_sha256):
            raise ConfigError("the plan has another detector than the one that is loaded")
        other = copy.copy(self)
        other._plan, other._path, other._is_shared = plan, path, True
        other._lock, other._stopped, other._job = threading.Lock(), False, None
        return other

    def empty(self, part: Part) -> PartDetections:
        """What the part will be, without frames."""
        return PartDetections(self._plan.digest, part.number, self.worker, self.labels)

    def detect(
        self,
        part: Part,
        *,
        on_frame: Callable[[FrameDetections], None] = lambda _: None,
        on_progress: Callable[[int, int], None] = lambda _count, _failed: None,
        done: Mapping[int, FrameDetections] = _NOTHING,
    ) -> PartDetections:
        """Detect the frames of a part that a run over the whole file detects.

        Args:
            part: of the plan.
            on_frame: gets each frame that is detected now, in order.
            on_progress: gets the number of frames of the part that are done, and how many of these failed.
            done: frames that are detected already, by pts; used where the digest of the picture is the same.

        Raises:
            Interrupted: `stop` was called.
            ConfigError: the input is not the file of the plan.
            SourceUnavailable, SourceLost: the input cannot be read.
            StreamerError: the detector failed three times in a row, or hung.
        """
        source = PartSource(self._plan, part, self._path)
        job = PartJob(source, self._detectors, self._plan.detector, done)
        with self._lock:
            if self._stopped:
                raise Interrupted
            self._job = job
        frames: dict[int, FrameDetections] = {}
        try:
            with closing(job.results()) as results:
                for result in results:
                    if result.frame is not None:
                        if result.detected is not None:
                            on_frame(result.frame)
                        frames.setdefault(result.frame.pts, result.frame)
                    on_progress(result.position, job.failed)
        except Closed:
            raise Interrupted from None
        finally:
            with self._lock:
                self._job = None
        return PartDetections(self._plan.digest, part.number, self.worker, self.labels, frames)

    def stop(self) -> None:
        """Any thread, but no signal handler: end `detect` after the frames in progress, and begin no other part."""
        with self._lock:
            self._stopped = True
            job = self._job
        if job is not None:
            job.close()

    def close(self) -> None:
        """Release the model, unless another one has loaded it. Closing twice is fine."""
        for detector in () if self._is_shared else self._detectors:
            detector.close()


def settings_of_worker(plan: Plan, own: DetectorSettings) -> DetectorSettings:
    """The detector of a plan with the settings that belong to this machine.

    Args:
        plan: the plan.
        own: what the user of this machine has set: of `matching.OF_THIS_MACHINE`, and as `name` another path of the
            plan's model.

    Raises:
        ConfigError: a setting that differs from the plan's and belongs to it, or another path of a model whose
            checksum the plan does not have.
    """
    own = named_anywhere(own)
    given = {name: getattr(own, name) for name in own.model_fields_set}
    if own.name == _AUTO:  # what it means has been decided by the plan
        given.pop("name", None)
    for name, value in given.items():
        planned = getattr(plan.detector, name)
        if name == "name" and value != planned and not plan.model_sha256:
            raise ConfigError(f"the plan has no checksum to compare the model {value} with; put it at {planned}")
        if name not in (*OF_THIS_MACHINE, "name") and value != planned:
            differs = f"detector.{name} is {_shown(value)}, but {_shown(planned)} in the plan"
            raise ConfigError(f"{differs}; leave it out, or make a new plan")
    return plan.detector.model_copy(update=given)


def _shown(value: object) -> str:
    return "null" if value is None else str(value)


def _own_model(plan: Plan, settings: DetectorSettings) -> str:
    """The checksum of this machine's model; empty if it is not here yet, or has no files.

    Raises:
        ConfigError: it is not the plan's.
    """
    own = selection.model_sha256(settings)
    if own and plan.model_sha256 and own != plan.model_sha256:
        raise ConfigError(
            f"the model {settings.name} of this machine is not the plan's: its SHA-256 is {own}, the plan has "
            f"{plan.model_sha256}; copy the plan's model to this machine, or make a new plan"
        )
    return own
