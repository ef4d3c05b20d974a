"""Joins the image of a HEIF file from its decoded tiles. Used by the thread that reads the images."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceUnavailable
from streamer.media.ffmpeg_log import reason
from streamer.media.filters import shape_of
from streamer.sources.decode.orientation import Rotator
from streamer.sources.images.heif import Still

logger = logging.getLogger(__name__)

_UNSPECIFIED = 2  # of H.273
_TIME_BASE = Fraction(1, 25)  # still images have none; the source sets its own


def decode_still(container: InputContainer, still: Still, name: str) -> av.VideoFrame:
    """The complete upright image, in the pixel format of its tiles, with unchanged samples.

    Args:
        container: open, not read yet.
        still: the structure of the image.
        name: of the input, for errors.

    Raises:
        SourceUnavailable: a tile is missing, cannot be decoded or does not fit the others.
    """
    tiles = _decode(container, still, name)
    whole = tiles[0] if len(tiles) == 1 else _joined(tiles, still.columns, name)
    crop = still.crop
    if still.size is not None:
        right, bottom = whole.width - still.size[0], whole.height - still.size[1]
        if right < 0 or bottom < 0:
            raise SourceUnavailable(f"{name}: its tiles do not cover {still.size[0]}x{still.size[1]}")
        crop = replace(crop, right=crop.right + right, bottom=crop.bottom + bottom)
    _tag(whole, still)
    whole.time_base = _TIME_BASE
    return Rotator(still.orientation, crop, lambda line: logger.warning("%s: %s", name, line)).turn(whole, _TIME_BASE)


def _tag(frame: av.VideoFrame, still: Still) -> None:
    """Set the colour tags of a frame; the default is sRGB with the matrix of BT.601 (MIAF, 23000-22)."""
    if still.colour is not None:
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = still.colour
    if int(frame.color_primaries) == _UNSPECIFIED:
        frame.color_primaries = 1
    if int(frame.color_trc) == _UNSPECIFIED:
        frame.color_trc = 13
    if int(frame.colorspace) == _UNSPECIFIED:
        frame.colorspace = 6


def _decode(container: InputContainer, still: Still, name: str) -> list[av.VideoFrame]:
    streams = {stream.id: stream for stream in container.streams.video if stream.id in still.tiles}
    frames: dict[int, av.VideoFrame] = {}
    try:
        for stream in streams.values():
            stream.codec_context.thread_count = 1
        for packet in container.demux(*streams.values()):
            if packet.size and isinstance(packet.stream, VideoStream):
                stream = packet.stream
                for frame in (*stream.decode(packet), *stream.decode(None)):
                    frames[stream.id] = frame
    except (av.error.FFmpegError, AttributeError) as error:
        raise SourceUnavailable(f"{name}: cannot be decoded ({reason(error)})") from error
    missing = len({*still.tiles} - frames.keys())
    if missing:
        raise SourceUnavailable(f"{name}: {missing} of its {len(still.tiles)} tiles cannot be decoded")
    return [frames[tile] for tile in still.tiles]


def _joined(tiles: list[av.VideoFrame], columns: int, name: str) -> av.VideoFrame:
    first = tiles[0]
    shape = shape_of(first)
    if any(shape_of(tile) != shape for tile in tiles):
        raise SourceUnavailable(f"{name}: its tiles have different sizes or formats")
    shared = 16 // first.format.chroma_width(16), 16 // first.format.chroma_height(16)
    if first.width % shared[0] or first.height % shared[1]:
        raise SourceUnavailable(f"{name}: tiles of {first.width}x{first.height} {shape[2]} cannot be joined")
    whole = av.VideoFrame(first.width * columns, first.height * (len(tiles) // columns), shape[2])
    whole.color_primaries, whole.color_trc = first.color_primaries, first.color_trc
    whole.colorspace, whole.color_range = first.colorspace, first.color_range
    for index in range(len(whole.planes)):
        target = _rows(whole, index)
        for position, tile in enumerate(tiles):
            source = _rows(tile, index)
            height, width = source.shape
            row, column = divmod(position, columns)
            target[row * height : (row + 1) * height, column * width : (column + 1) * width] = source
    return whole


def _rows(frame: av.VideoFrame, index: int) -> npt.NDArray[np.uint8]:
    """A view of one plane: uint8 `(height, bytes of a row)`."""
    plane = frame.planes[index]
    inside = [part for part in frame.format.components if part.plane == index]
    used = plane.width * ((inside[0].bits + 7) // 8) * len(inside)
    rows: npt.NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, :used]
