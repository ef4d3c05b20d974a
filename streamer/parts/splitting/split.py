"""Splits the packets of a video into parts, and finds where the decoder of each must begin. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from streamer.parts.plan import Part, SeekPoint
from streamer.parts.splitting.packet_index import NO_TIME, PacketIndex, Times

_SEEKABLE = frozenset({
    "av1", "dnxhd", "ffv1", "h264", "hevc", "huffyuv", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "prores",
    "rawvideo", "vp8", "vp9", "vvc",
})  # fmt: skip
"""Codecs whose frames after a keyframe depend on nothing before it, except those shown before it."""
MOST_REORDERED = 32
"""Frames by which the order of decoding and of presentation may differ: 16 in H.264 (A.3.1), as fields."""

WARM_UP = 96
"""Packets before a part, at least. A decoder reuses the memory of its frames, and what a damaged packet leaves out has
old pixels. After so many frames they are mostly those of a run over the whole file; the join finds the others."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """How the frames get their times.

    Attributes:
        time_base: of the frames.
        packet_time_base: of the packets.
        step: of the frame rate, ticks.
        counted: frames are counted (`source.fps`), their own times are not used.
        untimed: the times of the packets are not used.
        continuous: the clock was not corrected.
        codec: FFmpeg's name.
    """

    time_base: Fraction
    packet_time_base: Fraction
    step: int
    counted: bool
    untimed: bool
    continuous: bool
    codec: str

    def times_of(self, index: PacketIndex) -> Times:
        """The times of the frames as far as the packets have them, in file order; elsewhere about those."""
        if self.counted:
            known = index.pts[index.pts != NO_TIME]
            first = round(int(known.min()) * self.packet_time_base / self.time_base) if len(known) else 0
            return np.arange(first, first + len(index.pts))
        for times in () if self.untimed else (index.pts, index.dts):
            if (times != NO_TIME).all():
                return times
        return np.arange(len(index.pts)) * self.step

    def is_seekable(self, index: PacketIndex) -> bool:
        """Whether a decoder that begins at a keyframe can give the frames their times and pixels."""
        if self.counted or self.untimed or not self.continuous or self.codec not in _SEEKABLE:
            return False
        if (index.pts == NO_TIME).any():
            return False
        shown = index.pts[index.shown]
        moved_by = np.argsort(shown, kind="stable") - np.arange(len(shown))
        return bool(np.abs(moved_by).max(initial=0) <= MOST_REORDERED)


def split(index: PacketIndex, timeline: Timeline, parts: int) -> tuple[Part, ...]:
    """The parts of a video, in order.

    All parts have about the same number of frames. They begin at keyframes if there are enough, otherwise at any frame,
    and the decoder of each begins at a keyframe before it. If that is impossible they begin at any frame, too.

    Args:
        index: of the whole file.
        timeline: how frames get their times.
        parts: how many; fewer if the frames do not have so many times.
    """
    times = timeline.times_of(index)
    shown = np.sort(times[index.shown] if index.shown.any() else times)
    finder = _SeekFinder(index) if timeline.is_seekable(index) else None
    bounds = _bounds(shown, np.sort(times[index.keyframes]) if finder is not None else shown[:0], parts)
    firsts = [0, *np.searchsorted(shown, bounds).tolist(), len(shown)]
    return tuple(
        Part(
            number=number,
            start_pts=start,
            end_pts=end,
            seek=None if start is None or finder is None else finder.before(start),
            first_index=firsts[number],
            frames=firsts[number + 1] - firsts[number],
        )
        for number, (start, end) in enumerate(pairwise([None, *bounds, None]))
    )


def _bounds(shown: Times, keyframes: Times, parts: int) -> list[int]:
    """The times at which all parts but the first begin, increasing.

    Args:
        shown: times of the frames, sorted.
        keyframes: those of the keyframes, sorted.
        parts: how many are wanted.
    """
    candidates = np.unique(keyframes[keyframes > shown[0]])
    if len(candidates) < parts - 1:
        candidates = np.unique(shown)[1:]
    parts = min(parts, len(candidates) + 1)
    before = np.searchsorted(shown, candidates)  # how many frames are shown before each of them
    bounds, lowest = [], 0
    for number in range(1, parts):
        highest = len(candidates) - (parts - number)
        wanted = number * len(shown) / parts
        at = int(np.searchsorted(before, wanted))
        if at == len(before) or (at and wanted - before[at - 1] <= before[at] - wanted):
            at -= 1
        at = min(max(at, lowest), highest)
        bounds.append(int(candidates[at]))
        lowest = at + 1
    return bounds


class _SeekFinder:
    """Finds the keyframes where decoders begin.

    Args:
        index: of a file where that is possible.
    """

    def __init__(self, index: PacketIndex) -> None:
        self._index = index
        self._keyframes = np.flatnonzero(index.keyframes)
        shown = np.where(index.shown, index.pts, NO_TIME)
        self._latest = np.maximum.accumulate(shown)
        self._damaged = np.flatnonzero(index.damaged)

    def before(self, start_pts: int) -> SeekPoint | None:
        """The keyframe at which the decoder of a part begins; None: the first one of the file.

        There is an undamaged group of pictures between it and the first packet of the part, and as many frames as a
        decoder may keep.
        """
        pts, latest = self._index.pts, self._latest
        first = int(np.searchsorted(latest, start_pts))  # the first packet in file order that is shown in the part
        own = int(np.searchsorted(self._keyframes, first, side="right")) - 1  # the keyframe of its group
        for number in range(own - 1, 0, -1):
            at, after = int(self._keyframes[number]), int(self._keyframes[number + 1])
            is_damaged = np.searchsorted(self._damaged, at) != np.searchsorted(self._damaged, after)
            if is_damaged or first - at < WARM_UP or int(pts[at]) >= start_pts:
                continue
            dts = int(self._index.dts[at])
            return SeekPoint(
                pts=int(pts[at]),
                target=int(pts[at]) if dts == NO_TIME else min(int(pts[at]), dts),
                leading=int((pts[at:after] < pts[at]).sum()),
                checked_to=int(pts[after]),
                digest=self._index.digest_at(at),
            )
        return None
