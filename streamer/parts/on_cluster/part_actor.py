"""What a worker of the cluster runs: one process, which loads the detector once and detects one part after the other.

Ray calls it from one thread, one call at a time. Arguments and the first answer are plain values, so that they can be
read by a worker with another version of this program, which is refused then.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import ConfigError, SourceUnavailable, StreamerError
from streamer.parts.detecting import PartDetector
from streamer.parts.on_cluster.received_input import ReceivedInput
from streamer.parts.plan import Plan
from streamer.parts.plan_file import check_input
from streamer.parts.values import PartDetections, Worker


@dataclass(frozen=True, slots=True)
class Refused:
    """An error that a user can mend, in place of an answer.

    Attributes:
        message: one line.
        invalid: a setting or the model is wrong, so no other worker can succeed either. A file that cannot be read may
            be so on this worker only.
    """

    message: str
    invalid: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The process does not have the plan: Ray has started it in place of another one."""


class PartActor:
    """The class of Ray's actor. It detects parts of several files, one part after the other.

    A plan is known by its digest, once `hello` has brought it.

    Args:
        detector_workers: frames that the detector works on in parallel, if a plan leaves that open.
        extensions: settings of features of other packages.
    """

    def __init__(self, detector_workers: int, extensions: Mapping[str, Mapping[str, Any]]) -> None:
        # Little happens here: an error would look like a process that died.
        self._detector_workers, self._extensions = detector_workers, extensions
        self._files: dict[str, _PlannedFile] = {}
        self._first: PartDetector | None = None

    def hello(self, version: str, plan: str) -> dict[str, Any]:
        """Who this is.

        Args:
            version: of the program that asks.
            plan: of a file, JSON.

        Returns:
            `version` of this program, `host`, and `has_input`: whether the file is where the plan has it.
        """
        has_input = False
        if version == program_version():
            planned = Plan.model_validate(json.loads(plan))
            self._files.setdefault(planned.digest, _PlannedFile(planned))
            with suppress(StreamerError):
                check_input(planned)
                has_input = True
        return {"version": program_version(), "host": socket.gethostname(), "has_input": has_input}

    def receive(self, digest: str, pieces: Sequence[tuple[int, bytes]]) -> Refused | Unknown | None:
        """Take bytes of the input of a plan: offsets in the file, and what is there."""
        file = self._files.get(digest)
        if file is None:
            return Unknown()
        try:
            if file.received is None:
                planned = file.plan.input
                file.received = ReceivedInput(Path(planned.path).name, planned.size_bytes)
            for offset, data in pieces:
                file.received.write(offset, data)
        except StreamerError as error:
            return _refused(error)
        return None

    def load(self, digest: str) -> Worker | Refused | Unknown:
        """Load the detector of a plan, if it is not loaded; the answer has the canary of this worker."""
        try:
            return Unknown() if digest not in self._files else self._detector(digest).worker
        except StreamerError as error:
            return _refused(error)

    def detect(self, digest: str, number: int) -> PartDetections | Refused | Unknown:
        """Detect a part of a plan."""
        try:
            if digest not in self._files:
                return Unknown()
            return self._detector(digest).detect(self._files[digest].plan.parts[number])
        except StreamerError as error:
            return _refused(error)

    def forget(self, digest: str) -> None:
        """No more parts of a plan are needed."""
        self._files.pop(digest, None)

    def _detector(self, digest: str) -> PartDetector:
        file = self._files[digest]
        if file.detector is None:
            path = None if file.received is None else file.received.path
            if self._first is not None:
                file.detector = self._first.for_plan(file.plan, path)
            else:
                file.detector = self._first = self._loaded(file.plan, path)
        return file.detector

    def _loaded(self, plan: Plan, path: Path | None) -> PartDetector:
        settings = plan.detector
        if not settings.workers:
            settings = settings.model_copy(update={"workers": self._detector_workers})
        return PartDetector(plan, path=path, settings=settings, extensions=self._extensions)


@dataclass(slots=True)
class _PlannedFile:
    """A file of which this process detects parts."""

    plan: Plan
    received: ReceivedInput | None = None
    detector: PartDetector | None = None


def program_version() -> str:
    """The version of this program; its package is above this module, so it cannot be imported here."""
    return str(sys.modules["streamer"].__version__)


def _refused(error: StreamerError) -> Refused:
    is_invalid = error.exit_code == ConfigError.exit_code and not isinstance(error, SourceUnavailable)
    return Refused(str(error), is_invalid)
