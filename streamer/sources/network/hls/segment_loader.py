"""Loads the segments of a media playlist ahead of the reader, and the playlist again and again.

It has a thread of its own, which `close` ends. Failed requests are logged and retried; the reader notices the missing
data.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.flow.queues import BoundedQueue, Closed
from streamer.sources.live.connection import ConnectionCancelled
from streamer.sources.network.address import Address
from streamer.sources.network.hls.opening import download, download_text
from streamer.sources.network.hls.playlist import Key, MediaPlaylist, Part, Segment, parse
from streamer.sources.network.http.client import HttpClient
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

TS_SYNC = b"\x47"
"""The first byte of every packet of an MPEG transport stream (ISO/IEC 13818-1, 2.4.3.2)."""
FROM_END = 3
"""Reading starts this many segments before the end (RFC 8216, 6.3.3, asks for three target durations)."""
_AHEAD = 2  # segments that are loaded before they are read
_ATTEMPTS = 2  # per segment: it may have been listed slightly too early
_MIN_WAIT_S = 0.2
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class LoadedSegment:
    """A segment with its data.

    Attributes:
        data: decrypted, after the initialization section where a period begins.
        period: increases at each discontinuity that the playlist lists.
        lost_s: total duration of the segments just before it that could not be loaded.
        fragmented: whether it is fragmented MP4, which needs an initialization section.
    """

    data: bytes
    period: int
    lost_s: float
    fragmented: bool


class SegmentLoader:
    """The segments of one media playlist, from `FROM_END` on; all of a playlist that has ended.

    Args:
        address: of the source.
        settings: of the source.
        url: of the playlist.
        first: its first version.
        least_s: reading starts at least this long before the end.
    """

    def __init__(
        self, address: Address, settings: SourceSettings, url: str, first: MediaPlaylist, least_s: float = 0.0
    ) -> None:
        self._url = url
        self._name = address.name
        self._queue: BoundedQueue[LoadedSegment | BaseException] = BoundedQueue(_AHEAD)
        self._closing = threading.Event()
        # Used by the loader's thread only.
        self._client = HttpClient(address, settings, lambda: not self._closing.is_set())
        self._playlist = first
        begin = 0 if first.ended else _start_index(first, least_s)
        self._next = first.segments[begin].number if first.segments else 0
        self._period = first.discontinuities + sum(one.discontinuity for one in first.segments[: begin + 1])
        self._previous: Segment | None = None
        self._lost_s = 0.0
        self._keys: dict[str, bytes] = {}
        self._headers: dict[Part, bytes] = {}
        self._logged: set[str] = set()
        self._thread = Thread("hls", self._run)
        self._thread.start()

    def next(self, timeout_s: float) -> LoadedSegment | None:
        """The next segment; None after the last one of a playlist that has ended.

        Raises:
            TimeoutError: none was loaded in time.
            SourceUnavailable: a segment cannot be read by this program.
        """
        try:
            item = self._queue.get(timeout_s)
        except Closed:
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """End the thread. Closing twice is fine."""
        self._closing.set()
        self._queue.close()
        self._thread.join(_JOIN_S)

    # the loader's thread

    def _run(self) -> None:
        try:
            with self._client:
                self._load_all()
        except (Closed, ConnectionCancelled):
            return
        except Exception as error:
            try:
                self._queue.put(error)
            except Closed:
                return

    def _load_all(self) -> None:
        while not self._closing.is_set():
            began_s = time.monotonic()
            is_changed = self._load_new()
            if self._playlist.ended:
                self._queue.finish()
                return
            self._wait(began_s, is_changed=is_changed)
            self._reload()

    def _wait(self, began_s: float, *, is_changed: bool) -> None:
        """Wait as long as a client must between two loads (RFC 8216, 6.3.4): a segment; half if it is late."""
        segments = self._playlist.segments
        last_s = segments[-1].duration_s if segments else self._playlist.target_s
        wait_s = min(last_s, self._playlist.target_s) if is_changed else self._playlist.target_s / 2
        self._closing.wait(max(wait_s - (time.monotonic() - began_s), _MIN_WAIT_S))

    def _reload(self) -> None:
        if self._closing.is_set():
            raise Closed
        try:
            playlist = parse(*download_text(self._client, self._url), self._name)
        except ConnectionCancelled:
            raise
        except (SourceLost, SourceUnavailable) as error:
            self._log_once(f"{error}; requesting the playlist again")
            return
        if isinstance(playlist, MediaPlaylist):
            self._logged.clear()
            self._playlist = playlist

    def _load_new(self) -> bool:
        """Load the new segments of the playlist; returns whether there were any."""
        segments = self._playlist.segments
        if not segments:
            return False
        first, last = segments[0].number, segments[-1].number
        if last < self._next - 1 and self._previous is not None:  # the server restarted its numbers
            begin = max(len(segments) - FROM_END, 0)
            self._next, self._previous = segments[begin].number, None
            self._period += 1
        elif first > self._next:
            log.debug("%s: %d segments were removed before they were read", self._name, first - self._next)
        new = [one for one in segments if one.number >= self._next]
        for segment in new:
            if self._closing.is_set():
                raise Closed
            self._next = segment.number + 1
            self._load(segment)
        return bool(new)

    def _load(self, segment: Segment) -> None:
        previous = self._previous
        is_new = previous is not None and (segment.discontinuity or segment.header != previous.header)
        try:
            if segment.gap:
                raise SourceLost(f"{self._name}: a segment is missing")
            data = self._download(segment)
            if segment.header is not None and data[:1] == TS_SYNC:
                segment = replace(segment, header=None)  # EXT-X-MAP applies until the next one, whatever follows
                is_new = previous is not None and (segment.discontinuity or previous.header is not None)
            if (previous is None or is_new) and segment.header is not None:
                data = self._header(segment) + data
        except ConnectionCancelled:
            raise
        except SourceLost as error:
            self._lose(segment, str(error))
            return
        except SourceUnavailable as error:
            if error.cause != "no such path":
                raise
            self._lose(segment, f"{self._name}: segment {segment.number} is not on the server")
            return
        self._period += is_new
        self._previous = segment
        lost_s, self._lost_s = self._lost_s, 0.0
        self._queue.put(LoadedSegment(data, self._period, lost_s, segment.header is not None))

    def _lose(self, segment: Segment, why: str) -> None:
        self._lost_s += segment.duration_s
        self._log_once(f"{why}; its frames are lost")

    def _download(self, segment: Segment) -> bytes:
        for attempt in range(_ATTEMPTS):
            try:
                return self._decrypted(download(self._client, segment.media)[0], segment)
            except ConnectionCancelled:
                raise
            except (SourceLost, SourceUnavailable) as error:
                is_temporary = isinstance(error, SourceLost) or error.cause == "no such path"
                if attempt == _ATTEMPTS - 1 or not is_temporary:
                    raise
                if self._closing.wait(_MIN_WAIT_S):
                    raise Closed from error
        raise AssertionError("unreachable")

    def _header(self, segment: Segment) -> bytes:
        assert segment.header is not None
        found = self._headers.get(segment.header)
        if found is None:
            found, _ = download(self._client, segment.header)
            # It is encrypted only if a key precedes it, which the parser does not report.
            if found[4:8] != b"ftyp":
                found = self._decrypted(found, segment)
            self._headers = {segment.header: found}
        return found

    def _decrypted(self, data: bytes, segment: Segment) -> bytes:
        key = segment.key
        if key is None:
            return data
        if key.method != "AES-128":
            raise SourceUnavailable(
                f"{self._name}: the segments are encrypted with {key.method}, which is not supported; "
                "configure the server for no encryption or AES-128",
                "encrypted",
            )
        iv = segment.number.to_bytes(16, "big") if key.iv is None else key.iv
        decryptor = Cipher(algorithms.AES(self._key(key)), modes.CBC(iv)).decryptor()
        unpadder = PKCS7(128).unpadder()
        try:
            clear = decryptor.update(data) + decryptor.finalize()
            return unpadder.update(clear) + unpadder.finalize()
        except ValueError as error:
            raise SourceLost(f"{self._name}: a segment cannot be decrypted") from error

    def _key(self, key: Key) -> bytes:
        found = self._keys.get(key.url)
        if found is None:
            found, _ = download(self._client, Part(key.url))
            if len(found) != 16:
                raise SourceLost(f"{self._name}: the key of a segment has {len(found)} bytes, not 16")
            self._keys[key.url] = found
        return found

    def _log_once(self, line: str) -> None:
        if line not in self._logged:
            self._logged.add(line)
            log.warning("%s", line)


def duration_from_start(playlist: MediaPlaylist) -> float:
    """Total duration of the segments that are read first of a live playlist, seconds."""
    return sum(one.duration_s for one in playlist.segments[_start_index(playlist, 0.0) :])


def _start_index(playlist: MediaPlaylist, least_s: float) -> int:
    """The index of the segment with which reading starts."""
    begin = max(len(playlist.segments) - FROM_END, 0)
    while begin > 0 and sum(one.duration_s for one in playlist.segments[begin:]) < least_s:
        begin -= 1
    return begin
