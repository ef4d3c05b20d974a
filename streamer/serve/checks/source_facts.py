"""What a source sends, found by opening it: size, frame rate, codec, the first frame. It waits for the source.

Called on a thread of its own, which may be left behind if the source does not answer in time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from fractions import Fraction

import av

from streamer.config.source import SourceSettings
from streamer.errors import StreamerError
from streamer.sources.network.address import is_address
from streamer.sources.probe.probe import probe
from streamer.sources.selection import is_live, open_source
from streamer.system.threads import Thread

_DECODE_S = 10.0
"""Time for the first frame, after a source is opened: cameras send a keyframe every few seconds."""
_PACKETS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SourceFacts:
    """What a source sends.

    Attributes:
        width, height: of the upright frame, pixels.
        fps: None if it is not declared.
        codec: of the video, or the pixel format of a camera.
        live: its frames arrive in real time.
        picture: the first frame, upright; None if it was not decoded.
    """

    width: int
    height: int
    fps: Fraction | None
    codec: str
    live: bool
    picture: av.VideoFrame | None = None

    def __str__(self) -> str:
        rate = f", {float(self.fps):.4g} fps" if self.fps else ""
        return f"{self.width}x{self.height}{rate}, {self.codec}"


def limit_s(source: SourceSettings) -> float:
    """The time after which a source that has not answered does not answer."""
    return source.open_timeout_s + _DECODE_S


def ask(name: str, source: SourceSettings, done: Callable[[], object] = lambda: None) -> Future[SourceFacts]:
    """Open a source, which has a uri, on a thread of its own.

    Args:
        name: of the thread.
        source: how it is read.
        done: called by the thread at its end.

    Returns:
        The facts, or a StreamerError: it cannot be opened.
    """
    answer: Future[SourceFacts] = Future()
    Thread(f"check-{name}", _answer, source, answer, done).start()
    return answer


def _answer(source: SourceSettings, answer: Future[SourceFacts], done: Callable[[], object]) -> None:
    try:
        answer.set_result(_facts(source))
    except BaseException as error:
        answer.set_exception(error)
    finally:
        done()


def _facts(source: SourceSettings) -> SourceFacts:
    uri = source.uri or ""
    once = source.model_copy(update={"retry_at_start": False})
    if is_live(uri, once) and not is_address(uri):
        with open_source(uri, once) as opened:
            info, picture = opened.info, next((frame.picture for frame in opened), None)
            return SourceFacts(info.width, info.height, info.average_fps, info.pixel_format, True, picture)
    pictures: list[av.VideoFrame] = []
    settings = once if is_address(uri) else once.model_copy(update={"live": None})
    found = probe(uri, settings, live_packets=_PACKETS, show=pictures.append)
    for stream in found.streams:
        if (video := stream.video) is not None and video.used:
            codec, picture = stream.codec or found.container, pictures[0] if pictures else None
            live = source.live is True or (is_address(uri) and found.duration_s is None)
            return SourceFacts(video.width, video.height, video.average_fps, codec, live, picture)
    raise StreamerError("no video stream")
