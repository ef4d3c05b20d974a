"""Stills and MJPEG streams of a camera. Web server's thread."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from streamer.api.context import ApiContext
from streamer.api.live.camera import VIEWER_TIMEOUT_S, broadcast_of, viewer_of
from streamer.api.operation import Call, Problem
from streamer.broadcast.jpegs import JpegFrame
from streamer.sinks.mjpeg.viewers import Viewer


class Boxes(BaseModel):
    """What is drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    boxes: bool = Field(default=False, description="Draw boxes, labels, lines and zones on the frame.")


class Pictures:
    """Answers requests for pictures.

    Args:
        context: what the API works on.
    """

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def snapshot(self, call: Call) -> web.StreamResponse:
        """The newest frame as JPEG. Raises Problem: 503 before the first."""
        broadcast = broadcast_of(self._context, call)
        jpeg = await broadcast.stills[_boxes(call)].newest()
        if jpeg is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"no frame of camera {broadcast.camera!r} yet; try again")
        headers = {"X-Timestamp": f"{jpeg.time_s:.6f}", "X-Captured": f"{jpeg.captured_s:.6f}"}
        return web.Response(body=jpeg.data, content_type="image/jpeg", headers=headers)

    async def stream(self, call: Call) -> web.StreamResponse:
        """All frames from now on, the newest that the viewer has not seen."""
        broadcast = broadcast_of(self._context, call)
        with viewer_of(self._context, broadcast):
            viewer = Viewer(call.request, VIEWER_TIMEOUT_S)

            def take(frame: JpegFrame) -> None:
                viewer.put(frame.jpeg)

            with broadcast.jpegs[_boxes(call)].watch(take):
                return await viewer.answer(await broadcast.stills[_boxes(call)].newest())


def _boxes(call: Call) -> bool:
    return isinstance(call.query, Boxes) and call.query.boxes
