"""The operations of live video. They run on the thread of the web server."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.live.pictures import Boxes, Pictures
from streamer.api.live.sockets import Sockets
from streamer.api.live.whep import Whep
from streamer.api.operation import Operation


def operations(context: ApiContext) -> Sequence[Operation]:
    """The operations on the live video of the cameras."""
    pictures, sockets, whep = Pictures(context), Sockets(context), Whep(context)
    camera = "/cameras/{name}"
    return [
        Operation(
            "GET",
            f"{camera}/snapshot.jpg",
            "The newest frame.",
            Access.VIEWER,
            pictures.snapshot,
            query=Boxes,
            media="image/jpeg",
        ),
        Operation(
            "GET",
            f"{camera}/stream.mjpg",
            "All frames from now on, as MJPEG.",
            Access.VIEWER,
            pictures.stream,
            query=Boxes,
            media="multipart/x-mixed-replace",
        ),
        Operation(
            "GET",
            f"{camera}/overlay",
            "The boxes of each frame that is shown.",
            Access.VIEWER,
            sockets.overlay,
            media="websocket",
        ),
        Operation(
            "GET",
            f"{camera}/frames",
            "Frames as JPEG with their boxes, where WebRTC does not work.",
            Access.VIEWER,
            sockets.frames,
            media="websocket",
        ),
        Operation(
            "POST",
            f"{camera}/whep",
            "Watch by WebRTC (WHEP): an offer in, an answer out, both SDP.",
            Access.VIEWER,
            whep.add,
            takes="application/sdp",
            media="application/sdp",
            status=HTTPStatus.CREATED,
        ),
        Operation("DELETE", "/whep/{id}", "End watching by WebRTC.", Access.VIEWER, whep.remove),
    ]
