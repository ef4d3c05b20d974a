"""Video files: every container and codec that FFmpeg supports, decoded with several threads.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streamer.config.source import SourceSettings
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.decode.container import ContainerSource
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.missing_parameters import find_missing_parameters
from streamer.sources.decode.opening import open_file
from streamer.sources.decode.stream_facts import container_kind, duration, frame_count, indexed_packets, seconds
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.sources.file.truncation import missing_bytes
from streamer.sources.images.files import is_still
from streamer.system import paths
from streamer.values.frame import Frame

_EARLY_END_S = Fraction(1, 2)
"""A damaged Matroska file that ends this much before its stated duration counts as truncated."""


class FileSource(ContainerSource):
    """All frames of a video file, each with its time in the container.

    `take_damage` returns losses: `decode error` (a packet failed), `missing packets` (listed in the index, but absent),
    `read error` (reading failed once and continued) and `truncated` (the file ends early; the number of frames comes
    from its index or duration, otherwise it counts as 1).

    Args:
        path: of the file.
        threads: decoder threads, 0 for one per processor.
        fps: frames per second, in place of the file's.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: str | Path, *, threads: int = 0, fps: str | float | Fraction | None = None) -> None:
        super().__init__(str(path), threads=threads, fps=fps)
        self.path = Path(path)
        self._missing_bytes = 0

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        """Whether it may be the path of a file; asked last, so also for a file that does not exist."""
        return paths.is_local(uri)

    def __iter__(self) -> Iterator[Frame]:
        frames = super().__iter__()
        return (dataclasses.replace(one, file=self.path.name) for one in frames) if self.info.files else frames

    def _open(self) -> InputContainer:
        container = open_file(self.path)
        try:
            self._missing_bytes = missing_bytes(self.path, container.format.name)
        except OSError:
            container.close()
            raise
        # With frame threads, an error at the end of the file loses frames that are already decoded.
        self._frame_threads = not self._missing_bytes
        return container

    def _missing_parameters(self, container: InputContainer) -> Mapping[int, Stream]:
        return find_missing_parameters(self.path, container)

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        return dataclasses.replace(
            super()._describe(stream, first),
            frame_count=frame_count(stream),
            duration_s=seconds(duration(stream)),
            path=str(self.path),
            files=(str(self.path),) if is_still(self.path) else (),
        )

    def _final_damage(self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """Packets that are missing according to the index or the times, and the missing end of a truncated file."""
        unread = max(indexed_packets(stream) - decoder.packets, 0)
        cut = self._truncation(stream, decoder, times, unread)
        if cut is not None:
            return [cut]
        if unread:
            return [Damage("missing packets", unread, "in the index, but not in the file")]
        return [] if indexed_packets(stream) > 1 else self._missing_packets(decoder, times)

    def _truncation(
        self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller, unread: int
    ) -> Damage | None:
        end_s = times.end * self.info.time_base
        early_s = max((duration(stream) or end_s) - end_s, Fraction(0))
        if self._missing_bytes:
            if container_kind(stream) == "mov" and stream.frames and not unread:
                return None  # all frames are there, something else is truncated
            detail = f"the file is at least {self._missing_bytes} bytes too short"
        elif decoder.incomplete or decoder.reader.gave_up:
            detail = "the file ends inside a packet" if decoder.incomplete else "the rest cannot be read"
        elif container_kind(stream) == "matroska" and early_s > _EARLY_END_S and self._lost_position(decoder):
            detail = f"reading ended {float(early_s):.1f} s early"
        else:
            return None
        by_count = (self.info.frame_count or 0) - decoder.packets
        by_time = round(early_s * (self.info.average_fps or 0)) - decoder.errors_since_frame
        by_size = decoder.packets * self._missing_bytes // self.path.stat().st_size
        return Damage("truncated", max(unread or max(by_count, 0) or max(by_time, 0) or by_size, 1), detail)

    def _lost_position(self, decoder: FrameDecoder) -> bool:
        """Whether the demuxer probably lost its position before the end of the file."""
        return decoder.damaged or decoder.end_position < 0.9 * self.path.stat().st_size
