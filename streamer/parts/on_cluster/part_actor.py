"""What a worker of the cluster runs: one process, which loads the detector once and detects one part after the other.

Ray calls it from one thread, one call at a time. Arguments and the first answer are plain values, so that they can be
read by a worker with another version of this program, which is refused then.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import ConfigError, StreamerError
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
        invalid: a setting, the file or the model is wrong, so no other worker can succeed either.
    """

    message: str
    invalid: bool


class PartActor:
    """The class of Ray's actor.

    Args:
        plan: JSON.
        detector_workers: frames that the detector works on in parallel, if the plan leaves that open.
        extensions: settings of features of other packages.
    """

    def __init__(self, plan: str, detector_workers: int, extensions: Mapping[str, Mapping[str, Any]]) -> None:
        # Little happens here: an error would look like a process that died.
        self._json, self._detector_workers, self._extensions = plan, detector_workers, extensions
        self._plan: Plan | None = None
        self._received: ReceivedInput | None = None
        self._detector: PartDetector | None = None

    def hello(self, version: str) -> dict[str, Any]:
        """Who this is.

        Args:
            version: of the program that asks.

        Returns:
            `version` of this program, `host`, and `has_input`: whether the file is where the plan has it.
        """
        has_input = False
        if version == program_version():
            with suppress(StreamerError):
                check_input(self._planned())
                has_input = True
        return {"version": program_version(), "host": socket.gethostname(), "has_input": has_input}

    def receive(self, pieces: Sequence[tuple[int, bytes]]) -> Refused | None:
        """Take bytes of the input: offsets in the file, and what is there."""
        try:
            if self._received is None:
                planned = self._planned().input
                self._received = ReceivedInput(Path(planned.path).name, planned.size_bytes)
            for offset, data in pieces:
                self._received.write(offset, data)
        except StreamerError as error:
            return _refused(error)
        return None

    def load(self) -> Worker | Refused:
        """Load the detector, if it is not loaded; the answer has the canary of this worker."""
        try:
            return self._loaded().worker
        except StreamerError as error:
            return _refused(error)

    def detect(self, number: int) -> PartDetections | Refused:
        """Detect a part of the plan."""
        try:
            return self._loaded().detect(self._planned().parts[number])
        except StreamerError as error:
            return _refused(error)

    def _planned(self) -> Plan:
        if self._plan is None:
            self._plan = Plan.model_validate_json(self._json)
        return self._plan

    def _loaded(self) -> PartDetector:
        if self._detector is None:
            plan = self._planned()
            settings = plan.detector
            if not settings.workers:
                settings = settings.model_copy(update={"workers": self._detector_workers})
            path = None if self._received is None else self._received.path
            self._detector = PartDetector(plan, path=path, settings=settings, extensions=self._extensions)
        return self._detector


def program_version() -> str:
    """The version of this program; its package is above this module, so it cannot be imported here."""
    return str(sys.modules["streamer"].__version__)


def _refused(error: StreamerError) -> Refused:
    return Refused(str(error), isinstance(error, ConfigError) or error.exit_code == ConfigError.exit_code)
