"""The turns of one stream at a shared detector, from which its candidates are made.

Used by the pool, with its lock, and on the simulated clock of an evaluation. It reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.inference.policy import Candidate


@dataclass(slots=True)
class TurnRecord:
    """What is known of the turns of a stream. All times are on one clock, in seconds.

    Attributes:
        stream: its number, unique in the pool.
        priority: factor of its expected gain.
        turns: how many it has had.
        since_s: when its last turn began; when it first waited, if it has had none; None before.
        longest_wait_s: the longest time from the beginning of one turn to that of the next.
    """

    stream: int
    priority: float = 1.0
    turns: int = 0
    since_s: float | None = None
    longest_wait_s: float = 0.0

    def wait(self, now_s: float) -> None:
        """A frame of the stream waits for a turn."""
        if self.since_s is None:
            self.since_s = now_s

    def candidate(self, now_s: float, gain: float, detect_s: float, max_age_s: float) -> Candidate:
        """The stream as a policy compares it.

        Args:
            now_s: the time.
            gain: the expected gain of its next detection.
            detect_s: how long that will probably take.
            max_age_s: the age that the stream must not exceed.
        """
        return Candidate(self.stream, self.turns, self.age_s(now_s), gain, detect_s, max_age_s, self.priority)

    def begin(self, now_s: float) -> None:
        """A turn begins."""
        self.longest_wait_s = max(self.longest_wait_s, self.age_s(now_s))
        self.since_s = now_s
        self.turns += 1

    def age_s(self, now_s: float) -> float:
        """Time since the last turn began; since the first frame waited, if there was none."""
        return 0.0 if self.since_s is None else now_s - self.since_s
