"""The operations of live video. They run on the thread of the web server."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.live.pictures import Boxes, Pictures
from streamer.api.live.sockets import FrameSize, Sockets
from streamer.api.live.whep import SDP, Whep
from streamer.api.operation import WEBSOCKET, Handler, Operation

_CAMERA = "/cameras/{name}"


def operations(context: ApiContext) -> Sequence[Operation]:
    """The operations on the live video of the cameras."""
    pictures, sockets, whep = Pictures(context), Sockets(context), Whep(context)
    return [
        _get("snapshot.jpg", "The newest frame.", pictures.snapshot, "image/jpeg", Boxes),
        _get("stream.mjpg", "All frames from now on, as MJPEG.", pictures.stream, "multipart/x-mixed-replace", Boxes),
        _get("overlay", "The boxes of each frame that is shown.", sockets.overlay, WEBSOCKET),
        _get("frames", "JPEG frames with their boxes, where WebRTC fails.", sockets.frames, WEBSOCKET, FrameSize),
        Operation(
            "POST",
            f"{_CAMERA}/whep",
            "Watch by WebRTC (WHEP): an offer in, an answer out, both SDP.",
            Access.VIEWER,
            whep.add,
            takes=SDP,
            media=SDP,
            status=HTTPStatus.CREATED,
        ),
        Operation("DELETE", "/whep/{id}", "End watching by WebRTC.", Access.VIEWER, whep.remove),
    ]


def _get(name: str, summary: str, handle: Handler, media: str, query: type[BaseModel] | None = None) -> Operation:
    return Operation("GET", f"{_CAMERA}/{name}", summary, Access.VIEWER, handle, query=query, media=media)
