"""Frames from a lost packet to the next intact keyframe are damaged; none is decoded before the first keyframe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream

from streamer.media import ffmpeg_log
from streamer.sources.damage.loss import DECODER_ERROR, PACKET_LOSS, LossDetector
from tests import clips

GROUP = 5
FRAMES = 3 * GROUP
Event = Callable[[], None]


def log(name: str, text: str) -> None:
    """Log lines of FFmpeg on this thread."""
    av.logging.log(av.logging.WARNING, name, text)


def missed() -> None:
    log("rtsp", "RTP: missed 3 packets")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups of five frames."""
    path = tmp_path_factory.mktemp("loss") / "clip.mp4"
    options = {"g": str(GROUP), "keyint_min": str(GROUP), "bf": "0", "sc_threshold": "0"}
    return clips.write_video(path, frames=FRAMES, options=options)


def watch(
    clip: Path,
    *,
    first: int = 0,
    before: dict[int, Event] | None = None,
    after: dict[int, Event] | None = None,
    key_frames_only: bool = False,
    log_lines: Sequence[ffmpeg_log.Line] = (),
) -> list[str | None]:
    """The cause of damage of each frame; None if its packet was not decoded.

    Args:
        clip: what is read.
        first: packets before this one never come.
        before: what happens while FFmpeg reads these packets.
        after: what happens while it decodes them.
        key_frames_only: see `LossDetector`.
        log_lines: likewise.
    """
    loss = LossDetector("mjpeg" if key_frames_only else "h264", key_frames_only=key_frames_only, log_lines=log_lines)
    said: list[str | None] = []
    with av.open(str(clip)) as container, loss.listening():
        stream: VideoStream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            if number < first:
                continue
            (before or {}).get(number, lambda: None)()
            if not loss.admits(packet):
                said.append(None)
                continue
            pictures = stream.decode(packet)
            (after or {}).get(number, lambda: None)()
            loss.decoded(packet)
            said += [loss.verdict_of(picture).cause for picture in pictures]
        said += [loss.verdict_of(picture).cause for picture in stream.decode(None)]
    return said


def test_intact_frames_are_not_flagged(clip: Path) -> None:
    assert watch(clip) == [""] * FRAMES


@pytest.mark.parametrize("first", [1, 4])
def test_nothing_is_decoded_before_the_first_key_frame(clip: Path, first: int) -> None:
    assert watch(clip, first=first) == [None] * (GROUP - first) + [""] * (FRAMES - GROUP)


@pytest.mark.parametrize("at", range(1, GROUP))
def test_a_loss_is_damage_until_the_next_key_frame(clip: Path, at: int) -> None:
    assert watch(clip, before={at: missed}) == [""] * at + [PACKET_LOSS] * (GROUP - at) + [""] * (FRAMES - GROUP)


def test_a_damaged_key_frame_does_not_end_the_damage(clip: Path) -> None:
    assert watch(clip, before={GROUP: missed}) == [""] * GROUP + [PACKET_LOSS] * GROUP + [""] * GROUP


def test_late_packets_are_lost(clip: Path) -> None:
    late = {2: lambda: log("rtsp", "max delay reached. need to consume packet")}
    assert watch(clip, before=late)[:GROUP] == ["", "", *[PACKET_LOSS] * 3]


def test_a_decoder_error_is_damage_until_the_next_key_frame(clip: Path) -> None:
    complaint = {7: lambda: log("h264", "concealing 120 DC, 120 AC, 120 MV errors in P frame")}
    assert watch(clip, after=complaint) == [""] * 7 + [DECODER_ERROR] * 3 + [""] * GROUP


@pytest.mark.parametrize(
    "said",
    [
        ("swscaler", "deprecated pixel format used"),
        ("mjpeg", "overread 8"),
        ("tcp", "slow"),
        ("h264", "SEI type 5 size 865 truncated at 6528"),
    ],
)
def test_harmless_messages_are_no_damage(clip: Path, said: tuple[str, str]) -> None:
    assert watch(clip, after={3: lambda: log(*said)}) == [""] * FRAMES


def test_a_loss_between_key_frames_damages_no_other_frame(clip: Path) -> None:
    assert watch(clip, before={2: missed}, key_frames_only=True) == [""] * FRAMES
    complaint = {2: lambda: log("mjpeg", "overread 8")}
    assert watch(clip, after=complaint, key_frames_only=True) == ["", "", DECODER_ERROR] + [""] * (FRAMES - 3)


def test_a_failed_packet_damages_later_frames() -> None:
    loss = LossDetector("h264", key_frames_only=False)
    picture = av.VideoFrame(16, 16, "yuv420p")
    picture.pts, picture.time_base = 100, Fraction(1, 90000)
    with loss.listening():
        assert loss.verdict_of(picture).cause == ""
        log("h264", "Invalid level prefix")
        assert loss.decoder_failed("Invalid data found") == "Invalid level prefix"
        assert loss.verdict_of(picture) == (DECODER_ERROR, "Invalid level prefix")


def test_packets_lost_during_opening_damage_the_first_group(clip: Path) -> None:
    said = (av.logging.WARNING, "rtsp", "RTP: missed 2 packets")
    assert watch(clip, log_lines=[said]) == [PACKET_LOSS] * GROUP + [""] * 2 * GROUP


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups of five frames in the order I P B P B (decoded), I B P B P (shown)."""
    path = tmp_path_factory.mktemp("loss") / "reordered.mp4"
    options = {"g": str(GROUP), "keyint_min": str(GROUP), "bf": "1", "b_strategy": "0", "sc_threshold": "0"}
    return clips.write_video(path, frames=FRAMES, options=options | {"x264-params": "open-gop=0:bframes=1:b-adapt=0"})


def test_reordered_frames_from_before_the_damage_are_intact(reordered: Path) -> None:
    complaint = {3: lambda: log("h264", "Reference 3 >= 2")}  # the fourth packet is the fourth or fifth picture shown
    said = watch(reordered, after=complaint)
    assert said[:3] == [""] * 3
    assert DECODER_ERROR in said[3:GROUP]
    assert said[GROUP:] == [""] * 2 * GROUP


def test_a_late_damaged_key_frame_does_not_end_the_damage(reordered: Path) -> None:
    complaint = {GROUP: lambda: log("h264", "Invalid level prefix")}
    said = watch(reordered, after=complaint)
    assert said == [""] * GROUP + [DECODER_ERROR] * GROUP + [""] * GROUP
