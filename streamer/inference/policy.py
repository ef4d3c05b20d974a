"""Which stream gets the detector next. Pure: a policy reads no clock, so it also runs on a simulated one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stream whose newest frame waits for a detector.

    Attributes:
        stream: the number of the stream, unique in the pool; of two equal candidates the smaller number comes first.
        turns: how many turns the stream has had.
        age_s: time since its last turn began; since its first frame waited, if it has had none.
        gain: what a detection would probably improve (`streamer.motion.expected_gain`).
        detect_s: how long a detection will probably take.
        max_age_s: the age that the stream must not exceed.
        priority: factor of its gain.
    """

    stream: int
    turns: int
    age_s: float
    gain: float
    detect_s: float
    max_age_s: float
    priority: float = 1.0


class Policy(Protocol):
    """Chooses the next stream. A class in `registry.POLICIES` is made without arguments."""

    name: ClassVar[str]

    def choose(self, candidates: Sequence[Candidate], workers: int) -> Candidate:
        """The stream whose frame is detected next. A free detector never waits while a frame does.

        Args:
            candidates: at least one, in any order.
            workers: how many detectors work in parallel.
        """
        ...
