"""Opens network streams: RTSP, RTMP, HTTP (MJPEG, HLS, MPEG-TS), UDP and RTP.

Used by the thread of a connection. A connector changes only what it has learned of its address.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.media.ffmpeg_log import Line, capture_log
from streamer.media.packet_tap import PacketTap
from streamer.network import certificates, refusals
from streamer.network.reachability import answers, default_port
from streamer.sources.live.connection import POLL_S, Connection, ConnectionCancelled
from streamer.sources.live.interrupt import LONGEST_READ_S, OpenTimeout
from streamer.sources.network.address import Address
from streamer.sources.network.ffmpeg_options import check_names, ffmpeg_options
from streamer.sources.network.live_container import LiveContainerConnection
from streamer.sources.network.rtsp_login import RtspRelay, RtspServer, is_beyond_ffmpeg, offered

if TYPE_CHECKING:
    from streamer.sources.network.hls.connection import HlsConnection
    from streamer.sources.network.hls.opening import ChosenVariant

log = logging.getLogger(__name__)

# What only HTTP needs is imported where it is used: aiohttp takes 0.2 s and 30 MB.
_SEGMENTS_S = 30.0  # segments of 6 s are usual (RFC 8216bis, 4.4.3.1, requires no length), of 10 s common
_OTHER_TRANSPORT = MappingProxyType({"tcp": "udp", "udp": "tcp"})
_MISSED_POLLS = 3
_CLOSES_WITHIN_S = 3.0


class NetworkConnector:
    """Opens a stream by its address; see `streamer.sources.live.connection.Connector`.

    Args:
        url: with or without user and password.
        settings: of the source.
        packet_tap: gets the packets of every connection.

    Raises:
        SourceUnavailable: `url` is no valid address.
        ConfigError: an option that FFmpeg does not have, or a password file that cannot be read.

    Attributes:
        address: parsed.
        name: the address without user, password and query.
    """

    ends = False

    def __init__(self, url: str, settings: SourceSettings | None = None, packet_tap: PacketTap | None = None) -> None:
        self.settings = settings or SourceSettings()
        self.packet_tap = packet_tap
        check_names(self.settings.options)
        self.address = Address.parse(url, self.settings)
        self.name = self.address.name
        self._transport: str = self.settings.transport
        self._port = threading.Lock()
        self._relays_login = False
        self._is_segmented = self.address.is_playlist
        self._was_played = False  # so a playlist that has ended meanwhile was read to its end

    @property
    def least_stall_s(self) -> float:
        """See `streamer.sources.live.connection.Connector`."""
        if self._is_segmented:
            return _SEGMENTS_S
        return _MISSED_POLLS / self.settings.poll_fps if self.address.is_http else 0.0

    def is_reachable(self) -> bool:
        """Whether a server answers at the address; True where that cannot be checked (UDP)."""
        return answers(self.address.url)

    def sends_pictures(self) -> bool:
        """Ask the server whether it is a camera that sends JPEG pictures over HTTP.

        Raises:
            SourceUnavailable, SourceLost: as for `connect`.
        """
        connection = self._connect_http_camera(lambda: True)
        if connection is not None:
            connection.close()
        return connection is not None

    def connect(self, is_active: Callable[[], bool]) -> Connection:
        """See `streamer.sources.live.connection.Connector`."""
        if self._is_segmented:
            return self._connect_segments(is_active)
        if (camera := self._connect_http_camera(is_active)) is not None:
            return camera
        with ExitStack() as undo:
            if self.address.is_datagram:
                undo.callback(self._take_port(is_active))
            with capture_log(av.logging.WARNING) as lines:
                container = self._open_logged_in(undo)
            if not is_active():
                container.close()
                raise ConnectionCancelled(f"{self.name}: cancelled")
            if container.format.name == "hls":  # which the address does not tell
                container.close()
                return self._connect_segments(is_active)
            opened = LiveContainerConnection(container, self.name, self.settings, self.packet_tap, log_lines=lines)
            opened.closed = undo.pop_all().close
            return opened

    def _take_port(self, is_active: Callable[[], bool]) -> Callable[[], None]:
        """Wait until the previous connection is closed: of two connections each would get half of the datagrams.

        Returns:
            Releases the port.
        """
        until_s = time.monotonic() + _CLOSES_WITHIN_S
        while not self._port.acquire(timeout=POLL_S):
            if not is_active() or time.monotonic() > until_s:
                raise SourceLost(f"{self.name}: the previous connection is not closed yet", "not closed")
        return self._port.release

    def _connect_segments(self, is_active: Callable[[], bool]) -> HlsConnection:
        from streamer.sources.network.hls.connection import HlsConnection

        self._is_segmented = True
        chosen = self._open_playlists(is_active)
        if chosen.playlist.ended and self._was_played:
            raise SourceLost(f"{self.name}: the playlist has ended (EXT-X-ENDLIST), nothing new is in it", "ended")
        self._was_played = True
        return HlsConnection(chosen, self.address, self.settings, is_active, self.packet_tap)

    def _open_playlists(self, is_active: Callable[[], bool] = lambda: True) -> ChosenVariant:
        from streamer.sources.network.hls.opening import open_playlists

        return open_playlists(self.address, self.settings, is_active)

    def is_finished(self) -> bool | None:
        """Whether the playlist at the address has ended; None if there is none.

        Raises:
            SourceUnavailable: an error that a user must fix.
            SourceLost: no answer.
        """
        return self._open_playlists().playlist.ended if self._is_segmented else None

    def open(self, read_timeout_s: float | None = None, *, thorough: bool = False) -> InputContainer:
        """Open the container.

        Args:
            read_timeout_s: of one read; None for as long as the connection is active, and until the first frame of a
                slow camera (`streamer.sources.live.interrupt`).
            thorough: analyse the streams for as long as that takes, as for a file.

        Raises:
            SourceUnavailable: a wrong login or path, or no video.
            SourceLost: no answer.
        """
        try:
            return self._open(read_timeout_s, thorough=thorough)
        except SourceUnavailable as error:
            other = _OTHER_TRANSPORT.get(self._transport, "")
            if error.cause != "transport" or not other:
                raise
            first, self._transport = self._transport, other
            log.warning("%s: the camera does not send over %s; trying %s", self.name, first.upper(), other.upper())
            try:
                return self._open(read_timeout_s, thorough=thorough)
            except (SourceLost, SourceUnavailable):
                self._transport = first
                raise error from None

    def _open(self, read_timeout_s: float | None, *, thorough: bool = False, url: str | None = None) -> InputContainer:
        transport = "tcp" if self._relays_login else self._transport
        scheme = self.address.scheme if url is None else "rtsp"
        options = ffmpeg_options(self.settings, scheme, transport, thorough=thorough)
        where = self._playlist_or_url() if url is None else (url, "r", None)
        open_s = self.settings.open_timeout_s
        timeout: Any = (open_s, read_timeout_s) if read_timeout_s is not None else (OpenTimeout(open_s), LONGEST_READ_S)
        lines: list[Line] = []
        try:
            with capture_log(av.logging.WARNING) as lines:
                container = av.open(*where, options=options, timeout=timeout, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            refusal = refusals.explained(
                self.name, error, lines, options.get("ca_file"), has_login=self.address.has_login
            )
            raise self.address.with_hint(refusal) from error
        self._is_segmented = self._is_segmented or container.format.name == "hls"
        return container

    def _open_logged_in(self, undo: ExitStack) -> InputContainer:
        """Open the container, through a relay if FFmpeg does not support the server's kind of login.

        Args:
            undo: gets the function that ends the relay.
        """
        try:
            if not self._relays_login:
                return self.open()
            relay = RtspRelay(self._rtsp_server())
        except SourceUnavailable as error:
            if error.cause != "login refused" or not self.address.has_login or not self.address.is_rtsp:
                raise
            asked = offered(self._rtsp_server(), self.settings.open_timeout_s)
            if not is_beyond_ffmpeg(asked):
                refusal = refusals.refused(self.name, 401, "", asked) if asked else error
                raise self.address.with_hint(refusal) from error
            self._relays_login = True
            return self._open_logged_in(undo)
        except OSError as error:
            raise refusals.unreachable(self.name, error) from error
        undo.callback(relay.close)
        return self._open(None, url=relay.url)

    def _rtsp_server(self) -> RtspServer:
        parts = urlsplit(self.address.plain_url)
        is_tls, ca_file = self.address.scheme == "rtsps", self.settings.options.get("ca_file")
        return RtspServer(
            parts.hostname or "",
            parts.port or default_port(parts.scheme) or 0,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            self.address.user,
            self.address.password,
            tls=certificates.context(ca_file, verify=self.settings.verify) if is_tls else None,
        )

    def _connect_http_camera(self, is_active: Callable[[], bool]) -> Connection | None:
        """A connection to a camera that sends pictures over HTTP; None if the server sends something else."""
        if not self.address.is_http or self._is_segmented:
            return None
        from streamer.sources.network.http import camera

        try:
            return camera.connect(self.address, self.settings, is_active, self.packet_tap)
        except (SourceLost, SourceUnavailable) as error:
            raise self.address.with_hint(error) from error

    def _playlist_or_url(self) -> tuple[str, Literal["r"], str | None]:
        """What FFmpeg opens: of an HLS source the playlist of the chosen variant, so that no other is downloaded."""
        if not self._is_segmented:
            return self.address.url, "r", None
        from streamer.sources.network.hls.opening import master_of, with_login

        chosen = self._open_playlists()
        url = with_login(chosen.url, self.address.url)
        if chosen.audio_url is None:
            return url, "r", "hls"
        return master_of(url, with_login(chosen.audio_url, self.address.url)), "r", "hls"
