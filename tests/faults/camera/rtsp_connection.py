"""One client's RTSP connection: it asks, the camera answers. Owned by the camera's event loop."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.faults.camera import authentication
from tests.faults.camera.rtsp import Request, Response, read_request
from tests.faults.camera.studio import Studio
from tests.faults.camera.viewers import Viewer
from tests.faults.camera.wires import Datagrams, Interleaved, Wire

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


class Conversation:
    """From the connection of a client to its end.

    Args:
        studio: what it can play.
        awake: while it is not set the camera reads and answers nothing.
        tell: takes the events of this client: `describe`, `play`, `teardown`, `unauthorized`, `not found`.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        studio: Studio,
        awake: asyncio.Event,
        tell: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._studio = studio
        self._awake = awake
        self._tell = tell
        self._nonce = secrets.token_hex(16)
        self._session = secrets.token_hex(8)
        self._wire: Wire | None = None
        self._viewer: Viewer | None = None

    async def run(self) -> None:
        """Answer until the client or the camera ends it."""
        try:
            while (request := await read_request(self._reader)) is not None:
                await self._awake.wait()
                response = self._answer(request)
                self._writer.write(response.encode(request.headers.get("cseq", "0")))
                if response.status == 200 and request.method == "PLAY" and self._viewer is not None:
                    self._studio.send_report(self._viewer)
                if response.status == 200 and request.method == "TEARDOWN":
                    break
        except (ValueError, asyncio.LimitOverrunError):
            self._writer.write(Response(400, {}).encode("0"))
        finally:
            self._leave()
            self._writer.close()

    def end(self) -> None:
        """Say goodbye: RTCP BYE, a TEARDOWN of the camera's own, and the end of the connection."""
        if self._viewer is not None:
            self._viewer.send_goodbye()
            self._leave()
        self._writer.write(f"TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\nSession: {self._session}\r\n\r\n".encode())
        self._writer.close()

    def cut(self) -> None:
        """End the connection without a word."""
        self._leave()
        self._writer.transport.abort()

    def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(200, {"Public": _METHODS})
        if request.method not in _METHODS.split(", "):
            return Response(501, {})
        login = self._studio.settings.login
        given = request.headers.get("authorization", "")
        if login is not None and not authentication.is_right(login, self._nonce, request.method, given):
            if given:
                self._tell("unauthorized")
            asked = [("WWW-Authenticate", one) for one in authentication.challenges(login, self._nonce)]
            return Response(401, {}, repeated=asked)
        path = urlsplit(request.url).path.rstrip("/")
        if path.removesuffix("/track") != self._studio.settings.path:
            self._tell("not found")
            return Response(404, {})
        if request.method == "DESCRIBE":
            return self._describe(request)
        if request.method == "SETUP":
            return self._set_up(request)
        if self._wire is None and request.method in ("PLAY", "TEARDOWN"):
            return Response(454, {})
        return self._control(request)

    def _describe(self, request: Request) -> Response:
        self._tell("describe")
        lines = ["v=0", f"o=- {int(self._session, 16)} 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0"]
        lines += ["a=control:*", "a=range:npt=now-", *self._studio.description, "a=control:track"]
        headers = {"Content-Base": request.url.rstrip("/") + "/", "Content-Type": "application/sdp"}
        return Response(200, headers, "\r\n".join(lines) + "\r\n")

    def _set_up(self, request: Request) -> Response:
        wish = request.headers.get("transport", "")
        if self._wire is not None:
            return Response(455, {})
        if channels := re.search(r"RTP/AVP/TCP.*interleaved=(\d+)-(\d+)", wish):
            self._wire = Interleaved(self._writer.transport, (int(channels[1]), int(channels[2])))
            agreed = f"RTP/AVP/TCP;unicast;interleaved={channels[1]}-{channels[2]}"
        elif "TCP" not in wish and "multicast" not in wish and (ports := re.search(r"client_port=(\d+)-(\d+)", wish)):
            host = self._writer.get_extra_info("peername")[0]
            datagrams = Datagrams(host, (int(ports[1]), int(ports[2])))
            self._wire = datagrams
            own = "server_port={}-{}".format(*datagrams.ports)
            agreed = f"RTP/AVP/UDP;unicast;client_port={ports[1]}-{ports[2]};{own}"
        else:
            return Response(461, {})
        return Response(200, {"Transport": agreed, "Session": f"{self._session};timeout=60"})

    def _control(self, request: Request) -> Response:
        headers = {"Session": self._session}
        if request.method == "PLAY" and self._wire is not None:
            if self._viewer is None:
                self._viewer = self._studio.add(self._wire)
                self._tell("play")
            first = f"seq={self._viewer.sequence};rtptime={self._viewer.first_timestamp}"
            headers |= {"Range": "npt=now-", "RTP-Info": f"url={request.url.rstrip('/')}/track;{first}"}
        if request.method == "TEARDOWN":
            self._tell("teardown")
        return Response(200, headers)

    def _leave(self) -> None:
        if self._viewer is not None:
            self._studio.remove(self._viewer)
        elif self._wire is not None:
            self._wire.close()
        self._viewer = self._wire = None
