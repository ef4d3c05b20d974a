"""A recording behind an address: a file on a web server, a finished HLS playlist. Not live: nothing of it is dropped.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceLost, SourceUnavailable
from streamer.protocols import Damage, StreamInfo
from streamer.sources.container import ContainerSource, describe
from streamer.sources.decoding import PictureDecoder
from streamer.sources.network import NetworkConnector
from streamer.sources.opening import choose_video
from streamer.sources.stream_facts import MICROSECOND, container_kind, duration, indexed_packets
from streamer.sources.timestamps import PresentationTimes

READ_TIMEOUT_S = 15.0
_EARLY_END_S = Fraction(1, 2)  # as of files


class RecordedSource(ContainerSource):
    """Every frame of a recording on a server.

    Args:
        connector: opens it.
        threads: decoder threads, 0 for one a processor.
    """

    def __init__(self, connector: NetworkConnector, *, threads: int = 0) -> None:
        super().__init__(connector.name)
        self._connector = connector
        self._threads = threads

    def _open(self) -> tuple[InputContainer, VideoStream, PictureDecoder]:
        try:
            container = self._connector.open(READ_TIMEOUT_S)
        except SourceLost as error:
            raise SourceUnavailable(str(error), error.cause) from error
        try:
            stream = choose_video(container, self._name)
            return container, stream, PictureDecoder(container, stream, threads=self._threads)
        except BaseException:
            container.close()
            raise

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        assert self._container is not None
        lasts = self._container.duration
        return dataclasses.replace(
            describe(stream, first, self._name, self._geometry),
            frame_count=stream.frames or None,
            duration_s=None if lasts is None else float(lasts * MICROSECOND),
        )

    def _settle(self, stream: VideoStream, decoder: PictureDecoder, times: PresentationTimes) -> list[Damage]:
        """What a connection that broke, or a recording that was cut off, left out."""
        holes = times.holes - decoder.lost if decoder.damaged else 0
        damage = [Damage("missing packets", holes, "a gap in the time stamps")] if holes > 0 else []
        # The duration of other kinds without an index is a guess.
        lasts_s = duration(stream) if container_kind(stream) == "matroska" else None
        early_s = max((lasts_s or Fraction(0)) - times.end * self.info.time_base, Fraction(0))
        unread = indexed_packets(stream) - decoder.packets if container_kind(stream) == "mov" else 0
        if decoder.gave_up or decoder.incomplete or unread > 0 or early_s > _EARLY_END_S:
            by_time = round(early_s * (self.info.average_fps or 0))
            damage.append(Damage("truncated", max(unread, by_time, 1), "the rest cannot be read"))
        return damage


def is_recording(connector: NetworkConnector) -> bool:
    """Whether what is behind the address has an end: it tells how long it lasts. Asks the server.

    Raises:
        SourceUnavailable: what a user must mend.
        SourceLost: nobody answers.
    """
    with connector.open(READ_TIMEOUT_S) as container:
        return container.duration is not None and container.duration > 0
