"""The streams of an input besides the video that is decoded: audio, subtitles, data, attachments, cover art.

They are copied, never decoded. A source creates a `Passthrough`; the thread that reads the input puts every packet of
these streams into it. Each sink that copies streams takes them from its own `Subscription`, up to the time of the frame
that it writes. So the input is read once for all outputs.
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
"""The limit of queued packets in memory: three minutes of uncompressed stereo audio. Beyond it, packets of a file go to
a temporary file, and the oldest packets of a live source are dropped."""
_OVERHEAD_BYTES = 512
"""Memory of a packet besides its data."""


@dataclass(slots=True)
class _Queue:
    """The queued packets of one stream; an int is the position of a packet in the temporary file."""

    packets: deque[tuple[int, PassthroughPacket | int]] = field(default_factory=deque)
    first: int = 0  # the number of the first queued packet


class Passthrough:
    """All streams of an input that can be copied, with its tags and chapters. Any thread may call any method.

    Args:
        streams: at the start.
        tags: metadata of the input.
        chapters: as `InputContainer.chapters` has them.
        video_tags, video_disposition: of the video that is decoded.
        live: drop packets above the limit, in place of writing them to a temporary file.
        memory_bytes: limit of the queued packets in memory.

    Attributes:
        tags, chapters, video_tags, video_disposition: as given.
        on_read_to: continues to read the input up to a time after the last frame; None if that is impossible.
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
        self._queues: dict[PassthroughStream, _Queue] = {stream: _Queue() for stream in self._streams}
        self._subscriptions: list[Subscription] = []
        self._running = False
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._in_file = 0  # queued packets in the temporary file
        self._dropped = 0
        self._covers: dict[PassthroughStream, PassthroughPacket] = {}

    @property
    def covers(self) -> Mapping[PassthroughStream, PassthroughPacket]:
        """The packets of the cover art read so far."""
        with self._lock:
            return dict(self._covers)

    @property
    def streams(self) -> tuple[PassthroughStream, ...]:
        """The current streams; those of a live source may change with a reconnect."""
        with self._lock:
            return self._streams

    @property
    def dropped(self) -> int:
        """The number of dropped packets of a live source."""
        with self._lock:
            return self._dropped

    def replace_streams(self, streams: Sequence[PassthroughStream]) -> None:
        """Replace the streams; queued packets of other streams are still delivered."""
        with self._lock:
            self._streams = tuple(streams)
            for stream in streams:
                self._queues.setdefault(stream, _Queue())

    def subscribe(self) -> Subscription:
        """Receive all packets from now on; before `begin` also the earlier ones."""
        with self._lock:
            subscription = Subscription(self, {stream: self._next(queue) for stream, queue in self._queues.items()})
            if not self._running:
                subscription.taken = dict.fromkeys(self._queues, 0)
            self._subscriptions.append(subscription)
            return subscription

    def begin(self) -> bool:
        """The reading thread: frames are requested now. Returns whether there is a subscription."""
        with self._lock:
            self._running = True
            self._trim()
            return bool(self._subscriptions)

    def put(self, stream: PassthroughStream, packet: PassthroughPacket) -> None:
        """The reading thread: the next packet of a stream."""
        with self._lock:
            if stream.is_cover:  # a demuxer returns it first, and some return it again
                self._covers.setdefault(stream, dataclasses.replace(packet, pts=0, dts=0))
                return
            if self._running and not self._subscriptions:
                return
            queue = self._queues.setdefault(stream, _Queue())
            size = len(packet.data) + _OVERHEAD_BYTES
            if self._bytes + size <= self._memory_bytes:
                self._bytes += size
                queue.packets.append((packet.ticks, packet))
            elif self._live:
                queue.packets.append((packet.ticks, packet))
                self._bytes += size
                self._drop_oldest()
            else:
                queue.packets.append((packet.ticks, self._store(packet)))

    def read_to(self, time: Fraction) -> None:
        """After the reading thread has ended: read all packets up to a time in seconds, if possible."""
        if self.on_read_to is not None:
            self.on_read_to(time)

    def close(self) -> None:
        """Drop all queued packets."""
        self.on_read_to = None  # usually a method of the source: the reference cycle would keep the source alive
        with self._lock:
            self._queues.clear()
            self._bytes = 0
            if self._file is not None:
                self._file.close()
                self._file = None

    # called by subscriptions

    def take(
        self, subscription: Subscription, until: Fraction | None
    ) -> list[tuple[PassthroughStream, PassthroughPacket]]:
        """See `Subscription.take`."""
        found: list[tuple[Fraction, PassthroughStream, PassthroughPacket]] = []
        with self._lock:
            for stream, queue in self._queues.items():
                # A live source may have dropped packets that were not taken.
                at = max(subscription.taken.setdefault(stream, queue.first) - queue.first, 0)
                time = None
                while at < len(queue.packets):
                    ticks, entry = queue.packets[at]
                    own = ticks * stream.time_base
                    if until is not None and own > until:
                        break
                    time = own if time is None else max(time, own)  # the order within a stream is kept
                    found.append((time, stream, self._load(entry) if isinstance(entry, int) else entry))
                    at += 1
                subscription.taken[stream] = queue.first + at
            self._trim()
        found.sort(key=lambda one: one[0])
        return [(stream, packet) for _, stream, packet in found]

    def peek(self, subscription: Subscription, stream: PassthroughStream, count: int) -> list[PassthroughPacket]:
        """See `Subscription.peek`."""
        with self._lock:
            queue = self._queues.get(stream)
            if queue is None:
                return []
            at = subscription.taken.get(stream, queue.first) - queue.first
            waiting = islice(queue.packets, at, at + count)
            return [self._load(entry) if isinstance(entry, int) else entry for _, entry in waiting]

    def unsubscribe(self, subscription: Subscription) -> None:
        """See `Subscription.close`."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                self._trim()

    # under the lock

    @staticmethod
    def _next(queue: _Queue) -> int:
        return queue.first + len(queue.packets)

    def _trim(self) -> None:
        """Remove the packets that all subscriptions have taken."""
        if not self._running:
            return
        for stream, queue in self._queues.items():
            needed = min((one.taken.get(stream, queue.first) for one in self._subscriptions), default=self._next(queue))
            while queue.first < needed:
                self._drop_first(queue)

    def _drop_first(self, queue: _Queue) -> None:
        _, entry = queue.packets.popleft()
        queue.first += 1
        if not isinstance(entry, int):
            self._bytes -= len(entry.data) + _OVERHEAD_BYTES
            return
        self._in_file -= 1
        if self._in_file == 0 and self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def _drop_oldest(self) -> None:
        while self._bytes > self._memory_bytes:
            queues = [(stream, queue) for stream, queue in self._queues.items() if queue.packets]
            _, oldest = min(queues, key=lambda one: one[1].packets[0][0] * one[0].time_base)
            self._drop_first(oldest)
            self._dropped += 1

    def _store(self, packet: PassthroughPacket) -> int:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="streamer-")  # noqa: SIM115 - closed by `close`
        at = self._file.seek(0, io.SEEK_END)
        pickle.dump(packet, self._file)
        self._in_file += 1
        return at

    def _load(self, at: int) -> PassthroughPacket:
        assert self._file is not None
        self._file.seek(at)
        packet: PassthroughPacket = pickle.load(self._file)
        return packet


class Subscription:
    """The position of one sink in a `Passthrough`. Used by the thread that owns the sink.

    Attributes:
        taken: number of packets taken from each stream; owned by the `Passthrough`, under its lock.
    """

    def __init__(self, passthrough: Passthrough, taken: dict[PassthroughStream, int]) -> None:
        self._passthrough = passthrough
        self.taken = taken

    def take(self, until: Fraction | None) -> list[tuple[PassthroughStream, PassthroughPacket]]:
        """Take the packets up to and including a time, by rising time.

        Args:
            until: seconds; None for all.

        Raises:
            OSError: the temporary file cannot be read.
        """
        return self._passthrough.take(self, until)

    def peek(self, stream: PassthroughStream, count: int) -> list[PassthroughPacket]:
        """The next queued packets of a stream, at most `count`; they remain queued."""
        return self._passthrough.peek(self, stream, count)

    def close(self) -> None:
        """End the subscription. Calling it twice is fine."""
        self._passthrough.unsubscribe(self)
