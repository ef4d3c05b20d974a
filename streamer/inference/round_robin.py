"""Each stream in turn, whatever its pictures show: the rule of most programs, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from streamer.inference.policy import Candidate


class RoundRobin:
    """The stream whose last turn began first."""

    name: ClassVar[str] = "round_robin"

    def choose(self, candidates: Sequence[Candidate], workers: int) -> Candidate:  # noqa: ARG002
        """See `streamer.inference.policy.Policy`."""
        return min(candidates, key=lambda one: (one.turns > 0, -one.age_s, one.stream))
