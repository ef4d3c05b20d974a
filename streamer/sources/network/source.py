"""The source for network addresses. Opened by the main thread."""

from __future__ import annotations

from typing import ClassVar

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.features import SourceContext
from streamer.sources.live.live import LiveSource
from streamer.sources.network.address import SCHEMES, is_address
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.network.recorded import RecordedSource, is_recording
from streamer.system import paths


class NetworkSource(LiveSource):
    """The frames of a camera or a live stream on the network; see `LiveSource`."""

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})  # for recordings
    schemes = SCHEMES

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        """Whether it is the address of a network stream."""
        return is_address(uri)

    @classmethod
    def is_live(cls, uri: str) -> bool:
        """Whether it is known to be live before a connection is opened; over http it may be a recording."""
        return paths.scheme_of(uri) not in ("http", "https")

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> LiveSource | RecordedSource:
        """See `streamer.features.SourceFeature`. Asks a web server whether the stream is a recording."""
        connector = NetworkConnector(uri, settings, context.packet_tap)
        if settings.live is None and connector.address.is_http and _is_recording(connector):
            return RecordedSource(connector)
        settings.refuse_unused(uri, takes=())
        return cls(connector, settings, context.stats)


def _is_recording(connector: NetworkConnector) -> bool:
    try:
        return is_recording(connector)
    except (SourceLost, SourceUnavailable) as error:
        if not connector.settings.retry_at_start:
            raise SourceUnavailable(str(error), error.cause) from error
        return False  # the program waits for live streams only
