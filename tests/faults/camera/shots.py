"""The shot list: when each picture was drawn and sent, in a file that camera and test both map into memory.

Written by the camera, read by any thread of any process while the camera runs and after it was killed. It also carries
the next number, so that a camera that is switched on again goes on counting.
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
    """One picture that the camera took.

    Attributes:
        number: what is burned into it.
        drawn_s: monotonic clock (one for the whole machine on Linux) when its drawing began, before encoding.
        stamped_s: the same at the moment that its RTP timestamp tells, which is when it was due.
        sent_s: the same when its last packet had been handed to the system; None if it went to nobody.
        packets: RTP packets it was cut into.
        lost_packets: how many of them were dropped on purpose, all clients together.
        is_key: whether it is a key frame.
        is_hit: whether a lost packet carried a piece of the picture, not only parameter sets that are known already.
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
    """The last 262,144 pictures by number.

    Args:
        path: of the file, made if it is not there; most of its 10 MB are a hole until used.
    """

    def __init__(self, path: Path) -> None:
        length = _HEADER.size + _CAPACITY * _ENTRY.size
        with path.open("a+b") as file:
            file.truncate(length)
            self._memory = mmap.mmap(file.fileno(), length)

    @property
    def next_number(self) -> int:
        """The number of the next picture: how many there were since the file was made."""
        number: int = _HEADER.unpack_from(self._memory, 0)[0]
        return number

    def write(self, shot: Shot) -> None:
        """Note a picture; again when there is more to tell about it."""
        at = self._position(shot.number)
        # A reader takes an entry whose number is there; it must not be while the rest is not.
        _HEADER.pack_into(self._memory, at, 0)
        times_s = shot.drawn_s, shot.stamped_s, shot.sent_s or 0.0
        _ENTRY.pack_into(self._memory, at, 0, *times_s, *shot[4:])
        _HEADER.pack_into(self._memory, at, shot.number + 1)
        _HEADER.pack_into(self._memory, 0, max(self.next_number, shot.number + 1))

    def read(self, number: int) -> Shot | None:
        """The picture of that number; None if there was none, or so long ago that it is forgotten."""
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
