"""The last packets of a camera's video, in bounded memory. Any thread may call any method.

The thread that reads the camera adds packets, the capture thread gives their frames, the display thread moves the ring
on, and the thread of the clips takes packets. Clips that overlap take the same packets. A packet stays until it is
older than every clip needs it; beyond the limit of memory, the oldest packets are dropped.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from itertools import islice

from av.packet import Packet
from av.video.stream import VideoStream

from streamer.clips.packets import PacketTimes, RingPacket, RingStream, sequence_parameters
from streamer.media.passthrough_streams import PassthroughPacket, passthrough_packet
from streamer.values.frame import Frame

_BUSY_S, _IDLE_S = 0.1, 0.5
"""How often the thread of the clips is woken at most, and while no clip is open: it takes the audio."""
_OVERHEAD_BYTES = 512
"""Memory of a packet besides its data."""
_LONGEST_WAIT_S = 10.0
"""How long the reading of a file waits for a slow disk before packets are dropped, once in a run."""


class PacketRing:
    """The packets of a time before the newest shown frame, plus those up to the keyframe before.

    Args:
        needed_s: that time, as media time in seconds.
        most_bytes: limit of the memory.
        changed: notified when there is work for the thread of the clips; its lock guards the ring.
        short: called once, by the reading thread, when the limit is too small: with the seconds that it has held.
    """

    def __init__(
        self,
        needed_s: float,
        most_bytes: int,
        changed: threading.Condition | None = None,
        short: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._needed = Fraction(needed_s)
        self._most_bytes = most_bytes
        self._on_short = short
        self._changed = changed or threading.Condition()
        # All under the lock.
        self._packets: deque[RingPacket] = deque()
        self._times = PacketTimes()
        self._next = 0  # number of the next packet
        self._keys: deque[RingPacket] = deque()
        self._pins: dict[str, int] = {}
        self._bytes = self._peak_bytes = 0
        self._shown: Fraction | None = None
        self._shown_s = self._notified_s = 0.0
        self._lossless = self._closed = self._short = False

    @property
    def bytes(self) -> int:
        """The memory in use."""
        with self._changed:
            return self._bytes

    @property
    def peak_bytes(self) -> int:
        """The most memory that was in use."""
        with self._changed:
            return self._peak_bytes

    @property
    def oldest(self) -> Fraction | None:
        """Media time of the first packet, seconds; None if there is none or its time is not known yet."""
        with self._changed:
            return self._packets[0].time if self._packets else None

    @property
    def is_short(self) -> bool:
        """Whether packets that a clip may need were dropped for the limit of memory."""
        with self._changed:
            return self._short

    @property
    def has_packets(self) -> bool:
        """Whether there was ever a packet: webcams and pictures have none."""
        with self._changed:
            return self._next > 0

    @property
    def shown(self) -> Fraction | None:
        """Media time of the newest shown frame, seconds; None before the first."""
        with self._changed:
            return self._shown

    def wait_for_room(self) -> None:
        """From now on, `add` waits for clips that are behind: the source is a file, which can wait."""
        with self._changed:
            self._lossless = True

    # the thread that reads the camera

    def add(self, stream: RingStream, content: PassthroughPacket) -> None:
        """Add the next packet, in decoding order."""
        held_s: float | None = None
        with self._changed:
            if self._closed:
                return
            added = RingPacket(self._next, stream, content, time.monotonic())
            self._next += 1
            self._packets.append(added)
            self._times.add(added)
            if content.is_key:
                self._keys.append(added)
            self._bytes += _size(added)
            if self._bytes > self._most_bytes and self._lossless:
                self._changed.notify_all()
                # Else the disk hangs, or the memory is too small for what the decoder needs: waiting is of no use.
                self._lossless = self._changed.wait_for(lambda: self._closed or not self._is_pinned(), _LONGEST_WAIT_S)
                self._trim()
            if self._bytes > self._most_bytes:
                held_s = self._drop_oldest()
            self._peak_bytes = max(self._peak_bytes, self._bytes)
        if held_s is not None:
            self._on_short(held_s)

    # capture thread

    def place(self, frame: Frame) -> None:
        """A frame was decoded."""
        with self._changed:
            self._times.place(frame)

    # display thread

    def show(self, now: Fraction) -> None:
        """A frame of this media time (seconds) was shown: older packets may leave the ring."""
        with self._changed:
            self._shown, self._shown_s = now, time.monotonic()
            self._trim()
            # While `add` waits for room, every frame counts.
            wait_s = 0.0 if self._lossless else _BUSY_S
            if self._shown_s - self._notified_s >= (wait_s if self._pins else _IDLE_S):
                self._notified_s = self._shown_s
                self._changed.notify_all()

    def pin(self, clip: str) -> None:
        """Keep all packets for the clip of an event until `advance` or `release`."""
        with self._changed:
            self._pins[clip] = self._first
            self._changed.notify_all()

    # the thread of the clips

    @property
    def now_s(self) -> float:
        """Media time as it is now by the clock of this machine, seconds: it goes on while no frame comes."""
        with self._changed:
            return 0.0 if self._shown is None else float(self._shown) + time.monotonic() - self._shown_s

    def held(self) -> list[RingPacket]:
        """All packets with a known time that precede the first one without."""
        with self._changed:
            return self._placed(self._first)

    def take(self, clip: str, until: Fraction, *, final: bool) -> tuple[list[RingPacket], bool]:
        """The next packets of a clip: up to the last one whose picture is shown at or before a time.

        Args:
            clip: the id of its event.
            until: seconds.
            final: include packets without a frame yet: their times are estimated.

        Returns:
            The packets, and whether there is a later one, so that none before `until` is missing.
        """
        with self._changed:
            if final:
                self._times.estimate_all()
            placed = self._placed(self._pins[clip])
            times = [packet.time for packet in placed if packet.time is not None]
            count = max((at for at, shown in enumerate(times, 1) if shown <= until), default=0)
            if count:
                self._pins[clip] = placed[count - 1].number + 1
                self._changed.notify_all()
            return placed[:count], any(shown > until for shown in times)

    def advance(self, clip: str, number: int) -> None:
        """A clip needs no packets before this one."""
        with self._changed:
            self._pins[clip] = max(number, self._pins[clip])
            self._changed.notify_all()

    def release(self, clip: str) -> None:
        """A clip needs no more packets."""
        with self._changed:
            self._pins.pop(clip, None)
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more packets."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # under the lock

    @property
    def _first(self) -> int:
        return self._packets[0].number if self._packets else self._next

    def _is_pinned(self) -> bool:
        return min(self._pins.values(), default=self._next) <= self._first

    def _placed(self, number: int) -> list[RingPacket]:
        """The packets from a number on, up to the first one without a time."""
        found: list[RingPacket] = []
        for packet in islice(self._packets, max(number - self._first, 0), None):
            if packet.time is None:
                break
            found.append(packet)
        return found

    def _trim(self) -> None:
        """Drop the groups of pictures that neither the pre-roll nor a clip needs."""
        if self._shown is None:
            return
        begin = self._shown - self._needed
        needed = min(self._pins.values(), default=self._next)
        while len(self._keys) > 1:
            following = self._keys[1]
            if following.time is None or following.time > begin or following.number > needed:
                return
            self._drop_to(following.number)

    def _drop_oldest(self) -> float | None:
        """Drop groups of pictures beyond the limit of memory. Returns what the ring holds, if that is too little."""
        first = self._packets[0].time
        held = None if first is None or self._shown is None else self._shown - first
        while self._bytes > self._most_bytes and len(self._packets) > 1:
            keys = [key.number for key in islice(self._keys, 2) if key.number > self._first]
            self._drop_to(keys[0] if keys else self._first + 1)
        if self._short or held is None or held >= self._needed:
            return None
        self._short = True
        return float(held)

    def _drop_to(self, number: int) -> None:
        while self._packets and self._packets[0].number < number:
            self._bytes -= _size(self._packets.popleft())
        while self._keys and self._keys[0].number < number:
            self._keys.popleft()
        self._times.forget_before(number)


class PacketFeed:
    """Adds the packets of one stream to a ring. Called by the thread that reads the stream.

    A stream whose parameters change, or become known with the first keyframe, continues as another one.
    """

    def __init__(self, ring: PacketRing, stream: RingStream) -> None:
        self._ring, self._stream = ring, stream
        self._sequence: frozenset[bytes] = frozenset()

    def __call__(self, packet: Packet[VideoStream]) -> None:
        """Add the next packet, in decoding order."""
        content = passthrough_packet(packet)
        if content.is_key:
            self._begin_group(content.data)
        self._ring.add(self._stream, content)

    def _begin_group(self, key: bytes) -> None:
        sequence = sequence_parameters(self._stream.description.codec, key)
        has_changed = bool(sequence) and bool(self._sequence) and sequence != self._sequence
        if has_changed or not all(self._stream.size):
            self._stream = self._stream.of_keyframe(key)
        self._sequence = sequence or self._sequence


def _size(packet: RingPacket) -> int:
    return len(packet.content.data) + _OVERHEAD_BYTES
