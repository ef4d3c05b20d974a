"""Converts, scales and pads frames for an encoder, with FFmpeg's filters. Frames that fit are passed on without a copy.

Used by the thread that writes the sink.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange

from streamer.interfaces import StreamInfo
from streamer.sinks.encoding.letterbox import Bars, Placement, black_picture, can_have_bars, placement
from streamer.values import colour

INTERLACED = (2, 3, 4, 5)
"""`AVFieldOrder`: TT, BB, TB, BT."""
_Meaning = tuple[colour.Matrix, bool]
"""Matrix, and whether the range is full."""
_TOP_FIRST = (2, 5)  # the top field is displayed first: TT and BT (libavcodec/defs.h)


class PictureFit:
    """Makes frames of the size, pixel format and colour that an encoder needs, without a change to the originals.

    Args:
        info: of the expected frames; others are scaled to fit, with black bars where the proportions differ.
        pixel_format: the encoder's.
        padding: columns and rows to add at the right and the bottom, copies of the last ones.
        tags: colour of the encoder's frames, as in `StreamInfo.colour`; frames of another colour are converted.
        note: called once when frames of another size come.
    """

    def __init__(
        self,
        info: StreamInfo,
        pixel_format: str,
        padding: tuple[int, int],
        tags: tuple[int, int, int, int],
        note: Callable[[str], None],
    ) -> None:
        self._size = info.width, info.height
        self._ratio = info.sample_aspect_ratio
        self._place = Placement(0, 0, *self._size)
        self._pixel_format = pixel_format
        self._padding = padding
        self._note = note
        self._tags = tags
        self._field_mode = "prog"
        if info.field_order in INTERLACED:
            self._field_mode = "tff" if info.field_order in _TOP_FIRST else "bff"
        self._shape: tuple[object, ...] = ()
        self._interlaced = info.field_order in INTERLACED
        self._noted: set[str] = set()
        self._converted: Callable[[av.VideoFrame], av.VideoFrame]
        self._tagged: Callable[[av.VideoFrame], av.VideoFrame]

    def __call__(self, picture: av.VideoFrame, ratio: Fraction | None = None) -> av.VideoFrame:
        """A new frame that shares the samples if they fit, else a converted one; without a time.

        Args:
            picture: of any size and format.
            ratio: its sample aspect ratio; None if it is that of the expected frames.
        """
        seen = picture.width, picture.height, picture.format.name, int(picture.colorspace), int(picture.color_range)
        self._interlaced = self._interlaced or picture.interlaced_frame  # may change in mid-stream
        shape = *seen, self._interlaced, ratio
        if shape != self._shape:
            self._build(picture, self._ratio if ratio is None else ratio)
            self._shape = shape
        frame = self._tagged(self._converted(picture))
        frame.pict_type = 0  # else the encoder repeats the input's choice of key frames
        return frame

    def _build(self, picture: av.VideoFrame, ratio: Fraction) -> None:
        self._place = self._placed(picture, ratio)
        convert: Callable[[av.VideoFrame], av.VideoFrame] = self._converter(picture)
        if (self._place.width, self._place.height) != self._size:
            convert = self._with_bars(convert, convert(picture))
        width, height = self._size[0] + self._padding[0], self._size[1] + self._padding[1]
        self._converted = convert if self._padding == (0, 0) else lambda one: padded(convert(one), width, height)
        primaries, transfer, matrix, span = self._tags
        tags = f"range={span}:color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
        first = self._converted(picture)
        self._tagged = _Filters(first, [("setparams", f"field_mode={self._field_mode}:{tags}")])

    def _placed(self, picture: av.VideoFrame, ratio: Fraction) -> Placement:
        """Where a picture goes in the encoder's frame; notes once that it is scaled."""
        size = picture.width, picture.height
        if (size, ratio) == (self._size, self._ratio):
            return Placement(0, 0, *size)
        shape = av.VideoFormat(self._pixel_format)
        fields = 2 if self._interlaced else 1
        step = 16 // shape.chroma_width(16), 16 // shape.chroma_height(16) * fields
        place = placement(size, ratio, self._size, self._ratio, step)
        if not can_have_bars(self._pixel_format):
            place = Placement(0, 0, *self._size)
        bars = " with bars" if (place.width, place.height) != self._size else ""
        came = f"frames of {_described(size, ratio)} came among {_described(self._size, self._ratio)}"
        self._note_once("fit", f"{came}: scaled to fit{bars}")
        return place

    def _converter(self, picture: av.VideoFrame) -> _Filters:
        """The filters that make a picture fill its place in the encoder's format."""
        size = self._place.width, self._place.height
        filters = []
        means, wanted = self._colours(picture)
        if (picture.width, picture.height) != size or picture.format.name != self._pixel_format or means != wanted:
            arguments = self._scaling(means, wanted) + self._field_arguments(picture)
            filters = [*_as_yuv(picture, self._pixel_format), ("scale", arguments)]
            filters.append(("format", f"pix_fmts={self._pixel_format}"))
        return _Filters(picture, filters)

    def _field_arguments(self, picture: av.VideoFrame) -> str:
        """The argument with which FFmpeg's `scale` scales each field separately, so that no row mixes two times."""
        if not self._interlaced:
            return ""
        rows = 2 * 16 // min(picture.format.chroma_height(16), av.VideoFormat(self._pixel_format).chroma_height(16))
        if picture.height % rows or self._place.height % rows:
            if picture.height != self._place.height:
                sizes = f"{picture.height} to {self._place.height} rows"
                self._note_once("fields", f"interlaced frames are scaled from {sizes}, which mixes their fields")
            return ""
        return ":interl=1"

    def _with_bars(
        self, convert: Callable[[av.VideoFrame], av.VideoFrame], like: av.VideoFrame
    ) -> Callable[[av.VideoFrame], av.VideoFrame]:
        full = colour.is_full_range(like)
        span = "full" if full else "limited"
        made = [("scale", f"in_range=full:out_range={span}"), ("format", f"pix_fmts={self._pixel_format}")]
        black = black_picture(self._size, lambda rgb: _Filters(rgb, made)(rgb), full_range=full)
        bars = Bars(black, self._place)
        return lambda picture: bars(convert(picture))

    def _note_once(self, what: str, line: str) -> None:
        if what not in self._noted:
            self._noted.add(what)
            self._note(line)

    def _colours(self, picture: av.VideoFrame) -> tuple[_Meaning, _Meaning]:
        """The matrix and range of a picture, and those of the encoder."""
        made = av.VideoFormat(self._pixel_format)
        wanted = colour.matrix_as_tagged(made, self._tags[2], *self._size)
        given = wanted if colour.is_grey(picture.format) else colour.matrix_of(picture)
        full = colour.full_range_as_tagged(made, self._tags[3])
        return (given, colour.is_full_range(picture)), (wanted, full)

    def _scaling(self, means: _Meaning, wanted: _Meaning) -> str:
        """Arguments of FFmpeg's `scale`, with everything that it would guess otherwise."""
        arguments = f"w={self._place.width}:h={self._place.height}:flags=bicubic+accurate_rnd+full_chroma_int"
        for side, (matrix, full) in (("in", means), ("out", wanted)):
            arguments += f":{side}_range={'full' if full else 'limited'}"
            if means[0] != wanted[0] and matrix != "rgb":
                arguments += f":{side}_color_matrix={matrix}"
        return arguments


def _described(size: tuple[int, int], ratio: Fraction) -> str:
    pixels = f" with pixels {ratio.numerator}:{ratio.denominator}" if ratio != 1 else ""
    return f"{size[0]}x{size[1]}{pixels}"


def _as_yuv(picture: av.VideoFrame, pixel_format: str) -> list[tuple[str, str]]:
    """Filters that convert grey in limited range to YUV; swscale would take it for full range."""
    if colour.is_full_range(picture) or not colour.is_grey(picture.format):
        return []
    if colour.is_grey(av.VideoFormat(pixel_format)):
        return []
    yuv = "yuv444p" if picture.format.components[0].bits <= 8 else "yuv444p16le"
    return [("scale", "in_range=full:out_range=full"), ("format", f"pix_fmts={yuv}"), ("setparams", "range=limited")]


class _Filters:
    """A chain of FFmpeg's video filters for frames of one size, format and colour.

    Args:
        like: such a frame.
        filters: name and arguments of each; without filters, new frames share the samples of the given ones.
    """

    def __init__(self, like: av.VideoFrame, filters: list[tuple[str, str]]) -> None:
        is_rgb = like.format.is_rgb
        graph = av.filter.Graph()
        last = self._entry = graph.add(
            "buffer",
            video_size=f"{like.width}x{like.height}",
            pix_fmt=like.format.name,
            time_base="1/1",
            pixel_aspect="1/1",
            colorspace=str(0 if is_rgb else int(like.colorspace)),
            range=str(int(ColorRange.JPEG) if is_rgb else int(like.color_range)),
        )
        for name, arguments in filters:
            node = graph.add(name, arguments)
            last.link_to(node)
            last = node
        self._exit = graph.add("buffersink")
        last.link_to(self._exit)
        graph.configure()
        self._graph = graph

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        self._entry.push(picture)
        frame = self._exit.pull()
        assert isinstance(frame, av.VideoFrame)
        return frame


def padded(picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """A larger planar or semi-planar picture whose last column and row are repeated to the new edges.

    FFmpeg's own pad filter drops the last column of an odd width with subsampled chroma (libavfilter/vf_pad.c).
    """
    larger = av.VideoFrame(width, height, picture.format.name)
    for index, (given, made) in enumerate(zip(picture.planes, larger.planes, strict=True)):
        inside = [part for part in picture.format.components if part.plane == index]
        step = (inside[0].bits + 7) // 8 * len(inside)
        source = np.frombuffer(memoryview(given), np.uint8).reshape(given.height, given.line_size)[
            :, : given.width * step
        ]
        target = np.frombuffer(memoryview(made), np.uint8).reshape(made.height, made.line_size)[:, : made.width * step]
        rows, columns = source.shape
        target[:rows, :columns] = source
        target[:rows, columns:] = np.tile(source[:, -step:], made.width - given.width)
        target[rows:] = target[rows - 1]
    larger.colorspace, larger.color_range = picture.colorspace, picture.color_range
    return larger


def needed_padding(codec: str, pixel_format: str, info: StreamInfo) -> tuple[int, int]:
    """Columns and rows to add: H.264 and HEVC crop in units of a chroma sample, twice as high if interlaced.

    See ITU-T H.264, 7.4.2.1.1.
    """
    if codec not in ("h264", "hevc"):
        return 0, 0
    shape = av.VideoFormat(pixel_format, 16, 16)
    has_chroma = any(component.is_chroma for component in shape.components)
    across = 16 // shape.chroma_width() if has_chroma else 1
    down = 16 // shape.chroma_height() if has_chroma else 1
    if codec == "h264" and info.field_order in INTERLACED:
        down *= 2
    return -info.width % across, -info.height % down
