"""The sound of a live stream: which streams of the input a connection carries, and their packets on its clock.

Used by the thread that writes the stream sink. The tracks live as long as one connection.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import av

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sinks.muxing.audio import Transcoder, add_described, parameters_of, spill_failure
from streamer.sinks.muxing.timing import Timeline
from streamer.sinks.publish.encoder import EncodedPacket
from streamer.sinks.publish.target import StreamTarget

# What the receivers of each kind decode, of what the muxers write: RTP has payloads for these (RFC 3551, 3640, 7587),
# all servers of RTMP take AAC, and of HLS and transport streams these are what Apple and others play.
# Everything else is encoded as AAC, which all of them know.
_COPIED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "rtsp": frozenset({"aac", "opus", "pcm_mulaw", "pcm_alaw", "mp2", "mp3"}),
        "flv": frozenset({"aac"}),
        "mpegts": frozenset({"aac", "mp2", "mp3", "ac3", "eac3"}),
        "hls": frozenset({"aac", "mp3", "ac3", "eac3"}),
    }
)
_NAMES = {"rtsp": "RTSP", "flv": "RTMP", "mpegts": "MPEG-TS", "hls": "HLS"}
_MOST_STREAMS = {"flv": 1}
_PACKETS = {"rtsp": "rtp", "hls": "mpegts"}
"""The muxer that writes the packets of another."""
_MOST_CHANNELS = 2
"""Of sound that is encoded: a live stream is heard on a phone or a computer."""


class SoundTrack:
    """One stream of sound on one connection: copied if receivers decode it, else encoded as AAC.

    Args:
        number: of the stream in the connection; 0 is the video.
        stream: of the input.
        target: where it goes.

    Attributes:
        parameters: what is known of its codec, for `sound.add_with_parameters`.
        time_base: seconds per tick of its packets.
        codec: it is encoded as; empty if it is copied.

    Raises:
        ValueError: it can be neither copied nor encoded.
    """

    def __init__(self, number: int, stream: PassthroughStream, target: StreamTarget) -> None:
        self._number = number
        self._stream = stream
        self._transcoder: Transcoder | None = None
        self.codec = ""
        if _is_copied(stream, target.muxer):
            self.parameters = parameters_of(stream.template)
            self.time_base = stream.time_base
        else:
            # The null format takes everything; it only holds the encoder.
            holder: Any = av.open(io.BytesIO(), "w", format="null")
            self._transcoder = Transcoder(holder, stream, encoder="aac", most_channels=_MOST_CHANNELS)
            holder.start_encoding()
            self.codec = self._transcoder.codec
            self.parameters = parameters_of(self._transcoder.stream)
            self.time_base = self._transcoder.time_base
        self._timeline = Timeline(jump=round(1 / self.time_base))

    def packets(self, packet: PassthroughPacket, offset: Fraction) -> list[EncodedPacket]:
        """What to send for a packet of the input.

        Args:
            packet: which begins at time 0 of the connection, or later.
            offset: seconds from the input's clock to that of the connection.
        """
        if self._transcoder is None:
            ticks = packet.ticks if packet.pts is None else packet.pts
            found = [(packet.data, ticks, packet.duration)]
        else:
            encoded = self._transcoder.encode(packet)
            found = [(bytes(one), one.pts or 0, one.duration or 0) for one in encoded]
        moved = round(offset / self.time_base)
        sent = []
        for data, ticks, duration in found:
            if ticks + moved >= 0:  # not the lead-in of the encoder
                placed = self._timeline.place(ticks + moved, duration)
                sent.append(EncodedPacket(data, placed, placed, True, self._number, duration))
        return sent


class StreamSound:
    """The sound of all connections of one sink, one after the other.

    Args:
        passthrough: of the input.
        target: where it goes.
        say: is told what is not exactly as in the input.
    """

    def __init__(self, passthrough: Passthrough, target: StreamTarget, say: Callable[[str], None]) -> None:
        self._passthrough = passthrough
        self._subscription = passthrough.subscribe()
        self._target = target
        self._say = say
        self._known: frozenset[PassthroughStream] = frozenset()
        self._tracks: dict[PassthroughStream, SoundTrack] = {}
        self._taken: list[tuple[PassthroughStream, PassthroughPacket]] = []

    @property
    def tracks(self) -> list[SoundTrack]:
        """Of the connection, in the order of their numbers."""
        return list(self._tracks.values())

    def choose(self) -> None:
        """Begin a connection: take up the streams that there are now."""
        self._taken.clear()
        streams = self._passthrough.streams
        self._known = frozenset(streams)
        self._tracks = {}
        kind = _NAMES[self._target.muxer]
        for stream in streams:
            told = f"the {stream.description} of the input"
            if stream.kind != "audio":
                self._say(f"{kind} is sent with sound only: {told} is left out")
                continue
            if len(self._tracks) == _MOST_STREAMS.get(self._target.muxer):
                self._say(f"{kind} holds one stream of sound: {told} is left out")
                continue
            try:
                track = SoundTrack(len(self._tracks) + 1, stream, self._target)
            except ValueError as error:
                self._say(f"{told} is left out: {error}")
                continue
            self._tracks[stream] = track
            if track.codec:
                self._say(f"{told} is sent as {track.codec}, which players of {kind} know")

    def take(self, until: Fraction) -> bool:
        """Get the packets up to a time, seconds: whether there is a stream that the connection was not begun with.

        Raises:
            SinkError: the disk refuses packets that wait on it.
        """
        try:
            self._taken += self._subscription.take(until)
        except OSError as error:
            raise spill_failure(error) from error
        return any(stream not in self._known and stream.kind == "audio" for stream, _ in self._taken)

    def packets(self, offset: Fraction) -> list[EncodedPacket]:
        """What is to be sent of the packets that were taken.

        Args:
            offset: seconds from the input's clock to that of the connection, which begins at 0.
        """
        sent: list[EncodedPacket] = []
        for stream, packet in self._taken:
            track = self._tracks.get(stream)
            if track is not None and packet.ticks * stream.time_base + offset >= 0:
                sent += track.packets(packet, offset)
        self._taken.clear()
        return sent

    def drop(self, until: Fraction) -> None:
        """There is no connection: what came up to a time, seconds, is not sent."""
        self.take(until)
        self._taken.clear()

    def close(self) -> None:
        """Take no more. Fine a second time."""
        self._subscription.close()


def _is_copied(stream: PassthroughStream, muxer: str) -> bool:
    if stream.template is None:
        raise ValueError("its codec is not known")
    context = stream.template.codec_context
    codec = context.codec.canonical_name
    if codec not in _COPIED[muxer]:
        return False
    if muxer == "rtsp" and codec == "aac" and not context.extradata:
        return False  # what players need to know stands in each packet of a transport stream, RTP wants it beforehand
    scratch: Any = av.open(io.BytesIO(), "w", format=_PACKETS.get(muxer, muxer))
    try:
        add_described(scratch, stream.template)
        scratch.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True
