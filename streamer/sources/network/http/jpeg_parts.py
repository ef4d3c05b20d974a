"""Finds JPEG pictures in the answer of an HTTP camera by their own markers, whatever stands between them.

Cameras omit the first boundary, announce another boundary than they send, insert text between pictures, or send
pictures with nothing around them. Pure; owned by the thread that reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_BYTES = 64 << 20
"""Limit of a picture: 100 megapixels in good quality have 50 MB."""
_START = b"\xff\xd8\xff"
_SCAN, _END, _RESTARTS = 0xDA, 0xD9, range(0xD0, 0xD8)
# In coded data FF starts a marker; a data byte FF is followed by 00 (ITU-T T.81, B.1.1.5).
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_HEADERS = re.compile(rb"(?:[\w-]+:[^\r\n]*\r?\n)+\r?\n", re.DOTALL)
_TYPE = re.compile(rb"^content-type:\s*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_MAX_HEADERS_BYTES = 16 << 10


class JpegParts:
    """Takes bytes as they arrive and returns whole pictures; a truncated picture is returned as it is."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inside = False  # `_data` begins with a picture
        self._at = 0  # up to here it was parsed
        self._coded = False  # this position is within coded data
        self._scanned = False  # coded data was found; without it this is no picture
        self._announced = 0  # Content-Length of the picture, 0 if unknown
        self._skip = 0  # remaining bytes of a part that is no picture

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pictures that are complete with these bytes."""
        self._data += data
        while True:
            if not self._inside and not self._begin():
                return
            end = self._end()
            if end is None:
                if len(self._data) > MAX_BYTES:
                    self._leave(len(self._data))
                return
            picture, is_picture = bytes(self._data[:end]), self._scanned
            self._leave(end)
            if is_picture:
                yield picture

    def _begin(self) -> bool:
        """Drop the bytes before the next picture; returns whether there is one."""
        while True:
            if self._skip:
                left = min(self._skip, len(self._data))
                del self._data[:left]
                self._skip -= left
            if self._skip:
                return False
            start = self._data.find(_START)
            # A copy, because a match keeps the data from being shortened.
            between = bytes(self._data[: start if start >= 0 else len(self._data)])
            headers = list(_HEADERS.finditer(between))
            other = next((found for found in headers if _is_no_picture(found[0])), None)
            if other is None:
                break
            self._skip = _length(other[0])
            del self._data[: other.end()]
        if start < 0:
            del self._data[: max(len(self._data) - _MAX_HEADERS_BYTES, 0)]
            return False
        self._announced = _length(headers[-1][0]) if headers and headers[-1].end() == start else 0
        del self._data[:start]
        self._inside, self._at, self._coded, self._scanned = True, 2, False, False
        return True

    def _end(self) -> int | None:
        """The end of the picture at the start of the data; None while more data is needed."""
        while True:
            if self._coded:
                marker = _MARKER.search(self._data, self._at)
                end = None if marker is None else marker.end()
                del marker  # it keeps the data from being shortened
                if end is None:
                    # A last byte FF may start a marker.
                    self._at = max(len(self._data) - 1, self._at)
                    return self._by_length(len(self._data))
                self._at = end - 2
                if (length := self._by_length(self._at)) is not None:
                    return length
            if len(self._data) < self._at + 4:
                return self._at + 2 if self._data[self._at : self._at + 2] == b"\xff\xd9" else None
            kind = self._data[self._at + 1]
            if self._data[self._at] != 0xFF or kind == 0xD8:  # no marker, or the next picture: this one is truncated
                return self._at
            if kind == _END:
                return self._at + 2
            if kind == 0xFF or kind == 0x01 or kind in _RESTARTS:  # fill bytes and markers without a segment
                self._at += 1 if kind == 0xFF else 2
                continue
            self._at += 2 + int.from_bytes(self._data[self._at + 2 : self._at + 4], "big")
            self._coded = kind == _SCAN
            self._scanned = self._scanned or self._coded

    def _by_length(self, seen: int) -> int | None:
        """The end by the Content-Length, for a picture without an end marker."""
        end = self._announced
        return end if 0 < end < seen and self._data[end : end + 4].lstrip(b"\r\n").startswith(b"--") else None

    def _leave(self, end: int) -> None:
        del self._data[:end]
        self._inside = False


def _length(headers: bytes) -> int:
    """The Content-Length of a part, 0 if there is none."""
    found = _LENGTH.search(headers)
    return int(found[1]) if found else 0


def _is_no_picture(headers: bytes) -> bool:
    """Whether the headers announce another kind of content, with its length."""
    kind = _TYPE.search(headers)
    return kind is not None and _length(headers) > 0 and not kind[1].lower().startswith((b"image/", b"application/oct"))
