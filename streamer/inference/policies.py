"""The policies: the stream whose detection improves the screens most, or each stream in turn. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from streamer.inference.policy import Candidate

_LEAST_S = 1e-3
"""A simulated detection may take no time."""


class GainPolicy:
    """The largest `priority * gain / detect_s`; first of all a stream that would else exceed its `max_age_s`.

    With N streams that have the same `max_age_s`, no wait exceeds it if `ceil(N / workers) + 1` detections and one
    frame interval fit into it: a detection may have begun just before a frame arrives.
    """

    name: ClassVar[str] = "gain"

    def choose(self, candidates: Sequence[Candidate], workers: int) -> Candidate:
        """See `streamer.inference.policy.Policy`."""
        urgent = most_urgent(candidates, workers)
        if urgent is not None:
            return urgent
        return max(
            candidates,
            key=lambda one: (one.priority * one.gain / max(one.detect_s, _LEAST_S), one.age_s, -one.stream),
        )


class RoundRobin:
    """The stream whose last turn began first, whatever its pictures show: the rule of most programs, for comparison."""

    name: ClassVar[str] = "round_robin"

    def choose(self, candidates: Sequence[Candidate], workers: int) -> Candidate:  # noqa: ARG002
        """See `streamer.inference.policy.Policy`."""
        return min(candidates, key=lambda one: (one.turns > 0, -one.age_s, one.stream))


def most_urgent(candidates: Sequence[Candidate], workers: int) -> Candidate | None:
    """The stream with the earliest deadline, if another turn before it could make one of them late; else None.

    Args:
        candidates: streams that wait.
        workers: how many detectors work in parallel.
    """
    by_deadline = sorted(candidates, key=lambda one: (one.max_age_s - one.age_s, one.stream))
    for place, one in enumerate(by_deadline):
        # The other turn, those of the streams before it, and one more, because durations vary and streams join.
        turns = 1 + place // workers + 1
        if one.age_s + turns * one.detect_s > one.max_age_s:
            return by_deadline[0]
    return None
