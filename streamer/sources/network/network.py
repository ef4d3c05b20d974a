"""Cameras and streams on the network: RTSP, RTMP, HTTP (MJPEG, HLS, MPEG-TS), UDP and RTP.

Used by the thread of a connection; of `NetworkConnector` only changes what it has learnt of its address.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import PacketTap
from streamer.media.ffmpeg_log import Line, capture_log
from streamer.network import certificates, refusals
from streamer.network.reachability import answers, default_port
from streamer.sources.decode.opening import choose_video
from streamer.sources.live.connection import Connection
from streamer.sources.network.address import PERCENT, check_address, headers_of
from streamer.sources.network.datagram_port import DatagramPort
from streamer.sources.network.ffmpeg_options import check_names
from streamer.sources.network.live_container import LiveContainerConnection
from streamer.sources.network.options import NetworkOptions
from streamer.sources.network.rtsp_login import RtspRelay, RtspServer, is_beyond_ffmpeg, offered
from streamer.system.secrets import SECRETS, may_hide_host, redacted, with_credentials

if TYPE_CHECKING:
    from streamer.sources.network.hls.connection import HlsConnection
    from streamer.sources.network.hls.opening import Chosen

log = logging.getLogger(__name__)

# What only HTTP needs is imported where it is used: aiohttp and requests take 0.2 s and 30 MB.
SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "rtp", "srtp", "tcp")
_SEGMENTS_S = 30.0  # segments of 6 s are usual (RFC 8216bis, 4.4.3.1, asks for no length), of 10 s common
_OTHERS = MappingProxyType({"tcp": "udp", "udp": "tcp"})
_MISSED_POLLS = 3


class NetworkConnector:
    """Opens a stream by its URL; see `streamer.sources.live.connection.Connector`.

    Args:
        url: with or without user and password.
        options: how.
        tap: told of the packets of every connection.
        audio: give the sound of the stream too.

    Raises:
        SourceUnavailable: `url` is no address.
        ConfigError: an option that FFmpeg does not have.

    Attributes:
        name: the URL without user, password and query.
    """

    ends = False

    def __init__(
        self, url: str, options: NetworkOptions | None = None, tap: PacketTap | None = None, *, audio: bool = True
    ) -> None:
        self._options = options or NetworkOptions()
        self._transport = self._options.transport
        self._port = DatagramPort()
        self._relayed = False
        self._tap = tap
        self._audio = audio
        check_names(self._options.options)
        address, user, password = SECRETS.split(url)
        self.name = redacted(url)
        check_address(address, self.name)
        self._hint = PERCENT if may_hide_host(url) else ""
        user, password = self._options.user or user, self._options.password or password
        SECRETS.remember(password, user)
        self._url = with_credentials(address, user, password)
        self._login = user, password
        self._plain_url = with_credentials(address, "", "")
        self._in_segments = False
        self.least_stall_s = 0.0
        if urlsplit(address).path.lower().endswith(".m3u8"):
            self._comes_in_segments()
        self._played = False  # a list of segments that has ended since was read to its end
        if self._may_be_pictures:
            self.least_stall_s = _MISSED_POLLS / self._options.poll_fps

    def present(self) -> bool:
        """Whether a server answers at the address; True where that cannot be found out (UDP)."""
        return answers(self._url)

    def gives_pictures(self) -> bool:
        """Whether it is a camera that sends pictures over HTTP. Asks the server.

        Raises:
            SourceUnavailable, SourceLost: as of `connect`.
        """
        connection = self._picture_camera(lambda: True)
        if connection is not None:
            connection.close()
        return connection is not None

    def connect(self, wanted: Callable[[], bool]) -> Connection:
        """See `streamer.sources.live.connection.Connector`."""
        if self._in_segments:
            return self._connect_segments(wanted)
        if (pictures := self._picture_camera(wanted)) is not None:
            return pictures
        with ExitStack() as undone:
            if self._is_datagrams:
                undone.callback(self._port.take(wanted, self.name))
            with capture_log(av.logging.WARNING) as said:
                container = self._open_logged_in(undone)
            try:
                if not wanted():
                    raise SourceLost(f"{self.name}: not wanted any more")
                if container.format.name == "hls":  # whose address does not tell
                    container.close()
                    return self._connect_segments(wanted)
                opened = LiveContainerConnection(
                    container,
                    choose_video(container, self.name),
                    self.name,
                    None,
                    self._tap,
                    audio=self._audio,
                    said=said,
                    deinterlace=self._options.deinterlace,
                )
            except BaseException:
                container.close()
                raise
            opened.closed = undone.pop_all().close
            return opened

    def _comes_in_segments(self) -> None:
        """It is HLS, as its address tells or what is there."""
        self._in_segments, self.least_stall_s = True, _SEGMENTS_S

    def _connect_segments(self, wanted: Callable[[], bool]) -> HlsConnection:
        from streamer.sources.network.hls.connection import HlsConnection

        self._comes_in_segments()
        chosen = self._playlists(wanted)
        if chosen.playlist.ended and self._played:
            raise SourceLost(f"{self.name}: the playlist has ended (EXT-X-ENDLIST), nothing new is in it", "ended")
        self._played = True
        deinterlace = self._options.deinterlace
        return HlsConnection(chosen, self.name, wanted, self._tap, audio=self._audio, deinterlace=deinterlace)

    def _playlists(self, wanted: Callable[[], bool] = lambda: True) -> Chosen:
        from streamer.sources.network.hls.opening import open_playlists

        options = self._options
        return open_playlists(
            self._url,
            self.name,
            wanted,
            options.open_timeout_s,
            options.options,
            max_height=options.max_height,
            audio=self._audio,
            authorities=self.authorities,
        )

    def is_finished(self) -> bool | None:
        """Whether the playlist at the address has ended; None if there is none.

        Raises:
            SourceUnavailable: what a user must mend.
            SourceLost: nobody answers.
        """
        return self._playlists().playlist.ended if self._in_segments else None

    @property
    def url(self) -> str:
        """The address with all secrets: it must not be printed."""
        return self._url

    @property
    def authorities(self) -> str | bool:
        """The file of those that may vouch for the server; False if whoever answers is trusted."""
        return (self._ca_file or certificates.authorities()) if self._options.verify else False

    def open(self, read_timeout_s: float | None = None, *, thorough: bool = False) -> InputContainer:
        """The container.

        Args:
            read_timeout_s: how long one read may block; None for as long as the thread is wanted, and until the first
                picture of a slow camera came (`streamer.sources.live.interrupt`).
            thorough: look at the streams for as long as that takes, as with a file: nobody waits for the first picture.

        Raises:
            SourceUnavailable: a wrong login or path, or something that is no video.
            SourceLost: nobody answers.
        """
        try:
            return self._open(read_timeout_s, thorough=thorough)
        except SourceUnavailable as error:
            other = _OTHERS.get(self._transport, "")
            if error.cause != "transport" or not other:
                raise
            tried, self._transport = self._transport, other
            log.warning("%s: the camera does not send over %s; %s is tried", self.name, tried.upper(), other.upper())
            try:
                return self._open(read_timeout_s, thorough=thorough)
            except (SourceLost, SourceUnavailable):
                self._transport = tried
                raise error from None

    def _open(self, read_timeout_s: float | None, *, thorough: bool = False, url: str | None = None) -> InputContainer:
        lines: list[Line] = []
        transport = "tcp" if self._relayed else self._transport
        options = self._options.for_ffmpeg(url or self._url, transport, thorough=thorough)
        where = (url, "r", None) if url else self._playlist_or_url()
        try:
            with capture_log(av.logging.WARNING) as lines:
                container = av.open(
                    *where, options=options, timeout=self._options.timeouts_s(read_timeout_s), metadata_errors="replace"
                )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._hinted(refusals.explained(self.name, error, lines, options.get("ca_file"))) from error
        if container.format.name == "hls":
            self._comes_in_segments()
        return container

    def _open_logged_in(self, undone: ExitStack) -> InputContainer:
        """The container, by way of a relay if the server wants a login that FFmpeg does not know.

        Args:
            undone: told how to end the relay.
        """
        try:
            if not self._relayed:
                return self.open()
            relay = RtspRelay(self._rtsp_server())
        except SourceUnavailable as error:
            if error.cause != "login refused" or not any(self._login) or not self._url.lower().startswith("rtsp"):
                raise
            asked = offered(self._rtsp_server(), self._options.open_timeout_s)
            if not is_beyond_ffmpeg(asked):
                raise self._hinted(refusals.refused(self.name, 401, "", asked) if asked else error) from error
            self._relayed = True
            return self._open_logged_in(undone)
        except OSError as error:
            raise refusals.unreachable(self.name, error) from error
        undone.callback(relay.close)
        return self._open(None, url=relay.url)

    def _rtsp_server(self) -> RtspServer:
        parts = urlsplit(self._plain_url)
        is_tls = parts.scheme.lower() == "rtsps"
        return RtspServer(
            parts.hostname or "",
            parts.port or default_port(parts.scheme) or 0,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            *self._login,
            tls=certificates.context(self._ca_file, verify=self._options.verify) if is_tls else None,
        )

    def _hinted(self, error: refusals.Refusal) -> refusals.Refusal:
        if not self._hint or error.cause not in ("unknown host", "login refused", "no route"):
            return error
        return type(error)(f"{error}; {self._hint}", error.cause)

    @property
    def _is_datagrams(self) -> bool:
        return self._url.lower().startswith(("udp://", "rtp://", "srtp://"))

    @property
    def _may_be_pictures(self) -> bool:
        return self._url.lower().startswith(("http://", "https://")) and not self._in_segments

    def _picture_camera(self, wanted: Callable[[], bool]) -> Connection | None:
        """A connection to a camera that sends pictures over HTTP; None if there is something else."""
        if not self._may_be_pictures:
            return None
        from streamer.sources.network.http import camera
        from streamer.sources.network.http.fetch import HttpAddress

        address = HttpAddress(
            self._plain_url,
            self.name,
            *self._login,
            verify=self._options.verify,
            authorities=self._ca_file,
            headers=headers_of(self._options.options),
            open_timeout_s=self._options.open_timeout_s,
        )
        options = camera.HttpCameraOptions(self._options.poll_fps, self._tap)
        try:
            return camera.connect(address, wanted, options)
        except (SourceLost, SourceUnavailable) as error:
            raise self._hinted(error) from error

    def _playlist_or_url(self) -> tuple[str, Literal["r"], str | None]:
        """What FFmpeg opens: of an HLS source the playlist of the chosen variant, which alone is downloaded."""
        if not self._in_segments:
            return self._url, "r", None
        from streamer.sources.network.hls.opening import master_of, with_login

        chosen = self._playlists()
        url = with_login(chosen.url, self._url)
        if chosen.audio_url is None:
            return url, "r", "hls"
        return master_of(url, with_login(chosen.audio_url, self._url)), "r", "hls"

    @property
    def _ca_file(self) -> str | None:
        return self._options.options.get("ca_file")
