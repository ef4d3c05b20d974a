"""How a network source is opened: what a user may choose, and the options of FFmpeg that follow. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from streamer.network import certificates
from streamer.sources.decode.deinterlacing import Deinterlace
from streamer.sources.live.interrupt import LONGEST_READ_S, OpenTimeout

OPEN_TIMEOUT_S = 5.0
_TRANSPORTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tcp": {"rtsp_transport": "tcp"},
        "udp": {"rtsp_transport": "udp"},
        "prefer_tcp": {"rtsp_flags": "prefer_tcp"},
    }
)
# Without these the first picture is 1.1 s old and opening takes 1.2 s; with them 46 ms and 0.05 s (RTSP over TCP). Not
# `fflags=nobuffer`: it throws away what was read while opening, and with it the key frame that some cameras begin with.
LOW_LATENCY = MappingProxyType({"analyzeduration": "0", "probesize": "32", "fpsprobesize": "0"})
# A short probe finds no stream in these: their pictures' size is only known from the data. Their rate is not looked
# for, which takes three pictures (six seconds at half a picture a second): the codec's header tells it.
PROBED = MappingProxyType({"analyzeduration": "500000", "probesize": "500000", "fpsprobesize": "0"})
# Over TCP FFmpeg looks for no gaps in the sequence numbers, but packets are lost there too: where bytes between
# them are no packets (a camera's own text), the search for the next one passes over some. With a queue of two, packets
# in sequence are taken at once as before, and one behind a gap waits for the next one, whereupon the gap is told.
_GAPS_TOLD = MappingProxyType({"reorder_queue_size": "2"})


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
        verify: check the certificate of a server that has one (https, rtsps, rtmps).
        poll_fps: how often a server that gives single pictures is asked, a second.
        deinterlace: which pictures of a live stream to make progressive.
        max_height: of the variants of an HLS playlist the best one that is not taller is read; None: the tallest.
    """

    transport: str = "tcp"
    user: str = ""
    password: str = ""
    open_timeout_s: float = OPEN_TIMEOUT_S
    low_latency: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    poll_fps: float = 1.0
    deinterlace: Deinterlace = "combed"
    max_height: int | None = None

    def timeouts_s(self, read_timeout_s: float | None) -> tuple[Any, float]:
        """PyAV's time-outs of opening and of a read; None for one that waits as long as its thread is wanted."""
        if read_timeout_s is not None:
            return self.open_timeout_s, read_timeout_s
        return OpenTimeout(self.open_timeout_s), LONGEST_READ_S

    def for_ffmpeg(self, url: str, transport: str, *, thorough: bool) -> dict[str, str]:
        """The options of the demuxer and its protocol.

        Args:
            url: what is opened.
            transport: of RTSP.
            thorough: look at the streams for as long as that takes.
        """
        scheme = url.partition(":")[0].lower()
        chosen: dict[str, str] = {}
        if self.low_latency and not thorough:
            chosen |= LOW_LATENCY if scheme in ("rtsp", "rtsps") else PROBED
        if scheme in ("rtsp", "rtsps"):
            chosen |= _TRANSPORTS[transport]
            if transport == "tcp":
                chosen |= _GAPS_TOLD
        if scheme in ("udp", "rtp"):
            # Else a burst larger than the socket's buffer is lost.
            chosen |= {"buffer_size": "4000000", "fifo_size": "50000", "overrun_nonfatal": "1"}
        if scheme in ("https", "rtsps", "rtmps") and self.verify:
            chosen |= {"tls_verify": "1", "ca_file": certificates.authorities()}
        return chosen | dict(self.options)
