"""A viewer by WebRTC: its connection, from the offer to the end. Used by the web server's thread.

The parts of the connection are aiortc's (ICE, DTLS, SRTP); the candidates and the video are this project's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aioice.ice import Connection
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceTransport
from aiortc.rtcrtpparameters import RTCRtpSendParameters

from streamer.broadcast import candidates, sdp
from streamer.broadcast.h264 import EncodedFrame
from streamer.broadcast.rtp import RtpSender
from streamer.config.web import LiveVideoSettings
from streamer.errors import StreamerError

NEGOTIATION_S = 10.0
"""How long a browser has to connect after the answer."""
SILENCE_S = 10.0
"""A viewer that sends no RTCP for so long is disconnected; browsers send some each second. Before the first frame their
reports name no stream, and aiortc drops them: until then only ICE notices that a viewer is gone (RFC 7675)."""
_REPORT_S = 1.0
_MOST_UNSENT_BYTES = 512 << 10


class NotConnected(StreamerError):
    """The viewer has not connected in time, or its certificate is not the one of the offer."""


class Peer:
    """One connection that sends video.

    Args:
        offer: of the viewer.
        settings: of the live video.
        ask_keyframe: called when the viewer needs one.
        near: the address of this machine that the browser uses for HTTP.
    """

    def __init__(
        self,
        offer: sdp.Offer,
        settings: LiveVideoSettings,
        ask_keyframe: Callable[[], None],
        near: str | None = None,
    ) -> None:
        self._offer = offer
        self._settings = settings
        self._near = near
        self._ice = RTCIceTransport(RTCIceGatherer(iceServers=[]))
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._ended = asyncio.Event()
        self._cname = secrets.token_hex(8)
        self._sender = RtpSender(
            offer.codec.payloadType or 0,
            offer.playout_delay,
            partial(_send, self._ice._connection, self._dtls),
            ask_keyframe,
            self._cname,
        )

    async def answer(self) -> str:
        """Bind the sockets and return the answer to the offer.

        Raises:
            NoPort: no port is free.
        """
        await candidates.gather(
            self._ice._connection,
            ports=candidates.parse_ports(self._settings.udp_ports),
            public_address=self._settings.public_address,
            near=self._near,
        )
        # The end that may choose connects (RFC 8842, 5.3): one message less than as a server.
        role = "server" if self._offer.dtls.role == "client" else "client"
        self._dtls._set_role(role)
        gatherer = self._ice.iceGatherer
        return sdp.make_answer(
            self._offer,
            ice=gatherer.getLocalParameters(),
            dtls=RTCDtlsParameters(self._dtls.getLocalParameters().fingerprints, role),
            candidates=gatherer.getLocalCandidates(),
            ssrc=self._sender.ssrc,
            cname=self._cname,
        )

    async def connect(self) -> None:
        """Wait until the browser has connected.

        The addresses in the offer are not used: the browser's checks tell from where it sends. So nobody can make this
        machine send to an address of their choice.

        Raises:
            NotConnected: it did not in time.
        """
        try:
            async with asyncio.timeout(NEGOTIATION_S):
                self._ice._connection.ice_controlling = self._offer.ice.iceLite
                await self._ice.start(self._offer.ice)
                if self._ice.state == "completed":
                    await self._dtls.start(self._offer.dtls)
        except TimeoutError:
            raise NotConnected(f"no connection by WebRTC within {NEGOTIATION_S:g} s") from None
        if self._dtls.state != "connected":
            raise NotConnected("no connection by WebRTC")
        self._dtls.on("statechange", self._ended.set)
        self._ice.on("statechange", self._ended.set)
        self._dtls._register_rtp_sender(self._sender, RTCRtpSendParameters())

    def send(self, frame: EncodedFrame) -> None:
        """Send a frame, if the connection takes it."""
        self._sender.send(frame)

    async def wait(self) -> None:
        """Report once a second until the viewer disconnects, or is silent for `SILENCE_S`."""
        heard, silent_s = self._sender.heard, 0.0
        while silent_s < SILENCE_S:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_S):
                    await self._ended.wait()
            if self._ended.is_set():
                return
            is_silent = self._sender.has_sent and self._sender.heard == heard
            silent_s = silent_s + _REPORT_S if is_silent else 0.0
            heard = self._sender.heard
            with contextlib.suppress(ConnectionError):
                await self._dtls._send_rtp(self._sender.report())

    async def close(self) -> None:
        """End the connection, and tell the viewer."""
        with contextlib.suppress(ConnectionError):
            if self._dtls.state == "connected":
                await self._dtls._send_rtp(self._sender.goodbye())
        await self._dtls.stop()
        await self._ice.stop()
        self._release()

    def _release(self) -> None:
        """Take the parts of the connection apart.

        They refer to one another. Python's collector of such cycles seldom looks at old objects in a large program, and
        each connection would keep 0.1 MiB until then.
        """
        self._sender.close()
        self._dtls._unregister_rtp_sender(self._sender)
        self._dtls.remove_all_listeners()
        self._ice._connection._check_list.clear()
        self._dtls._ssl = None


def _send(ice: Connection, dtls: RTCDtlsTransport, packets: Sequence[bytes]) -> bool:
    """Encrypt and send packets of RTP; False if they were left out."""
    pair = ice._nominated.get(1)
    if pair is None or dtls.state != "connected":
        return False
    transport: Any = pair.protocol.transport
    address = pair.remote_addr
    if transport.is_closing() or transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
        return False
    protect = dtls._tx_srtp.protect
    for packet in packets:
        transport.sendto(protect(packet), address)
    return True
