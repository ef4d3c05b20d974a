"""A live HLS source: one FFmpeg container for each period between two discontinuities, played at one pace.

A new container, because FFmpeg takes neither another initialization of fragmented MP4 nor another codec in mid-stream,
and takes packet counters of MPEG-TS that begin anew for loss. Opened, read and closed by the thread of its connection.
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

from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import PacketTap, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.media.passthrough_streams import PassthroughStream, describe_streams, passthrough_packet
from streamer.sources.decode.deinterlacing import Deinterlace
from streamer.sources.decode.missing_parameters import has_unknown_parameters
from streamer.sources.decode.opening import choose_video
from streamer.sources.live.connection import ASK_EVERY_S, LiveItem, LivePacket, LivePicture
from streamer.sources.live.eras import Eras
from streamer.sources.live.paced import Pace
from streamer.sources.network.hls.follower import TS_SYNC, Follower, Loaded, lasts_s
from streamer.sources.network.hls.opening import Chosen
from streamer.sources.network.hls.period import SegmentFile, next_segment
from streamer.sources.network.live_container import LiveContainerConnection
from streamer.sources.network.options import PROBED

_SOUND_WAIT_S = 5.0
_LEAD_S = Fraction(2)
"""Sound from a playlist of its own goes on this much before its picture; it may be there much earlier."""


class HlsConnection:
    """See `streamer.sources.live.connection.Connection`.

    Args:
        chosen: what is read.
        name: without credentials.
        wanted: asked while waiting.
        tap: told of the packets.
        audio: give the packets of its sound too.
        deinterlace: which pictures to make progressive.
    """

    def __init__(
        self,
        chosen: Chosen,
        name: str,
        wanted: Callable[[], bool],
        tap: PacketTap | None,
        *,
        audio: bool,
        deinterlace: Deinterlace = "off",
    ) -> None:
        self._name = name
        self._wanted = wanted
        self._tap = tap
        self._audio = audio
        self._deinterlace: Deinterlace = deinterlace
        self._pace = Pace.of_segments(wanted)
        self._follower = Follower(chosen.web, chosen.url, chosen.playlist, name)
        self._sound: _SoundReader | None = None
        if chosen.audio_url is not None and chosen.audio is not None:
            follower = Follower(chosen.web, chosen.audio_url, chosen.audio, name, lasts_s(chosen.playlist))
            self._sound = _SoundReader(follower, name, wanted)
        try:
            first = next_segment(self._follower, wanted)
            if first is None:
                raise SourceLost(f"{name}: the stream ended before its first picture", "ended")
            self._open(first)
        except BaseException:
            self._end()
            raise

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """See `streamer.sources.live.connection.SoundConnection`."""
        return self._period.streams if self._sound is None else self._sound.streams

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        return self._period.info

    def pictures(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        while True:
            for item in self._period.pictures():
                if self._sound is not None and isinstance(item, LivePicture) and item.pts is not None:
                    yield from self._sound.until(item)
                yield item
                self._eras.missing(self._file.take_lost())
            self._file.check()
            following = self._file.following
            if following is None:
                return
            self._period.close()
            self._open(following)

    def close(self) -> None:
        """Release it."""
        self._period.close()
        self._end()

    def _end(self) -> None:
        self._follower.close()
        if self._sound is not None:
            self._sound.close()

    def _open(self, first: Loaded) -> None:
        self._eras = Eras(first.period)
        self._file = SegmentFile(self._follower, self._wanted, first)
        try:
            container = open_segments(self._file, first, self._name)
        except SourceLost:
            self._file.check()  # which may be the reason
            raise
        try:
            stream = choose_video(container, self._name)
            audio = self._audio and self._sound is None
            self._period = LiveContainerConnection(
                container,
                stream,
                self._name,
                self._pace,
                self._tap,
                audio=audio,
                eras=self._eras,
                deinterlace=self._deinterlace,
            )
        except BaseException:
            container.close()
            raise


class _SoundReader:
    """The sound of a playlist of its own, read by a thread of its own and given out beside the pictures."""

    def __init__(self, follower: Follower, name: str, wanted: Callable[[], bool]) -> None:
        self._follower = follower
        self._name = name
        self._wanted = wanted
        self._lock = threading.Lock()
        # Under the lock.
        self._packets: deque[LivePacket] = deque(maxlen=20_000)
        self._streams: tuple[PassthroughStream, ...] = ()
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamer-hls-sound", daemon=True)
        self._thread.start()
        # The streams are to be known with the connection, but pictures do not wait long for sound that does not come.
        until_s = time.monotonic() + _SOUND_WAIT_S
        while wanted() and not self._ready.wait(ASK_EVERY_S) and time.monotonic() < until_s:
            pass

    @property
    def streams(self) -> tuple[PassthroughStream, ...]:
        """Of the packet that was given out last."""
        with self._lock:
            return self._streams

    def until(self, picture: LivePicture) -> Iterator[LivePacket]:
        """What is heard up to shortly after a picture."""
        assert picture.pts is not None
        shown_s = picture.pts * picture.time_base
        while True:
            with self._lock:
                if not self._packets:
                    return
                packet = self._packets[0]
                if packet.era > picture.era or (packet.era == picture.era and packet.time_s > shown_s + _LEAD_S):
                    return
                self._packets.popleft()
                if packet.stream not in self._streams:
                    self._streams = (packet.stream,)
            yield replace(packet, arrived_s=time.monotonic())

    def close(self) -> None:
        """End its thread. Fine a second time."""
        self._closing.set()
        self._follower.close()

    def _run(self) -> None:
        try:
            following = next_segment(self._follower, self._is_wanted)
            while following is not None:
                file = SegmentFile(self._follower, self._is_wanted, following)
                with open_segments(file, following, self._name) as container:
                    self._read(container, Eras(following.period))
                following = file.following
        except (SourceLost, SourceUnavailable, av.error.FFmpegError, OSError):
            return  # the pictures go on without it
        finally:
            self._ready.set()

    def _is_wanted(self) -> bool:
        return self._wanted() and not self._closing.is_set()

    def _read(self, container: InputContainer, eras: Eras) -> None:
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
                era = eras.of(0, float(ticks * packet.time_base))
                live = LivePacket(stream, passthrough_packet(packet), time.monotonic(), era)
                with self._lock:
                    self._packets.append(live)


def open_segments(file: SegmentFile, first: Loaded, name: str) -> InputContainer:
    """A container over the segments of a period.

    Raises:
        SourceLost: FFmpeg does not know them.
    """
    kind = "mov" if first.fragmented else "mpegts" if first.data[:1] == TS_SYNC else None
    try:
        return av.open(file, "r", format=kind, options=dict(PROBED), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = f"a segment cannot be read ({reason(error)}); see whether it plays elsewhere"
        raise SourceLost(f"{name}: {what}", "no video") from error
