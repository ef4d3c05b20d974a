"""The pixel format, range and matrix of outputs, with correct colours for each."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from streamer.config.output import OutputSettings
from streamer.errors import SinkUnavailable, StreamerError
from streamer.interfaces import Scene, StreamInfo
from streamer.sinks.publish.encoder import StreamEncoder
from streamer.sinks.publish.target import parse_target
from streamer.sources.images.images import ImageSource
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.clips import write_video
from tests.colours import FULL, LIMITED, MATRICES, in_format, made, ramp, readable_formats, shown, write_raw
from tests.sinks.making import recording_sink, video_sink
from tests.sinks.scenes import LABELS, annotate, decoded, tracks

LOSSLESS: dict[str, Any] = {"codec": "ffv1"}
LOSSLESS_H264: dict[str, Any] = {"options": {"qp": "0", "preset": "ultrafast"}}
# With one or two pictures, libx265 into MP4 now and then ends in an error, in PyAV 18.1 alone too.
LEAST_HEVC = 6
SHOWN_BY_PLAYERS = "which browsers, phones and QuickTime show"


def info_of(picture: av.VideoFrame, **more: Any) -> StreamInfo:
    colour = (2, 2, int(picture.colorspace), int(picture.color_range))
    size, time_base = (picture.width, picture.height), Fraction(1, 25)
    return StreamInfo("made", *size, picture.format.name, time_base, 1 / time_base, colour=colour, **more)


def scenes(pictures: Sequence[av.VideoFrame]) -> list[Scene]:
    frames = [Frame(one, k, k, Fraction(1, 25), 0.0, duration=1) for k, one in enumerate(pictures)]
    return [Scene(frame, tracks(0), LABELS, FrameState.DETECTED) for frame in frames]


def written(
    path: Path, pictures: Sequence[av.VideoFrame], info: StreamInfo | None = None, **options: Any
) -> tuple[list[av.VideoFrame], list[str]]:
    """The frames of the file with the given pictures, and the sink's notes."""
    sink = video_sink(path, info or info_of(pictures[0]), **options)
    with sink:
        for scene in scenes(pictures):
            sink.write(scene)
    return decoded(path), sink.notes


def off_from(out: av.VideoFrame, picture: av.VideoFrame) -> int:
    """The largest difference in levels from FFmpeg's own conversion to its format, matrix and range."""
    matrix = int(out.colorspace) if not out.format.is_rgb else 2
    own = in_format(picture, out.format.name, matrix=matrix, code=int(out.color_range))
    return int(np.abs(shown(out) - shown(own)).max())


def mean_off(out: av.VideoFrame, picture: av.VideoFrame) -> float:
    return float(np.abs(shown(out) - shown(picture)).mean())


@pytest.mark.parametrize("pixel_format", readable_formats())
def test_every_format_goes_through_a_lossless_encoder_unchanged(tmp_path: Path, pixel_format: str) -> None:
    picture = made(pixel_format)
    frames, _ = written(tmp_path / "out.mkv", [picture] * 2, **LOSSLESS)
    assert [int(np.abs(shown(frame) - shown(picture)).max()) <= 1 for frame in frames] == [True, True]


@pytest.mark.parametrize("pixel_format", readable_formats())
def test_every_format_becomes_h264_as_ffmpeg_converts_it(tmp_path: Path, pixel_format: str) -> None:
    picture = made(pixel_format)
    frames, _ = written(tmp_path / "out.mp4", [picture], **LOSSLESS_H264)
    # One chroma sample a sixteen pixels becomes four, which FFmpeg rounds in another order when it may be inexact.
    assert off_from(frames[0], picture) <= (5 if pixel_format == "yuv410p" else 2)


@pytest.mark.parametrize(
    "encoder", ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "libvpx", "ffv1", "mpeg4", "prores_ks", "mjpeg"]
)
@pytest.mark.parametrize("kind", ["yuva444p", "rgba", "ya8", "gbrapf32le", "grayf32le", "rgba64le", "yuva420p10le"])
def test_every_encoder_takes_alpha_and_floating_point(tmp_path: Path, encoder: str, kind: str) -> None:
    picture = made(kind)
    suffix = ".mov" if encoder == "prores_ks" else ".mkv"
    frames, _ = written(tmp_path / f"out{suffix}", [picture], codec=encoder, pixel_format="source")
    assert mean_off(frames[0], picture) < 4


def test_files_of_every_raw_format_keep_their_colours(tmp_path: Path) -> None:
    tried = 0
    for name in readable_formats():
        clip = tmp_path / f"{name}.nut"
        try:
            write_raw(clip, [made(name)] * 2)
            source = decoded(clip)
        except (av.error.FFmpegError, ValueError):  # not a format that NUT has
            continue
        annotate(clip, tmp_path / "out.mkv", overwrite=True, **LOSSLESS)
        for one, out in zip(source, decoded(tmp_path / "out.mkv"), strict=True):
            assert np.abs(shown(out) - shown(one)).max() <= 1, name
        tried += 1
        clip.unlink()
    assert tried > 120


@pytest.mark.parametrize("code", [0, LIMITED, FULL], ids=["untagged", "limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuyv422", "yuv444p10le", "nv12"])
def test_matrix_and_range_are_kept_and_tagged(tmp_path: Path, pixel_format: str, matrix: str, code: int) -> None:
    picture = made(pixel_format, matrix=MATRICES[matrix], code=code)
    for suffix, options in ((".mkv", LOSSLESS), (".mp4", LOSSLESS_H264)):
        frame = written(tmp_path / f"out{suffix}", [picture], **options)[0][0]
        assert int(frame.colorspace) == MATRICES[matrix]
        assert (int(frame.color_range) == FULL) == (code == FULL)
        assert np.abs(shown(frame) - shown(picture)).max() <= 1


@pytest.mark.parametrize("code", [0, FULL], ids=["untagged", "full"])
@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "gray16le", "ya8"])
@pytest.mark.parametrize("codec", ["h264", "av1", "ffv1", "mpeg4", "vp9"])
def test_grey_keeps_its_levels_in_every_codec(tmp_path: Path, codec: str, pixel_format: str, code: int) -> None:
    picture = made(pixel_format, code=code)
    frame = written(tmp_path / "out.mp4", [picture], codec=codec)[0][0]
    assert mean_off(frame, picture) < 2


@pytest.mark.parametrize(
    ("options", "bits", "off"),
    [
        (LOSSLESS_H264, 8, 0),
        (LOSSLESS, 16, 0),
        ({"pixel_format": "yuv420p", **LOSSLESS_H264}, 8, 0),
        ({"pixel_format": "rgb48le", **LOSSLESS}, 16, 0.6),
        ({"codec": "vp9"}, 8, 1.5),
        ({"codec": "av1"}, 16, 1.5),
    ],
)
def test_grey_that_is_tagged_as_limited_stays_limited(
    tmp_path: Path, options: dict[str, Any], bits: int, off: float
) -> None:
    """FFmpeg ignores the range tag of grey; players do not."""
    levels = np.tile(np.linspace(16, 235, 64).astype(np.uint8), (48, 1))
    if bits == 16:  # the low byte would be lost by way of 8 bits
        picture = av.VideoFrame.from_ndarray((levels.astype(np.uint16) << 8 | 128).astype(np.uint16), "gray16le")
    else:
        picture = av.VideoFrame.from_ndarray(levels, "gray")
    picture.color_range = LIMITED
    frame = written(tmp_path / "out.mkv", [picture], **options)[0][0]
    assert frame.format.is_rgb or int(frame.color_range) in (0, LIMITED)
    if off == 0:
        assert np.array_equal(frame.to_ndarray()[:48], picture.to_ndarray())
        return
    means = np.clip((levels + 0.5 * (bits == 16) - 16) * 255 / 219, 0, 255)
    seen = in_format(frame, "rgb48le").to_ndarray()[..., 0] / 257
    assert np.abs(seen - means).mean() <= off


TOLD = [
    (suffix, codec)
    for suffix in (".mp4", ".mov", ".mkv", ".webm", ".avi", ".nut")
    for codec in ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mjpeg", "ffv1", "prores", "huffyuv")
]


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuv422p"])
def test_colours_are_right_in_every_codec_and_container(tmp_path: Path, pixel_format: str, matrix: str) -> None:
    """A matrix or range that an output cannot store becomes what readers assume."""
    code = FULL if pixel_format == "yuvj420p" else LIMITED
    picture = made(pixel_format, matrix=MATRICES[matrix], code=code)
    tried = 0
    for suffix, codec in TOLD:
        try:
            pictures = [picture] * LEAST_HEVC
            frames, notes = written(tmp_path / f"out{suffix}", pictures, codec=codec, overwrite=True)
        except StreamerError:  # not a pair that FFmpeg writes
            continue
        tried += 1
        assert mean_off(frames[0], picture) < 2.2, (suffix, codec)
        if codec != "vp8":  # which is always BT.601, without a tag that could be read
            assert not any("matrix" in note and "tell players" in note for note in notes), (suffix, codec, notes)
    assert tried > 40


def test_a_range_and_matrix_that_cannot_be_stored_are_converted(tmp_path: Path) -> None:
    picture = made("yuv420p", matrix=MATRICES["bt709"], code=FULL)
    _, notes = written(tmp_path / "out.avi", [picture])
    assert "mpeg4 in avi cannot store the matrix bt709 and full range: colours are converted" in notes
    frames, notes = written(tmp_path / "kept.avi", [picture], pixel_format="source", **LOSSLESS)
    assert np.array_equal(frames[0].to_ndarray(), picture.to_ndarray())
    assert any("avi does not store" in note and "range" in note for note in notes)


JPEG_LIKE = ["yuvj420p", "yuvj422p", "yuvj444p", "yuyv422", "yuv422p", "rgb24", "rgba", "gray"]


@pytest.mark.parametrize("pixel_format", JPEG_LIKE)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".avi"])
def test_jpeg_like_frames_are_converted_for_players(tmp_path: Path, suffix: str, pixel_format: str) -> None:
    code = FULL if pixel_format.startswith(("yuvj", "rgb", "gray")) else LIMITED
    picture = made(pixel_format, matrix=5 if pixel_format.startswith("yuvj") else 2, code=code)
    info = info_of(picture, jpeg_like=True)
    frames, notes = written(tmp_path / f"out{suffix}", [picture] * 2, info)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert int(frames[0].color_range) in (0, LIMITED)
    own = in_format(picture, "yuv420p", matrix=int(frames[0].colorspace), code=LIMITED)
    assert mean_off(frames[0], own) < 2.5
    about = [note for note in notes if SHOWN_BY_PLAYERS in note]
    assert len(about) == 1
    assert about[0].startswith(pixel_format)
    assert "output.pixel_format=source" in about[0]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "nv21"])
def test_a_webcam_format_that_players_show_is_kept(tmp_path: Path, pixel_format: str) -> None:
    picture = made(pixel_format, code=LIMITED)
    frames, notes = written(tmp_path / "out.mp4", [picture], info_of(picture, jpeg_like=True), **LOSSLESS_H264)
    assert np.array_equal(shown(frames[0]), shown(picture))
    assert notes == []


@pytest.mark.parametrize(
    ("suffix", "options", "kept"),
    [
        (".mkv", LOSSLESS_H264, "yuvj422p"),
        (".mkv", LOSSLESS, "yuv422p"),
        (".mov", {"codec": "mjpeg"}, "yuvj422p"),
        (".mp4", {"pixel_format": "source", **LOSSLESS_H264}, "yuvj422p"),
        (".mp4", {"pixel_format": "yuvj422p", **LOSSLESS_H264}, "yuvj422p"),
    ],
)
def test_jpeg_like_frames_keep_their_format_in_other_containers(
    tmp_path: Path, suffix: str, options: dict[str, Any], kept: str
) -> None:
    picture = made("yuvj422p", matrix=5, code=FULL)
    frames, notes = written(tmp_path / f"out{suffix}", [picture], info_of(picture, jpeg_like=True), **options)
    assert (frames[0].format.name, int(frames[0].color_range)) == (kept, FULL)
    assert mean_off(frames[0], picture) < 1
    assert notes == []


def test_a_named_format_of_jpeg_like_pictures_is_limited_too(tmp_path: Path) -> None:
    picture = made("yuvj422p", matrix=5, code=FULL)
    info = info_of(picture, jpeg_like=True)
    frames, notes = written(tmp_path / "out.mp4", [picture], info, pixel_format="yuv422p", **LOSSLESS_H264)
    assert (frames[0].format.name, int(frames[0].color_range)) == ("yuv422p", LIMITED)
    assert off_from(frames[0], picture) <= 2
    assert notes == []


@pytest.mark.parametrize(
    ("codec", "pixel_format", "is_told"),
    [
        ("h264", "yuv420p", False),
        ("hevc", "yuv420p", False),
        ("av1", "yuv420p", False),
        ("vp9", "yuv420p", False),
        ("mpeg4", "yuv420p", False),
        ("h264", "yuvj420p", False),
        ("h264", "yuv422p", True),
        ("h264", "yuv444p", True),
        ("h264", "yuv420p10le", True),
        ("hevc", "yuv420p10le", False),
        ("hevc", "yuv422p10le", True),
        ("hevc", "gbrp", True),
        ("av1", "yuv420p10le", False),
        ("vp9", "yuv444p", True),
        ("ffv1", "yuv444p", False),
        ("prores", "yuv422p10le", False),
    ],
)
def test_other_sources_keep_their_format_with_a_note(
    tmp_path: Path, codec: str, pixel_format: str, is_told: bool
) -> None:
    picture = made(pixel_format, code=FULL if pixel_format == "yuvj420p" else LIMITED)
    path = tmp_path / ("out.mov" if codec == "prores" else "out.mp4")
    frames, notes = written(path, [picture] * LEAST_HEVC, codec=codec)
    assert frames[0].format.name == pixel_format
    assert [note for note in notes if "yuv420p for them" in note] == [
        f"many browsers and phones do not show {codec} in {pixel_format}; set output.pixel_format=yuv420p for them"
    ] * is_told
    for chosen in ("source", pixel_format):
        notes = written(path, [picture] * LEAST_HEVC, codec=codec, pixel_format=chosen, overwrite=True)[1]
        assert not any("yuv420p for them" in note for note in notes)
    if codec != "prores":
        notes = written(tmp_path / "out.mkv", [picture], codec=codec)[1]
        assert not any("yuv420p for them" in note for note in notes)


@pytest.mark.parametrize(
    ("given", "named", "code"),
    [
        ("yuv444p", "yuv420p", LIMITED),
        ("rgb24", "yuv444p", LIMITED),
        ("yuv420p", "yuvj420p", FULL),
        ("yuv420p", "gray", FULL),
        ("yuvj444p", "yuv420p", FULL),
        ("yuv420p", "yuv420p10le", LIMITED),
        ("gray", "yuv420p", LIMITED),
        ("yuv420p", "nv12", LIMITED),
    ],
)
def test_the_encoder_gets_the_named_format(tmp_path: Path, given: str, named: str, code: int) -> None:
    source_code = FULL if given.startswith(("yuvj", "rgb", "gray")) else LIMITED
    picture = made(given, matrix=2 if given in ("rgb24", "gray") else MATRICES["bt601"], code=source_code)
    frames, notes = written(tmp_path / "out.mp4", [picture], pixel_format=named, **LOSSLESS_H264)
    assert int(frames[0].color_range) in ((FULL,) if code == FULL else (0, LIMITED))
    frames[0].color_range = code
    if named == "gray":
        picture = in_format(picture, "gray")
    assert off_from(frames[0], picture) <= 2
    assert notes == []


def test_rgb_keeps_full_chroma_on_request(tmp_path: Path) -> None:
    picture = made("rgb24")
    frames, notes = written(tmp_path / "auto.mp4", [picture], **LOSSLESS_H264)
    assert frames[0].format.name == "yuv420p"
    assert notes == ["libx264 has no rgb24: encoded as yuv420p; set output.pixel_format=yuv444p for full chroma"]
    frames, _ = written(tmp_path / "source.mp4", [picture], pixel_format="source", **LOSSLESS_H264)
    assert frames[0].format.name == "yuv444p"
    assert np.abs(shown(frames[0]) - shown(picture)).max() <= 2


@pytest.mark.parametrize(
    ("pixel_format", "codec", "kept"),
    [
        ("pal8", "ffv1", "bgra"),
        ("xyz12le", "ffv1", "gbrp16le"),
        ("gbrpf32le", "ffv1", "gbrp16le"),
        ("grayf32le", "ffv1", "gray16le"),
        ("yuyv422", "ffv1", "yuv422p"),
        ("p010le", "h264", "yuv420p10le"),
        ("gray", "vp9", "yuv420p"),
        ("ya16le", "ffv1", "yuva420p16le"),
    ],
)
def test_the_nearest_format_is_selected(tmp_path: Path, pixel_format: str, codec: str, kept: str) -> None:
    assert written(tmp_path / "out.mkv", [made(pixel_format)], codec=codec)[0][0].format.name == kept


@pytest.mark.parametrize(
    ("pixel_format", "options", "noted"),
    [
        ("gray16le", {}, ["libx264 has no gray16le: encoded as gray10le (lost: depth)"]),
        ("yuva420p", {}, ["libx264 has no yuva420p: encoded as yuv420p (lost: alpha)"]),
        ("p010le", {}, []),
        ("nv12", LOSSLESS, []),
        ("yuyv422", LOSSLESS, []),
    ],
)
def test_the_loss_of_the_nearest_format_is_noted(
    tmp_path: Path, pixel_format: str, options: dict[str, Any], noted: list[str]
) -> None:
    assert written(tmp_path / "out.mkv", [made(pixel_format)], **options)[1] == noted


def test_a_format_that_an_encoder_lacks_is_refused_with_a_list(tmp_path: Path) -> None:
    with pytest.raises(SinkUnavailable, match=r"libx264 has no pixel format gbrp; it has yuv420p, yuvj420p, .*gray"):
        written(tmp_path / "out.mp4", [made("yuv420p")], pixel_format="gbrp")
    assert list(tmp_path.iterdir()) == []


def test_frames_of_mixed_formats_keep_their_colours(tmp_path: Path) -> None:
    """As from a folder with PNG and JPEG, or a camera that changes its tags."""
    kinds = [
        made("yuv420p", matrix=MATRICES["bt601"], code=LIMITED),
        made("yuv420p", matrix=MATRICES["bt709"], code=LIMITED),
        made("yuvj420p", matrix=MATRICES["bt601"], code=FULL),
        made("yuv420p", matrix=MATRICES["bt601"], code=FULL),
        made("yuvj444p", matrix=MATRICES["bt709"], code=FULL),
        made("rgb24"),
        made("gray"),
    ]
    for first in (0, 2, 5):
        pictures = kinds[first:] + kinds[:first]
        for options in (LOSSLESS, {"pixel_format": "yuv444p", **LOSSLESS_H264}):
            frames, _ = written(tmp_path / "out.mkv", pictures, overwrite=True, **options)
            for frame, picture in zip(frames, pictures, strict=True):
                assert mean_off(frame, picture) < 2, (first, picture.format.name)


def test_a_matrix_is_converted_exactly(tmp_path: Path) -> None:
    first = made("yuv444p", matrix=MATRICES["bt601"], code=LIMITED)
    second = made("yuv444p", matrix=MATRICES["bt709"], code=LIMITED)
    frames, _ = written(tmp_path / "out.mkv", [first, second], **LOSSLESS)
    assert np.array_equal(frames[0].to_ndarray(), first.to_ndarray())
    assert np.abs(frames[1].to_ndarray().astype(int) - first.to_ndarray()).max() <= 2


def test_an_mjpeg_file_plays_everywhere(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.avi", codec="mjpeg", pix_fmt="yuvj422p", size=(128, 96), frames=4)
    scenes_in, sink = annotate(clip, tmp_path / "out.mp4", crf=5)
    frames = decoded(tmp_path / "out.mp4")
    assert (frames[0].format.name, int(frames[0].color_range), len(frames)) == ("yuv420p", LIMITED, 4)
    assert mean_off(frames[0], scenes_in[0].frame.picture) < 4
    luma = frames[0].to_ndarray()[:96]
    assert 16 <= luma[:20].min() < 35
    assert sum(SHOWN_BY_PLAYERS in note for note in sink.notes) == 1


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_still_pictures_play_everywhere(tmp_path: Path, suffix: str) -> None:
    pixels = in_format(ramp(), "bgr24").to_ndarray()
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}{suffix}"), pixels)
    output = tmp_path / "out.mp4"
    with ImageSource(tmp_path) as source, video_sink(output, source.info, crf=5) as sink:
        assert source.info.jpeg_like
        for frame in source:
            sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
    frames = decoded(output)
    assert (frames[0].format.name, int(frames[0].color_range), len(frames)) == ("yuv420p", LIMITED, 3)
    assert np.abs(shown(frames[0]) - pixels[..., ::-1].astype(int)).mean() < 4
    assert sum(SHOWN_BY_PLAYERS in note for note in sink.notes) == 1


def test_a_recorded_webcam_plays_everywhere(tmp_path: Path) -> None:
    picture = made("yuvj422p", matrix=5, code=FULL)
    info = info_of(picture, jpeg_like=True, live=True)
    with recording_sink(tmp_path / "cam-%H.mp4", info, segment_s=0.08) as sink:
        for scene in scenes([picture] * 4):
            sink.write(scene)
    files = sorted(tmp_path.glob("*.mp4"))
    assert len(files) == 2
    for path in files:
        frame = decoded(path)[0]
        assert (frame.format.name, int(frame.color_range)) == ("yuv420p", LIMITED)
        assert mean_off(frame, picture) < 3
    assert sum(SHOWN_BY_PLAYERS in note for note in sink.notes) == 1


@pytest.mark.parametrize(
    ("pixel_format", "jpeg_like", "wanted", "sent", "noted"),
    [
        ("yuvj422p", True, "auto", "yuv420p", 1),
        ("yuyv422", True, "auto", "yuv420p", 1),
        ("yuv444p10le", False, "auto", "yuv420p", 1),
        ("gray", False, "auto", "yuv420p", 1),
        ("rgb24", False, "auto", "yuv420p", 1),
        ("yuv420p", False, "auto", "yuv420p", 0),
        ("nv12", True, "auto", "yuv420p", 0),
        ("yuvj420p", False, "auto", "yuvj420p", 0),
        ("yuv444p", False, "source", "yuv444p", 0),
        ("yuvj422p", True, "yuv422p", "yuv422p", 0),
    ],
)
def test_streams_have_a_format_that_players_show(
    pixel_format: str, jpeg_like: bool, wanted: str, sent: str, noted: int
) -> None:
    full = pixel_format.startswith(("yuvj", "gray", "rgb"))
    picture = made(pixel_format, matrix=5, code=FULL if full else LIMITED)
    notes: list[str] = []
    info = info_of(picture, jpeg_like=jpeg_like, live=True)
    coding = OutputSettings(pixel_format=wanted, options={"crf": "5"})
    encoder = StreamEncoder(parse_target("udp://127.0.0.1:9", "tcp"), info, coding, notes.append)
    packets = encoder.encode(scenes([picture])[0])
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for one in packets for frame in decoder.decode(av.Packet(one.data))] + decoder.decode(None)
    assert isinstance(frames[0], av.VideoFrame)
    assert frames[0].format.name == sent
    assert mean_off(frames[0], in_format(picture, sent, matrix=5, code=int(frames[0].color_range) or LIMITED)) < 2
    assert sum(SHOWN_BY_PLAYERS in note for note in notes) == len(notes) == noted
    assert all(("limited range" in note) == full for note in notes)


def test_a_gif_has_colours(tmp_path: Path) -> None:
    frames, notes = written(tmp_path / "out.gif", [made("yuv420p")])
    assert any("encoded as rgb8" in note for note in notes)
    colours = shown(frames[0]).astype(int)
    assert np.abs(colours[..., 0] - colours[..., 2]).max() > 50
