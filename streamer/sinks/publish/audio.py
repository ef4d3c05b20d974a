"""The audio of a live stream: selects streams of the input and puts their packets on the clock of the connection.

Used by the thread that writes the stream sink. A track lasts as long as one connection.
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

# Codecs that the muxers write and receivers decode: RTP has payload formats for these (RFC 3551, 3640, 7587), all RTMP
# servers take AAC, and Apple and other players play these in HLS and transport streams. Everything else is encoded as
# AAC, which all receivers decode.
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
"""The muxer that packs the streams inside another format."""
_MOST_CHANNELS = 2  # of encoded audio


class AudioTrack:
    """One audio stream of a connection: copied if receivers decode it, else encoded as AAC.

    Args:
        number: index of the stream in the connection; 0 is the video.
        stream: of the input.
        target: of the connection.

    Attributes:
        parameters: codec parameters, for `sound.add_with_parameters`.
        time_base: seconds per tick of its packets.
        codec: name of the codec if the stream is encoded, empty if it is copied.

    Raises:
        ValueError: the stream can be neither copied nor encoded.
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
            # The null muxer takes every codec; it only holds the encoder.
            holder: Any = av.open(io.BytesIO(), "w", format="null")
            self._transcoder = Transcoder(holder, stream, encoder="aac", most_channels=_MOST_CHANNELS)
            holder.start_encoding()
            self.codec = self._transcoder.codec
            self.parameters = parameters_of(self._transcoder.stream)
            self.time_base = self._transcoder.time_base
        self._timeline = Timeline(jump=round(1 / self.time_base))

    def packets(self, packet: PassthroughPacket, offset: Fraction) -> list[EncodedPacket]:
        """The packets to send for a packet of the input.

        Args:
            packet: at time 0 of the connection or later.
            offset: added to the input's clock to get that of the connection, seconds.
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
            if ticks + moved >= 0:  # not the encoder's priming samples
                placed = self._timeline.place(ticks + moved, duration)
                sent.append(EncodedPacket(data, placed, placed, True, self._number, duration))
        return sent


class StreamAudio:
    """The audio of one sink, over all its connections.

    Args:
        passthrough: the other streams of the input.
        target: of the connections.
        report: called with a line for everything that differs from the input.
    """

    def __init__(self, passthrough: Passthrough, target: StreamTarget, report: Callable[[str], None]) -> None:
        self._passthrough = passthrough
        self._subscription = passthrough.subscribe()
        self._target = target
        self._report = report
        self._known: frozenset[PassthroughStream] = frozenset()
        self._tracks: dict[PassthroughStream, AudioTrack] = {}
        self._taken: list[tuple[PassthroughStream, PassthroughPacket]] = []

    @property
    def tracks(self) -> list[AudioTrack]:
        """Tracks of the connection, in the order of their numbers."""
        return list(self._tracks.values())

    def choose(self) -> None:
        """Select the streams of the input for a new connection."""
        self._taken.clear()
        streams = self._passthrough.streams
        self._known = frozenset(streams)
        self._tracks = {}
        kind = _NAMES[self._target.muxer]
        for stream in streams:
            name = f"the {stream.description} of the input"
            if stream.kind != "audio":
                self._report(f"{kind} carries audio only besides video: {name} is left out")
                continue
            if len(self._tracks) == _MOST_STREAMS.get(self._target.muxer):
                self._report(f"{kind} carries one audio stream: {name} is left out")
                continue
            try:
                track = AudioTrack(len(self._tracks) + 1, stream, self._target)
            except ValueError as error:
                self._report(f"{name} is left out: {error}")
                continue
            self._tracks[stream] = track
            if track.codec:
                self._report(f"{name} is sent as {track.codec}, which {kind} players decode")

    def take(self, until: Fraction) -> bool:
        """Fetch the packets up to a time, seconds; True if they include an audio stream that is new to the connection.

        Raises:
            SinkError: the packets were buffered on a disk that failed.
        """
        try:
            self._taken += self._subscription.take(until)
        except OSError as error:
            raise spill_failure(error) from error
        return any(stream not in self._known and stream.kind == "audio" for stream, _ in self._taken)

    def packets(self, offset: Fraction) -> list[EncodedPacket]:
        """The packets to send, of those that were fetched.

        Args:
            offset: added to the input's clock to get that of the connection, which begins at 0; seconds.
        """
        sent: list[EncodedPacket] = []
        for stream, packet in self._taken:
            track = self._tracks.get(stream)
            if track is not None and packet.ticks * stream.time_base + offset >= 0:
                sent += track.packets(packet, offset)
        self._taken.clear()
        return sent

    def drop(self, until: Fraction) -> None:
        """Discard the packets up to a time, seconds, because there is no connection."""
        self.take(until)
        self._taken.clear()

    def close(self) -> None:
        """End the subscription; may be called twice."""
        self._subscription.close()


def _is_copied(stream: PassthroughStream, muxer: str) -> bool:
    if stream.template is None:
        raise ValueError("its codec is not known")
    context = stream.template.codec_context
    codec = context.codec.canonical_name
    if codec not in _COPIED[muxer]:
        return False
    if muxer == "rtsp" and codec == "aac" and not context.extradata:
        return False  # a transport stream has the parameters in each packet; RTP needs them beforehand
    scratch: Any = av.open(io.BytesIO(), "w", format=_PACKETS.get(muxer, muxer))
    try:
        add_described(scratch, stream.template)
        scratch.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True
