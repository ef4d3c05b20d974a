"""A camera that sends one picture per request, polled at even intervals. Owned by the thread of its connection."""

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
from streamer.sources.damage.decoder_messages import means_damage
from streamer.sources.damage.loss import DECODER_ERROR
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.opening import choose_video
from streamer.sources.decode.stream_info import describe
from streamer.sources.live.connection import POLL_S, LiveFrame, LiveItem
from streamer.sources.network.http.client import HttpClient
from streamer.sources.network.http.jpeg_parts import MAX_BYTES

log = logging.getLogger(__name__)

_TIME_BASE = Fraction(1, 1000)  # the pictures have no time stamps


class SnapshotConnection:
    """Requests the picture at even intervals; see `streamer.sources.live.connection.Connection`.

    An unchanged picture is a frame too: it is the current view, and it shows that the camera answers.

    Args:
        client: has the answer with the first picture; closed with the connection.
        first: the file of the first picture.

    Raises:
        SourceUnavailable: the first picture cannot be decoded.
    """

    def __init__(self, client: HttpClient, first: bytes) -> None:
        self._client = client
        self._name = name = client.address.name
        self._interval_s = 1 / client.settings.poll_fps
        self._logged: set[str] = set()
        self._info: StreamInfo | None = None
        self._pause = threading.Event()  # never set: a wait with a deadline
        self._due_s = time.monotonic()
        self._file, self._validators = first, client.validators()
        frame = self._decode()
        if isinstance(frame, Damage):
            remedy = "check whether the address works in a browser"
            raise SourceUnavailable(f"{name}: sends no picture that can be read ({frame.detail}); {remedy}")
        self._first: LiveFrame | None = frame

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._info is not None
        return self._info

    def frames(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._first is not None, "iterated twice"
        first, self._first = self._first, None
        yield first
        while True:
            yield from self._wait()
            self._request()
            yield self._decode()

    def close(self) -> None:
        """Close the connection to the camera."""
        self._client.close()

    def _wait(self) -> Iterator[None]:
        """Wait until the next request is due; skip requests that became due meanwhile."""
        now_s = time.monotonic()
        missed = max(int((now_s - self._due_s) / self._interval_s), 0)
        self._due_s += self._interval_s * max(missed, 1)
        while (left_s := self._due_s - time.monotonic()) > 0:
            self._pause.wait(min(left_s, POLL_S))
            yield None  # the reader checks whether the connection is still active

    def _request(self) -> None:
        answer = self._client.get(headers=self._validators)
        file = self._client.read_all(b"", MAX_BYTES, self._client.settings.open_timeout_s)
        if answer.status != 304 and file != self._file:
            self._file, self._validators = file, self._client.validators()

    def _decode(self) -> LiveFrame | Damage:
        arrived_s, began_s = time.monotonic(), time.perf_counter()
        try:
            with capture_log(av.logging.WARNING) as lines, av.open(io.BytesIO(self._file), "r") as container:
                stream = choose_video(container, self._name)
                geometry = Geometry(container, stream, self._name, self._log_once)
                stream.codec_context.thread_count = 1  # log lines must come from this thread
                picture = next(container.decode(stream))
                is_damaged = picture.is_corrupt or any(means_damage(part, text) for _, part, text in lines)
                upright = geometry.upright(picture, stream.time_base or _TIME_BASE)
                if self._info is None:
                    info = describe(stream, upright, self._name, geometry, live=True)
                    rate = Fraction(1 / self._interval_s).limit_denominator(1000)
                    self._info = dataclasses.replace(info, average_fps=rate, constant_rate=False)
        except (av.error.FFmpegError, OSError, ValueError, StopIteration, SourceUnavailable) as error:
            return Damage("decode error", 1, reason(error))
        return LiveFrame(
            upright,
            None,
            _TIME_BASE,
            arrived_s,
            time.perf_counter() - began_s,
            damage=DECODER_ERROR if is_damaged else "",
            sample_aspect_ratio=geometry.sample_aspect_ratio,
            orientation=geometry.orientation,
        )

    def _log_once(self, line: str) -> None:
        if line not in self._logged:
            self._logged.add(line)
            log.warning("%s", line)
