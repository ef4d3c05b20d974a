"""The session descriptions of WebRTC: the offer of a viewer, and the answer to it. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiortc import sdp
from aiortc.rtcdtlstransport import RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters, RTCRtpParameters

from streamer.errors import StreamerError

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
MOST_BYTES = 64 << 10
_PROFILE = sdp.H264Profile.PROFILE_CONSTRAINED_BASELINE
_BROKEN = (ValueError, AssertionError, KeyError, IndexError, TypeError, AttributeError, StopIteration)
"""What aiortc's parser raises for a text that is no session description."""


class BadOffer(StreamerError):
    """An offer of WebRTC that cannot be answered; one line says why."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a viewer offers to receive.

    Attributes:
        lines: its media, in order; all but one are refused.
        video: position of the video in them.
        codec: H.264, with the payload type that the viewer chose.
        playout_delay: the id of that header extension; None if the viewer does not know it.
    """

    lines: Sequence[sdp.MediaDescription]
    video: int
    codec: RTCRtpCodecParameters
    playout_delay: int | None

    @property
    def media(self) -> sdp.MediaDescription:
        """The video."""
        return self.lines[self.video]

    @property
    def ice(self) -> RTCIceParameters:
        """How the viewer checks connections."""
        assert self.media.ice is not None
        return self.media.ice

    @property
    def dtls(self) -> RTCDtlsParameters:
        """The viewer's certificate and role."""
        assert self.media.dtls is not None
        return self.media.dtls


def parse_offer(text: str) -> Offer:
    """Read an offer.

    Raises:
        BadOffer: it is no session description, or has no H.264 video to receive.
    """
    if len(text) > MOST_BYTES:
        raise BadOffer(f"the offer has more than {MOST_BYTES} bytes")
    try:
        lines = sdp.SessionDescription.parse(text).media
        found = next((at for at, media in enumerate(lines) if media.kind == "video"), None)
        if found is None:
            raise BadOffer("the offer has no video: add a transceiver for video that receives only")
        codec = _codec(lines[found])
        _check(lines[found])
    except _BROKEN as error:
        raise BadOffer(f"the offer is no valid session description: {str(error) or type(error).__name__}") from error
    if codec is None:
        raise BadOffer("the offer has no H.264 of constrained baseline profile with packetization-mode 1")
    delay = [one.id for one in lines[found].rtp.headerExtensions if one.uri == PLAYOUT_DELAY and 1 <= one.id <= 14]
    return Offer(lines, found, codec, delay[0] if delay else None)


def _codec(media: sdp.MediaDescription) -> RTCRtpCodecParameters | None:
    for codec in media.rtp.codecs:
        given = codec.parameters
        if codec.mimeType.lower() != "video/h264" or str(given.get("packetization-mode", "0")) != "1":
            continue
        if sdp.parse_h264_profile_level_id(str(given.get("profile-level-id", "42E01F")))[0] is _PROFILE:
            return codec
    return None


def _check(media: sdp.MediaDescription) -> None:
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise ValueError("no ice-ufrag or ice-pwd")
    if media.dtls is None or not media.dtls.fingerprints:
        raise ValueError("no fingerprint or setup of DTLS")
    if not media.rtcp_mux:
        raise ValueError("no rtcp-mux")
    if media.direction not in ("recvonly", "sendrecv"):
        raise ValueError("the video does not receive")


def make_answer(
    offer: Offer,
    *,
    ice: RTCIceParameters,
    dtls: RTCDtlsParameters,
    candidates: list[RTCIceCandidate],
    ssrc: int,
    cname: str,
) -> str:
    """The answer: video is sent, all other media are refused, and no candidate follows later.

    Args:
        offer: to answer.
        ice: of the local end.
        dtls: of the local end, with its role.
        candidates: all addresses of the local end.
        ssrc: of the video.
        cname: a name of the sender that tells nothing about it.
    """
    answer = sdp.SessionDescription()
    answer.origin = "- 1 1 IN IP4 0.0.0.0"
    mid = offer.media.rtp.muxId
    answer.group.append(sdp.GroupDescription(semantic="BUNDLE", items=[mid]))
    codec = RTCRtpCodecParameters(
        mimeType="video/H264",
        clockRate=offer.codec.clockRate,
        payloadType=offer.codec.payloadType,
        rtcpFeedback=[one for one in offer.codec.rtcpFeedback if (one.type, one.parameter) in _FEEDBACK],
        parameters=dict(offer.codec.parameters),
    )
    video = sdp.MediaDescription(kind="video", port=9, profile=offer.media.profile, fmt=[codec.payloadType])
    video.host = "0.0.0.0"
    video.direction = "sendonly"
    video.msid = f"{cname} video"
    video.rtp = RTCRtpParameters(codecs=[codec], muxId=mid)
    if offer.playout_delay is not None:
        video.rtp.headerExtensions = [RTCRtpHeaderExtensionParameters(id=offer.playout_delay, uri=PLAYOUT_DELAY)]
    video.rtcp_mux, video.rtcp_port, video.rtcp_host = True, 9, "0.0.0.0"
    video.ssrc = [sdp.SsrcDescription(ssrc=ssrc, cname=cname)]
    video.ice_candidates, video.ice_candidates_complete = candidates, True
    video.ice, video.dtls = ice, dtls
    answer.media.append(video)
    head, _, described = str(answer).partition("m=")
    refused = [_refused(media) for media in offer.lines]
    refused[offer.video] = f"m={described}"
    return head + "".join(refused)


_FEEDBACK = (("nack", None), ("nack", "pli"), ("ccm", "fir"))


def _refused(media: sdp.MediaDescription) -> str:
    """A line of media that is refused: its port is 0 (RFC 3264, 6)."""
    lines = [f"m={media.kind} 0 {media.profile} {' '.join(map(str, media.fmt))}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return "\r\n".join([*lines, f"a=mid:{media.rtp.muxId}" if media.rtp.muxId else "a=inactive"]) + "\r\n"
