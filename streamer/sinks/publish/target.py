"""The target of a live stream: an address, parsed and checked before anything is opened.

Pure functions. Nothing that is printed contains a password or a stream key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, unquote, urlsplit

from streamer.errors import SinkUnavailable
from streamer.system.paths import encodable

KEY_FRAME_S = 2.0
"""Longest time between keyframes: a receiver that joins waits for the next one."""
HLS_SEGMENT_S = 1.0
_HIDDEN = "***"
_KINDS = "rtsp://, rtsps://, rtmp://, rtmps://, udp:// or a playlist (NAME.m3u8, hls:FOLDER/)"
# 7 MPEG-TS packets of 188 bytes fit into an Ethernet frame; receivers expect whole packets in each datagram.
_UDP_PACKET_BYTES = 7 * 188
# Codecs that the muxers carry and a PyAV receiver decoded (tests/sinks/publish/test_stream.py).
_CODECS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"rtsp": ("h264", "hevc", "vp8"), "flv": ("h264", "hevc"), "mpegts": ("h264", "hevc"), "hls": ("h264", "hevc")}
)


@dataclass(frozen=True, slots=True)
class StreamTarget:
    """Where to publish.

    Attributes:
        name: readable, without credentials, query and stream key.
        muxer: FFmpeg's name of the format.
        codecs: supported video codecs, by FFmpeg's names.
        key_frame_s: the longest media time between keyframes.
        folder: of a playlist; None for the network.
        url: for FFmpeg, with all secrets.
        options: of the muxer.
        secrets: texts that must not be shown, longest first.
    """

    name: str
    muxer: str
    codecs: tuple[str, ...]
    key_frame_s: float = KEY_FRAME_S
    folder: Path | None = None
    url: str = field(repr=False, default="")
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(repr=False, default=())

    def scrub(self, text: str) -> str:
        """`text` without the secrets of the address."""
        text = text.replace(self.url, self.name)
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return text


def parse_target(address: str, transport: str = "tcp") -> StreamTarget:
    """Parse an address.

    Args:
        address: `rtsp[s]://[user:password@]host[:port]/path`, `rtmp[s]://host[:port]/app/key`,
            `udp://host:port[?ttl=N]`, `hls:folder/` or a path that ends in `.m3u8`.
        transport: of RTSP, `tcp` or `udp`.

    Raises:
        SinkUnavailable: an unsupported or incomplete address.
    """
    if address.startswith("hls:") or ("://" not in address and address.lower().endswith(".m3u8")):
        return _playlist(address)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SinkUnavailable(f"{_visible(address)}: not an address; check host and port") from None
    scheme = parts.scheme.lower()
    if scheme == "srt":
        raise SinkUnavailable("this FFmpeg is built without SRT; publish to rtsp://, rtmp:// or udp:// instead")
    if scheme not in ("rtsp", "rtsps", "rtmp", "rtmps", "udp"):
        raise SinkUnavailable(f"{_visible(address)}: cannot publish there; give {_KINDS}")
    if not host:
        raise SinkUnavailable(f"{scheme}://: the host is missing; give {scheme}://HOST:PORT/NAME")
    if scheme == "udp":
        return _udp(address, parts, host, port)
    return _rtsp(address, parts, transport) if scheme.startswith("rtsp") else _rtmp(address, parts)


def _rtsp(address: str, parts: SplitResult, transport: str) -> StreamTarget:
    if transport not in ("tcp", "udp"):
        raise SinkUnavailable(f"transport {transport!r}: RTSP goes over tcp or udp")
    name = f"{_base(parts)}{parts.path}"
    return StreamTarget(
        name, "rtsp", _CODECS["rtsp"], url=address, secrets=_secrets(parts), options={"rtsp_transport": transport}
    )


def _rtmp(address: str, parts: SplitResult) -> StreamTarget:
    app, _, key = parts.path.rstrip("/").rpartition("/")
    if not app.strip("/"):
        raise SinkUnavailable(f"{_base(parts)}: RTMP needs an application and a key; give {_base(parts)}/APP/KEY")
    # The last part of the path is the secret stream key.
    secrets = _secrets(parts, key)
    name = f"{_base(parts)}{app}/{_HIDDEN}"
    return StreamTarget(
        name, "flv", _CODECS["flv"], url=address, secrets=secrets, options={"flvflags": "no_duration_filesize"}
    )


def _udp(address: str, parts: SplitResult, host: str, port: int | None) -> StreamTarget:
    if port is None:
        raise SinkUnavailable(f"udp://{host}: the port is missing; give udp://{host}:PORT")
    if "pkt_size=" not in parts.query:
        address = f"{address}{'&' if parts.query else '?'}pkt_size={_UDP_PACKET_BYTES}"
    options = {
        # Otherwise a receiver knows that a frame is complete only when the next one begins.
        "omit_video_pes_length": "0",
        "max_delay": "0",
        "flush_packets": "1",
    }
    return StreamTarget(_base(parts), "mpegts", _CODECS["mpegts"], url=address, options=options)


def _playlist(address: str) -> StreamTarget:
    path = Path(address.removeprefix("hls:"))
    if path.suffix.lower() != ".m3u8":
        path = path / "index.m3u8"
    folder = path.parent
    if encodable(str(path.absolute())) != str(path.absolute()):
        raise SinkUnavailable(f"{path}: the path is not valid UTF-8, the encoding of playlists; choose another")
    return StreamTarget(
        str(path),
        "hls",
        _CODECS["hls"],
        key_frame_s=HLS_SEGMENT_S,
        folder=folder,
        url=str(path.absolute()),
    )


def _base(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme.lower()}://{host}{'' if parts.port is None else f':{parts.port}'}"


def _visible(address: str) -> str:
    """The part of an address that cannot be parsed which holds no secret."""
    scheme, found, _ = address.partition("://")
    return f"{scheme}://{_HIDDEN}" if found else repr(address)


def _secrets(parts: SplitResult, *more: str) -> tuple[str, ...]:
    login = parts.netloc.rpartition("@")[0]
    found = {login, unquote(login), parts.password or "", unquote(parts.password or ""), parts.query, *more}
    return tuple(sorted(found - {""}, key=len, reverse=True))
