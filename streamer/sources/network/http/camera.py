"""Cameras that send pictures over HTTP: all in one answer (MJPEG), or one per request.

The content of the answer decides which it is, not the address. MJPEG is normalised (`JpegParts`) before FFmpeg reads
it, because FFmpeg's demuxer supports only some of the forms in which cameras send it. Owned by the thread of a
connection.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import av

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.interfaces import StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.media.packet_tap import PacketTap
from streamer.sources.live.connection import Connection, LiveItem
from streamer.sources.network.address import Address
from streamer.sources.network.ffmpeg_options import LOW_LATENCY
from streamer.sources.network.http.client import HttpClient, NotHttp
from streamer.sources.network.http.jpeg_parts import MAX_BYTES, JpegParts
from streamer.sources.network.http.snapshots import SnapshotConnection
from streamer.sources.network.live_container import LiveContainerConnection

_MAGIC = b"\xff\xd8\xff", b"\x89PNG\r\n"
_UNSPECIFIC_TYPES = ("", "application/octet-stream", "binary/octet-stream", "text/plain", "text/html")
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)
_MIXED = re.compile(rb"\A\s*(?:--[^\r\n]*\r?\n)?(?:[\w-]+:[^\r\n]*\r?\n)*?content-type:\s*image/", re.IGNORECASE)
_SNIFFED_BYTES = 512
_ENDS_WITHIN_S = 1.0
"""An answer without a length that ends this soon after its first picture is a single picture."""


def connect(
    address: Address, settings: SourceSettings, is_active: Callable[[], bool], packet_tap: PacketTap | None
) -> Connection | None:
    """Connect to a camera that sends pictures; None if the server sends something else, which FFmpeg may read.

    Raises:
        SourceUnavailable, SourceLost: as for `streamer.sources.live.connection.Connector.connect`.
    """
    client = HttpClient(address, settings, is_active)
    try:
        opened = _open(client, packet_tap)
    except NotHttp:
        opened = None
    except BaseException:
        client.close()
        raise
    if opened is None:
        client.close()
    return opened


def _open(client: HttpClient, packet_tap: PacketTap | None) -> Connection | None:
    answer = client.get()
    kind = answer.content_type.lower() if "Content-Type" in answer.headers else ""
    begun = _first_bytes(client) if kind in _UNSPECIFIC_TYPES else b""
    if _PAGE.match(begun):
        remedy = "the camera's manual has the address of its stream"
        raise SourceUnavailable(f"{client.address.name}: a web page, no video; {remedy}", "web page")
    is_mixed = kind.startswith("multipart/") or _MIXED.match(begun) is not None
    if not (is_mixed or kind.startswith("image/") or _is_picture(begun)):
        return None
    if not is_mixed and answer.content_length is not None:
        return SnapshotConnection(client, client.read_all(begun, MAX_BYTES, client.settings.open_timeout_s))
    reader = PictureReader(client, begun)
    single = None if is_mixed else reader.single(_ENDS_WITHIN_S)
    return MjpegConnection(client, reader, packet_tap) if single is None else SnapshotConnection(client, single)


def _first_bytes(client: HttpClient) -> bytes:
    begun = b""
    with suppress(TimeoutError):
        while len(begun) < _SNIFFED_BYTES and (piece := client.read(_ENDS_WITHIN_S)):
            begun += piece
    return begun


def _is_picture(begun: bytes) -> bool:
    return begun.startswith(_MAGIC) or (begun.startswith(b"RIFF") and begun[8:12] == b"WEBP")


class PictureReader:
    """Passes MJPEG to FFmpeg in its plainest form: a boundary and a length before each picture.

    Args:
        client: the body of its answer is read.
        begun: bytes of the body that were read already.
    """

    def __init__(self, client: HttpClient, begun: bytes) -> None:
        self._client = client
        self._parts = JpegParts()
        self._pictures: list[bytes] = list(self._parts.feed(begun))
        self._data = memoryview(b"")
        self._raw = begun

    def single(self, within_s: float) -> bytes | None:
        """The whole body if it is one picture and ends within that time; otherwise None, and reading continues."""
        until_s: float | None = None
        while True:
            try:
                piece = self._client.read(None if until_s is None else max(until_s - time.monotonic(), 0.0))
            except TimeoutError:
                break
            self._pictures += self._parts.feed(piece)
            self._raw += piece
            if not piece:
                return self._raw if len(self._pictures) <= 1 else None
            if len(self._pictures) > 1 or len(self._raw) > MAX_BYTES:
                break
            if self._pictures and until_s is None:
                until_s = time.monotonic() + within_s
        self._raw = b""
        return None

    def read(self, size: int) -> bytes:
        """For FFmpeg: up to `size` bytes as soon as there are some; b"" at the end."""
        if not self._data:
            while not self._pictures:
                piece = self._client.read()
                if not piece:
                    return b""
                self._pictures += self._parts.feed(piece)
            picture = self._pictures.pop(0)
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self._data = memoryview(head.encode() + picture + b"\r\n")
        given, self._data = self._data[:size], self._data[size:]
        return bytes(given)


class MjpegConnection:
    """Pictures in one answer; see `streamer.sources.live.connection.Connection`.

    Args:
        client: closed with it.
        reader: reads the client's answer.
        packet_tap: gets the packets.
    """

    def __init__(self, client: HttpClient, reader: PictureReader, packet_tap: PacketTap | None) -> None:
        self._client = client
        self._reader = reader
        self._packet_tap = packet_tap
        self._opened: LiveContainerConnection | None = None

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._opened is not None, "asked before the first frame"
        return self._opened.info

    def frames(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        # Opened here, because FFmpeg waits for the first picture, and a slow camera sends it late.
        self._opened = self._open()
        yield from self._opened.frames()

    def close(self) -> None:
        """Close the connection to the camera."""
        if self._opened is not None:
            self._opened.close()
        self._client.close()

    def _open(self) -> LiveContainerConnection:
        name = self._client.address.name
        try:
            container = av.open(self._reader, "r", format="mpjpeg", options=dict(LOW_LATENCY), buffer_size=1 << 16)
        except av.error.FFmpegError as error:
            why = f"{name}: sends no picture that can be read ({reason(error)})"
            raise SourceUnavailable(f"{why}; check whether the address works in a browser") from error
        return LiveContainerConnection(container, name, self._client.settings, self._packet_tap)
