"""Finds JPEG pictures in what an HTTP camera sends, by their own markers, whatever stands between them.

Cameras leave the first boundary out, announce another one than they send, put texts between pictures, or send pictures
without anything around them. Pure; owned by the thread that reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_BYTES = 64 << 20
"""A picture that is larger is none: 100 megapixels in good quality have 50 MB."""
_START = b"\xff\xd8\xff"
_SCAN, _END, _RESTARTS = 0xDA, 0xD9, range(0xD0, 0xD8)
# In coded data a marker begins with FF, which data of the same value has a 00 behind (ITU-T T.81, B.1.1.5).
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_HEADERS = re.compile(rb"(?:[\w-]+:[^\r\n]*\r?\n)+\r?\n", re.DOTALL)
_TYPE = re.compile(rb"^content-type:\s*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_HEADERS_MOST = 16 << 10


class JpegParts:
    """Takes bytes as they come and gives whole pictures; one that was cut off comes as far as it goes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inside = False  # `_data` begins with a picture
        self._at = 0  # up to here it was looked at
        self._coded = False  # that is within coded data
        self._scanned = False  # there was some; else it is no picture
        self._announced = 0  # bytes of the picture by its Content-Length, 0 if unknown
        self._skip = 0  # bytes of a part that is no picture

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
            picture, whole_enough = bytes(self._data[:end]), self._scanned
            self._leave(end)
            if whole_enough:
                yield picture

    def _begin(self) -> bool:
        """Drop what stands before the next picture; whether there is one."""
        while True:
            if self._skip:
                left = min(self._skip, len(self._data))
                del self._data[:left]
                self._skip -= left
            if self._skip:
                return False
            start = self._data.find(_START)
            # A copy, for a match holds the data, which could not be shortened then.
            between = bytes(self._data[: start if start >= 0 else len(self._data)])
            headers = list(_HEADERS.finditer(between))
            other = next((found for found in headers if _is_no_picture(found[0])), None)
            if other is None:
                break
            self._skip = _length(other[0])
            del self._data[: other.end()]
        if start < 0:
            del self._data[: max(len(self._data) - _HEADERS_MOST, 0)]
            return False
        self._announced = _length(headers[-1][0]) if headers and headers[-1].end() == start else 0
        del self._data[:start]
        self._inside, self._at, self._coded, self._scanned = True, 2, False, False
        return True

    def _end(self) -> int | None:
        """Where the picture ends at the beginning of the data; None as long as more is needed."""
        while True:
            if self._coded:
                marker = _MARKER.search(self._data, self._at)
                end = None if marker is None else marker.end()
                del marker  # it holds the data, which could not be shortened then
                if end is None:
                    # A lone FF at the end may begin one.
                    self._at = max(len(self._data) - 1, self._at)
                    return self._by_length(len(self._data))
                self._at = end - 2
                if (told := self._by_length(self._at)) is not None:
                    return told
            if len(self._data) < self._at + 4:
                return self._at + 2 if self._data[self._at : self._at + 2] == b"\xff\xd9" else None
            kind = self._data[self._at + 1]
            if self._data[self._at] != 0xFF or kind == 0xD8:  # no marker, or the next picture: this one was cut off
                return self._at
            if kind == _END:
                return self._at + 2
            if kind == 0xFF or kind == 0x01 or kind in _RESTARTS:  # fill bytes, and markers without a segment
                self._at += 1 if kind == 0xFF else 2
                continue
            self._at += 2 + int.from_bytes(self._data[self._at + 2 : self._at + 4], "big")
            self._coded = kind == _SCAN
            self._scanned = self._scanned or self._coded

    def _by_length(self, seen: int) -> int | None:
        """The end that its Content-Length tells, of a picture without an end of its own."""
        end = self._announced
        return end if 0 < end < seen and self._data[end : end + 4].lstrip(b"\r\n").startswith(b"--") else None

    def _leave(self, end: int) -> None:
        del self._data[:end]
        self._inside = False


def _length(headers: bytes) -> int:
    """The length that the headers of a part tell, 0 if none."""
    found = _LENGTH.search(headers)
    return int(found[1]) if found else 0


def _is_no_picture(headers: bytes) -> bool:
    """Whether they tell of something else, and how long it is."""
    kind = _TYPE.search(headers)
    return kind is not None and _length(headers) > 0 and not kind[1].lower().startswith((b"image/", b"application/oct"))
