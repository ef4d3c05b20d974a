"""What all sources that decode a container with FFmpeg share: from an open stream to upright, timed frames.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from inspect import GEN_RUNNING, getgeneratorstate
from itertools import chain
from typing import Self

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, PacketTap, StreamInfo
from streamer.media.side_data import LAYOUTS, side_data_of
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.deinterlacing import Deinterlace, Deinterlacer
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.opening import choose_video
from streamer.sources.decode.packets import PacketReader, passthrough_of, start_of
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.decode.stream_facts import exact_fps, is_untimed, rate_of
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.values.frame import Frame, FrameKey

logger = logging.getLogger(__name__)

# fmt: off
_STILL_PICTURES = frozenset({
    "apng", "bmp", "gif", "jpegls", "jpegxl", "ljpeg", "mjpeg", "mjpegb", "pam", "pbm", "pcx", "pgm", "png", "ppm",
    "qoi", "sgi", "sunrast", "targa", "tiff", "webp", "xbm",
})
# fmt: on
"""Codecs whose pictures are like those of webcams and picture files."""
_FALLBACK_RATE_FPS = Fraction(25)
"""For streams that tell neither times nor a rate; what FFmpeg assumes of raw streams."""


class ContainerSource(SourceBase, ABC):
    """Frames of one video stream of a container; see `streamer.interfaces.Source`.

    Entering decodes the first picture, so that `info` is what the frames really are.

    Args:
        name: readable, without credentials.
        threads: decoder threads, 0 for one a processor.
        fps: frames a second, in place of what the input tells; exact fractions such as `30000/1001` are kept exact.

    Raises:
        ConfigError: `fps` is not a positive number.

    Attributes:
        tap: told of the packets; set before entering.
        audio: give the sound of the input to outputs; set before entering.
        deinterlace: which pictures to make progressive; set before entering.
        marks_interlaced: tell of frames whose pictures are marked as interlaced; set before entering.
    """

    def __init__(self, name: str, *, threads: int = 0, fps: str | float | Fraction | None = None) -> None:
        super().__init__()
        self._name = name
        self._fps = None if fps is None else exact_fps(fps)
        self._threads = threads
        self._frame_threads = True
        self._remedy = ""  # what to do where no picture comes
        self.tap: PacketTap | None = None
        self.audio = True
        self.deinterlace: Deinterlace = "off"
        self.marks_interlaced = False
        self._container: InputContainer | None = None
        self._decoder: FrameDecoder | None = None
        self._geometry: Geometry

    @abstractmethod
    def _open(self) -> InputContainer:
        """The open container."""

    def _late_streams(self, container: InputContainer) -> Mapping[int, Stream]:  # noqa: ARG002
        """What streams are that begin so late that opening the container does not tell, by their index."""
        return {}

    @abstractmethod
    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        """`info`, from the stream and its first upright picture."""

    def _settle(
        self,
        stream: VideoStream,  # noqa: ARG002
        decoder: FrameDecoder,  # noqa: ARG002
        times: TimestampFiller,  # noqa: ARG002
    ) -> list[Damage]:
        """What turns out to be missing at the end of the stream."""
        return []

    def __enter__(self) -> Self:
        self._check_unused()
        self._container = self._open()
        try:
            stream = choose_video(self._container, self._name)
            say = partial(_note, self._notes)
            self._geometry = Geometry(self._container, stream, self._name, say)
            known = self._late_streams(self._container) if self.audio else {}
            self._passthrough = passthrough_of(self._container, stream, known, audio=self.audio)
            start = start_of(self._container, stream)
            self._passthrough.on_read_to = self._read_to
            reader = PacketReader(self._container, stream, self._name, self._passthrough, start, say)
            decoder = self._decoder = FrameDecoder(
                reader, stream, threads=self._threads, frame_threads=self._frame_threads
            )
            if self.tap is not None:
                # What is made of damaged packets depends on how many are decoded at once.
                stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
                decoder.tap = self.tap.begin(stream)
            pictures = iter(decoder)
            first = next(pictures, None)
            if first is None:
                raise SourceUnavailable(
                    f"{self._name}: has a video stream, but no picture of it can be decoded{self._remedy}"
                )
            time_base = stream.time_base or Fraction(1, 1000) if self._fps is None else 1 / self._fps
            self._info = self._timed(self._describe(stream, self._geometry.upright(first, time_base)), start)
        except BaseException:
            self._release()
            raise
        self._frames = self._make_frames(decoder, chain([first], pictures), stream, time_base)
        return self

    def _timed(self, info: StreamInfo, start: Fraction) -> StreamInfo:
        """With what is known of the frames' times."""
        assert self._container is not None
        info = replace(info, start=start)
        if self.deinterlace != "off":
            info = replace(info, field_order=1)
        if self._fps is None:
            return info
        if not is_untimed(self._container.format.name):
            said = f"{self._name}: --fps {self._fps} replaces the times that the frames have; sound keeps its own"
            _note(self._notes, said)
        return replace(info, time_base=1 / self._fps, average_fps=self._fps, constant_rate=True)

    def _release(self) -> None:
        if self._decoder is not None:
            self._decoder.rest()
            self._decoder = None
        if self._container is not None:
            self._container.close()
            self._container = None

    def _make_frames(
        self, decoder: FrameDecoder, pictures: Iterator[av.VideoFrame], stream: VideoStream, time_base: Fraction
    ) -> Generator[Frame]:
        assert self._passthrough is not None
        if not self._passthrough.begin():
            decoder.reader.drop_others()
        deinterlacer = Deinterlacer(self.deinterlace)
        times = TimestampFiller(round(1 / (rate_of(stream) or _FALLBACK_RATE_FPS) / time_base))
        # FFmpeg counts the times of raw MPEG-2 as it is decoded, which is uneven with repeated fields and B-frames.
        assert self._container is not None
        uncounted = self._container.format.name == "mpegvideo"
        segment, last, first = 0, None, 0
        for index, picture in enumerate(pictures):
            self._collect(decoder)
            given = picture.pts
            if self._fps is None:
                told = (None, None) if uncounted else (picture.pts, picture.dts)
                pts = times.of(*told, picture.duration, decoder.first_dts)
            else:
                if index == 0 and given is not None and stream.time_base is not None:
                    first = round(given * stream.time_base / time_base)
                pts = times.of(first + index, None, 1, None)
            picture.pts, picture.time_base = pts, time_base
            whole = deinterlacer.progressive(picture)
            upright = self._upright(whole, time_base)
            shape = self._geometry.shape_of(upright)
            if last not in (None, shape):
                segment += 1
                logger.warning("%s: picture %d changes to %s", self._name, index, shape)
            last = shape
            yield Frame(
                picture=upright,
                index=index,
                pts=pts,
                time_base=time_base,
                captured_s=time.monotonic(),
                segment=segment,
                duration=picture.duration if self._fps is None else 1,
                corrupt=picture.is_corrupt or given in decoder.corrupt_times,
                key=None if decoder.tap is None or upright is not picture else FrameKey(decoder.tap.number, index),
                sample_aspect_ratio=self._geometry.sample_aspect_ratio,
                interlaced=self._is_interlaced(whole),
            )
        self._collect(decoder)
        self._damage += self._settle(stream, decoder, times)

    def _is_interlaced(self, picture: av.VideoFrame) -> bool:
        turned = self._geometry.orientation.transposed or self._geometry.orientation.flipped_y
        return self.marks_interlaced and picture.interlaced_frame and not turned

    def _read_to(self, time: Fraction) -> None:
        running = self._frames is not None and getgeneratorstate(self._frames) == GEN_RUNNING
        if self._decoder is not None and not running:
            self._decoder.reader.read_others_to(time)

    def _collect(self, decoder: FrameDecoder) -> None:
        if decoder.damage:
            self._damage += decoder.damage
            decoder.damage.clear()

    def _upright(self, picture: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The picture as it is to be shown; what a source that gives others replaces."""
        return self._geometry.upright(picture, time_base)


def describe(
    stream: VideoStream, first: av.VideoFrame, name: str, geometry: Geometry, *, live: bool = False
) -> StreamInfo:
    """What every container tells of its stream, for its first picture, upright."""
    context = stream.codec_context
    side_data = side_data_of(first)
    if (
        geometry.orientation.transposed
    ):  # a layout of two views or of a sphere does not hold for a picture that was turned on its side
        side_data = {name: one for name, one in side_data.items() if name not in LAYOUTS}
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
        average_fps=rate_of(stream),
        sample_aspect_ratio=geometry.sample_aspect_ratio,
        live=live,
        bit_rate=stream.bit_rate or None,
        colour=(primaries, transfer, matrix, code),
        field_order=geometry.field_order,
        constant_rate=stream.base_rate is not None and stream.base_rate == stream.average_rate,
        jpeg_like=context.codec.canonical_name in _STILL_PICTURES,
        side_data=side_data,
    )


def _note(notes: list[str], line: str) -> None:
    notes.append(line)
    logger.warning("%s", line)
