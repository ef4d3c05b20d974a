"""A recording at an address: a file on a web server, or a finished HLS playlist. It is not live: no frame is dropped.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import IO, ClassVar, Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.features import SourceContext
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.decode.container import ContainerSource
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.opening import open_file
from streamer.sources.decode.stream_facts import container_duration, container_kind, duration, indexed_packets, seconds
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.sources.network.address import is_address
from streamer.sources.network.connector import NetworkConnector

logger = logging.getLogger(__name__)

READ_TIMEOUT_S = 15.0
_EARLY_END_S = Fraction(1, 2)  # as for files


class RecordedSource(ContainerSource):
    """Every frame of a recording on a server.

    Args:
        connector: opens it.
    """

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})

    def __init__(self, connector: NetworkConnector) -> None:
        settings = connector.settings
        super().__init__(connector.name, threads=settings.threads, fps=settings.fps)
        self.configure(settings, connector.packet_tap)
        self._connector = connector
        self._downloaded: IO[bytes] | None = None

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:
        """Whether it is an address that the settings declare a recording."""
        return settings.live is False and is_address(uri)

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> Self:
        """See `streamer.features.SourceFeature`."""
        return cls(NetworkConnector(uri, settings, context.packet_tap))

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        except SourceUnavailable:
            # A file whose index is at its end can be read only if the server supports ranges.
            if not self._connector.address.is_http or _supports_ranges(self._connector):
                raise
        logger.warning("%s: the server does not support ranges; downloading the whole file first", self._name)
        self._downloaded = _download(self._connector)
        return super().__enter__()

    def _open(self) -> InputContainer:
        if self._downloaded is not None:
            return open_file(Path(self._downloaded.name))
        try:
            return self._connector.open(READ_TIMEOUT_S, thorough=True)
        except SourceLost as error:
            raise SourceUnavailable(str(error), error.cause) from error

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        assert self._container is not None
        return dataclasses.replace(
            super()._describe(stream, first),
            frame_count=stream.frames or None,
            duration_s=seconds(container_duration(self._container)),
        )

    def _release(self) -> None:
        super()._release()
        if self._downloaded is not None:
            self._downloaded.close()

    def _final_damage(self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """What is missing after a lost connection, or of a recording that was cut off."""
        damage = self._missing_packets(decoder, times)
        # The duration of other kinds without an index is a guess.
        lasts_s = duration(stream) if container_kind(stream) == "matroska" else None
        early_s = max((lasts_s or Fraction(0)) - times.end * self.info.time_base, Fraction(0))
        unread = indexed_packets(stream) - decoder.packets if container_kind(stream) == "mov" else 0
        if decoder.reader.gave_up or decoder.incomplete or unread > 0 or early_s > _EARLY_END_S:
            by_time = round(early_s * (self.info.average_fps or 0))
            damage.append(Damage("truncated", max(unread, by_time, 1), "the rest cannot be read"))
        return damage


def is_recording(connector: NetworkConnector) -> bool:
    """Ask the server whether the stream has an end: whether its duration or its size is known.

    Raises:
        SourceUnavailable: an error that a user must fix.
        SourceLost: no answer.
    """
    finished = connector.is_finished()
    if finished is not None:
        return finished
    if connector.sends_pictures():
        return False
    with connector.open(READ_TIMEOUT_S) as container:
        if container.duration is not None and container.duration > 0:
            return True
        kind = container.format.name
        # A transport stream has no duration, but the server reports the size of a file. A single picture has a size
        # too, and so has a live playlist.
        return container.size > 0 and kind != "hls" and not kind.endswith("_pipe")


def _supports_ranges(connector: NetworkConnector) -> bool:
    """Whether the server returns a part of the file on request (RFC 9110, section 14)."""
    from streamer.sources.network.http.client import HttpClient

    try:
        with HttpClient(connector.address, connector.settings) as client:
            return client.get(headers={"Range": "bytes=0-0"}).status == 206
    except (SourceLost, SourceUnavailable):
        return True  # then ranges are not the problem


def _download(connector: NetworkConnector) -> IO[bytes]:
    """The file in a temporary file that is deleted when it is closed.

    Raises:
        SourceUnavailable: the connection broke off, or the disk is full.
    """
    from streamer.sources.network.http.client import HttpClient

    name = connector.name
    file = tempfile.NamedTemporaryFile(prefix="streamer-")  # noqa: SIM115 - the caller closes it
    try:
        with HttpClient(connector.address, connector.settings) as client:
            client.get()
            while piece := client.read(READ_TIMEOUT_S):
                file.write(piece)
        file.flush()
    except (SourceLost, TimeoutError) as error:
        file.close()
        raise SourceUnavailable(f"{name}: the download broke off; try again", "fetching") from error
    except OSError as error:
        file.close()
        why = f"no disk space for it ({error.strerror}); free some, or set TMPDIR to another folder"
        raise SourceUnavailable(f"{name}: {why}") from error
    except BaseException:
        file.close()
        raise
    return file
