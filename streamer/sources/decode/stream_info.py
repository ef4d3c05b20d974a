"""Builds the `StreamInfo` of a source from its first frame. Pure functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.video.stream import VideoStream

from streamer.interfaces import StreamInfo
from streamer.media.side_data import LAYOUTS, side_data_of
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.stream_facts import rate_of

# fmt: off
_IMAGE_CODECS = frozenset({
    "apng", "bmp", "gif", "jpegls", "jpegxl", "ljpeg", "mjpeg", "mjpegb", "pam", "pbm", "pcx", "pgm", "png", "ppm",
    "qoi", "sgi", "sunrast", "targa", "tiff", "webp", "xbm",
})
# fmt: on
"""Codecs of webcams and image files."""


def info_of(frame: av.VideoFrame, name: str, time_base: Fraction, **more: Any) -> StreamInfo:
    """A `StreamInfo` with the size and the pixel format of a frame; `more` are further fields."""
    return StreamInfo(name, frame.width, frame.height, frame.format.name, time_base, **more)


def describe(
    stream: VideoStream, first: av.VideoFrame, name: str, geometry: Geometry, *, live: bool = False
) -> StreamInfo:
    """The properties of a stream whose first upright frame is `first`, as far as every container has them."""
    context = stream.codec_context
    side_data = side_data_of(first)
    if geometry.orientation.transposed:  # a layout of two views or of a sphere is invalid after a quarter turn
        side_data = {name: one for name, one in side_data.items() if name not in LAYOUTS}
    tags = (
        (first.color_primaries, context.color_primaries, 2),
        (first.color_trc, context.color_trc, 2),
        (first.colorspace, context.colorspace, 2),
        (first.color_range, context.color_range, 0),
    )
    primaries, transfer, matrix, code = (int(of_stream if own == unset else own) for own, of_stream, unset in tags)
    return info_of(
        first,
        name,
        stream.time_base or Fraction(1, 1000),
        average_fps=rate_of(stream),
        sample_aspect_ratio=geometry.sample_aspect_ratio,
        live=live,
        bit_rate=stream.bit_rate or None,
        colour=(primaries, transfer, matrix, code),
        field_order=geometry.field_order,
        constant_rate=stream.base_rate is not None and stream.base_rate == stream.average_rate,
        jpeg_like=context.codec.canonical_name in _IMAGE_CODECS,
        side_data=side_data,
    )
