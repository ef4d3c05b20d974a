"""A recording behind an address: a file on a web server, a finished HLS playlist. Not live: nothing of it is dropped.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import dataclasses

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceLost, SourceUnavailable
from streamer.protocols import Damage, StreamInfo
from streamer.sources.container import ContainerSource, describe
from streamer.sources.decoding import PictureDecoder
from streamer.sources.network import NetworkConnector
from streamer.sources.opening import choose_video
from streamer.sources.stream_facts import MICROSECOND
from streamer.sources.timestamps import PresentationTimes

READ_TIMEOUT_S = 15.0


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
            container = self._connector.open(READ_TIMEOUT_S, whole=True)
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
            describe(stream, first, self._name, transposed=self._turner.orientation.transposed),
            frame_count=stream.frames or None,
            duration_s=None if lasts is None else float(lasts * MICROSECOND),
        )

    def _settle(
        self,
        stream: VideoStream,  # noqa: ARG002
        decoder: PictureDecoder,
        times: PresentationTimes,  # noqa: ARG002
    ) -> list[Damage]:
        return [Damage("truncated", 1, "the rest cannot be read")] if decoder.gave_up else []


def is_recording(connector: NetworkConnector) -> bool:
    """Whether what is behind the address has an end: it tells how long it lasts. Asks the server.

    Raises:
        SourceUnavailable: what a user must mend.
        SourceLost: nobody answers.
    """
    with connector.open(READ_TIMEOUT_S) as container:
        return container.duration is not None and container.duration > 0
