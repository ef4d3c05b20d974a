"""Crop, orientation and sample aspect ratio of containers are applied to each frame."""

from __future__ import annotations

import logging
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.config.source import SourceSettings
from streamer.interfaces import StreamInfo
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.orientation import NO_CROP, Crop, Orientation, Rotator
from streamer.sources.file.file import FileSource
from streamer.sources.live.connection import LiveFrame
from streamer.sources.live.live import LiveSource
from streamer.sources.live.paced import PacedConnector
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.network.live_container import LiveContainerConnection
from streamer.sources.network.recorded import RecordedSource
from streamer.sources.probe.probe import probe
from streamer.values.frame import Frame
from tests.clips import UInt8Array, write_video
from tests.sources.decode.box_editing import (
    DISPLAY_HEIGHT,
    DISPLAY_UNIT,
    DISPLAY_WIDTH,
    PIXEL_CROP,
    add_to_matroska_video,
    add_to_sample_entry,
    clean_aperture,
)
from tests.sources.decode.test_orientation import TIME_BASE, noise, samples, upright
from tests.sources.network.web_server import serving

SIZE = 160, 120
LOSSLESS = {"qp": "0"}


def write_cropped(path: Path, crop: Crop, **how: object) -> Path:
    """A lossless Matroska file with PixelCrop elements."""
    write_video(path, size=SIZE, frames=3, options=LOSSLESS, **how)  # type: ignore[arg-type]
    return add_to_matroska_video(path, {PIXEL_CROP[side]: getattr(crop, side) for side in PIXEL_CROP})


def read(path: Path) -> tuple[StreamInfo, list[Frame]]:
    with FileSource(path) as source:
        return source.info, list(source)


def planes(picture: av.VideoFrame) -> list[UInt8Array]:
    return [samples(picture, plane)[..., 0] for plane in range(len(picture.planes))]


def stored(path: Path) -> list[UInt8Array]:
    """The planes of the first frame as coded."""
    with av.open(str(path)) as container:
        return planes(next(container.decode(video=0)))


@pytest.mark.parametrize("crop", [Crop(0, 40, 0, 40), Crop(8, 2, 30, 14), Crop(right=1, bottom=7)], ids=str)
def test_a_matroska_crop_cuts_the_planes_and_changes_no_sample(crop: Crop, tmp_path: Path) -> None:
    path = write_cropped(tmp_path / "crop.mkv", crop)
    info, frames = read(path)
    width, height = SIZE[0] - crop.left - crop.right, SIZE[1] - crop.top - crop.bottom
    assert (info.width, info.height) == (width, height)
    assert len(frames) == 3
    for plane, whole, part in zip(range(3), stored(path), planes(frames[0].picture), strict=True):
        shared = 2 if plane else 1
        top, left = crop.top // shared, crop.left // shared
        assert np.array_equal(part, whole[top : top - (-height // shared), left : left - (-width // shared)])


@pytest.mark.parametrize(
    ("clap", "size", "corner"),
    [
        (clean_aperture("160/1", "80/1"), (160, 80), (0, 20)),
        (clean_aperture("120/1", "80/1", "10/1", "-10/1"), (120, 80), (30, 10)),
        (clean_aperture("80/2", "120/3"), (40, 40), (60, 40)),
    ],
    ids=["centred", "off the centre", "fractions"],
)
def test_an_mp4_clean_aperture_is_cut_out(
    clap: bytes, size: tuple[int, int], corner: tuple[int, int], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "clap.mp4", size=SIZE, frames=2, options=LOSSLESS)
    add_to_sample_entry(path, clap)
    info, (first, _) = read(path)
    assert (info.width, info.height) == size == (first.width, first.height)
    left, top = corner
    whole = stored(path)[0]
    assert np.array_equal(planes(first.picture)[0], whole[top : top + size[1], left : left + size[0]])
    assert info.sample_aspect_ratio == 1


def test_an_mp4_track_of_the_size_of_its_aperture_has_square_pixels(tmp_path: Path) -> None:
    clap = clean_aperture("100/1", "60/1", "10/1", "-4/1")
    path = add_to_sample_entry(write_video(tmp_path / "a.mp4", size=SIZE, frames=1), clap)
    data = bytearray(path.read_bytes())
    # Width and height are the last two numbers of the track header (ISO/IEC 14496-12, 8.3.2).
    struct.pack_into(">II", data, data.index(b"tkhd") + 80, 100 << 16, 60 << 16)
    path.write_bytes(data)
    info, _ = read(path)
    assert (info.width, info.height) == (100, 60)
    assert info.sample_aspect_ratio == 1


def test_non_square_pixels_and_a_clean_aperture(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", size=SIZE, frames=1, sample_aspect_ratio=Fraction(10, 11))
    info, _ = read(add_to_sample_entry(path, clean_aperture("140/1", "120/1")))
    assert info.sample_aspect_ratio == Fraction(10, 11)


def test_a_crop_that_chroma_forbids_is_reduced_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_cropped(tmp_path / "odd.mkv", Crop(left=3, top=41))
    info, _ = read(path)
    assert (info.width, info.height) == (158, 80)
    told = [record.message for record in caplog.records]
    assert len(told) == 1
    assert "odd.mkv: the container crops 3 left, 41 top, which is impossible for yuv420p frames of 160x120" in told[0]
    assert told[0].endswith("cropped by 2 left, 40 top")


def test_a_crop_of_interlaced_frames_keeps_each_row_in_its_field(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_cropped(tmp_path / "fields.mkv", Crop(top=6), interlaced=True)
    info, (first, *_) = read(path)
    assert first.picture.interlaced_frame
    assert info.height == 116
    assert "cropped by 4 top" in caplog.text
    plain, _ = read(write_cropped(tmp_path / "frames.mkv", Crop(top=6)))
    assert plain.height == 114


def test_frames_too_small_for_the_crop_are_reported_and_shown_whole() -> None:
    said: list[str] = []
    turner = Rotator(Orientation(), Crop(top=20, bottom=20), said.append)
    sizes = [(one.width, one.height) for one in (turner.turn(noise("gray", 30, rows), TIME_BASE) for rows in (90, 40))]
    assert sizes == [(30, 50), (30, 40)]
    assert said == ["the container crops 20 top, 20 bottom, which is impossible for gray frames of 30x40: shown whole"]


def test_the_display_size_of_matroska_is_that_of_the_cropped_frame(tmp_path: Path) -> None:
    path = write_cropped(tmp_path / "wide.mkv", Crop(0, 20, 0, 20))
    add_to_matroska_video(path, {DISPLAY_WIDTH: 320, DISPLAY_HEIGHT: 80, DISPLAY_UNIT: 0})
    info, _ = read(path)
    assert (info.width, info.height) == (160, 80)
    assert info.sample_aspect_ratio == 2


def test_a_display_size_in_units_of_an_aspect_ratio(tmp_path: Path) -> None:
    path = write_cropped(tmp_path / "ratio.mkv", Crop(0, 20, 0, 20))
    add_to_matroska_video(path, {DISPLAY_WIDTH: 16, DISPLAY_HEIGHT: 9, DISPLAY_UNIT: 3})
    info, _ = read(path)
    assert info.sample_aspect_ratio * Fraction(info.width, info.height) == Fraction(16, 9)


def test_the_crop_is_applied_before_the_rotation(tmp_path: Path) -> None:
    path = write_video(tmp_path / "turned.mp4", size=(120, 160), frames=2, options=LOSSLESS, rotation=90)
    whole = stored(path)[0]
    assert whole.shape == (120, 160)
    add_to_sample_entry(path, clean_aperture("100/1", "120/1", "30/1"))
    info, (first, _) = read(path)
    assert (info.width, info.height) == (120, 100)
    # After an anticlockwise turn the last column is the first row.
    assert np.array_equal(planes(first.picture)[0], np.rot90(whole[:, 60:160]))


@pytest.mark.parametrize("orientation", [Orientation(), Orientation(True, True, False)], ids=["upright", "turned"])
@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le", "nv12", "gray", "rgb24", "bgra", "gbrp"])
def test_every_format_is_cropped_on_its_own_planes(name: str, orientation: Orientation) -> None:
    given = noise(name)
    made = Rotator(orientation, Crop(4, 2, 6, 10)).turn(given, TIME_BASE)
    assert (made.format.name, made.pts, made.duration) == (name, 7, 40)
    for plane, whole in enumerate(given.planes):
        shared_x, shared_y = given.width // whole.width, given.height // whole.height
        part = samples(given, plane)[2 // shared_y : 16 // shared_y, 4 // shared_x : 32 // shared_x]
        assert np.array_equal(samples(made, plane), upright(part, orientation))


def test_a_probe_reports_the_crop(tmp_path: Path) -> None:
    found = probe(str(write_cropped(tmp_path / "crop.mkv", Crop(0, 20, 0, 20))))
    video = found.streams[0].video
    assert video is not None
    assert (video.width, video.height, video.coded_width, video.coded_height) == (160, 80, 160, 120)
    assert "160x80, cropped from 160x120" in "\n".join(found.lines())


def test_a_crop_is_applied_over_http(tmp_path: Path) -> None:
    write_cropped(tmp_path / "crop.mkv", Crop(0, 20, 0, 20))
    with serving(tmp_path) as address, RecordedSource(NetworkConnector(f"{address}/crop.mkv")) as source:
        assert [(frame.width, frame.height) for frame in source] == [(160, 80)] * 3


def test_a_name_in_the_metadata_is_not_taken_for_a_crop(tmp_path: Path) -> None:
    path = write_video(tmp_path / "named.mkv", frames=2, metadata={"Frame Cropping": "1/1/1/1"})
    info, _ = read(path)
    assert (info.width, info.height) == (160, 120)


@pytest.fixture
def changing_pixels(tmp_path: Path) -> Path:
    """A transport stream with reordered frames whose sample aspect ratio changes at frame 10."""
    parts = []
    for part, ratio in enumerate((Fraction(1), Fraction(16, 11))):
        path = tmp_path / f"{part}.ts"
        options = {"bf": "2", "preset": "medium"}
        write_video(path, frames=10, first_number=part * 10, sample_aspect_ratio=ratio, options=options,
                    start_pts=part * 20 * 512)  # fmt: skip
        parts.append(path.read_bytes())
    joined = tmp_path / "changing.ts"
    joined.write_bytes(b"".join(parts))
    return joined


def test_a_changed_sample_aspect_ratio_is_in_each_frame(
    changing_pixels: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info, frames = read(changing_pixels)
    assert info.sample_aspect_ratio == 1
    assert [frame.sample_aspect_ratio for frame in frames] == [Fraction(1)] * 10 + [Fraction(16, 11)] * 10
    assert [frame.segment for frame in frames] == [0] * 10 + [1] * 10
    assert "frame 10 changes to 160x120 yuv420p, pixels 16:11" in caplog.text


def live_pictures(path: Path) -> tuple[StreamInfo, list[LiveFrame]]:
    connection = LiveContainerConnection(av.open(str(path)), "camera", SourceSettings())
    pictures = [picture for picture in connection.frames() if isinstance(picture, LiveFrame)]
    connection.close()
    return connection.info, pictures


def test_a_live_connection_reports_a_changed_sample_aspect_ratio(changing_pixels: Path) -> None:
    info, pictures = live_pictures(changing_pixels)
    assert info.sample_aspect_ratio == 1
    assert [one.sample_aspect_ratio for one in pictures] == [Fraction(1)] * 10 + [Fraction(16, 11)] * 10


def test_a_live_connection_crops(tmp_path: Path) -> None:
    info, pictures = live_pictures(write_cropped(tmp_path / "crop.mkv", Crop(0, 20, 0, 20)))
    assert (info.width, info.height) == (160, 80)
    assert {(one.picture.width, one.picture.height) for one in pictures} == {(160, 80)}


def test_played_live_a_changed_sample_aspect_ratio_starts_a_segment(changing_pixels: Path) -> None:
    with LiveSource(PacedConnector(lambda: FileSource(changing_pixels), "played")) as source:
        found = {(frame.segment, frame.sample_aspect_ratio) for frame in source}
    assert found == {(0, Fraction(1)), (1, Fraction(16, 11))}


def test_the_display_size_of_matroska_overrides_that_of_the_stream(changing_pixels: Path, tmp_path: Path) -> None:
    path = tmp_path / "copied.mkv"
    with av.open(str(changing_pixels)) as source, av.open(str(path), "w") as output:
        copy = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                output.mux(packet)
    _, frames = read(path)
    assert {frame.sample_aspect_ratio for frame in frames} == {Fraction(1)}


@pytest.mark.parametrize(("rotation", "order"), [(0, 2), (180, 3), (90, 1)])
def test_the_fields_of_turned_frames(
    rotation: int, order: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info, (first, _) = read(write_video(tmp_path / "a.mp4", frames=2, rotation=rotation, interlaced=True))
    assert info.field_order == order
    assert first.picture.interlaced_frame == (rotation != 90)
    assert ("their fields become columns" in caplog.text) == (rotation == 90)


def test_a_mirror_that_begins_within_the_stream_is_applied(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "plain.mp4", frames=1)
    mirrored = write_video(tmp_path / "mirrored.mp4", frames=1, flip="vertical")  # a rotation of 0 degrees
    with av.open(str(plain)) as first, av.open(str(mirrored)) as second:
        geometry = Geometry(first, first.streams.video[0], "joined")
        shapes = []
        for picture in (next(first.decode(video=0)), next(second.decode(video=0))):
            shown = geometry.upright(picture, TIME_BASE)
            shapes.append(geometry.shape_of(shown))
            assert shown.reformat(format="gray").to_ndarray()[-10:, :20].mean() > 200  # the bright square, lower left
    assert shapes[0] != shapes[1]


def test_without_a_crop_the_decoded_frame_is_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    picture = noise("yuv420p")
    with caplog.at_level(logging.WARNING):
        assert Rotator(Orientation(), NO_CROP).turn(picture, TIME_BASE) is picture
    assert not caplog.records
