"""When the results of a slow detector are there. Pure functions.

A detector works on one frame at a time and takes the newest that has arrived whenever it is free. Times are exact
rationals, so that a result that lands on the instant of a frame is there for it on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Landing:
    """A result of the detector.

    Attributes:
        frame: 0-based index of the frame that it belongs to.
        at_s: when it is there, seconds after the first frame.
    """

    frame: int
    at_s: Fraction


def exact(latency_s: float) -> Fraction:
    """The latency as it was typed: 0.3 is three tenths, which the float is not."""
    return Fraction(str(latency_s))


def landings(frames: int, fps: Fraction, latency_s: float) -> Iterator[Landing]:
    """The detector's results in the order in which they land, also those that land behind the last frame.

    Args:
        frames: frame k, from 0, arrives at k / fps seconds.
        fps: above 0.
        latency_s: of the detector, 0 or more, seconds.
    """
    latency, free_s, frame = exact(latency_s), Fraction(0), 0
    while frame < frames:
        free_s = max(free_s, frame / fps) + latency
        yield Landing(frame, free_s)
        frame = max(frame + 1, min(int(free_s * fps), frames - 1))


def newest_results(frames: int, fps: Fraction, latency_s: float) -> list[int]:
    """For each frame the index of the frame whose result is the newest at that instant; -1 before the first one.

    Args: as `landings`.
    """
    coming = landings(frames, fps, latency_s)
    newest, landing = [-1], next(coming, None)
    for frame in range(frames):
        newest.append(newest[-1])
        while landing is not None and landing.at_s <= frame / fps:
            newest[-1], landing = landing.frame, next(coming, None)
    return newest[1:]
