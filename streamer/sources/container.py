"""What all sources that decode a container with FFmpeg share: from an open stream to upright, timed frames.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import chain
from typing import Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceUnavailable
from streamer.frame import Frame, PictureKey
from streamer.protocols import Damage, StreamInfo
from streamer.sources.decoding import PictureDecoder
from streamer.sources.orientation import UPRIGHT, Turner, is_oblique, orientation_of
from streamer.sources.single_use import SingleUseSource
from streamer.sources.tap import PacketTap
from streamer.sources.timestamps import PresentationTimes

logger = logging.getLogger(__name__)

_MOST_FPS = 1000
"""A higher guess is the clock of the time stamps, not a rate (MPEG-TS, RTP)."""
# fmt: off
_STILL_PICTURES = frozenset({
    "apng", "bmp", "gif", "jpegls", "jpegxl", "ljpeg", "mjpeg", "mjpegb", "pam", "pbm", "pcx", "pgm", "png", "ppm",
    "qoi", "sgi", "sunrast", "targa", "tiff", "webp", "xbm",
})
# fmt: on
"""Codecs whose pictures are like those of webcams and picture files."""
_FALLBACK_RATE_FPS = Fraction(25)
"""For streams that tell neither times nor a rate; what FFmpeg assumes of raw streams."""


class ContainerSource(SingleUseSource, ABC):
    """Frames of one video stream of a container; see `streamer.protocols.Source`.

    Entering decodes the first picture, so that `info` is what the frames really are.

    Attributes:
        tap: told of the packets; set before entering.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.tap: PacketTap | None = None
        self._container: InputContainer | None = None
        self._decoder: PictureDecoder | None = None
        self._turner = Turner(UPRIGHT)
        self._rotation = 0

    @abstractmethod
    def _open(self) -> tuple[InputContainer, VideoStream, PictureDecoder]:
        """The open container, the stream to decode and its decoder."""

    @abstractmethod
    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        """`info`, from the stream and its first upright picture."""

    def _settle(
        self,
        stream: VideoStream,  # noqa: ARG002
        decoder: PictureDecoder,  # noqa: ARG002
        times: PresentationTimes,  # noqa: ARG002
    ) -> list[Damage]:
        """What turns out to be missing at the end of the stream."""
        return []

    def __enter__(self) -> Self:
        self._check_unused()
        self._container, stream, decoder = self._open()
        self._decoder = decoder
        try:
            if self.tap is not None:
                # What is made of damaged packets depends on how many are decoded at once.
                stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
                decoder.tap = self.tap.begin(stream)
            pictures = iter(decoder)
            first = next(pictures, None)
            if first is None:
                raise SourceUnavailable(f"{self._name}: has a video stream, but no picture of it can be decoded")
            time_base = stream.time_base or Fraction(1, 1000)
            self._rotation = first.rotation
            self._turner = turner_for(first, self._name)
            self._info = self._describe(stream, self._turner.turn(first, time_base))
        except BaseException:
            self._release()
            raise
        self._frames = self._make_frames(decoder, chain([first], pictures), stream, time_base)
        return self

    def _release(self) -> None:
        if self._container is not None and self._decoder is not None:
            self._decoder.rest()
            self._container.close()
            self._container = self._decoder = None

    def _make_frames(
        self, decoder: PictureDecoder, pictures: Iterator[av.VideoFrame], stream: VideoStream, time_base: Fraction
    ) -> Generator[Frame]:
        times = PresentationTimes(round(1 / (_rate_of(stream) or _FALLBACK_RATE_FPS) / time_base))
        segment, shape = 0, None
        for index, picture in enumerate(pictures):
            self._collect(decoder)
            pts = times.of(picture.pts, picture.dts, picture.duration, decoder.first_dts)
            picture.pts, picture.time_base = pts, time_base
            upright = self._upright(picture, time_base)
            if shape not in (None, _shape_of(upright)):
                segment += 1
                logger.warning("%s: picture %d changes to %dx%d %s", self._name, index, *_shape_of(upright))
            shape = _shape_of(upright)
            yield Frame(
                picture=upright,
                index=index,
                pts=pts,
                time_base=time_base,
                captured_s=time.monotonic(),
                segment=segment,
                duration=picture.duration,
                corrupt=picture.is_corrupt or pts in decoder.corrupt_times,
                key=None if decoder.tap is None or upright is not picture else PictureKey(decoder.tap.number, index),
            )
        self._collect(decoder)
        self._damage += self._settle(stream, decoder, times)

    def _collect(self, decoder: PictureDecoder) -> None:
        if decoder.damage:
            self._damage += decoder.damage
            decoder.damage.clear()

    def _upright(self, picture: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        if picture.rotation != self._rotation:  # a new matrix in mid-stream; cheaper to ask than the matrix itself
            self._rotation = picture.rotation
            self._turner = turner_for(picture, self._name)
        return self._turner.turn(picture, time_base)


def describe(
    stream: VideoStream, first: av.VideoFrame, name: str, *, transposed: bool, live: bool = False
) -> StreamInfo:
    """What every container tells of its stream, for an upright first picture."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    context = stream.codec_context
    tags = (
        (first.color_primaries, context.color_primaries, 2),
        (first.color_trc, context.color_trc, 2),
        (first.colorspace, context.colorspace, 2),
        (first.color_range, context.color_range, 0),
    )
    primaries, transfer, matrix, code = (int(of_stream if own == unset else own) for own, of_stream, unset in tags)
    return StreamInfo(
        name=name,
        width=first.width,
        height=first.height,
        pixel_format=first.format.name,
        time_base=stream.time_base or Fraction(1, 1000),
        average_fps=_rate_of(stream),
        sample_aspect_ratio=1 / ratio if transposed else ratio,
        live=live,
        bit_rate=stream.bit_rate or None,
        colour=(primaries, transfer, matrix, code),
        field_order=int(context.field_order),
        jpeg_like=context.codec.canonical_name in _STILL_PICTURES,
    )


def _rate_of(stream: VideoStream) -> Fraction | None:
    guess = stream.guessed_rate
    return stream.average_rate or (guess if guess and guess <= _MOST_FPS else None)


def _shape_of(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def turner_for(picture: av.VideoFrame, name: str) -> Turner:
    """What turns pictures like this one upright; says so where that is not exact."""
    if is_oblique(picture):
        logger.warning("%s: asks to be turned by %d degrees; the nearest quarter turn is used", name, picture.rotation)
    return Turner(orientation_of(picture))
