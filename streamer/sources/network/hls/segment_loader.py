"""Follows a media playlist: loads it again and again, and its segments as they appear, ahead of whoever reads them.

A thread of its own, ended by `close`. It goes on over failures: who reads notices that nothing comes.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from streamer.errors import SourceLost, SourceUnavailable
from streamer.flow.queues import BoundedQueue, Closed
from streamer.sources.network.hls.playlist import Key, MediaPlaylist, Part, Segment, parse
from streamer.sources.network.hls.web import ConnectionCancelled, Web

log = logging.getLogger(__name__)

TS_SYNC = b"\x47"
"""Every packet of a transport stream begins with it (ISO/IEC 13818-1, 2.4.3.2)."""
FROM_END = 3
"""Reading begins so many segments before the last one (RFC 8216, 6.3.3, asks for three target durations)."""
_AHEAD = 2  # segments that are loaded before they are read
_TRIES = 2  # for a segment that is not there: it may have been listed a moment too early
_LEAST_WAIT_S = 0.2
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class LoadedSegment:
    """A segment with its data.

    Attributes:
        data: decrypted, with the initialization of its format in front where a period begins.
        period: rises where a segment does not continue the one before, as far as the playlist tells.
        lost_s: the duration of what was listed before it and could not be had.
        fragmented: whether it needed an initialization: fragmented MP4.
    """

    data: bytes
    period: int
    lost_s: float
    fragmented: bool


class SegmentLoader:
    """The segments of one media playlist, from `FROM_END` on, or all if it has ended.

    Args:
        web: fetches.
        url: of the playlist.
        first: as it was loaded first.
        name: of the source, without secrets.
        least_s: reading begins at least so long before the end.
    """

    def __init__(self, web: Web, url: str, first: MediaPlaylist, name: str, least_s: float = 0.0) -> None:
        self._web = web
        self._url = url
        self._name = name
        self._inbox: BoundedQueue[LoadedSegment | BaseException] = BoundedQueue(_AHEAD)
        self._closing = threading.Event()
        # The thread's own.
        self._playlist = first
        begins = 0 if first.ended else _joined_at(first, least_s)
        self._next = first.segments[begins].number if first.segments else 0
        told = sum(one.discontinuity for one in first.segments[: begins + 1])
        self._period = first.discontinuities + told
        self._before: Segment | None = None
        self._lost_s = 0.0
        self._keys: dict[str, bytes] = {}
        self._headers: dict[Part, bytes] = {}
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="streamer-hls", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> LoadedSegment | None:
        """The next segment; None after the last one of a list that has ended.

        Raises:
            TimeoutError: none came in time.
            SourceUnavailable: one that this program cannot read.
        """
        try:
            item = self._inbox.get(timeout_s)
        except Closed:
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """End the thread. Fine a second time."""
        self._closing.set()
        self._inbox.close()
        self._thread.join(_JOIN_S)

    # the thread

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                began_s = time.monotonic()
                news = self._take_new()
                if self._playlist.ended:
                    self._inbox.finish()
                    return
                self._wait(began_s, news=news)
                self._reload()
        except Closed:
            return
        except Exception as error:
            try:
                self._inbox.put(error)
            except Closed:
                return

    def _wait(self, began_s: float, *, news: bool) -> None:
        """As long as a client must between two loads (RFC 8216, 6.3.4): a segment, or half of one that is late."""
        segments = self._playlist.segments
        last_s = segments[-1].duration_s if segments else self._playlist.target_s
        wait_s = min(last_s, self._playlist.target_s) if news else self._playlist.target_s / 2
        self._closing.wait(max(wait_s - (time.monotonic() - began_s), _LEAST_WAIT_S))

    def _reload(self) -> None:
        if self._closing.is_set():
            raise Closed
        try:
            text, url = self._web.text(self._url)
            playlist = parse(text, url, self._name)
        except ConnectionCancelled as error:
            raise Closed from error
        except (SourceLost, SourceUnavailable) as error:
            self._say(f"{error}; the playlist is asked for again")
            return
        if isinstance(playlist, MediaPlaylist):
            self._said.clear()
            self._playlist = playlist

    def _take_new(self) -> bool:
        """Load what is new in the list; whether there was anything."""
        segments = self._playlist.segments
        if not segments:
            return False
        first, last = segments[0].number, segments[-1].number
        if last < self._next - 1 and self._before is not None:  # a server that counts anew
            begins = max(len(segments) - FROM_END, 0)
            self._next, self._before = segments[begins].number, None
            self._period += 1
        elif first > self._next:
            log.debug("%s: %d segments went before they were read", self._name, first - self._next)
        new = [one for one in segments if one.number >= self._next]
        for segment in new:
            if self._closing.is_set():
                raise Closed
            self._next = segment.number + 1
            self._load(segment)
        return bool(new)

    def _load(self, segment: Segment) -> None:
        before = self._before
        other = before is not None and (segment.discontinuity or segment.header != before.header)
        try:
            if segment.gap:
                raise SourceLost(f"{self._name}: a segment is missing")
            data = self._fetched(segment)
            if segment.header is not None and data[:1] == TS_SYNC:
                segment = replace(segment, header=None)  # a header counts until the next one, whatever follows
                other = before is not None and (segment.discontinuity or before.header is not None)
            begins = before is None or other
            if begins and segment.header is not None:
                data = self._header(segment) + data
        except ConnectionCancelled as error:
            raise Closed from error
        except SourceLost as error:
            self._lose(segment, str(error))
            return
        except SourceUnavailable as error:
            if error.cause != "no such path":
                raise
            self._lose(segment, f"{self._name}: segment {segment.number} is not there")
            return
        self._period += other
        self._before = segment
        lost_s, self._lost_s = self._lost_s, 0.0
        self._inbox.put(LoadedSegment(data, self._period, lost_s, segment.header is not None))

    def _lose(self, segment: Segment, why: str) -> None:
        self._lost_s += segment.duration_s
        self._say(f"{why}; its pictures are lost")

    def _fetched(self, segment: Segment) -> bytes:
        for k in range(_TRIES):
            try:
                return self._decrypted(self._web.get(segment.media).data, segment)
            except (SourceLost, SourceUnavailable) as error:
                if isinstance(error, ConnectionCancelled):
                    raise
                missing = isinstance(error, SourceLost) or error.cause == "no such path"
                if k == _TRIES - 1 or not missing:
                    raise
                if self._closing.wait(_LEAST_WAIT_S):
                    raise Closed from error
        raise AssertionError("unreachable")

    def _header(self, segment: Segment) -> bytes:
        assert segment.header is not None
        found = self._headers.get(segment.header)
        if found is None:
            found = self._web.get(segment.header).data
            # Encrypted only where a key stands before it, which the parser does not tell.
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
                f"{self._name}: the segments are encrypted with {key.method}, which cannot be read here; "
                "have the server send them in the clear or with AES-128",
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
            found = self._web.get(Part(key.url)).data
            if len(found) != 16:
                raise SourceLost(f"{self._name}: the key of a segment has {len(found)} bytes, not 16")
            self._keys[key.url] = found
        return found

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            log.warning("%s", line)


def lasts_s(playlist: MediaPlaylist) -> float:
    """How long what is read of a list lasts that was just joined."""
    return sum(one.duration_s for one in playlist.segments[_joined_at(playlist, 0.0) :])


def _joined_at(playlist: MediaPlaylist, least_s: float) -> int:
    """The index of the segment with which a list is joined."""
    begins = max(len(playlist.segments) - FROM_END, 0)
    while begins > 0 and sum(one.duration_s for one in playlist.segments[begins:]) < least_s:
        begins -= 1
    return begins
