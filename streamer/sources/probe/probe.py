"""Probes a source: container, streams, constancy of the frame rate, rotation.

Called by the main thread; reads only the beginning of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.format import VideoFormat
from av.video.stream import VideoStream

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.sources.decode.container import ContainerSource
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.opening import choose_video
from streamer.sources.decode.orientation import UPRIGHT
from streamer.sources.decode.packets import PacketReader
from streamer.sources.decode.stream_facts import container_duration, duration, frame_count, rate_of, seconds
from streamer.sources.images.images import ImageSource
from streamer.sources.network.address import is_address
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.probe.facts import AudioFacts, Chapter, Probe, StreamFacts, VideoFacts
from streamer.sources.probe.h273 import FIELD_ORDERS, UNKNOWN, colour_names
from streamer.sources.selection import open_source

MEASURED_LIVE = 50
"""The number of packets of a live video that are read."""

Measured = tuple[str, av.VideoFrame | None, Geometry]
"""The constancy of the rate, the first frame, and its geometry."""
Show = Callable[[av.VideoFrame], object]


def probe(
    uri: str,
    settings: SourceSettings | None = None,
    *,
    live_packets: int = MEASURED_LIVE,
    show: Show = lambda picture: None,  # noqa: ARG005
) -> Probe:
    """Probe the source that `open_source` chooses.

    Args:
        uri: the source.
        settings: how it is read.
        live_packets: how many packets of a live video are read; the first frame is decoded in any case.
        show: gets the first frame, upright.

    Raises:
        SourceUnavailable: it cannot be opened, or has no video.
        ConfigError: a setting that the source does not take.
    """
    if is_address(uri):
        connector = NetworkConnector(uri, settings)
        try:
            with connector.open() as container:
                return _probe_container(connector.name, container, live_packets, show)
        except SourceLost as error:
            raise SourceUnavailable(str(error), error.cause) from error
    source = open_source(uri, settings)
    if isinstance(source, ImageSource):
        return _probe_images(uri, source, show)
    if not isinstance(source, ContainerSource):
        raise SourceUnavailable(f"{uri}: cannot be probed; list all cameras with: streamer probe cameras")
    with source.open() as container:
        return _probe_container(uri, container, source.probed_packets, show)


def constancy(times: list[int]) -> str:
    """`constant` if the presentation times are equally spaced to within a tick, else `variable`.

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


def _probe_container(uri: str, container: InputContainer, packets: int, show: Show) -> Probe:
    used = choose_video(container, uri)
    start = container.start_time
    geometry = Geometry(container, used, uri)
    rate, first = _measure(container, used, packets, uri)
    if first is not None:
        show(geometry.upright(first, Fraction(1, 1000)))
    measured = rate, first, geometry
    return Probe(
        source=uri,
        container=container.format.name,
        container_name=container.format.long_name,
        duration_s=seconds(container_duration(container)),
        start_s=None if start is None else start / av.time_base,
        bit_rate=container.bit_rate or None,
        chapters=tuple(_chapter(entry) for entry in container.chapters()),
        metadata=dict(container.metadata),
        streams=tuple(_stream(stream, measured if stream is used else None) for stream in container.streams),
    )


def _probe_images(uri: str, source: ImageSource, show: Show) -> Probe:
    with source:
        info = source.info
        for frame in source:
            show(frame.picture)
            break
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
        field_order=FIELD_ORDERS[1],
        **colour_names(*info.colour),
    )
    stream = StreamFacts(index=0, type="video", duration_s=info.duration_s, video=video)
    return Probe(uri, "pictures", "pictures", duration_s=info.duration_s, start_s=0.0, streams=(stream,))


def _measure(
    container: InputContainer, stream: VideoStream, packets: int, name: str
) -> tuple[str, av.VideoFrame | None]:
    """The constancy of the rate, and the first frame."""
    decoder = FrameDecoder(PacketReader(container, stream, name), stream, threads=1)
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
    # If some packets have no presentation time, the decoding times are equally (un)even.
    known = [pts for pts, _ in times if pts is not None]
    if len(known) < len(times):
        known = [dts for _, dts in times if dts is not None]
    # Frames after the last packet read may precede it in presentation order by up to 16 places (H.264, A.3.1).
    return constancy(sorted(known)[: -16 if len(times) >= packets else None]), first


def _stream(stream: Stream, measured: Measured | None) -> StreamFacts:
    context = stream.codec_context
    start, base = stream.start_time, stream.time_base or Fraction(1)
    lasts = None if stream.duration is None else stream.duration * base
    video = _video(stream, measured) if isinstance(stream, VideoStream) and context is not None else None
    if isinstance(stream, VideoStream) and lasts is None:
        lasts = duration(stream)
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
        duration_s=seconds(lasts),
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
        field_order=FIELD_ORDERS.get(int(context.field_order), UNKNOWN),
        **colour_names(context.color_primaries, context.color_trc, context.colorspace, context.color_range),
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
