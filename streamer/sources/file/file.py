"""Video files: every container and codec that FFmpeg opens, decoded with threads, upright, each frame with its time.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streamer.interfaces import Damage, StreamInfo
from streamer.sources.decode.container import ContainerSource, describe
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.missing_parameters import find_missing_parameters
from streamer.sources.decode.opening import open_file
from streamer.sources.decode.stream_facts import container_kind, duration, frame_count, indexed_packets
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.sources.file.truncation import missing_bytes

_EARLY_END_S = Fraction(1, 2)
"""A damaged Matroska file that ends this much before its headers say is taken for cut off."""


class FileSource(ContainerSource):
    """The frames of a video file, as many as the decoder gives, each with the time that the container gave it.

    What nothing can be made of is told by `take_damage`: `decode error` (a packet failed), `missing packets` (the index
    lists them, but they are not there), `read error` (reading failed once and went on) and `truncated` (the file ends
    before it says it does; how many frames that is comes from its index or its duration, else it counts as 1).

    Args:
        path: of the file.
        threads: decoder threads, 0 for one a processor.
        fps: frames a second, in place of what the file tells.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: str | Path, *, threads: int = 0, fps: str | float | Fraction | None = None) -> None:
        super().__init__(str(path), threads=threads, fps=fps)
        self.path = Path(path)
        self._missing_bytes = 0

    def _open(self) -> InputContainer:
        container = open_file(self.path)
        try:
            self._missing_bytes = missing_bytes(self.path, container.format.name)
        except OSError:
            container.close()
            raise
        # An error at the very end takes finished pictures with it when several are decoded at once.
        self._frame_threads = not self._missing_bytes
        return container

    def _late_streams(self, container: InputContainer) -> Mapping[int, Stream]:
        return find_missing_parameters(self.path, container)

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        lasts = duration(stream)
        return dataclasses.replace(
            describe(stream, first, self._name, self._geometry),
            frame_count=frame_count(stream),
            duration_s=None if lasts is None else float(lasts),
            path=str(self.path),
        )

    def _settle(self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """Packets that the index lists or the clock misses, and what comes after the end of a file that is cut off."""
        unread = max(indexed_packets(stream) - decoder.packets, 0)
        cut = self._cut_off(stream, decoder, times, unread)
        if cut is not None:
            return [cut]
        if unread:
            return [Damage("missing packets", unread, "in the index, but not in the file")]
        # Without an index, holes in the time of a constant rate tell, but only in a stream that is known to be damaged.
        indexed = indexed_packets(stream) > 1
        holes = times.holes - decoder.lost if decoder.damaged and not indexed else 0
        return [Damage("missing packets", holes, "a gap in the time stamps")] if holes > 0 else []

    def _cut_off(
        self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller, unread: int
    ) -> Damage | None:
        end_s = times.end * self.info.time_base
        early_s = max((duration(stream) or end_s) - end_s, Fraction(0))
        if self._missing_bytes:
            if container_kind(stream) == "mov" and stream.frames and not unread:
                return None  # every picture is there, something else was cut off
            detail = f"the file is at least {self._missing_bytes} bytes too short"
        elif decoder.incomplete or decoder.reader.gave_up:
            detail = "the file ends inside a packet" if decoder.incomplete else "the rest cannot be read"
        elif container_kind(stream) == "matroska" and early_s > _EARLY_END_S and self._left_unread(decoder):
            detail = f"reading ended {float(early_s):.1f} s early"
        else:
            return None
        by_count = (self.info.frame_count or 0) - decoder.packets
        by_time = round(early_s * (self.info.average_fps or 0)) - decoder.errors_since_picture
        by_size = decoder.packets * self._missing_bytes // self.path.stat().st_size
        return Damage("truncated", max(unread or max(by_count, 0) or max(by_time, 0) or by_size, 1), detail)

    def _left_unread(self, decoder: FrameDecoder) -> bool:
        """Whether there is reason to think that the demuxer lost its way before the end of the file."""
        return decoder.damaged or decoder.end_position < 0.9 * self.path.stat().st_size
