"""Opens the sources of a site at the same time, to see whether they answer.

The main thread waits for a thread for each source, with a deadline. A thread that does not end in time is left behind.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass

from streamer.config.source import SourceSettings
from streamer.errors import StreamerError
from streamer.sources.network.address import is_address
from streamer.sources.probe.probe import probe
from streamer.sources.selection import is_live, open_source
from streamer.system.threads import Thread

_DECODE_S = 10.0
"""Time for the first frame, after a source is opened: cameras send a keyframe every few seconds."""
_PACKETS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source sent.

    Attributes:
        text: size, frame rate and codec, or the error.
        is_open: whether it was opened.
    """

    text: str
    is_open: bool


def connect_all(sources: Mapping[str, SourceSettings]) -> Iterator[tuple[str, Answer]]:
    """Open all sources, which have a uri; yields the answers in the order of the names.

    Args:
        sources: by the name of their camera.
    """
    began_s = time.monotonic()
    answers: dict[str, Future[str]] = {name: Future() for name in sources}
    for name, source in sources.items():
        Thread(f"check-{name}", _open, source, answers[name]).start()
    for name, source in sources.items():
        limit_s = source.open_timeout_s + _DECODE_S
        try:
            yield name, Answer(answers[name].result(max(began_s + limit_s - time.monotonic(), 0.0)), is_open=True)
        except NoAnswer:
            yield name, Answer(f"no picture within {limit_s:g} s", is_open=False)
        except StreamerError as error:
            yield name, Answer(str(error), is_open=False)


def _open(source: SourceSettings, answer: Future[str]) -> None:
    try:
        answer.set_result(_facts(source))
    except BaseException as error:
        answer.set_exception(error)


def _facts(source: SourceSettings) -> str:
    """Size, frame rate and codec.

    Raises:
        StreamerError: the source cannot be opened.
    """
    uri = source.uri or ""
    once = source.model_copy(update={"retry_at_start": False})
    if is_live(uri, once) and not is_address(uri):
        with open_source(uri, once) as opened:
            info = opened.info
            return _line(info.width, info.height, info.average_fps, info.pixel_format)
    found = probe(uri, once if is_address(uri) else once.model_copy(update={"live": None}), live_packets=_PACKETS)
    for stream in found.streams:
        if (video := stream.video) is not None and video.used:
            return _line(video.width, video.height, video.average_fps, stream.codec or found.container)
    raise StreamerError("no video stream")


def _line(width: int, height: int, fps: object, codec: str) -> str:
    rate = f", {float(fps):.4g} fps" if fps else ""  # type: ignore[arg-type]
    return f"{width}x{height}{rate}, {codec}"
