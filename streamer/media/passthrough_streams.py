"""The streams of an input besides its video, and their packets, independent of the open input. Any thread."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet, PacketSideData
from av.packet import PktSideDataT as _SideDataName
from av.stream import AttachmentStream, Disposition, Stream

_SIDE_DATA: tuple[str, ...] = _SideDataName.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class PassthroughStream:
    """A stream that can be copied; independent of the input, which may be closed before the output.

    Attributes:
        index: in the input.
        kind: `audio`, `subtitle`, `data`, `attachment` or `video`.
        codec: FFmpeg's name, or the file name of an attachment; may be empty.
        template: a PyAV stream with the codec parameters; see `add_to`. None cannot be added.
        time_base: seconds per tick of its packets.
        tags: its metadata.
        disposition: its flags.
        sample_rate_hz: of audio, else 0.
        frame_samples: number of samples per audio packet, 0 if variable or unknown.
        codec_tag: of data, four characters such as `gpmd` or `tmcd`; empty if the container has none.
    """

    index: int
    kind: str
    codec: str
    template: Stream | None
    time_base: Fraction
    tags: Mapping[str, str]
    disposition: Disposition
    sample_rate_hz: int = 0
    frame_samples: int = 0
    codec_tag: str = ""

    @property
    def packet_s(self) -> Fraction:
        """Duration of one packet in seconds; 0 if variable or unknown."""
        return Fraction(self.frame_samples, self.sample_rate_hz) if self.sample_rate_hz else Fraction(0)

    @property
    def is_cover(self) -> bool:
        """Whether it is cover art."""
        return bool(self.disposition & Disposition.attached_pic)

    @property
    def description(self) -> str:
        """A readable name such as `audio stream 1 (aac)`."""
        name = self.codec if self.codec not in ("", "bin_data") else self.codec_tag or self.codec
        return f"{self.kind} stream {self.index}" + (f" ({name})" if name else "")

    @property
    def timed(self) -> bool:
        """Whether its packets have times, unlike attachments and cover art."""
        return self.kind != "attachment" and not self.is_cover

    def add_to(self, container: Any, *, fps: Fraction | None = None) -> Any:
        """A new stream of an output container (`av.container.OutputContainer`) for packets of this one.

        Args:
            container: the output, before its header is written.
            fps: frame rate of a video, which QuickTime's timecodes and AVI need; None if there is none.

        Support for the codec is not checked here; the muxer fails when the header is written.
        `OutputContainer.add_stream_from_template` uses FFmpeg's table of codecs, which lacks combinations that the
        muxers support, such as G.711 in Matroska.
        """
        # Any codec that PyAV accepts will do: the parameters are replaced next.
        some = container.default_video_codec if fps is not None else "none"
        added = container.add_data_stream() if some == "none" else container.add_mux_stream(some, rate=fps)
        _copy_parameters(self.template, added)
        added.time_base = self.time_base
        added.disposition = self.disposition
        return added


@dataclass(frozen=True, slots=True)
class PassthroughPacket:
    """A packet with times on the common clock of the input.

    Attributes:
        data: the encoded bytes.
        pts, dts: in ticks of the stream's time base; at least one is set.
        duration: in ticks, 0 if unknown.
        is_key: whether decoding can start here.
        side_data: FFmpeg's number of each kind, and the bytes.
    """

    data: bytes
    pts: int | None
    dts: int | None
    duration: int = 0
    is_key: bool = True
    side_data: tuple[tuple[int, bytes], ...] = ()

    @property
    def ticks(self) -> int:
        """The time at which it is written: its decoding time, or else its presentation time."""
        ticks = self.pts if self.dts is None else self.dts
        assert ticks is not None
        return ticks

    def packet(self) -> Packet[Any]:
        """A new PyAV packet."""
        made: Packet[Any] = Packet(self.data)
        made.pts, made.dts, made.duration, made.is_keyframe = self.pts, self.dts, self.duration, self.is_key
        for kind, content in self.side_data:
            side_data = PacketSideData(kind, len(content))  # type: ignore[call-arg]
            side_data.update(content)
            side_data.to_packet(made, move=True)
        return made


def passthrough_packet(packet: Packet[Any]) -> PassthroughPacket:
    """The content of a PyAV packet, which must have a time."""
    side_data = []
    for one in packet.iter_sidedata():
        try:
            side_data.append((_SIDE_DATA.index(one.data_type), bytes(one)))
        except IndexError:  # a kind without a name in PyAV
            continue
    return PassthroughPacket(
        bytes(packet), packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, tuple(side_data)
    )


def describe_streams(streams: Sequence[Stream], known: Mapping[int, Stream] | None = None) -> list[PassthroughStream]:
    """Describe streams of an open input for copying.

    Args:
        streams: of the input.
        known: by index, the same streams of another container, if the input lacks their codec parameters.
    """
    # The null format accepts every codec, so its streams can hold the parameters of any other.
    holder: Any = av.open(io.BytesIO(), "w", format="null")
    return [_described(holder, stream, (known or {}).get(stream.index, stream)) for stream in streams]


def _copy_parameters(source: Any, target: Any) -> None:
    """Copy the codec parameters of a stream: the null filter passes all of them on."""
    BitStreamFilterContext("null", in_stream=source, out_stream=target)


def _described(holder: Any, stream: Any, known: Any) -> PassthroughStream:
    exact = holder.add_data_stream()
    _copy_parameters(known, exact)
    try:
        # Without the codec tag of the input's container, which another one may not support.
        template = holder.add_stream_from_template(known, opaque=True)
    except (ValueError, av.error.FFmpegError):  # FFmpeg has no decoder for it
        template = exact
    audio = known.codec_context if stream.type == "audio" else None
    name = stream.name if isinstance(stream, AttachmentStream) else exact.name
    return PassthroughStream(
        index=stream.index,
        kind=stream.type,
        codec=name or "",
        template=template,
        time_base=stream.time_base or Fraction(1, 1000),
        tags=dict(stream.metadata),
        disposition=stream.disposition,
        sample_rate_hz=getattr(audio, "sample_rate", 0) or 0,
        frame_samples=getattr(audio, "frame_size", 0) or 0,
        codec_tag=_codec_tag(holder, stream) if stream.type == "data" else "",
    )


def _codec_tag(holder: Any, stream: Any) -> str:
    # PyAV exposes the tag of a codec context only, and data streams have none.
    bearer = holder.add_stream("pcm_s16le")
    _copy_parameters(stream, bearer)
    try:
        tag = str(bearer.codec_context.codec_tag)
    except UnicodeDecodeError:
        return ""
    return tag if tag.isprintable() else ""
