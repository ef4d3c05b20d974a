"""What a fault is: equipment, how it strikes, how it is mended, and what is expected of the program then.

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
from tests.faults.lab.sights import SHOWN, Sight, Sights

ONE_STALL_S = STALL_S + 2.5
TWO_STALLS_S = 2 * STALL_S + 2.5


class Scenario(ABC):
    """A fault. An instance is used for one series of repetitions.

    Attributes:
        name: on the command line.
        fault: what happens, in words.
        expected: what the program does about it, in words.
        limit_s: from the mending to the first sound picture filmed after it, at most.
        place: where that picture is awaited.
        lasts_s: how long the fault is on, shortest and longest; chosen anew for each repetition, so that nothing beats
            in time with the program's waits.
        stop_limit_s: how long the program may take to end while the fault is on.
        quick: short enough, and possible for everybody, to be run with the tests.
        ends_with: the run is to end with this error, instead of going on; the time until then is taken.
        goes_on: what is shown must not pause, because the source is not what is broken.
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
    def equip(self, stack: ExitStack, sights: Sights) -> None:
        """Switch on what the fault needs; `stack` switches it off."""

    @abstractmethod
    def setup(self) -> Setup:
        """The program that is put to the test; asked for again after it was stopped."""

    @abstractmethod
    def filmed_s(self, number: int) -> float | None:
        """When the picture of a number was filmed, monotonic; None if there was none."""

    @abstractmethod
    def strike(self) -> None:
        """The fault begins."""

    @abstractmethod
    def mend(self) -> float:
        """The fault ends; returns since when all is well, monotonic."""

    def accepts(self, sight: Sight) -> bool:  # noqa: ARG002
        """Whether a sound picture filmed after the mending is all that is wanted."""
        return True

    def note(self, sight: Sight, *, faulty: bool) -> None:  # noqa: B027
        """Take in a picture that was shown, while the fault was on or after."""

    def figures(self) -> dict[str, float]:
        """What else was measured."""
        return {}


class CameraScenario(Scenario):
    """A fault of the scripted camera, read over RTSP.

    Attributes:
        transport: `tcp` or `udp`.
        longest_wait_s: between two tries to connect.
    """

    transport: ClassVar[Transport] = "tcp"
    longest_wait_s: ClassVar[float] = 30.0

    def make_camera(self) -> Camera:
        """The camera, not switched on."""
        return Camera()

    def equip(self, stack: ExitStack, sights: Sights) -> None:  # noqa: ARG002
        """Switch the camera on."""
        self.camera = stack.enter_context(self.make_camera())

    def setup(self) -> Setup:
        """Nothing but the source and a detector."""
        connector = NetworkConnector(self.camera.url, SourceSettings(transport=self.transport))
        return Setup(connector, self.longest_wait_s)

    def filmed_s(self, number: int) -> float | None:
        """As the camera tells."""
        shot = self.camera.shot(number)
        return None if shot is None else shot.drawn_s
