"""What happens to a picture between the pipeline and the encoder: nothing, wherever the encoder takes it as it is.

Pictures that fit are handed on without a copy; others are converted, scaled or padded by FFmpeg's filters. Used by the
thread that writes the video sink.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from av.codec.codec import PixFmtLoss, find_best_pix_fmt_of_list
from av.video.reformatter import ColorRange

from streamer import colour
from streamer.errors import SinkUnavailable
from streamer.protocols import StreamInfo
from streamer.sinks.letterbox import Bars, Placement, black_picture, can_have_bars, placement

INTERLACED = (2, 3, 4, 5)
"""`AVFieldOrder`: TT, BB, TB, BT."""
_TOP_FIRST = (2, 5)  # displayed first: TT and BT (libavcodec/defs.h)


class PictureFit:
    """Makes pictures into frames that an encoder takes as they are, without touching the originals.

    Args:
        info: of the pictures that are expected; others are scaled to fit, with black bars beside other proportions.
        pixel_format: the encoder's.
        padding: columns and rows to add at the right and the bottom, copies of the last ones.
        say: is told once when pictures of another size come.
    """

    def __init__(
        self, info: StreamInfo, pixel_format: str, padding: tuple[int, int], say: Callable[[str], None]
    ) -> None:
        self._size = info.width, info.height
        self._ratio = info.sample_aspect_ratio
        self._place = Placement(0, 0, *self._size)
        self._pixel_format = pixel_format
        self._padding = padding
        self._say = say
        self._tags = output_colour(info, pixel_format)
        self._field_mode = "prog"
        if info.field_order in INTERLACED:
            self._field_mode = "tff" if info.field_order in _TOP_FIRST else "bff"
        self._shape: tuple[object, ...] = ()
        self._interlaced = info.field_order in INTERLACED
        self._told: set[str] = set()
        self._converted: Callable[[av.VideoFrame], av.VideoFrame]
        self._tagged: Callable[[av.VideoFrame], av.VideoFrame]

    def __call__(self, picture: av.VideoFrame, ratio: Fraction | None = None) -> av.VideoFrame:
        """A frame of its own over the same samples where they fit, else over converted ones; its time is not set.

        Args:
            picture: of any size and format.
            ratio: its sample aspect ratio; None where it is that of the pictures that are expected.
        """
        seen = picture.width, picture.height, picture.format.name, int(picture.colorspace), int(picture.color_range)
        self._interlaced = self._interlaced or picture.interlaced_frame  # some streams change from picture to picture
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
        """Where a picture goes in the frames; says so once where that is not all of them as it is."""
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
        came = f"pictures of {_spelled(size, ratio)} came amid {_spelled(self._size, self._ratio)}"
        self._say_once("fit", f"{came}: scaled to fit{bars}")
        return place

    def _converter(self, picture: av.VideoFrame) -> _Filters:
        """What makes the picture one of the encoder's format that fills its place."""
        size = self._place.width, self._place.height
        filters = []
        if (picture.width, picture.height) != size or picture.format.name != self._pixel_format:
            arguments = self._scale_arguments(picture) + self._field_arguments(picture)
            filters += [("scale", arguments), ("format", f"pix_fmts={self._pixel_format}")]
        return _Filters(picture, filters)

    def _field_arguments(self, picture: av.VideoFrame) -> str:
        """What makes FFmpeg's `scale` work on each field by itself, so that no row mixes two moments."""
        if not self._interlaced:
            return ""
        rows = 2 * 16 // min(picture.format.chroma_height(16), av.VideoFormat(self._pixel_format).chroma_height(16))
        if picture.height % rows or self._place.height % rows:
            if picture.height != self._place.height:
                sizes = f"{picture.height} to {self._place.height} rows"
                self._say_once("fields", f"interlaced pictures are scaled from {sizes}, which mixes their fields")
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

    def _say_once(self, what: str, line: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._say(line)

    def _scale_arguments(self, picture: av.VideoFrame) -> str:
        """Scaling to the size; the samples keep their meaning, so matrix and range change only to or from RGB."""
        full = "full" if colour.is_full_range(picture) else "limited"
        out_full = full
        if av.VideoFormat(self._pixel_format).is_rgb:
            out_full = "full"
        elif picture.format.is_rgb:
            out_full = "full" if self._tags[3] == int(ColorRange.JPEG) else "limited"
        arguments = f"w={self._place.width}:h={self._place.height}:flags=bicubic+accurate_rnd+full_chroma_int"
        arguments += f":in_range={full}:out_range={out_full}"
        if picture.format.is_rgb != av.VideoFormat(self._pixel_format).is_rgb:
            given = colour.matrix_of(picture)
            arguments += f":in_color_matrix={given}" if given != "rgb" else ""
            made = {1: "bt709", 6: "bt601"}.get(self._tags[2])
            arguments += f":out_color_matrix={made}" if picture.format.is_rgb and made else ""
        return arguments


def _spelled(size: tuple[int, int], ratio: Fraction) -> str:
    pixels = f" with pixels {ratio.numerator}:{ratio.denominator}" if ratio != 1 else ""
    return f"{size[0]}x{size[1]}{pixels}"


class _Filters:
    """A chain of FFmpeg's video filters for pictures of one shape.

    Args:
        like: a picture of that shape.
        filters: name and arguments of each; none at all hands pictures on as new frames over the same samples.
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
    """A larger planar or semi-planar picture whose last column and row go on to the new edges.

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


def output_colour(info: StreamInfo, pixel_format: str) -> tuple[int, int, int, int]:
    """Primaries, transfer, matrix (H.273) and FFmpeg's range code of the encoded pictures.

    They are the input's, except where RGB becomes YUV or the other way round.
    """
    primaries, transfer, matrix, span = info.colour
    from_rgb, to_rgb = (av.VideoFormat(name).is_rgb for name in (info.pixel_format, pixel_format))
    if to_rgb:
        return primaries, transfer, 0, int(ColorRange.JPEG)
    if from_rgb:
        matrix = 1 if info.width >= 1280 or info.height > 576 else 6  # BT.709, BT.601: as streamer.colour assumes
        span = int(ColorRange.MPEG)
    if pixel_format.startswith("yuvj") or (info.pixel_format.startswith("yuvj") and not from_rgb):
        span = int(ColorRange.JPEG)
    return primaries, transfer, matrix, span


def nearest_pixel_format(encoder: str, native: str, wanted: str | None) -> tuple[str, list[str]]:
    """The encoder's pixel format that is nearest to the picture's own, and what is lost."""
    offered = [one.name for one in av.Codec(encoder, "w").video_formats or ()]
    if wanted is not None:
        if offered and wanted not in offered:
            raise SinkUnavailable(f"{encoder} has no pixel format {wanted}; it has {', '.join(offered)}")
        return wanted, []
    if native in offered or not offered:
        return native, []
    if native.startswith("yuvj") and native.replace("yuvj", "yuv") in offered:
        return native.replace("yuvj", "yuv"), []  # the same samples, tagged as full range
    rgb = [one for one in offered if av.VideoFormat(one).is_rgb]
    if av.VideoFormat(native).is_rgb and not rgb and "yuv420p" in offered:
        # The nearest would be 4:4:4, which browsers and hardware decoders do not show.
        note = f"{encoder} has no {native}: encoded as yuv420p; set output.options.pix_fmt=yuv444p for full chroma"
        return "yuv420p", [note]
    best, loss = find_best_pix_fmt_of_list(offered, native, "a" in native.removeprefix("gray"))
    if best is None:
        raise SinkUnavailable(f"{encoder} takes no picture of format {native}; choose another output.codec")
    lost = [str(flag.name).lower() for flag in PixFmtLoss if flag & loss]
    return best.name, [f"{encoder} has no {native}: encoded as {best.name} (lost: {', '.join(lost)})"] if lost else []


def needed_padding(codec: str, pixel_format: str, info: StreamInfo) -> tuple[int, int]:
    """H.264 and HEVC crop in units of a chroma sample (ITU-T H.264 7.4.2.1.1), twice that high when interlaced."""
    if codec not in ("h264", "hevc"):
        return 0, 0
    shape = av.VideoFormat(pixel_format, 16, 16)
    has_chroma = any(component.is_chroma for component in shape.components)
    across = 16 // shape.chroma_width() if has_chroma else 1
    down = 16 // shape.chroma_height() if has_chroma else 1
    if codec == "h264" and info.field_order in INTERLACED:
        down *= 2
    return -info.width % across, -info.height % down
