"""Encodes annotated pictures as files. Used by the thread that writes the sink."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av

from streamer.errors import SinkError
from streamer.interfaces import Scene, StreamInfo
from streamer.media.ffmpeg_log import capture_log, reason
from streamer.media.side_data import side_data_of
from streamer.sinks.encoding.fit import PictureFit
from streamer.sinks.encoding.letterbox import plane_rows
from streamer.sinks.images.formats import PictureFormat, format_for
from streamer.values import colour

_PROFILE = "ICC_PROFILE"
_TIME_BASE = Fraction(1, 25)  # a picture has none, but encoders need one


class PictureEncoder:
    """Encodes scenes, each as one picture of its own size and format.

    Samples keep their values where the file can hold the picture's pixel format, such as JPEG's planes in a JPEG file
    before they are compressed. An ICC profile is kept in JPEG and PNG.

    Args:
        info: of the source.
        quality: see `format_for`.
        note: called once with each thing that a file does not keep.
    """

    def __init__(self, info: StreamInfo, quality: int | None, note: Callable[[str], None]) -> None:
        self._info = info
        self._quality = quality
        self._note = note
        self._shape: tuple[object, ...] = ()
        self._format: PictureFormat | None = None
        self._fit: PictureFit | None = None

    def encode(self, encoder: str, scene: Scene) -> bytes:
        """The content of the file for a scene.

        Args:
            encoder: a value of `formats.ENCODERS`.
            scene: its annotated picture is encoded, or the frame itself where nothing was drawn.

        Raises:
            SinkUnavailable: the file type cannot hold the picture's pixel format.
            SinkError: the encoder failed.
        """
        picture = scene.shown
        ratio = scene.frame.sample_aspect_ratio or self._info.sample_aspect_ratio
        made, fit = self._prepared(encoder, picture, scene.frame.picture, ratio)
        frame = fit(picture, ratio)
        if colour.has_alpha(frame.format) and picture is not scene.frame.picture:
            make_opaque_where_drawn(frame, fit(scene.frame.picture, ratio))
        frame.pts, frame.time_base = 0, _TIME_BASE
        with capture_log(av.logging.ERROR) as lines:
            try:
                context = _opened(made, frame, ratio)
                return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
            except (av.error.FFmpegError, ValueError) as error:
                size = f"{frame.width}x{frame.height}"
                why = reason(error, lines)
                raise SinkError(f"a picture of {size} cannot be encoded as {encoder}: {why}; write a .png") from error

    def _prepared(
        self, encoder: str, picture: av.VideoFrame, original: av.VideoFrame, ratio: Fraction
    ) -> tuple[PictureFormat, PictureFit]:
        """Format and conversion for a picture; those of the one before if it is alike."""
        tags = (picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range)
        shape = encoder, picture.width, picture.height, picture.format.name, *tags, ratio
        if shape != self._shape or self._format is None or self._fit is None:
            has_profile = _PROFILE in side_data_of(original)
            self._format = made = format_for(encoder, picture, self._quality, has_profile=has_profile)
            info = dataclasses.replace(
                self._info, width=picture.width, height=picture.height, pixel_format=picture.format.name,
                sample_aspect_ratio=ratio, field_order=0,
            )  # fmt: skip
            self._fit = PictureFit(info, made.pixel_format, (0, 0), made.colour, self._note)
            for line in made.notes:
                self._note(line)
            self._shape = shape
        return self._format, self._fit


def make_opaque_where_drawn(frame: av.VideoFrame, plain: av.VideoFrame) -> None:
    """Make changed pixels opaque: annotators draw colours, which would stay invisible on a transparent background.

    Args:
        frame: is changed; its alpha is the last component of each pixel, or the last plane.
        plain: the same before it was drawn on.
    """
    if len(frame.planes) > 1:
        drawn = plane_rows(frame, 0) != plane_rows(plain, 0)
        plane_rows(frame, len(frame.planes) - 1)[drawn] = 255
        return
    shape = frame.height, frame.width, -1
    pixels = plane_rows(frame, 0).reshape(shape)
    drawn = (pixels != plane_rows(plain, 0).reshape(shape)).any(axis=2)
    alpha_bytes = (frame.format.components[-1].bits + 7) // 8
    plane_rows(frame, 0).reshape(shape)[drawn, -alpha_bytes:] = 255


def _opened(made: PictureFormat, frame: av.VideoFrame, ratio: Fraction) -> Any:
    context: Any = av.CodecContext.create(made.encoder, "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, made.pixel_format
    context.time_base, context.thread_count = _TIME_BASE, 1
    if ratio != 1:
        context.sample_aspect_ratio = ratio
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = made.colour
    context.options.update(made.options)
    context.open()
    return context
