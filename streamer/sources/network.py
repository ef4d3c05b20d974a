"""Cameras and streams on the network: RTSP, RTMP, HTTP (MJPEG, HLS, MPEG-TS), UDP and RTP.

Used by the thread of a connection; `NetworkConnector` itself is immutable.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from streamer.errors import SourceLost, SourceUnavailable
from streamer.ffmpeg_log import reason
from streamer.knock import answers
from streamer.secrets import SECRETS, redacted, with_credentials
from streamer.sources.interrupt import LONGEST_READ_S, OpenTimeout
from streamer.sources.live_container import LiveContainerConnection
from streamer.sources.opening import choose_video
from streamer.sources.paced import Pace
from streamer.sources.tap import PacketTap

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "rtp", "srtp", "tcp")
OPEN_TIMEOUT_S = 5.0
_SEGMENTS_S = 30.0  # segments of 6 s are usual (RFC 8216bis, 4.4.3.1, asks for no length), of 10 s common
_TRANSPORTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tcp": {"rtsp_transport": "tcp"},
        "udp": {"rtsp_transport": "udp"},
        "prefer_tcp": {"rtsp_flags": "prefer_tcp"},
    }
)
# Without these the first picture is 1.1 s old and opening takes 1.2 s; with them 46 ms and 0.05 s (RTSP over TCP). Not
# `fflags=nobuffer`: it throws away what was read while opening, and with it the key frame that some cameras begin with.
_LOW_LATENCY = MappingProxyType({"analyzeduration": "0", "probesize": "32", "fpsprobesize": "0"})
# A short probe finds no stream in these: their pictures' size is only known from the data. Their rate is not looked for,
# which takes three pictures (six seconds at half a picture a second): the codec's header tells it.
_PROBED = MappingProxyType({"analyzeduration": "500000", "probesize": "500000", "fpsprobesize": "0"})


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How a stream is opened.

    Attributes:
        transport: of RTSP: `tcp`, `udp`, or `prefer_tcp`.
        user: login, if it is not in the URL.
        password: likewise.
        open_timeout_s: opening takes no longer.
        low_latency: FFmpeg looks at the stream for as short as possible before the first picture.
        options: further options of FFmpeg's demuxer and protocol.
    """

    transport: str = "tcp"
    user: str = ""
    password: str = ""
    open_timeout_s: float = OPEN_TIMEOUT_S
    low_latency: bool = True
    options: Mapping[str, str] = field(default_factory=dict)


class NetworkConnector:
    """Opens a stream by its URL; see `streamer.sources.connection.Connector`.

    Args:
        url: with or without user and password.
        options: how.
        tap: told of the packets of every connection.
        audio: give the sound of the stream too.

    Raises:
        SourceUnavailable: `url` is no address.

    Attributes:
        name: the URL without user, password and query.
    """

    ends = False

    def __init__(
        self, url: str, options: NetworkOptions | None = None, tap: PacketTap | None = None, *, audio: bool = True
    ) -> None:
        self._options = options or NetworkOptions()
        self._tap = tap
        self._audio = audio
        address, user, password = SECRETS.split(url)
        self.name = redacted(url)
        try:
            _ = urlsplit(address).port  # which raises if it is none
        except ValueError as error:
            raise SourceUnavailable(f"{self.name}: is no address: {error}") from error
        user, password = self._options.user or user, self._options.password or password
        SECRETS.remember(password, user)
        self._url = with_credentials(address, user, password)
        # Its pictures come a segment at a time.
        self._in_segments = urlsplit(address).path.lower().endswith(".m3u8")
        self.least_stall_s = _SEGMENTS_S if self._in_segments else 0.0

    def present(self) -> bool:
        """Whether a server answers at the address; True where that cannot be found out (UDP)."""
        return answers(self._url)

    def connect(self, wanted: Callable[[], bool]) -> LiveContainerConnection:
        """See `streamer.sources.connection.Connector`."""
        container = self.open()
        try:
            if not wanted():
                raise SourceLost(f"{self.name}: not wanted any more")
            pace = Pace(wanted) if self._in_segments else None
            stream = choose_video(container, self.name)
            return LiveContainerConnection(container, stream, self.name, pace, self._tap, audio=self._audio)
        except BaseException:
            container.close()
            raise

    @property
    def url(self) -> str:
        """The address with all secrets: it must not be printed."""
        return self._url

    def open(self, read_timeout_s: float | None = None, *, thorough: bool = False) -> InputContainer:
        """The container.

        Args:
            read_timeout_s: how long one read may block; None for as long as the thread is wanted, and until the first
                picture of a slow camera came (`streamer.sources.interrupt`).
            thorough: look at the streams for as long as that takes, as with a file: nobody waits for the first picture.

        Raises:
            SourceUnavailable: a wrong login or path, or something that is no video.
            SourceLost: nobody answers.
        """
        try:
            return av.open(
                self._url,
                options=self._ffmpeg_options(thorough=thorough),
                timeout=self._timeouts(read_timeout_s),
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _explained(self.name, error) from error

    def _timeouts(self, read_timeout_s: float | None) -> tuple[Any, float]:
        if read_timeout_s is not None:
            return self._options.open_timeout_s, read_timeout_s
        return OpenTimeout(self._options.open_timeout_s), LONGEST_READ_S

    def _ffmpeg_options(self, *, thorough: bool) -> dict[str, str]:
        scheme = self._url.partition(":")[0].lower()
        chosen: dict[str, str] = {}
        if self._options.low_latency and not thorough:
            chosen |= _LOW_LATENCY if scheme in ("rtsp", "rtsps") else _PROBED
        if scheme in ("rtsp", "rtsps"):
            chosen |= _TRANSPORTS[self._options.transport]
        if scheme in ("udp", "rtp"):
            # Else a burst larger than the socket's buffer is lost.
            chosen |= {"buffer_size": "4000000", "fifo_size": "50000", "overrun_nonfatal": "1"}
        return chosen | dict(self._options.options)


def _explained(name: str, error: BaseException) -> SourceUnavailable | SourceLost:
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        remedy = "give both in the URL, in source.user and source.password_file, or in the environment"
        return SourceUnavailable(f"{name}: wrong user or password; {remedy}", "login refused")
    if isinstance(error, av.error.HTTPNotFoundError):
        remedy = "the camera's manual has the right one"
        return SourceUnavailable(f"{name}: the server has nothing at this path; {remedy}", "no such path")
    if isinstance(error, av.error.ProtocolNotFoundError):
        return SourceUnavailable(f"{name}: this FFmpeg does not speak that protocol", "protocol")
    if isinstance(error, ConnectionRefusedError):
        return SourceLost(f"{name}: nobody listens at that port (connection refused)", "refused")
    if isinstance(error, (av.error.ExitError, TimeoutError)):
        return SourceLost(f"{name}: no answer in time", "no answer")
    if isinstance(error, av.error.InvalidDataError):  # what a server that stalls before it answers looks like, too
        return SourceLost(f"{name}: no video came in time, or it is none that FFmpeg knows", "no answer")
    if not _is_known(urlsplit(name).hostname):  # for which FFmpeg says "Input/output error"
        remedy = "check it, and the network"
        return SourceLost(f"{name}: the host's name is not known; {remedy}", "unknown host")
    return SourceLost(f"{name}: {reason(error)}")


def _is_known(host: str | None) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
