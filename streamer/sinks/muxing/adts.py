"""Converts AAC with ADTS headers, as in transport streams, for fragmented MP4. Pure functions.

A transport stream has an ADTS header before each packet of AAC; MP4 has its content once, in the index. FFmpeg's muxer
converts the packets, but not in fragmented MP4, whose index it writes before the first packet.
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import av

from streamer.media.ffmpeg_log import capture_log
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream, describe_streams

_LONG_HEADER, _SHORT_HEADER = 9, 7  # bytes, with and without a checksum (ISO/IEC 13818-7, 6.2)

_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""By their index in the header (ISO/IEC 14496-3, table 1.18)."""


def has_headers(stream: PassthroughStream) -> bool:
    """Whether the packets of a stream have ADTS headers, or may have."""
    context = getattr(stream.template, "codec_context", None)
    return stream.codec == "aac" and not getattr(context, "extradata", None)


def without_headers(stream: PassthroughStream, first: PassthroughPacket | None) -> PassthroughStream | None:
    """The description of a stream without its headers; None if the codec parameters cannot be determined.

    Args:
        stream: with headers.
        first: one of its packets; None before the first one.
    """
    first = first or _silent_packet(stream)
    if first is None:
        return None
    written = io.BytesIO()
    try:
        with capture_log(av.logging.ERROR):
            output: Any = av.open(written, "w", format="mp4")
            added = stream.add_to(output)
            output.start_encoding()
            packet = first.packet()
            packet.pts = packet.dts = 0
            packet.time_base, packet.stream = stream.time_base, added
            output.mux(packet)
            output.close()
            with av.open(io.BytesIO(written.getvalue())) as read:
                (found,) = describe_streams(list(read.streams))
    except (av.error.FFmpegError, ValueError, OSError):
        return None
    known = dataclasses.replace(stream, template=found.template)
    return None if has_headers(known) else known


def without_header(packet: PassthroughPacket) -> PassthroughPacket:
    """A packet without its header, if it has one."""
    data = packet.data
    if len(data) < _SHORT_HEADER or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return packet
    return dataclasses.replace(packet, data=data[_SHORT_HEADER if data[1] & 1 else _LONG_HEADER :])


def _silent_packet(stream: PassthroughStream) -> PassthroughPacket | None:
    """A packet with the probable header of the stream; None if too little is known about the stream."""
    context = getattr(stream.template, "codec_context", None)
    channels = getattr(getattr(context, "layout", None), "nb_channels", 0)
    if getattr(context, "profile", None) != "LC" or stream.sample_rate_hz not in _RATES_HZ or not 1 <= channels <= 6:
        return None
    length = _SHORT_HEADER + 8
    rate = _RATES_HZ.index(stream.sample_rate_hz)
    # Sync word, MPEG-4 without checksum; LC, rate, channels; length; buffer fullness for variable bit rate, one block.
    header = 0xFFF1 << 40 | 1 << 38 | rate << 34 | channels << 30 | length << 13 | 0x7FF << 2
    return PassthroughPacket(header.to_bytes(_SHORT_HEADER, "big") + bytes(8), 0, 0)
