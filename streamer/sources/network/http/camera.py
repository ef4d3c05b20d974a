"""Cameras that send pictures over HTTP: one after the other in one answer (MJPEG), or one a request.

What a server sends decides which it is, not the address. MJPEG is cleaned (`JpegParts`) before FFmpeg reads it, whose
demuxer knows only some of the forms in which cameras send it. Owned by the thread of a connection.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import av

from streamer.errors import SourceUnavailable
from streamer.interfaces import PacketTap, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.opening import choose_video
from streamer.sources.live.connection import Connection, LiveItem
from streamer.sources.network.http.fetch import HttpAddress, HttpFetch, Unspeakable
from streamer.sources.network.http.jpeg_parts import LARGEST_BYTES, JpegParts
from streamer.sources.network.http.snapshots import SnapshotConnection
from streamer.sources.network.live_container import LiveContainerConnection
from streamer.sources.network.options import LOW_LATENCY

_MAGIC = b"\xff\xd8\xff", b"\x89PNG\r\n"
_TELLS_NOTHING = ("", "application/octet-stream", "binary/octet-stream", "text/plain", "text/html")
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)
_MIXED = re.compile(rb"\A\s*(?:--[^\r\n]*\r?\n)?(?:[\w-]+:[^\r\n]*\r?\n)*?content-type:\s*image/", re.IGNORECASE)
_SNIFFED_BYTES = 512
_ENDS_WITHIN_S = 1.0
"""An answer without a length that ends so soon after its first picture was that picture."""


@dataclass(frozen=True, slots=True)
class HttpCameraOptions:
    """How pictures are taken.

    Attributes:
        poll_fps: how often a server of single pictures is asked, a second.
        tap: told of the packets of MJPEG.
    """

    poll_fps: float = 1.0
    tap: PacketTap | None = None


def connect(address: HttpAddress, wanted: Callable[[], bool], options: HttpCameraOptions) -> Connection | None:
    """The connection to a camera that sends pictures; None if what is there is something else, for FFmpeg.

    Raises:
        SourceUnavailable, SourceLost: as of `streamer.sources.live.connection.Connector.connect`.
    """
    fetch = HttpFetch(address, wanted)
    try:
        opened = _opened(address, fetch, options)
    except Unspeakable:
        opened = None
    except BaseException:
        fetch.close()
        raise
    if opened is None:
        fetch.close()
    return opened


def _opened(address: HttpAddress, fetch: HttpFetch, options: HttpCameraOptions) -> Connection | None:
    answer = fetch.get()
    kind = answer.content_type.lower() if "Content-Type" in answer.headers else ""
    begun = _begun(fetch) if kind in _TELLS_NOTHING else b""
    if _PAGE.match(begun):
        remedy = "the camera's manual has the address of its stream"
        raise SourceUnavailable(f"{address.name}: a web page, no video; {remedy}", "web page")
    is_mixed = kind.startswith("multipart/") or _MIXED.match(begun) is not None
    if not (is_mixed or kind.startswith("image/") or _is_picture(begun)):
        return None
    if not is_mixed and answer.content_length is not None:
        whole = fetch.read_all(begun, LARGEST_BYTES, address.open_timeout_s)
        return SnapshotConnection(fetch, whole, address.name, options.poll_fps, address.open_timeout_s)
    reader = PictureReader(fetch, begun)
    single = None if is_mixed else reader.single(_ENDS_WITHIN_S)
    if single is not None:
        return SnapshotConnection(fetch, single, address.name, options.poll_fps, address.open_timeout_s)
    return MjpegConnection(fetch, reader, address.name, options.tap)


def _begun(fetch: HttpFetch) -> bytes:
    """The first bytes of what the server sends."""
    begun = b""
    with suppress(TimeoutError):
        while len(begun) < _SNIFFED_BYTES and (piece := fetch.read(_ENDS_WITHIN_S)):
            begun += piece
    return begun


def _is_picture(begun: bytes) -> bool:
    return begun.startswith(_MAGIC) or (begun.startswith(b"RIFF") and begun[8:12] == b"WEBP")


class PictureReader:
    """Gives MJPEG to FFmpeg in the one form of which nothing has to be guessed: a boundary and a length each.

    Args:
        fetch: its answer has begun.
        begun: what was read of that already.
    """

    def __init__(self, fetch: HttpFetch, begun: bytes) -> None:
        self._fetch = fetch
        self._parts = JpegParts()
        self._pictures: list[bytes] = list(self._parts.feed(begun))
        self._data = memoryview(b"")
        self._raw = begun

    def single(self, within_s: float) -> bytes | None:
        """The whole answer if it ends that soon with one picture; else None, and it is read on."""
        until_s: float | None = None
        while True:
            try:
                piece = self._fetch.read(None if until_s is None else max(until_s - time.monotonic(), 0.0))
            except TimeoutError:
                break
            self._pictures += self._parts.feed(piece)
            self._raw += piece
            if not piece:
                return self._raw if len(self._pictures) <= 1 else None
            if len(self._pictures) > 1 or len(self._raw) > LARGEST_BYTES:
                break
            if self._pictures and until_s is None:
                until_s = time.monotonic() + within_s
        self._raw = b""
        return None

    def read(self, size: int) -> bytes:
        """For FFmpeg: up to `size` bytes as soon as there are some; b"" at the end."""
        if not self._data:
            while not self._pictures:
                piece = self._fetch.read()
                if not piece:
                    return b""
                self._pictures += self._parts.feed(piece)
            picture = self._pictures.pop(0)
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self._data = memoryview(head.encode() + picture + b"\r\n")
        given, self._data = self._data[:size], self._data[size:]
        return bytes(given)


class MjpegConnection:
    """Pictures that come one after the other; see `streamer.sources.live.connection.Connection`.

    Args:
        fetch: closed with it.
        reader: reads from that.
        name: without credentials.
        tap: told of the packets.
    """

    def __init__(self, fetch: HttpFetch, reader: PictureReader, name: str, tap: PacketTap | None) -> None:
        self._fetch = fetch
        self._reader = reader
        self._name = name
        self._tap = tap
        self._opened: LiveContainerConnection | None = None

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._opened is not None, "asked before the first picture"
        return self._opened.info

    def pictures(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        # Here, for FFmpeg waits for the first picture, which a slow camera sends when it does.
        self._opened = self._open()
        yield from self._opened.pictures()

    def close(self) -> None:
        """End the connection to the camera."""
        if self._opened is not None:
            self._opened.close()
        self._fetch.close()

    def _open(self) -> LiveContainerConnection:
        try:
            container = av.open(self._reader, "r", format="mpjpeg", options=dict(LOW_LATENCY), buffer_size=1 << 16)
        except av.error.FFmpegError as error:
            why = f"{self._name}: sends no picture that can be read ({reason(error)})"
            raise SourceUnavailable(f"{why}; see whether the address works in a browser") from error
        try:
            return LiveContainerConnection(container, choose_video(container, self._name), self._name, None, self._tap)
        except BaseException:
            container.close()
            raise
