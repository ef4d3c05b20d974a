"""Frames in every pixel format that FFmpeg makes and reads, and FFmpeg's own conversion of them: the reference for
colours.

All conversions use FFmpeg's `scale` filter, which reads the tags of a frame itself; nothing of the code under test is
used.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video import format as pixel_formats

SIZE = 64, 48
LIMITED, FULL = 1, 2
"""FFmpeg's range codes."""
MATRICES = {"bt601": 6, "bt709": 1, "bt2020": 9, "fcc": 4, "smpte240m": 7}
"""ITU-T H.273 codes by the names of the `scale` filter."""

_EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
# PyAV's stubs leave out the set of all names.
_names: set[str] = vars(pixel_formats)["names"]


def filtered(picture: av.VideoFrame, *filters: tuple[str, str]) -> av.VideoFrame:
    """A frame after FFmpeg's filters, which read its tags."""
    graph = av.filter.Graph()
    last = graph.add(
        "buffer",
        video_size=f"{picture.width}x{picture.height}",
        pix_fmt=picture.format.name,
        time_base="1/25",
        pixel_aspect="1/1",
        colorspace=str(int(picture.colorspace)),
        range=str(int(picture.color_range)),
    )
    source = last
    for name, arguments in filters:
        node = graph.add(name, arguments)
        last.link_to(node)
        last = node
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    source.push(picture)
    made = sink.pull()
    assert isinstance(made, av.VideoFrame)
    return made


def in_format(picture: av.VideoFrame, pixel_format: str, *, matrix: int = 2, code: int = 0) -> av.VideoFrame:
    """FFmpeg's own conversion to another format, with matrix and range by their codes."""
    arguments = _EXACT
    if matrix in MATRICES.values():
        arguments += f":out_color_matrix={next(name for name, one in MATRICES.items() if one == matrix)}"
    if code:
        arguments += f":out_range={'full' if code == FULL else 'limited'}"
    made = filtered(picture, ("scale", arguments), ("format", f"pix_fmts={pixel_format}"))
    if not made.format.is_rgb:
        made.colorspace, made.color_range = matrix, code
    return made


def shown(picture: av.VideoFrame) -> npt.NDArray[np.int64]:
    """A frame as FFmpeg shows it: RGB `(height, width, 3)`, 0..255."""
    return in_format(picture, "rgb24").to_ndarray().astype(np.int64)


def ramp(size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """Ramps of red, green and blue, 16 bit RGB."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    rgb = np.stack([x, y, (x + y) / 2], axis=-1)
    picture = av.VideoFrame.from_ndarray(np.round(rgb * 65535).astype(np.uint16), "rgb48le")
    picture.colorspace, picture.color_range = 0, FULL
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture


def translucent(alpha: int) -> av.VideoFrame:
    """The ramp with one opacity of 0..255 everywhere."""
    opaque = in_format(ramp(), "rgba64le").to_ndarray()
    opaque[..., 3] = alpha * 257
    picture = av.VideoFrame.from_ndarray(opaque, "rgba64le")
    picture.colorspace, picture.color_range = 0, FULL
    return picture


def made(pixel_format: str, *, matrix: int = 2, code: int = 0, size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """The ramp in a pixel format; for a palette format, an image of 256 colours."""
    if pixel_format == "pal8":
        return palette_picture(size)
    picture = in_format(ramp(size), pixel_format, matrix=matrix, code=code)
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture


def palette_picture(size: tuple[int, int] = SIZE, alpha: int = 255) -> av.VideoFrame:
    """A pal8 frame of random indices into 256 colours: FFmpeg stores the palette as native-endian ARGB."""
    generator = np.random.default_rng(3)
    picture = av.VideoFrame(*size, "pal8")
    indices, palette = picture.planes
    lines = np.frombuffer(memoryview(indices), np.uint8).reshape(size[1], -1)
    lines[:] = generator.integers(0, 256, lines.shape)
    colours = np.frombuffer(memoryview(palette), np.uint8)[:1024].reshape(256, 4)
    colours[:] = generator.integers(0, 256, colours.shape)
    colours[:, 3] = alpha
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Every pixel format in which FFmpeg makes a frame and from which it makes RGB."""
    found = []
    for name in sorted(_names):
        try:
            shown(made(name))
        except (av.error.FFmpegError, ValueError):
            continue
        found.append(name)
    return tuple(found)


def write_raw(path: Path, pictures: list[av.VideoFrame]) -> None:
    """Frames as a file of uncompressed video.

    Raises:
        av.error.FFmpegError, ValueError: the container does not support the format.
    """
    first = pictures[0]
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
