"""Offers of viewers, as browsers make them."""

from __future__ import annotations

FINGERPRINT = ":".join(["AB"] * 32)
_TRANSPORT = f"""\
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijklmn
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=rtcp-mux
"""
H264 = """\
a=rtpmap:102 H264/90000
a=rtcp-fb:102 goog-remb
a=rtcp-fb:102 transport-cc
a=rtcp-fb:102 ccm fir
a=rtcp-fb:102 nack
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:106 H264/90000
a=rtcp-fb:106 nack
a=rtcp-fb:106 nack pli
a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
"""
VIDEO = f"""\
m=video 9 UDP/TLS/RTP/SAVPF 96 102 106
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
{_TRANSPORT}\
a=mid:0
a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
a=recvonly
a=rtpmap:96 VP8/90000
{H264}\
"""
AUDIO = f"""\
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
{_TRANSPORT}\
a=mid:1
a=recvonly
a=rtpmap:111 opus/48000/2
"""


def offer(*media: str) -> str:
    """An offer with these media."""
    head = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0\n"
    return (head + "".join(media)).replace("\n", "\r\n")
