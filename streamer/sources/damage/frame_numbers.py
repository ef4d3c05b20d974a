"""Whether H.264 pictures are missing that others are built on, though nothing was lost on the way.

Cameras and servers drop pictures when a client or the network is slow, and number their packets after that. FFmpeg puts
copies in place of the missing ones and says nothing (libavcodec/h264_slice.c). But pictures that others are built on
are counted in the stream: `frame_num` (H.264, 7.4.3). Used by the thread that reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.sources.damage.nal_units import extradata_units, unit_spans

_SLICE, _IDR_SLICE, _SEQUENCE, _PICTURE = 1, 5, 7, 8
_MESSAGES, _RECOVERY = 6, 6  # a unit's type, and a message's
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_HEADER_BYTES = 64  # of a slice, and of what is read of the parameter sets but for scaling lists
_SET_BYTES = 1024
_HABIT = 3
"""Gaps on end from which they are how a camera counts: no pictures are missing, and the copies do no harm."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a sequence parameter set tells."""

    number_bits: int
    colour_planes: bool
    gaps_allowed: bool


class FrameNumbers:
    """Follows the packets of one stream.

    Args:
        extradata: the parameter sets that the container tells.
    """

    def __init__(self, extradata: bytes = b"") -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}  # of picture parameter sets
        self._last: int | None = None  # of the last picture that others are built on
        self._gaps = 0
        for unit in extradata_units(extradata):
            self._learn(unit)

    def gap(self, data: bytes) -> str:
        """What is missing before the picture in a packet, in words; empty if nothing is known to be."""
        for at, end in unit_spans(data):
            if data[at] & 0x1F in (_SEQUENCE, _PICTURE):
                self._learn(data[at : min(end, at + _SET_BYTES)])
            elif data[at] & 0x1F in (_SLICE, _IDR_SLICE):
                return self._count(data[at : min(end, at + _HEADER_BYTES)])  # the others are of the same picture
        return ""

    @staticmethod
    def refresh(data: bytes) -> int:
        """After how many pictures the stream is whole from a recovery point on (H.264, D.2.8); 0 at once, or unknown.

        Args:
            data: of a packet that FFmpeg takes for a key frame: some cameras make none, but refresh a part of each
                picture.
        """
        for at, end in unit_spans(data):
            if data[at] & 0x1F == _MESSAGES:
                try:
                    return _recovery_of(_Bits(data[at + 1 : min(end, at + _SET_BYTES)]))
                except IndexError:
                    continue
        return 0

    def _learn(self, unit: bytes) -> None:
        try:
            if unit[0] & 0x1F == _SEQUENCE:
                self._learn_sequence(_Bits(unit[1:]))
            else:
                bits = _Bits(unit[1:])
                number = bits.unsigned()
                self._sequence_of[number] = bits.unsigned()
        except IndexError:
            return  # cut off or none: the decoder will say what it thinks of it

    def _learn_sequence(self, bits: _Bits) -> None:
        profile = bits.take(8)
        bits.take(16)
        number = bits.unsigned()
        colour_planes = False
        if profile in _HIGH_PROFILES:
            chroma = bits.unsigned()
            colour_planes = chroma == 3 and bool(bits.take(1))
            bits.unsigned()
            bits.unsigned()
            bits.take(1)
            if bits.take(1):
                for index in range(12 if chroma == 3 else 8):
                    if bits.take(1):
                        _pass_scaling_list(bits, 16 if index < 6 else 64)
        number_bits = bits.unsigned() + 4
        order = bits.unsigned()
        if order == 0:
            bits.unsigned()
        elif order == 1:
            bits.take(1)
            for _ in range(2):
                bits.unsigned()
            for _ in range(bits.unsigned()):
                bits.unsigned()
        bits.unsigned()
        self._sequences[number] = _Sequence(number_bits, colour_planes, bool(bits.take(1)))

    def _count(self, unit: bytes) -> str:
        try:
            bits = _Bits(unit[1:])
            bits.unsigned()
            bits.unsigned()
            sequence = self._sequences[self._sequence_of[bits.unsigned()]]
            if sequence.colour_planes:
                bits.take(2)
            number = bits.take(sequence.number_bits)
        except (IndexError, KeyError):
            self._last = None
            return ""
        last = self._last
        if unit[0] & 0x60:  # others are built on it
            self._last = number
        if unit[0] & 0x1F == _IDR_SLICE or last is None or sequence.gaps_allowed:
            return ""
        if number in (last, (last + 1) % (1 << sequence.number_bits)):
            self._gaps = 0
            return ""
        self._gaps += 1
        return "" if self._gaps > _HABIT else f"frame_num goes from {last} to {number}"


class _Bits:
    """Reads a unit bit by bit (H.264, 7.2 and 9.1). Raises IndexError at its end.

    Args:
        content: behind the unit's first byte, with the bytes that keep start codes from appearing in it.
    """

    def __init__(self, content: bytes) -> None:
        plain = content.replace(b"\0\0\3", b"\0\0")
        self._length = 8 * len(plain)
        self._value = int.from_bytes(plain, "big")
        self._at = 0

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._at += count
        if self._at > self._length:
            raise IndexError("the unit ends before that")
        return self._value >> self._length - self._at & (1 << count) - 1

    def unsigned(self) -> int:
        """The next Exp-Golomb code; of signed ones the code itself."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _recovery_of(bits: _Bits) -> int:
    """Of a unit with supplemental information (H.264, 7.3.2.3.1). Raises IndexError if it tells of no recovery."""
    while True:
        kind, size = (_extended(bits) for _ in range(2))
        if kind == _RECOVERY:
            return bits.unsigned()
        bits.take(8 * size)


def _extended(bits: _Bits) -> int:
    total = 0
    while (byte := bits.take(8)) == 0xFF:
        total += byte
    return total + byte


def _pass_scaling_list(bits: _Bits, size: int) -> None:
    """H.264, 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.unsigned()
            following = (last + (code + 1 >> 1 if code & 1 else -(code >> 1))) % 256
        last = following or last
