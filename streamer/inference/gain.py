"""The stream whose detection improves the screens most, per second of detector time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from streamer.inference.policy import Candidate


class GainPolicy:
    """The largest `priority * gain / detect_s`; first of all a stream that would else exceed its `max_age_s`."""

    name: ClassVar[str] = "gain"

    def choose(self, candidates: Sequence[Candidate], workers: int) -> Candidate | None:
        """See `streamer.inference.policy.Policy`."""
        late = most_urgent(candidates, workers)
        if late is not None:
            return late
        return max(
            candidates, key=lambda one: (one.priority * one.gain / max(one.detect_s, 1e-3), one.age_s, -one.stream)
        )


def most_urgent(candidates: Sequence[Candidate], workers: int) -> Candidate | None:
    """The stream with the earliest deadline, if another turn before it would make one of them late; else None."""
    by_deadline = sorted(candidates, key=lambda one: (one.max_age_s - one.age_s, one.stream))
    for place, one in enumerate(by_deadline):
        rounds = place // workers + 2  # the turns before it, one more, and its own
        if one.age_s + rounds * one.detect_s > one.max_age_s:
            return by_deadline[0]
    return None
