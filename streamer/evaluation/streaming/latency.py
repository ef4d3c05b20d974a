"""The times at which the results of a slow detector are available. Pure functions.

A detector works on one frame at a time. When it is free, it takes the newest frame that has arrived. Times are exact
rational numbers: a result that is ready exactly at the time of a frame is available for that frame on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Landing:
    """One result of the detector.

    Attributes:
        frame: index of its frame, from 0.
        at_s: when it is available, in seconds after the first frame.
    """

    frame: int
    at_s: Fraction


def exact(latency_s: float) -> Fraction:
    """The latency as typed: 0.3 is exactly three tenths, unlike the float."""
    return Fraction(str(latency_s))


def landings(frames: int, fps: Fraction, latency_s: float) -> Iterator[Landing]:
    """The detector's results in order of time, including those that arrive after the last frame.

    Args:
        frames: number of frames; frame k, from 0, arrives at k / fps seconds.
        fps: frame rate, above 0.
        latency_s: latency of the detector in seconds, 0 or more.
    """
    latency, free_s, frame = exact(latency_s), Fraction(0), 0
    while frame < frames:
        free_s = max(free_s, frame / fps) + latency
        yield Landing(frame, free_s)
        frame = max(frame + 1, min(int(free_s * fps), frames - 1))


def newest_results(frames: int, fps: Fraction, latency_s: float) -> list[int]:
    """For each frame the index of the frame with the newest result at that time; -1 before the first result.

    Arguments as of `landings`.
    """
    coming = landings(frames, fps, latency_s)
    newest, landing = [-1], next(coming, None)
    for frame in range(frames):
        newest.append(newest[-1])
        while landing is not None and landing.at_s <= frame / fps:
            newest[-1], landing = landing.frame, next(coming, None)
    return newest[1:]
