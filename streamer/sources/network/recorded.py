"""A recording behind an address: a file on a web server, a finished HLS playlist. Not live: nothing of it is dropped.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import dataclasses
import logging
from fractions import Fraction
from pathlib import Path
from typing import IO, Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.decode.container import ContainerSource, describe
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.opening import open_file
from streamer.sources.decode.stream_facts import MICROSECOND, container_kind, duration, indexed_packets
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.sources.network.network import NetworkConnector
from streamer.sources.network.whole_file import fetched, gives_parts

logger = logging.getLogger(__name__)

READ_TIMEOUT_S = 15.0
_EARLY_END_S = Fraction(1, 2)  # as of files


class RecordedSource(ContainerSource):
    """Every frame of a recording on a server.

    Args:
        connector: opens it.
        threads: decoder threads, 0 for one a processor.
        fps: frames a second, in place of what the recording tells.
    """

    def __init__(
        self, connector: NetworkConnector, *, threads: int = 0, fps: str | float | Fraction | None = None
    ) -> None:
        super().__init__(connector.name, threads=threads, fps=fps)
        self._connector = connector
        self._fetched: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        except SourceUnavailable:
            # A file whose index stands at its end can be read only where the server gives parts of it.
            url, authorities = self._connector.url, self._connector.authorities
            if not url.lower().startswith("http") or gives_parts(url, authorities):
                raise
        logger.warning("%s: the server gives files only as a whole: it is fetched before the run begins", self._name)
        self._fetched = fetched(url, self._name, authorities)
        return super().__enter__()

    def _open(self) -> InputContainer:
        if self._fetched is not None:
            return open_file(Path(self._fetched.name))
        try:
            return self._connector.open(READ_TIMEOUT_S, thorough=True)
        except SourceLost as error:
            raise SourceUnavailable(str(error), error.cause) from error

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        assert self._container is not None
        lasts = self._container.duration
        return dataclasses.replace(
            describe(stream, first, self._name, self._geometry),
            frame_count=stream.frames or None,
            duration_s=None if lasts is None else float(lasts * MICROSECOND),
        )

    def _release(self) -> None:
        super()._release()
        if self._fetched is not None:
            self._fetched.close()

    def _settle(self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """What a connection that broke, or a recording that was cut off, left out."""
        holes = times.holes - decoder.lost if decoder.damaged else 0
        damage = [Damage("missing packets", holes, "a gap in the time stamps")] if holes > 0 else []
        # The duration of other kinds without an index is a guess.
        lasts_s = duration(stream) if container_kind(stream) == "matroska" else None
        early_s = max((lasts_s or Fraction(0)) - times.end * self.info.time_base, Fraction(0))
        unread = indexed_packets(stream) - decoder.packets if container_kind(stream) == "mov" else 0
        if decoder.reader.gave_up or decoder.incomplete or unread > 0 or early_s > _EARLY_END_S:
            by_time = round(early_s * (self.info.average_fps or 0))
            damage.append(Damage("truncated", max(unread, by_time, 1), "the rest cannot be read"))
        return damage


def is_recording(connector: NetworkConnector) -> bool:
    """Whether what is behind the address has an end: it tells how long it lasts. Asks the server.

    Raises:
        SourceUnavailable: what a user must mend.
        SourceLost: nobody answers.
    """
    finished = connector.is_finished()
    if finished is not None:
        return finished
    if connector.gives_pictures():
        return False
    with connector.open(READ_TIMEOUT_S) as container:
        if container.duration is not None and container.duration > 0:
            return True
        kind = container.format.name
        # A transport stream does not tell how long it is, but the server how large the file is. A single picture has a
        # size too, and so has the list of a playlist that still grows.
        return container.size > 0 and kind != "hls" and not kind.endswith("_pipe")
