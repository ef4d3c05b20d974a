"""Opens a source before it becomes a camera: what it sends, and its first frame. Web server's thread."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from http import HTTPStatus
from typing import Any

import av
import cv2

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.operation import Answer, Call, Operation, Problem, Values
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError, StreamerError
from streamer.serve.checks.source_facts import SourceFacts, ask, limit_s
from streamer.serve.settings_file.passwords import remember, restored
from streamer.system.secrets import SECRETS
from streamer.values.frame import Frame

MOST_AT_A_TIME = 2
"""A source that does not answer keeps its thread for a while."""
_LONGEST_S = 30.0
_STILL_WIDTH = 640
_STILL_QUALITY = 80


class SourceToProbe(Values):
    """A source that may become a camera."""

    source: dict[str, Any]
    """The section `source` of a camera, such as `{"uri": "rtsp://192.0.2.10/stream1"}`."""
    camera: str | None = None
    """The camera whose passwords `***` stands for."""


class ProbeAnswer(Answer):
    """What a source sends, or why it sends nothing."""

    reason: str
    """Why it cannot be opened; empty if it can."""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    codec: str | None = None
    live: bool | None = None
    """Its frames arrive in real time."""
    still: str | None = None
    """The first frame as a data URL of a JPEG, at most 640 pixels wide."""


def operations(context: ApiContext) -> Sequence[Operation]:
    """Probing a source."""
    probe = _Probe(context)
    return (
        Operation(
            "POST",
            "/probe",
            "Open a source and show what it sends",
            Access.ADMIN,
            probe.answer,
            body=SourceToProbe,
            answer=ProbeAnswer,
            others=(HTTPStatus.TOO_MANY_REQUESTS,),
        ),
    )


class _Probe:
    def __init__(self, context: ApiContext) -> None:
        self._site, self._file = context.site, context.settings_file
        self._free = threading.Semaphore(MOST_AT_A_TIME)

    async def answer(self, call: Call) -> ProbeAnswer:
        source = await asyncio.to_thread(self._source, call.body)
        if not self._free.acquire(blocking=False):
            detail = f"{MOST_AT_A_TIME} sources are being opened already; try again in a few seconds"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "5"})
        within_s = min(limit_s(source), _LONGEST_S)
        facts = asyncio.wrap_future(ask("probe", source, self._free.release))
        facts.add_done_callback(asyncio.Future.exception)  # nobody may wait for it any more
        await asyncio.wait([facts], timeout=within_s)
        if not facts.done():
            return ProbeAnswer(reason=f"no picture within {within_s:g} s")
        try:
            return await asyncio.to_thread(_answer, facts.result())
        except StreamerError as error:
            return ProbeAnswer(reason=SECRETS.hide(str(error)))

    def _source(self, body: SourceToProbe) -> SourceSettings:
        """The source with the defaults of the site, and with its passwords. Another thread.

        Raises:
            ConfigError: a setting is invalid.
        """
        own = self._file.camera(body.camera) if body.camera else None
        given = restored({"source": body.source}, own or {}, "")
        remember(given)
        try:
            source = self._site.settings.camera("probe", given).source
        except ConfigError as error:
            raise ConfigError(*(line.removeprefix("cameras.probe.") for line in error.problems)) from error
        if not source.uri or source.uri == "-":
            raise ConfigError("source.uri: no source; give an address, a webcam (0) or a file")
        return source


def _answer(facts: SourceFacts) -> ProbeAnswer:
    return ProbeAnswer(
        reason="",
        width=facts.width,
        height=facts.height,
        fps=round(float(facts.fps), 3) if facts.fps else None,
        codec=facts.codec,
        live=facts.live,
        still=None if facts.picture is None else _still(facts.picture),
    )


def _still(picture: av.VideoFrame) -> str:
    bgr = Frame(picture, 0, 0, Fraction(1, 1000), time.monotonic()).bgr()
    height, width = bgr.shape[:2]
    if width > _STILL_WIDTH:
        size = _STILL_WIDTH, max(round(height * _STILL_WIDTH / width), 1)
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _STILL_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
