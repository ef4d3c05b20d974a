"""Offers of browsers, broken offers, and the answers."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from aiortc import sdp
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.broadcast.sdp import MOST_BYTES, BadOffer, make_answer, parse_offer
from tests.broadcast.offers import AUDIO, FINGERPRINT, VIDEO, offer

CANDIDATE = RTCIceCandidate(1, "1", "192.0.2.7", 50_000, 1, "udp", "host")


def answer(text: str) -> sdp.SessionDescription:
    return sdp.SessionDescription.parse(answer_text(text))


def answer_text(text: str) -> str:
    return make_answer(
        parse_offer(text),
        ice=RTCIceParameters("ufrag", "password"),
        dtls=RTCDtlsParameters([RTCDtlsFingerprint("sha-256", FINGERPRINT)], "client"),
        candidates=[CANDIDATE],
        ssrc=77,
        cname="camera",
    )


def test_the_constrained_baseline_profile_of_the_browser_is_chosen() -> None:
    found = parse_offer(offer(VIDEO))
    assert found.codec.payloadType == 106
    assert found.playout_delay == 5


def test_the_answer_sends_video_from_all_candidates() -> None:
    (video,) = answer(offer(VIDEO)).media
    assert video.direction == "sendonly"
    assert [codec.payloadType for codec in video.rtp.codecs] == [106]
    assert [(one.ip, one.port) for one in video.ice_candidates] == [("192.0.2.7", 50_000)]
    assert video.ice_candidates_complete
    assert video.rtcp_mux
    assert [one.ssrc for one in video.ssrc] == [77]
    assert video.dtls is not None
    assert video.dtls.role == "client"


@pytest.mark.parametrize("media", [(AUDIO, VIDEO), (VIDEO, AUDIO)])
def test_sound_is_refused_in_its_place(media: tuple[str, str]) -> None:
    found = answer_text(offer(*media))
    lines = [line for line in found.splitlines() if line.startswith("m=")]
    assert [line.split()[0] for line in lines] == [one.split()[0] for one in media]
    assert next(line for line in lines if line.startswith("m=audio")).split()[1] == "0"
    assert "a=group:BUNDLE 0" in found.splitlines()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no video"),
        ("hello", "no video"),
        (offer(AUDIO), "no video"),
        (offer(VIDEO.replace("H264", "H265")), "no H.264"),
        (offer(VIDEO.replace("packetization-mode=1", "packetization-mode=0")), "no H.264"),
        (offer(VIDEO.replace("a=recvonly", "a=sendonly")), "does not receive"),
        (offer(VIDEO.replace("a=ice-pwd", "a=other")), "ice-pwd"),
        (offer(VIDEO.replace("a=setup", "a=other")), "DTLS"),
        (offer(VIDEO.replace("a=rtcp-mux", "a=other")), "rtcp-mux"),
        (offer(VIDEO.replace("m=video 9", "m=video nine")), "no valid session description"),
        (offer(VIDEO.replace("a=setup:actpass", "a=setup:never")), "no valid session description"),
        ("v" * (MOST_BYTES + 1), "bytes"),
    ],
)
def test_a_broken_offer_is_refused_with_one_line(text: str, told: str) -> None:
    with pytest.raises(BadOffer, match=told) as caught:
        parse_offer(text)
    assert "\n" not in str(caught.value)


@given(st.integers(0, 1 << 32), st.text(max_size=20))
@settings(max_examples=150, deadline=None)
def test_a_damaged_offer_is_answered_or_refused(seed: int, text: str) -> None:
    """Lines of an offer are left out, repeated, cut and replaced."""
    chance = random.Random(seed)
    lines = offer(VIDEO, AUDIO).splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        cut = chance.randrange(len(lines[at]) + 1)
        lines[at : at + 1] = chance.choice(
            [[], [lines[at]] * 2, [lines[at][:cut]], [lines[at][:cut] + text], [f"a={text}"], lines[at : at + 2][::-1]]
        )
    with suppress(BadOffer):
        answer_text("\r\n".join(lines))
