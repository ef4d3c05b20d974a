"""Read a camera with PyAV alone. Owned by the thread that reads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import av

from tests.faults import counter

# The session description is sufficient: FFmpeg need not analyse the first packets.
OPENING = {"analyzeduration": "0", "probesize": "32", "fpsprobesize": "0"}


class Seen(NamedTuple):
    """A frame that arrived.

    Attributes:
        number: read from it.
        pts_s: its PTS in seconds; None for one that FFmpeg read while it opened the stream.
        at_s: monotonic clock when it was decoded.
        picture: the decoder's frame.
    """

    number: int | None
    pts_s: float | None
    at_s: float
    picture: av.VideoFrame


def opened(url: str, transport: str = "tcp") -> Any:
    return av.open(url, options={"rtsp_transport": transport, **OPENING}, timeout=(10, 5))


def pictures(container: Any) -> Iterator[Seen]:
    """Decoded frames until the stream ends."""
    for frame in container.decode(container.streams.video[0]):
        at_s = time.monotonic()
        pts_s = None if frame.pts is None else float(frame.pts * frame.time_base)
        yield Seen(counter.read_number(frame), pts_s, at_s, frame)


def watch(url: str, count: int, transport: str = "tcp") -> list[Seen]:
    with opened(url, transport) as container:
        return list(itertools.islice(pictures(container), count))


def numbers(seen: list[Seen]) -> list[int]:
    """The numbers of frames that must all be readable."""
    read = [each.number for each in seen if each.number is not None]
    assert len(read) == len(seen)
    return read


def assert_consecutive(read: list[int]) -> None:
    assert read == list(range(read[0], read[0] + len(read)))
