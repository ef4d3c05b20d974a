"""The streams of an input besides the video that is decoded: audio, subtitles, data, attachments, cover pictures.

They are copied, never decoded. A source makes a `Passthrough`; the thread that reads the input puts every packet of
these streams into it, and each sink that copies streams takes them from a `Subscription` of its own, up to the time of
the frame that it writes. So the input is read once, whatever the outputs are.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import IO, Any

from av.stream import Disposition

from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream

MEMORY_BYTES = 32 << 20
"""Packets kept in memory for outputs that have not come to their time yet: three minutes of uncompressed stereo sound.
Packets of a file beyond that wait in a temporary file, those of a live source are dropped, the oldest first."""
_OVERHEAD_BYTES = 512
"""What a packet takes besides its data."""


@dataclass(slots=True)
class _Lane:
    """The packets of one stream that somebody has still to take; an int is where in the spill a packet is."""

    packets: deque[tuple[int, PassthroughPacket | int]] = field(default_factory=deque)
    first: int = 0  # the number of the first of them


class Passthrough:
    """All streams of an input that can be copied, with its tags and chapters. Any thread may call any method.

    Args:
        streams: what there is from the start.
        tags: metadata of the input.
        chapters: as `InputContainer.chapters` has them.
        video_tags, video_disposition: of the video that is decoded.
        live: drop packets that nobody takes, in place of keeping them on the disk.
        memory_bytes: of packets that wait.

    Attributes:
        tags, chapters, video_tags, video_disposition: as given.
        on_read_to: reads the input on up to a time when no more frames are wanted; None where that cannot be done.
    """

    def __init__(
        self,
        streams: Sequence[PassthroughStream] = (),
        *,
        tags: Mapping[str, str] | None = None,
        chapters: Sequence[Any] = (),
        video_tags: Mapping[str, str] | None = None,
        video_disposition: Disposition = Disposition(0),  # noqa: B008 - immutable
        live: bool = False,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.tags = dict(tags or {})
        self.chapters = tuple(chapters)
        self.video_tags = dict(video_tags or {})
        self.video_disposition = video_disposition
        self.on_read_to: Callable[[Fraction], None] | None = None
        self._live = live
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        # All under the lock.
        self._streams = tuple(streams)
        self._lanes: dict[PassthroughStream, _Lane] = {stream: _Lane() for stream in self._streams}
        self._subscriptions: list[Subscription] = []
        self._running = False
        self._bytes = 0
        self._spill: IO[bytes] | None = None
        self._spilled = 0  # packets in the spill that have still to be taken
        self._dropped = 0
        self._covers: dict[PassthroughStream, PassthroughPacket] = {}

    @property
    def covers(self) -> Mapping[PassthroughStream, PassthroughPacket]:
        """The pictures of the covers that were read."""
        with self._lock:
            return dict(self._covers)

    @property
    def streams(self) -> tuple[PassthroughStream, ...]:
        """What there is at the moment; of a live source that may change with a reconnect."""
        with self._lock:
            return self._streams

    @property
    def dropped(self) -> int:
        """Packets of a live source that nobody took in time."""
        with self._lock:
            return self._dropped

    def replace_streams(self, streams: Sequence[PassthroughStream]) -> None:
        """From now on there are these; packets of others that wait are still given out."""
        with self._lock:
            self._streams = tuple(streams)
            for stream in streams:
                self._lanes.setdefault(stream, _Lane())

    def subscribe(self) -> Subscription:
        """Get all packets from now on; before `begin` also those that came already."""
        with self._lock:
            subscription = Subscription(self, {stream: self._next(lane) for stream, lane in self._lanes.items()})
            if not self._running:
                subscription.taken = dict.fromkeys(self._lanes, 0)
            self._subscriptions.append(subscription)
            return subscription

    def begin(self) -> bool:
        """The reading thread: frames are wanted now. Whether anybody wants packets too."""
        with self._lock:
            self._running = True
            self._trim()
            return bool(self._subscriptions)

    def put(self, stream: PassthroughStream, packet: PassthroughPacket) -> None:
        """The reading thread: the next packet of a stream."""
        with self._lock:
            if stream.is_cover:  # a demuxer gives it before anything else, and some give it again
                self._covers.setdefault(stream, dataclasses.replace(packet, pts=0, dts=0))
                return
            if self._running and not self._subscriptions:
                return
            lane = self._lanes.setdefault(stream, _Lane())
            size = len(packet.data) + _OVERHEAD_BYTES
            if self._bytes + size <= self._memory_bytes:
                self._bytes += size
                lane.packets.append((packet.ticks, packet))
            elif self._live:
                lane.packets.append((packet.ticks, packet))
                self._bytes += size
                self._drop_oldest()
            else:
                lane.packets.append((packet.ticks, self._store(packet)))

    def read_to(self, time: Fraction) -> None:
        """Once the reading thread has ended: see that the packets up to a time in seconds are here, if that can be."""
        if self.on_read_to is not None:
            self.on_read_to(time)

    def close(self) -> None:
        """Forget everything that waits."""
        self.on_read_to = None  # a method of the source as a rule: a cycle would keep all of it
        with self._lock:
            self._lanes.clear()
            self._bytes = 0
            if self._spill is not None:
                self._spill.close()
                self._spill = None

    # called by subscriptions

    def take(
        self, subscription: Subscription, until: Fraction | None
    ) -> list[tuple[PassthroughStream, PassthroughPacket]]:
        """See `Subscription.take`."""
        found: list[tuple[Fraction, PassthroughStream, PassthroughPacket]] = []
        with self._lock:
            for stream, lane in self._lanes.items():
                # A live source may have dropped what was not taken yet.
                at = max(subscription.taken.setdefault(stream, lane.first) - lane.first, 0)
                time = None
                while at < len(lane.packets):
                    ticks, entry = lane.packets[at]
                    own = ticks * stream.time_base
                    if until is not None and own > until:
                        break
                    time = own if time is None else max(time, own)  # a stream keeps its order
                    found.append((time, stream, self._load(entry) if isinstance(entry, int) else entry))
                    at += 1
                subscription.taken[stream] = lane.first + at
            self._trim()
        found.sort(key=lambda one: one[0])
        return [(stream, packet) for _, stream, packet in found]

    def peek(self, subscription: Subscription, stream: PassthroughStream, count: int) -> list[PassthroughPacket]:
        """See `Subscription.peek`."""
        with self._lock:
            lane = self._lanes.get(stream)
            if lane is None:
                return []
            at = subscription.taken.get(stream, lane.first) - lane.first
            waiting = islice(lane.packets, at, at + count)
            return [self._load(entry) if isinstance(entry, int) else entry for _, entry in waiting]

    def unsubscribe(self, subscription: Subscription) -> None:
        """See `Subscription.close`."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                self._trim()

    # under the lock

    @staticmethod
    def _next(lane: _Lane) -> int:
        return lane.first + len(lane.packets)

    def _trim(self) -> None:
        """Let go what everybody has taken."""
        if not self._running:
            return
        for stream, lane in self._lanes.items():
            wanted = min((one.taken.get(stream, lane.first) for one in self._subscriptions), default=self._next(lane))
            while lane.first < wanted:
                self._forget(lane)

    def _forget(self, lane: _Lane) -> None:
        _, entry = lane.packets.popleft()
        lane.first += 1
        if not isinstance(entry, int):
            self._bytes -= len(entry.data) + _OVERHEAD_BYTES
            return
        self._spilled -= 1
        if self._spilled == 0 and self._spill is not None:
            self._spill.seek(0)
            self._spill.truncate()

    def _drop_oldest(self) -> None:
        while self._bytes > self._memory_bytes:
            lanes = [(stream, lane) for stream, lane in self._lanes.items() if lane.packets]
            _, oldest = min(lanes, key=lambda one: one[1].packets[0][0] * one[0].time_base)
            self._forget(oldest)
            self._dropped += 1

    def _store(self, packet: PassthroughPacket) -> int:
        if self._spill is None:
            self._spill = tempfile.TemporaryFile(prefix="streamer-")  # noqa: SIM115 - closed by `close`
        at = self._spill.seek(0, io.SEEK_END)
        pickle.dump(packet, self._spill)
        self._spilled += 1
        return at

    def _load(self, at: int) -> PassthroughPacket:
        assert self._spill is not None
        self._spill.seek(at)
        packet: PassthroughPacket = pickle.load(self._spill)
        return packet


class Subscription:
    """What one sink takes of a `Passthrough`. Used by the thread that owns the sink.

    Attributes:
        taken: how many packets of each stream were taken; the `Passthrough`'s own, under its lock.
    """

    def __init__(self, passthrough: Passthrough, taken: dict[PassthroughStream, int]) -> None:
        self._passthrough = passthrough
        self.taken = taken

    def take(self, until: Fraction | None) -> list[tuple[PassthroughStream, PassthroughPacket]]:
        """The packets that came up to and including a time, by rising time; each is given out once.

        Args:
            until: seconds; None for all.

        Raises:
            OSError: the disk refuses those that wait on it.
        """
        return self._passthrough.take(self, until)

    def peek(self, stream: PassthroughStream, count: int) -> list[PassthroughPacket]:
        """The next packets of a stream that are here already, at most `count`; they stay where they are."""
        return self._passthrough.peek(self, stream, count)

    def close(self) -> None:
        """Take no more. Fine a second time."""
        self._passthrough.unsubscribe(self)
