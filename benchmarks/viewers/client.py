"""A viewer by WebRTC that counts frames and does not decode them, with the parts of aiortc's connection. Event loop."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any, Self

import aiohttp
from aiortc import rtp, sdp
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceTransport
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
    RTCRtpReceiveParameters,
)

PAYLOAD_TYPE = 102
_EXTENSION = 5
_REPORT_S = 1.0


class RtpViewer:
    """Watches a camera from entering to leaving.

    Args:
        session: sends the offer.
        camera: address of a camera in the API.

    Attributes:
        frames: how many have arrived.
        bytes: of their payloads.
        first: set when a packet has arrived.
    """

    def __init__(self, session: aiohttp.ClientSession, camera: str) -> None:
        self._session = session
        self._camera = camera
        self._ice = RTCIceTransport(RTCIceGatherer(iceServers=[]))
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._highest = self._ssrc = 0
        self._own_ssrc = random.getrandbits(32)
        self._reporting: asyncio.Task[None] | None = None
        self.location = ""
        self.frames = self.bytes = 0
        self.first = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._ice.iceGatherer.gather()
        headers = {"Content-Type": "application/sdp"}
        async with self._session.post(f"{self._camera}/whep", data=self._offer(), headers=headers) as response:
            text = await response.text()
            if response.status != 201:
                raise RuntimeError(f"{response.status}: {text}")
            self.location = str(response.url.with_path(response.headers["Location"]))
        await self._connect(sdp.SessionDescription.parse(text).media[0])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reporting is not None:
            self._reporting.cancel()
        async with self._session.delete(self.location):
            pass
        await self._dtls.stop()
        await self._ice.stop()

    def _offer(self) -> str:
        media = sdp.MediaDescription("video", 9, "UDP/TLS/RTP/SAVPF", [PAYLOAD_TYPE])
        h264 = {"packetization-mode": "1", "profile-level-id": "42e01f", "level-asymmetry-allowed": "1"}
        codec: Any = RTCRtpCodecParameters("video/H264", 90_000, payloadType=PAYLOAD_TYPE, parameters=dict(h264))
        delay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        media.rtp = RTCRtpParameters(
            codecs=[codec], headerExtensions=[RTCRtpHeaderExtensionParameters(_EXTENSION, delay)], muxId="0"
        )
        media.host, media.direction, media.rtcp_mux, media.rtcp_port = "0.0.0.0", "recvonly", True, 9
        media.ice = self._ice.iceGatherer.getLocalParameters()
        media.dtls = RTCDtlsParameters(self._dtls.getLocalParameters().fingerprints, "auto")
        offer = sdp.SessionDescription()
        offer.origin = "- 1 1 IN IP4 0.0.0.0"
        offer.media.append(media)
        return str(offer)

    async def _connect(self, media: sdp.MediaDescription) -> None:
        self._ice._connection.ice_controlling = True
        for candidate in media.ice_candidates:
            await self._ice.addRemoteCandidate(candidate)
        await self._ice.addRemoteCandidate(None)
        assert media.ice is not None
        assert media.dtls is not None
        await self._ice.start(media.ice)
        self._dtls._set_role("server")
        parameters = RTCRtpReceiveParameters(
            codecs=[RTCRtpCodecParameters("video/H264", 90_000, payloadType=PAYLOAD_TYPE)]
        )
        self._dtls._register_rtp_receiver(self, parameters)
        await self._dtls.start(media.dtls)
        self._reporting = asyncio.create_task(self._report())

    async def _report(self) -> None:
        """Tell the sender once a second what has arrived, as browsers do."""
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(_REPORT_S)
                arrived = rtp.RtcpReceiverInfo(self._ssrc, 0, 0, self._highest, 0, 0, 0)
                await self._dtls._send_rtp(bytes(rtp.RtcpRrPacket(self._own_ssrc, [arrived])))

    # called by aiortc

    async def _handle_rtp_packet(self, packet: rtp.RtpPacket, arrival_time_ms: int) -> None:  # noqa: ARG002
        self._ssrc, self._highest = packet.ssrc, packet.sequence_number
        self.frames += packet.marker
        self.bytes += len(packet.payload)
        self.first.set()

    async def _handle_rtcp_packet(self, packet: rtp.AnyRtcpPacket) -> None:
        """Nothing to do."""

    def _handle_disconnect(self) -> None:
        """Nothing to do."""
