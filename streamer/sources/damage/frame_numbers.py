"""Whether H.264 reference pictures are missing although no packet was lost.

Cameras and servers drop frames when a client or the network is slow, and number the packets after that. FFmpeg replaces
the missing frames by copies and logs nothing (libavcodec/h264_slice.c). But the stream counts its reference pictures:
`frame_num` (H.264, 7.4.3). Used by the thread that reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.sources.damage.nal_units import extradata_units, unit_spans

_SLICE, _IDR_SLICE, _SEQUENCE, _PICTURE = 1, 5, 7, 8
_MESSAGES, _RECOVERY = 6, 6  # type of the unit and of the message
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_HEADER_BYTES = 64  # of a slice header; enough for parameter sets without scaling lists
_SET_BYTES = 1024
_MAX_GAPS = 3
"""After this many consecutive gaps, the camera just counts differently: no frame is missing."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The needed values of a sequence parameter set."""

    number_bits: int
    colour_planes: bool
    gaps_allowed: bool


class FrameNumbers:
    """Follows the packets of one stream.

    Args:
        extradata: the parameter sets of the container.
    """

    def __init__(self, extradata: bytes = b"") -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}  # by picture parameter set
        self._last: int | None = None  # number of the last reference picture
        self._gaps = 0
        for unit in extradata_units(extradata):
            self._read_parameter_set(unit)

    def gap(self, data: bytes) -> str:
        """Describe what is missing before the picture in a packet; "" if nothing is known to be."""
        for at, end in unit_spans(data):
            if data[at] & 0x1F in (_SEQUENCE, _PICTURE):
                self._read_parameter_set(data[at : min(end, at + _SET_BYTES)])
            elif data[at] & 0x1F in (_SLICE, _IDR_SLICE):
                return self._count(data[at : min(end, at + _HEADER_BYTES)])  # further slices belong to the same picture
        return ""

    @staticmethod
    def refresh(data: bytes) -> int:
        """Number of frames from a recovery point until the stream is intact (H.264, D.2.8); 0 for at once or unknown.

        Args:
            data: of a packet that FFmpeg flags as keyframe: some cameras send none, but refresh a part of each
                frame.
        """
        for at, end in unit_spans(data):
            if data[at] & 0x1F == _MESSAGES:
                try:
                    return _recovery_of(_Bits(data[at + 1 : min(end, at + _SET_BYTES)]))
                except IndexError:
                    continue
        return 0

    def _read_parameter_set(self, unit: bytes) -> None:
        try:
            if unit[0] & 0x1F == _SEQUENCE:
                self._read_sequence(_Bits(unit[1:]))
            else:
                bits = _Bits(unit[1:])
                number = bits.unsigned()
                self._sequence_of[number] = bits.unsigned()
        except IndexError:
            return  # truncated or no parameter set: the decoder logs an error

    def _read_sequence(self, bits: _Bits) -> None:
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
        if unit[0] & 0x60:  # a reference picture
            self._last = number
        if unit[0] & 0x1F == _IDR_SLICE or last is None or sequence.gaps_allowed:
            return ""
        if number in (last, (last + 1) % (1 << sequence.number_bits)):
            self._gaps = 0
            return ""
        self._gaps += 1
        return "" if self._gaps > _MAX_GAPS else f"frame_num goes from {last} to {number}"


class _Bits:
    """Reads a unit bit by bit (H.264, 7.2 and 9.1). Raises IndexError at its end.

    Args:
        content: of the unit after its first byte, with emulation prevention bytes.
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
            raise IndexError("end of the unit")
        return self._value >> self._length - self._at & (1 << count) - 1

    def unsigned(self) -> int:
        """The next Exp-Golomb code, without the mapping of signed values."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _recovery_of(bits: _Bits) -> int:
    """The recovery point in a SEI unit (H.264, 7.3.2.3.1). Raises IndexError if it has none."""
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
