"""The shared encoder, decoded again from its RTP payloads."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.broadcast.h264 import EncodedFrame, H264Encoder, live_size
from streamer.broadcast.shown import CLOCK_HZ
from streamer.config.web import LiveVideoSettings
from tests.broadcast.shown import Decoder, parameters, scene, shown

LARGEST_PAYLOAD_BYTES = 1300
BASELINE, CONSTRAINED = 66, 0x40
LEVEL_3_1 = 31


def encoder(**settings: object) -> H264Encoder:
    return H264Encoder(LiveVideoSettings.model_validate(settings))


def made(encoder: H264Encoder, number: int, size: tuple[int, int] = (320, 240), *, fresh: bool = False) -> EncodedFrame:
    encoded = encoder.make(shown(number, size), fresh=fresh)
    assert encoded is not None
    return encoded


def test_each_frame_is_decoded_at_once_with_its_rtp_timestamp() -> None:
    own, decoder = encoder(), Decoder()
    for number in range(40):
        encoded = made(own, number)
        assert decoder.number(encoded) == number
        assert encoded.rtp == shown(number).rtp
        assert encoded.size == pytest.approx(sum(map(len, encoded.payloads)), rel=0.2, abs=60)


def test_only_the_first_frame_and_those_asked_for_are_keyframes() -> None:
    own = encoder()
    keyframes = [number for number in range(60) if made(own, number, fresh=number == 30).keyframe]
    assert keyframes == [0, 30]


def test_a_keyframe_that_a_late_frame_cannot_be_is_the_next_one() -> None:
    """A frame may reach the encoder after a repeated frame with a later time."""
    own = encoder()
    made(own, 5)
    assert own.make(shown(4), fresh=True) is None
    assert made(own, 6).keyframe


def test_a_viewer_can_begin_at_any_keyframe() -> None:
    own, late = encoder(), Decoder()
    for number in range(10):
        made(own, number)
    assert late.number(made(own, 10, fresh=True)) == 10
    assert late.number(made(own, 11)) == 11


def test_large_frames_fit_into_packets_and_level_3_1() -> None:
    encoded = made(encoder(), 0, (1920, 1080))
    picture = Decoder()(encoded)
    assert (picture.width, picture.height) == (1280, 720)
    assert max(map(len, encoded.payloads)) <= LARGEST_PAYLOAD_BYTES
    profile, constraints, level = parameters(encoded)
    assert (profile, constraints & CONSTRAINED) == (BASELINE, CONSTRAINED)
    assert level <= LEVEL_3_1


def test_annotated_video_has_the_pictures_with_boxes() -> None:
    drawn = replace(shown(0), scene=replace(scene(0), picture=scene(7).frame.picture))
    for annotated, number in ((False, 0), (True, 7)):
        encoded = H264Encoder(LiveVideoSettings(), annotated=annotated).make(drawn, fresh=True)
        assert encoded is not None
        assert Decoder().number(encoded) == number


def test_another_frame_size_begins_with_a_keyframe() -> None:
    own, decoder = encoder(), Decoder()
    made(own, 0)
    encoded = made(own, 1, (640, 360))
    picture = decoder(encoded)
    assert encoded.keyframe
    assert (picture.width, picture.height) == (640, 360)


def test_other_tags_of_the_same_colours_do_not_restart_the_encoder() -> None:
    """PyAV changes the tags of a frame while another thread converts it."""
    own, frame = encoder(), shown(1, (1280, 720))
    made(own, 0, (1280, 720))
    frame.scene.frame.picture.colorspace = 1  # BT.709, which an untagged frame of this size has
    encoded = own.make(frame, fresh=False)
    assert encoded is not None
    assert not encoded.keyframe


@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuyv422", "rgb24", "gray", "yuv420p10le", "nv12"])
def test_every_pixel_format_is_converted(pixel_format: str) -> None:
    encoded = encoder().make(shown(77, pix_fmt=pixel_format), fresh=True)
    assert encoded is not None
    assert Decoder().number(encoded) == 77


def test_full_range_frames_keep_their_brightness() -> None:
    white = av.VideoFrame.from_ndarray(np.full((96, 96), 255, np.uint8), "gray").reformat(format="yuvj420p")
    encoded = encoder().encode(white, 0, keyframe=True)
    assert encoded is not None
    assert Decoder()(encoded).to_ndarray(format="rgb24").mean() > 250


def test_the_bit_rate_stays_within_its_limit() -> None:
    own, noise = encoder(bit_rate_kbps=500), np.random.default_rng(0)
    sent, frames = 0, 60
    for number in range(frames):
        picture = av.VideoFrame.from_ndarray(noise.integers(0, 256, (240, 320, 3), np.uint8), "rgb24")
        encoded = own.encode(picture, number * CLOCK_HZ // 15, fps=15, keyframe=number == 0)
        assert encoded is not None
        sent += encoded.size
    assert 8e-3 * sent / (frames / 15) < 500 * 1.2


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), (1280, 720)),
        ((1920, 1080), (1280, 720)),
        ((720, 1280), (720, 1280)),
        ((1440, 1080), (1108, 830)),
        ((321, 241), (320, 240)),
        ((3, 1), (2, 2)),
    ],
)
def test_the_size_keeps_the_proportions_within_the_limits(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert live_size(*size, 1280) == expected


def test_wide_pixels_are_shown_square() -> None:
    encoded = encoder().encode(shown(0, (720, 576)).scene.frame.picture, 0, Fraction(64, 45), keyframe=True)
    assert encoded is not None
    picture = Decoder()(encoded)
    assert (picture.width, picture.height) == (1024, 576)
