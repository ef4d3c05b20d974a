"""The base class of sources that decode a container with FFmpeg: from an open stream to upright, timed frames.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from inspect import GEN_RUNNING, getgeneratorstate
from itertools import chain
from typing import ClassVar, Self

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.features import SourceContext
from streamer.interfaces import Damage, StreamInfo
from streamer.media.packet_tap import PacketTap
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.deinterlacing import Deinterlace, Deinterlacer
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.opening import choose_video
from streamer.sources.decode.packets import PacketReader, passthrough_of, start_of
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.decode.stream_facts import exact_fps, is_untimed, rate_of
from streamer.sources.decode.stream_info import describe
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.values.frame import Frame, FrameKey

logger = logging.getLogger(__name__)

_FALLBACK_RATE_FPS = Fraction(25)
"""For streams without times and rate; FFmpeg assumes it for raw streams."""


class ContainerSource(SourceBase, ABC):
    """Frames of one video stream of a container; see `streamer.interfaces.Source`.

    Entering decodes the first frame, so `info` has the properties of the frames.

    Args:
        name: readable, without credentials.
        threads: decoder threads, 0 for one per processor.
        fps: frames per second, in place of the input's; exact fractions such as `30000/1001` are kept exact.

    Raises:
        ConfigError: `fps` is not a positive number.

    Attributes:
        packet_tap: gets the packets; set before entering.
        audio: pass the audio of the input to outputs; set before entering.
        deinterlace: which frames to make progressive; set before entering.
        marks_interlaced: set `Frame.interlaced` for frames flagged as interlaced; set before entering.
    """

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})
    probed_packets: ClassVar[int] = 600
    """The number of packets of the video that a probe reads at most."""

    def __init__(self, name: str, *, threads: int = 0, fps: str | float | Fraction | None = None) -> None:
        super().__init__()
        self._name = name
        self._fps = None if fps is None else exact_fps(fps)
        self._threads = threads
        self._frame_threads = True
        self._remedy = ""  # if no frame can be decoded
        self.packet_tap: PacketTap | None = None
        self.audio = True
        self.deinterlace: Deinterlace = "off"
        self.marks_interlaced = False
        self._container: InputContainer | None = None
        self._decoder: FrameDecoder | None = None
        self._geometry: Geometry

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> Self:
        """See `streamer.features.SourceFeature`."""
        return cls(uri, threads=settings.threads, fps=settings.fps).configure(settings, context.packet_tap)

    def configure(self, settings: SourceSettings, packet_tap: PacketTap | None) -> Self:
        """Apply the settings of all containers; before entering."""
        self.packet_tap, self.audio = packet_tap, settings.audio
        if settings.live or settings.deinterlace == "on":
            self.deinterlace = settings.deinterlace
        self.marks_interlaced = settings.deinterlace == "auto" and not settings.live
        return self

    def open(self) -> InputContainer:
        """The open container, in place of entering; the caller closes it.

        Raises:
            SourceUnavailable: it cannot be opened.
        """
        return self._open()

    @abstractmethod
    def _open(self) -> InputContainer:
        """The open container."""

    def _missing_parameters(self, container: InputContainer) -> Mapping[int, Stream]:  # noqa: ARG002
        """Streams whose codec parameters the container lacks, opened elsewhere, by their index."""
        return {}

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        """`info`, from the stream and its first upright frame."""
        return describe(stream, first, self._name, self._geometry)

    def _final_damage(
        self,
        stream: VideoStream,  # noqa: ARG002
        decoder: FrameDecoder,  # noqa: ARG002
        times: TimestampFiller,  # noqa: ARG002
    ) -> list[Damage]:
        """Losses that are known only at the end of the stream."""
        return []

    def __enter__(self) -> Self:
        self._check_unused()
        self._container = self._open()
        try:
            stream = choose_video(self._container, self._name)
            report = partial(_note, self._notes)
            self._geometry = Geometry(self._container, stream, self._name, report)
            start = start_of(self._container, stream)
            decoder = self._decoder = self._make_decoder(self._container, stream, start, report)
            pictures = iter(decoder)
            first = next(pictures, None)
            if first is None:
                raise SourceUnavailable(
                    f"{self._name}: has a video stream, but no frame of it can be decoded{self._remedy}"
                )
            time_base = stream.time_base or Fraction(1, 1000) if self._fps is None else 1 / self._fps
            self._info = self._timed(self._describe(stream, self._geometry.upright(first, time_base)), start)
        except BaseException:
            self._release()
            raise
        self._frames = self._make_frames(decoder, chain([first], pictures), stream, time_base)
        return self

    def _make_decoder(
        self, container: InputContainer, stream: VideoStream, start: Fraction, report: Callable[[str], None]
    ) -> FrameDecoder:
        known = self._missing_parameters(container) if self.audio else {}
        self._passthrough = passthrough_of(container, stream, known, audio=self.audio)
        self._passthrough.on_read_to = self._read_to
        reader = PacketReader(container, stream, self._name, self._passthrough, start, report)
        decoder = FrameDecoder(reader, stream, threads=self._threads, frame_threads=self._frame_threads)
        if self.packet_tap is not None:
            if self.packet_tap.exact:
                # The frames decoded from damaged packets depend on the number of threads.
                stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
            decoder.tap = self.packet_tap.begin(stream)
        return decoder

    def _timed(self, info: StreamInfo, start: Fraction) -> StreamInfo:
        """With the properties that depend on the times of the frames."""
        assert self._container is not None
        info = replace(info, start=start)
        if self.deinterlace != "off":
            info = replace(info, field_order=1)
        if self._fps is None:
            return info
        if not is_untimed(self._container.format.name):
            note = f"{self._name}: source.fps={self._fps} replaces the times of the frames; audio keeps its own times"
            _note(self._notes, note)
        return replace(info, time_base=1 / self._fps, average_fps=self._fps, constant_rate=True)

    def _release(self) -> None:
        if self._decoder is not None:
            self._decoder.idle()
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
        segment, last = 0, None
        for index, (picture, corrupt) in enumerate(self._with_times(decoder, pictures, stream, times)):
            whole = deinterlacer.progressive(picture)
            upright = self._upright(whole, time_base)
            shape = self._geometry.shape_of(upright)
            if last not in (None, shape):
                segment += 1
                logger.warning("%s: frame %d changes to %s", self._name, index, shape)
            last = shape
            assert picture.pts is not None
            yield Frame(
                picture=upright,
                index=index,
                pts=picture.pts,
                time_base=time_base,
                captured_s=time.monotonic(),
                segment=segment,
                duration=picture.duration if self._fps is None else 1,
                corrupt=corrupt,
                key=None if decoder.tap is None or upright is not picture else FrameKey(decoder.tap.number, index),
                sample_aspect_ratio=self._geometry.sample_aspect_ratio,
                interlaced=self._is_interlaced(whole),
            )
        self._collect(decoder)
        self._damage += self._final_damage(stream, decoder, times)

    def _with_times(
        self, decoder: FrameDecoder, pictures: Iterator[av.VideoFrame], stream: VideoStream, times: TimestampFiller
    ) -> Iterator[tuple[av.VideoFrame, bool]]:
        """The frames with their final times, and whether each is corrupt."""
        # FFmpeg counts the times of raw MPEG-2 in decoding order, which is uneven with repeated fields and B-frames.
        untimed = stream.container.format.name == "mpegvideo"
        time_base, first = self.info.time_base, 0
        for index, picture in enumerate(pictures):
            self._collect(decoder)
            pts = picture.pts
            corrupt = picture.is_corrupt or pts in decoder.corrupt_times
            if self._fps is None:
                known = (None, None) if untimed else (pts, picture.dts)
                picture.pts = times.fill(*known, picture.duration, decoder.first_dts)
            else:
                if index == 0 and pts is not None and stream.time_base is not None:
                    first = round(pts * stream.time_base / time_base)
                picture.pts = times.fill(first + index, None, 1, None)
            picture.time_base = time_base
            yield picture, corrupt

    def _missing_packets(self, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """Gaps in the times of a stream with a constant rate that is known to be damaged."""
        gaps = times.gaps - decoder.lost if decoder.damaged else 0
        return [Damage("missing packets", gaps, "a gap in the time stamps")] if gaps > 0 else []

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
        """The upright frame; a source that reads other frames replaces it."""
        return self._geometry.upright(picture, time_base)


def _note(notes: list[str], line: str) -> None:
    notes.append(line)
    logger.warning("%s", line)
