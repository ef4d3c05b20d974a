"""The shot list: when each frame was drawn and sent, in a file that camera and test both map into memory.

The camera writes it. Any thread of any process reads it, while the camera runs and after it was killed. It also has the
next number, so that a restarted camera continues the numbering.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct("<Q")
_ENTRY = struct.Struct("<QdddII??6x")
_CAPACITY = 1 << 18


class Shot(NamedTuple):
    """One frame of the camera.

    Attributes:
        number: the number drawn into it.
        drawn_s: monotonic clock (one for the whole machine on Linux) when its drawing began, before encoding.
        stamped_s: the time of its RTP timestamp on that clock, which is when it was due.
        sent_s: when its last packet was passed to the system, on that clock; None if no client got it.
        packets: number of its RTP packets.
        lost_packets: how many of them were dropped on purpose, for all clients together.
        is_key: whether it is a keyframe.
        is_hit: whether a lost packet had a part of the frame, not only parameter sets that are already known.
    """

    number: int
    drawn_s: float
    stamped_s: float
    sent_s: float | None
    packets: int
    lost_packets: int
    is_key: bool
    is_hit: bool


class ShotList:
    """The last 262,144 frames by number.

    Args:
        path: of the file, created if it does not exist; most of its 10 MB are a hole until used.
    """

    def __init__(self, path: Path) -> None:
        length = _HEADER.size + _CAPACITY * _ENTRY.size
        with path.open("a+b") as file:
            file.truncate(length)
            self._memory = mmap.mmap(file.fileno(), length)

    @property
    def next_number(self) -> int:
        """The number of the next frame: the count of frames since the file was created."""
        number: int = _HEADER.unpack_from(self._memory, 0)[0]
        return number

    def write(self, shot: Shot) -> None:
        """Write an entry, or update it."""
        at = self._position(shot.number)
        # A reader accepts an entry with the right number, so the number is written last.
        _HEADER.pack_into(self._memory, at, 0)
        times_s = shot.drawn_s, shot.stamped_s, shot.sent_s or 0.0
        _ENTRY.pack_into(self._memory, at, 0, *times_s, *shot[4:])
        _HEADER.pack_into(self._memory, at, shot.number + 1)
        _HEADER.pack_into(self._memory, 0, max(self.next_number, shot.number + 1))

    def read(self, number: int) -> Shot | None:
        """The entry of this number; None if there was none, or if it is overwritten."""
        at = self._position(number)
        while True:
            stored, drawn_s, stamped_s, sent_s, *rest = _ENTRY.unpack_from(self._memory, at)
            if stored == _HEADER.unpack_from(self._memory, at)[0]:
                break
        return Shot(number, drawn_s, stamped_s, sent_s or None, *rest) if stored == number + 1 else None

    def close(self) -> None:
        """Unmap the file."""
        self._memory.close()

    @staticmethod
    def _position(number: int) -> int:
        return _HEADER.size + number % _CAPACITY * _ENTRY.size
