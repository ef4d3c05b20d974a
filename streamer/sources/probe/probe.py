"""What the program sees in a source: container, streams, whether the frame rate is constant, which way is up.

Called by the main thread; reads the beginning of the file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.format import VideoFormat
from av.video.stream import VideoStream

from streamer.errors import SourceLost, SourceUnavailable
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.opening import choose_video, open_file
from streamer.sources.decode.orientation import UPRIGHT
from streamer.sources.decode.packets import PacketReader
from streamer.sources.decode.stream_facts import MICROSECOND, duration, frame_count, rate_of
from streamer.sources.file.file import FileSource
from streamer.sources.file.pipe import PipeSource
from streamer.sources.images.images import ImageSource
from streamer.sources.network.network import NetworkConnector
from streamer.sources.probe.facts import AudioFacts, Chapter, Probe, StreamFacts, VideoFacts
from streamer.sources.probe.h273 import FIELD_ORDERS, MATRICES, PRIMARIES, RANGES, TRANSFERS, UNKNOWN
from streamer.sources.selection import SourceOptions, is_address, open_source
from streamer.sources.synthetic import SyntheticSource, open_graph

MEASURED_PACKETS = 600
"""Packets of the video whose times are looked at: all of a shorter file. Synthetic ones have to be drawn, so fewer."""
MEASURED_SYNTHETIC = MEASURED_LIVE = 50

Measured = tuple[str, av.VideoFrame | None, Geometry]
"""Whether the rate is constant, the first picture, and how it is to be shown."""


def probe(uri: str, *, fps: str | float | Fraction | None = None) -> Probe:
    """Look at what `open_source` would choose.

    Raises:
        SourceUnavailable: it cannot be opened, or has no video.
        ConfigError: `fps` where it does not belong.
    """
    if is_address(uri):
        connector = NetworkConnector(uri)
        try:
            with connector.open() as container:
                return _probe_container(connector.name, container, MEASURED_LIVE)
        except SourceLost as error:
            raise SourceUnavailable(str(error), error.cause) from error
    source = open_source(uri, SourceOptions(fps=fps))
    if isinstance(source, ImageSource):
        return _probe_pictures(uri, source)
    if isinstance(source, SyntheticSource):
        with open_graph(source.graph) as container:
            return _probe_container(uri, container, MEASURED_SYNTHETIC)
    if isinstance(source, PipeSource):
        with source.open() as container:
            return _probe_container(uri, container, MEASURED_PACKETS)
    if not isinstance(source, FileSource):
        raise SourceUnavailable(f"{uri}: is a camera; probe cameras tells of them all")
    with open_file(source.path) as container:
        return _probe_container(uri, container, MEASURED_PACKETS)


def constancy(times: list[int]) -> str:
    """`constant` if the presentation times lie on an even grid, to the tick that they are rounded to, else `variable`.

    Args:
        times: in ticks, in any order.

    Returns:
        `unknown` for fewer than three.
    """
    if len(times) < 3:
        return UNKNOWN
    ordered = sorted(times)
    step = Fraction(ordered[-1] - ordered[0], len(ordered) - 1)
    even = step > 0 and all(abs(at - ordered[0] - k * step) <= 1 for k, at in enumerate(ordered))
    return "constant" if even else "variable"


def _probe_container(uri: str, container: InputContainer, packets: int) -> Probe:
    used = choose_video(container, uri)
    lasts, start = container.duration, container.start_time
    geometry = Geometry(container, used, uri)
    measured = *_measure(container, used, packets), geometry
    return Probe(
        source=uri,
        container=container.format.name,
        container_name=container.format.long_name,
        duration_s=None if lasts is None else float(lasts * MICROSECOND),
        start_s=None if start is None else float(start * MICROSECOND),
        bit_rate=container.bit_rate or None,
        chapters=tuple(_chapter(entry) for entry in container.chapters()),
        metadata=dict(container.metadata),
        streams=tuple(_stream(stream, measured if stream is used else None) for stream in container.streams),
    )


def _probe_pictures(uri: str, source: ImageSource) -> Probe:
    with source:
        info = source.info
    primaries, transfer, matrix, code = info.colour
    video = VideoFacts(
        used=True,
        width=info.width,
        height=info.height,
        coded_width=info.width,
        coded_height=info.height,
        pixel_format=info.pixel_format,
        bit_depth=VideoFormat(info.pixel_format).components[0].bits,
        average_fps=info.average_fps,
        frame_rate="constant",
        frames=info.frame_count,
        rotation=0,
        mirrored=False,
        sample_aspect_ratio=info.sample_aspect_ratio,
        primaries=PRIMARIES.get(primaries, UNKNOWN),
        transfer=TRANSFERS.get(transfer, UNKNOWN),
        matrix=MATRICES.get(matrix, UNKNOWN),
        range=RANGES.get(code, UNKNOWN),
        field_order=FIELD_ORDERS[1],
    )
    stream = StreamFacts(index=0, type="video", duration_s=info.duration_s, video=video)
    return Probe(uri, "pictures", "pictures", duration_s=info.duration_s, start_s=0.0, streams=(stream,))


def _measure(container: InputContainer, stream: VideoStream, packets: int) -> tuple[str, av.VideoFrame | None]:
    """Whether the rate is constant, and the first picture."""
    decoder = FrameDecoder(PacketReader(container, stream), stream, threads=1)
    first: av.VideoFrame | None = None
    times: list[tuple[int | None, int | None]] = []
    for packet in decoder.read():
        if first is None:
            first = next(iter(decoder.decode(packet)), None)
        if not packet.is_discard:
            times.append((packet.pts, packet.dts))
        if len(times) >= packets:
            break
    if first is None:
        first = next(iter(decoder.decode(None)), None)
    # Where some packets have no presentation time, decoding times are as even or uneven.
    shown = [pts for pts, _ in times if pts is not None]
    if len(shown) < len(times):
        shown = [dts for _, dts in times if dts is not None]
    # A picture that is coded after where the reading stopped may be shown before, by up to 16 places (H.264, A.3.1).
    return constancy(sorted(shown)[: -16 if len(times) >= packets else None]), first


def _stream(stream: Stream, measured: Measured | None) -> StreamFacts:
    context = stream.codec_context
    start, base = stream.start_time, stream.time_base or Fraction(1)
    own = None if stream.duration is None else float(stream.duration * base)
    video = _video(stream, measured) if isinstance(stream, VideoStream) and context is not None else None
    if isinstance(stream, VideoStream) and own is None:
        lasts = duration(stream)
        own = None if lasts is None else float(lasts)
    return StreamFacts(
        index=stream.index,
        type=stream.type,
        codec=context.codec.name if context is not None else stream.name if stream.type == "data" else None,
        profile=stream.profile,
        language=stream.language,
        title=stream.metadata.get("title"),
        disposition=tuple(str(flag.name) for flag in Disposition if flag & stream.disposition),
        bit_rate=(context.bit_rate or None) if context is not None else None,
        start_s=None if start is None else float(start * base),
        duration_s=own,
        video=video,
        audio=_audio(stream) if isinstance(stream, AudioStream) and context is not None else None,
    )


def _video(stream: VideoStream, measured: Measured | None) -> VideoFacts:
    context = stream.codec_context
    rate, picture, geometry = measured or (UNKNOWN, None, None)
    coded = shown = (stream.width, stream.height)
    pixel_format, ratio, orientation = context.format, stream.sample_aspect_ratio or Fraction(1), UPRIGHT
    if picture is not None and geometry is not None:
        upright = geometry.upright(picture, Fraction(1, 1000))
        coded, shown = (picture.width, picture.height), (upright.width, upright.height)
        pixel_format, ratio, orientation = picture.format, geometry.sample_aspect_ratio, geometry.orientation
    return VideoFacts(
        used=measured is not None,
        width=shown[0],
        height=shown[1],
        coded_width=coded[0],
        coded_height=coded[1],
        pixel_format=None if pixel_format is None else pixel_format.name,
        bit_depth=None if pixel_format is None else pixel_format.components[0].bits,
        average_fps=rate_of(stream),
        frame_rate=rate,
        frames=frame_count(stream),
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        sample_aspect_ratio=ratio,
        primaries=PRIMARIES.get(int(context.color_primaries), UNKNOWN),
        transfer=TRANSFERS.get(int(context.color_trc), UNKNOWN),
        matrix=MATRICES.get(int(context.colorspace), UNKNOWN),
        range=RANGES.get(int(context.color_range), UNKNOWN),
        field_order=FIELD_ORDERS.get(int(context.field_order), UNKNOWN),
    )


def _audio(stream: AudioStream) -> AudioFacts:
    return AudioFacts(
        sample_rate_hz=stream.sample_rate,
        channels=stream.channels,
        layout=stream.layout.name,
        sample_format=stream.format.name if stream.format else None,
    )


def _chapter(entry: Mapping[str, Any]) -> Chapter:
    base = entry["time_base"]
    return Chapter(entry["metadata"].get("title", ""), float(entry["start"] * base), float(entry["end"] * base))
