"""A camera that gives one picture a request, asked again and again, quietly. Owned by the thread of its connection."""

from __future__ import annotations

import dataclasses
import io
import logging
import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import av

from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.media.ffmpeg_log import capture_log, reason
from streamer.sources.damage.complaints import means_damage
from streamer.sources.damage.loss import DECODER_TOLD
from streamer.sources.decode.container import describe
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.opening import choose_video
from streamer.sources.live.connection import LiveItem, LivePicture
from streamer.sources.network.http.fetch import HttpFetch
from streamer.sources.network.http.jpeg_parts import LARGEST_BYTES

log = logging.getLogger(__name__)

_ASK_EVERY_S = 0.25
_UNCHANGED_S = 60.0
"""A picture that stays the same, to the bit, for so long is told: many cameras that hang give their last one."""
_UNKNOWN = Fraction(1, 1000)  # of a time stamp that there is none of


class SnapshotConnection:
    """Asks for the picture at even intervals; see `streamer.sources.live.connection.Connection`.

    One that did not change comes again: it shows what there is to see now, and that the camera answers.

    Args:
        fetch: asked for the first picture already; closed with this.
        first: that picture's file.
        name: without credentials.
        poll_fps: requests a second, at most.
        timeout_s: the longest wait for a picture.

    Raises:
        SourceUnavailable: the first picture is none.
    """

    def __init__(self, fetch: HttpFetch, first: bytes, name: str, poll_fps: float, timeout_s: float) -> None:
        self._fetch = fetch
        self._name = name
        self._interval_s = 1 / poll_fps
        self._timeout_s = timeout_s
        self._said: set[str] = set()
        self._info: StreamInfo | None = None
        self._pause = threading.Event()  # never set: a wait with a deadline
        self._begun_s = time.monotonic()
        self._file, self._validators = first, fetch.validators()
        self._changed_s = self._begun_s
        self._told_unchanged = False
        picture = self._decoded()
        if isinstance(picture, Damage):
            remedy = "see whether the address works in a browser"
            raise SourceUnavailable(f"{name}: sends no picture that can be read ({picture.detail}); {remedy}")
        self._first: LivePicture | None = picture

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._info is not None
        return self._info

    def pictures(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._first is not None, "asked once"
        first, self._first = self._first, None
        yield first
        while True:
            yield from self._wait()
            self._ask()
            yield self._decoded()

    def close(self) -> None:
        """End the connection to the camera."""
        self._fetch.close()

    def _wait(self) -> Iterator[None]:
        """Until the next request is due; a picture that took longer than the interval leaves some out."""
        now_s = time.monotonic()
        missed = max(int((now_s - self._begun_s) / self._interval_s), 0)
        self._begun_s += self._interval_s * max(missed, 1)
        while (left_s := self._begun_s - time.monotonic()) > 0:
            self._pause.wait(min(left_s, _ASK_EVERY_S))
            yield None  # whoever reads looks whether it is still wanted

    def _ask(self) -> None:
        answer = self._fetch.get(self._validators)
        file = self._fetch.read_all(b"", LARGEST_BYTES, self._timeout_s)
        now_s = time.monotonic()
        if answer.status == 304 or file == self._file:
            if now_s - self._changed_s > _UNCHANGED_S and not self._told_unchanged:
                self._told_unchanged = True
                log.warning("%s: the picture has not changed for %g s", self._name, _UNCHANGED_S)
            return
        if self._told_unchanged:
            log.warning("%s: the picture changes again", self._name)
        self._file, self._validators = file, self._fetch.validators()
        self._changed_s, self._told_unchanged = now_s, False

    def _decoded(self) -> LivePicture | Damage:
        arrived_s, began_s = time.monotonic(), time.perf_counter()
        try:
            with capture_log(av.logging.WARNING) as lines, av.open(io.BytesIO(self._file), "r") as container:
                stream = choose_video(container, self._name)
                geometry = Geometry(container, stream, self._name, self._say)
                stream.codec_context.thread_count = 1  # log lines must come from this thread
                picture = next(container.decode(stream))
                told = picture.is_corrupt or any(means_damage(part, text) for _, part, text in lines)
                upright = geometry.upright(picture, stream.time_base or _UNKNOWN)
                if self._info is None:
                    info = describe(stream, upright, self._name, geometry, live=True)
                    rate = Fraction(1 / self._interval_s).limit_denominator(1000)
                    self._info = dataclasses.replace(info, average_fps=rate, constant_rate=False)
        except (av.error.FFmpegError, OSError, ValueError, StopIteration, SourceUnavailable) as error:
            return Damage("decode error", 1, reason(error))
        return LivePicture(
            upright,
            None,
            _UNKNOWN,
            arrived_s,
            time.perf_counter() - began_s,
            damage=DECODER_TOLD if told else "",
            sample_aspect_ratio=geometry.sample_aspect_ratio,
            orientation=geometry.orientation,
        )

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            log.warning("%s", line)
