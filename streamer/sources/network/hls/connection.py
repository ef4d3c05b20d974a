"""A live HLS source: one FFmpeg container for each period between two discontinuities, all played at one pace.

Each period needs a container of its own: FFmpeg supports neither a second initialization section of fragmented MP4 nor
another codec within a stream, and it takes restarted packet counters of MPEG-TS for packet loss. Opened, read and
closed by the thread of its connection.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.media.packet_tap import PacketTap
from streamer.media.passthrough_streams import PassthroughStream, describe_streams, passthrough_packet
from streamer.sources.decode.missing_parameters import has_unknown_parameters
from streamer.sources.live.clock_epochs import ClockEpochs
from streamer.sources.live.connection import POLL_S, LiveFrame, LiveItem, LivePacket
from streamer.sources.live.paced import Pace
from streamer.sources.network.address import Address
from streamer.sources.network.ffmpeg_options import PROBED
from streamer.sources.network.hls.opening import ChosenVariant
from streamer.sources.network.hls.segment_file import SegmentFile, next_segment
from streamer.sources.network.hls.segment_loader import TS_SYNC, LoadedSegment, SegmentLoader, duration_from_start
from streamer.sources.network.live_container import LiveContainerConnection
from streamer.system.threads import Thread

_AUDIO_WAIT_S = 5.0
_LEAD_S = Fraction(2)
"""Audio of a separate playlist is passed on up to this long before its frame; it may be loaded much earlier."""


class HlsConnection:
    """See `streamer.sources.live.connection.Connection`.

    Args:
        chosen: the playlists that are read.
        address: of the source.
        settings: of the source.
        is_active: asked while waiting.
        packet_tap: gets the video packets.
    """

    def __init__(
        self,
        chosen: ChosenVariant,
        address: Address,
        settings: SourceSettings,
        is_active: Callable[[], bool],
        packet_tap: PacketTap | None,
    ) -> None:
        self._name = address.name
        self._settings = settings
        self._is_active = is_active
        self._packet_tap = packet_tap
        self._pace = Pace.of_segments(is_active)
        self._loader = SegmentLoader(address, settings, chosen.url, chosen.playlist)
        self._audio: _AudioReader | None = None
        if chosen.audio_url is not None and chosen.audio is not None:
            least_s = duration_from_start(chosen.playlist)
            loader = SegmentLoader(address, settings, chosen.audio_url, chosen.audio, least_s)
            self._audio = _AudioReader(loader, address.name, is_active)
            self._settings = settings.model_copy(update={"audio": False})  # the video's segments have none
        try:
            first = next_segment(self._loader, is_active)
            if first is None:
                raise SourceLost(f"{self._name}: the stream ended before its first frame", "ended")
            self._open(first)
        except BaseException:
            self._end()
            raise

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """See `streamer.sources.live.connection.AudioConnection`."""
        return self._period.streams if self._audio is None else self._audio.streams

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        return self._period.info

    def frames(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        while True:
            for item in self._period.frames():
                if self._audio is not None and isinstance(item, LiveFrame) and item.pts is not None:
                    yield from self._audio.until(item)
                yield item
                self._epochs.add_missing(self._file.take_lost_s())
            self._file.check()
            following = self._file.following
            if following is None:
                return
            self._period.close()
            self._open(following)

    def close(self) -> None:
        """Close all connections."""
        self._period.close()
        self._end()

    def _end(self) -> None:
        self._loader.close()
        if self._audio is not None:
            self._audio.close()

    def _open(self, first: LoadedSegment) -> None:
        self._epochs = ClockEpochs(first.period)
        self._file = SegmentFile(self._loader, self._is_active, first)
        try:
            container = open_segments(self._file, first, self._name)
        except SourceLost:
            self._file.check()  # this may be the reason
            raise
        self._period = LiveContainerConnection(
            container, self._name, self._settings, self._packet_tap, pace=self._pace, epochs=self._epochs
        )


class _AudioReader:
    """Reads the audio of a separate playlist on a thread of its own, and returns it along with the frames."""

    def __init__(self, loader: SegmentLoader, name: str, is_active: Callable[[], bool]) -> None:
        self._loader = loader
        self._name = name
        self._connection_is_active = is_active
        self._lock = threading.Lock()
        # Under the lock.
        self._packets: deque[LivePacket] = deque(maxlen=20_000)
        self._streams: tuple[PassthroughStream, ...] = ()
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._thread = Thread("hls-sound", self._run)
        self._thread.start()
        # The streams are needed when the connection opens, but frames do not wait long for audio that is late.
        until_s = time.monotonic() + _AUDIO_WAIT_S
        while is_active() and not self._ready.wait(POLL_S) and time.monotonic() < until_s:
            pass

    @property
    def streams(self) -> tuple[PassthroughStream, ...]:
        """The stream of the packet that was returned last."""
        with self._lock:
            return self._streams

    def until(self, frame: LiveFrame) -> Iterator[LivePacket]:
        """The packets up to `_LEAD_S` after a frame."""
        assert frame.pts is not None
        shown_s = frame.pts * frame.time_base
        while True:
            with self._lock:
                if not self._packets:
                    return
                packet = self._packets[0]
                is_later = packet.epoch == frame.epoch and packet.time_s > shown_s + _LEAD_S
                if packet.epoch > frame.epoch or is_later:
                    return
                self._packets.popleft()
                if packet.stream not in self._streams:
                    self._streams = (packet.stream,)
            yield replace(packet, arrived_s=time.monotonic())

    def close(self) -> None:
        """End the thread. Closing twice is fine."""
        self._closing.set()
        self._loader.close()

    def _run(self) -> None:
        try:
            following = next_segment(self._loader, self._is_active)
            while following is not None:
                file = SegmentFile(self._loader, self._is_active, following)
                with open_segments(file, following, self._name) as container:
                    self._read(container, ClockEpochs(following.period))
                following = file.following
        except (SourceLost, SourceUnavailable, av.error.FFmpegError, OSError):
            return  # the video continues without audio
        finally:
            self._ready.set()

    def _is_active(self) -> bool:
        return self._connection_is_active() and not self._closing.is_set()

    def _read(self, container: InputContainer, epochs: ClockEpochs) -> None:
        found = next((one for one in container.streams.audio if not has_unknown_parameters(one)), None)
        if found is None:
            return
        (stream,) = describe_streams([found])
        with self._lock:
            self._streams = self._streams or (stream,)
        self._ready.set()
        for packet in container.demux(found):
            if packet.size and (packet.pts is not None or packet.dts is not None):
                ticks: Any = packet.pts if packet.dts is None else packet.dts
                epoch = epochs.of(0, float(ticks * packet.time_base))
                live = LivePacket(stream, passthrough_packet(packet), time.monotonic(), epoch)
                with self._lock:
                    self._packets.append(live)


def open_segments(file: SegmentFile, first: LoadedSegment, name: str) -> InputContainer:
    """Open a container over the segments of a period.

    Raises:
        SourceLost: FFmpeg cannot read them.
    """
    kind = "mov" if first.fragmented else "mpegts" if first.data[:1] == TS_SYNC else None
    try:
        return av.open(file, "r", format=kind, options=dict(PROBED), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = f"a segment cannot be read ({reason(error)}); check whether the stream plays in another player"
        raise SourceLost(f"{name}: {what}", "no video") from error
