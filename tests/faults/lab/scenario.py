"""The definition of a fault: its equipment, its begin and end, and the expected reaction of the program.

Used by the thread of the lab.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import ClassVar

from streamer.config.source import SourceSettings, Transport
from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera
from tests.faults.lab.rig import STALL_S, Setup
from tests.faults.lab.seen_frames import SHOWN, SeenFrame, SeenFrames

ONE_STALL_S = STALL_S + 2.5
TWO_STALLS_S = 2 * STALL_S + 2.5


class Scenario(ABC):
    """A fault. An instance is used for one series of repetitions.

    Attributes:
        name: on the command line.
        fault: description of the fault.
        expected: description of the expected reaction.
        limit_s: from the end of the fault to the first intact frame captured after it, at most.
        place: where that frame is awaited.
        lasts_s: shortest and longest duration of the fault; random for each repetition, so that it does not synchronize
            with the program's waits.
        stop_limit_s: limit of the time to end the program during the fault.
        quick: short enough, and possible on every machine, to be run with the tests.
        ends_with: the run must end with this error instead of recovering; the time until then is measured.
        goes_on: the display must not pause, because the source works.
    """

    name: ClassVar[str]
    fault: ClassVar[str]
    expected: ClassVar[str]
    limit_s: ClassVar[float]
    place: ClassVar[str] = SHOWN
    lasts_s: ClassVar[tuple[float, float]] = (0.5, 1.5)
    stop_limit_s: ClassVar[float] = 3.0
    quick: ClassVar[bool] = True
    goes_on: ClassVar[bool] = False
    ends_with: ClassVar[type[Exception] | None] = None

    @classmethod
    def missing(cls) -> str:
        """What this machine lacks for it; empty if nothing."""
        return ""

    @abstractmethod
    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        """Start what the fault needs; `stack` stops it."""

    @abstractmethod
    def setup(self) -> Setup:
        """The program under test; called again after it was stopped."""

    @abstractmethod
    def captured_at_s(self, number: int) -> float | None:
        """When the frame of this number was captured, monotonic; None if there was none."""

    @abstractmethod
    def begin_fault(self) -> None:
        """The fault begins."""

    @abstractmethod
    def end_fault(self) -> float:
        """The fault ends; returns since when everything works, monotonic."""

    def accepts(self, frame: SeenFrame) -> bool:  # noqa: ARG002
        """Whether an intact frame captured after the end of the fault is sufficient."""
        return True

    def note(self, frame: SeenFrame, *, faulty: bool) -> None:  # noqa: B027
        """Process a frame that was shown, during the fault or after."""

    def figures(self) -> dict[str, float]:
        """Other measurements."""
        return {}


class CameraScenario(Scenario):
    """A fault of the scripted camera, read over RTSP.

    Attributes:
        transport: `tcp` or `udp`.
        longest_wait_s: between two attempts to connect.
    """

    transport: ClassVar[Transport] = "tcp"
    longest_wait_s: ClassVar[float] = 30.0

    def make_camera(self) -> Camera:
        """The camera, not started."""
        return Camera()

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:  # noqa: ARG002
        """Start the camera."""
        self.camera = stack.enter_context(self.make_camera())

    def setup(self) -> Setup:
        """Only the source and a detector."""
        connector = NetworkConnector(self.camera.url, SourceSettings(transport=self.transport))
        return Setup(connector, self.longest_wait_s)

    def captured_at_s(self, number: int) -> float | None:
        """As the camera reports it."""
        shot = self.camera.shot(number)
        return None if shot is None else shot.drawn_s
