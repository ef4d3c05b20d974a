"""One client's RTSP connection. Owned by the camera's event loop."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.faults.camera import authentication
from tests.faults.camera.clients import PlayingClient
from tests.faults.camera.rtsp import Request, Response, read_request
from tests.faults.camera.stream import Stream
from tests.faults.camera.transports import Datagrams, Interleaved, Transport

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


class RtspConnection:
    """From the connection of a client to its end.

    Args:
        stream: the stream to play.
        awake: while it is not set, the camera reads and answers nothing.
        emit: takes the events of this client: `describe`, `play`, `teardown`, `unauthorized`, `not found`.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        stream: Stream,
        awake: asyncio.Event,
        emit: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._stream = stream
        self._awake = awake
        self._emit = emit
        self._nonce = secrets.token_hex(16)
        self._session = secrets.token_hex(8)
        self._transport: Transport | None = None
        self._client: PlayingClient | None = None

    async def run(self) -> None:
        """Answer requests until the client or the camera ends the connection."""
        try:
            while (request := await read_request(self._reader)) is not None:
                await self._awake.wait()
                response = self._answer(request)
                self._writer.write(response.encode(request.headers.get("cseq", "0")))
                if response.status == 200 and request.method == "PLAY" and self._client is not None:
                    self._stream.send_report(self._client)
                if response.status == 200 and request.method == "TEARDOWN":
                    break
        except (ValueError, asyncio.LimitOverrunError):
            self._writer.write(Response(400, {}).encode("0"))
        finally:
            self._leave()
            self._writer.close()

    def end(self) -> None:
        """End the session: RTCP BYE, a TEARDOWN by the camera, and the end of the connection."""
        if self._client is not None:
            self._client.send_goodbye()
            self._leave()
        self._writer.write(f"TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\nSession: {self._session}\r\n\r\n".encode())
        self._writer.close()

    def cut(self) -> None:
        """Close the connection without a message."""
        self._leave()
        self._writer.transport.abort()

    def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(200, {"Public": _METHODS})
        if request.method not in _METHODS.split(", "):
            return Response(501, {})
        login = self._stream.settings.login
        given = request.headers.get("authorization", "")
        if login is not None and not authentication.is_right(login, self._nonce, request.method, given):
            if given:
                self._emit("unauthorized")
            asked = [("WWW-Authenticate", one) for one in authentication.challenges(login, self._nonce)]
            return Response(401, {}, repeated=asked)
        path = urlsplit(request.url).path.rstrip("/")
        if path.removesuffix("/track") != self._stream.settings.path:
            self._emit("not found")
            return Response(404, {})
        if request.method == "DESCRIBE":
            return self._describe(request)
        if request.method == "SETUP":
            return self._set_up(request)
        if self._transport is None and request.method in ("PLAY", "TEARDOWN"):
            return Response(454, {})
        return self._control(request)

    def _describe(self, request: Request) -> Response:
        self._emit("describe")
        lines = ["v=0", f"o=- {int(self._session, 16)} 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0"]
        lines += ["a=control:*", "a=range:npt=now-", *self._stream.description, "a=control:track"]
        headers = {"Content-Base": request.url.rstrip("/") + "/", "Content-Type": "application/sdp"}
        return Response(200, headers, "\r\n".join(lines) + "\r\n")

    def _set_up(self, request: Request) -> Response:
        wish = request.headers.get("transport", "")
        if self._transport is not None:
            return Response(455, {})
        if channels := re.search(r"RTP/AVP/TCP.*interleaved=(\d+)-(\d+)", wish):
            self._transport = Interleaved(self._writer.transport, (int(channels[1]), int(channels[2])))
            agreed = f"RTP/AVP/TCP;unicast;interleaved={channels[1]}-{channels[2]}"
        elif "TCP" not in wish and "multicast" not in wish and (ports := re.search(r"client_port=(\d+)-(\d+)", wish)):
            host = self._writer.get_extra_info("peername")[0]
            datagrams = Datagrams(host, (int(ports[1]), int(ports[2])))
            self._transport = datagrams
            own = "server_port={}-{}".format(*datagrams.ports)
            agreed = f"RTP/AVP/UDP;unicast;client_port={ports[1]}-{ports[2]};{own}"
        else:
            return Response(461, {})
        return Response(200, {"Transport": agreed, "Session": f"{self._session};timeout=60"})

    def _control(self, request: Request) -> Response:
        headers = {"Session": self._session}
        if request.method == "PLAY" and self._transport is not None:
            if self._client is None:
                self._client = self._stream.add(self._transport)
                self._emit("play")
            first = f"seq={self._client.sequence};rtptime={self._client.first_timestamp}"
            headers |= {"Range": "npt=now-", "RTP-Info": f"url={request.url.rstrip('/')}/track;{first}"}
        if request.method == "TEARDOWN":
            self._emit("teardown")
        return Response(200, headers)

    def _leave(self) -> None:
        if self._client is not None:
            self._stream.remove(self._client)
        elif self._transport is not None:
            self._transport.close()
        self._client = self._transport = None
