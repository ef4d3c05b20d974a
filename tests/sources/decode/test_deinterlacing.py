"""Deinterlacing: immediate output with all properties; progressive frames are unchanged."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from streamer.config.source import SourceSettings, Transport
from streamer.sources.decode.deinterlacing import Deinterlacer, is_combed
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tests.faults.camera import Camera
from tests.faults.camera.ports import reserve_port
from tests.pipeline.parts import DEADLINE_S

SIZE = (320, 240)
STEP_PX = 6  # from one field to the next


def moment(number: int, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """The luma at one moment: a bright square that moves to the right over soft stripes."""
    width, height = size
    luma = np.tile(np.linspace(40, 120, width).astype(np.uint8), (height, 1))
    left = 8 + STEP_PX * number % (width - 100)
    luma[height // 4 : height // 4 * 3, left : left + 60] = 220
    return luma


def woven(number: int, size: tuple[int, int] = SIZE, *, upper_first: bool = True) -> npt.NDArray[np.uint8]:
    """Two moments in one frame."""
    first, second = moment(2 * number, size), moment(2 * number + 1, size)
    luma = first.copy() if upper_first else second.copy()
    luma[1::2] = (second if upper_first else first)[1::2]
    return luma


def picture(luma: npt.NDArray[np.uint8], pixel_format: str = "yuv420p", *, marked: str = "tff") -> av.VideoFrame:
    """A frame flagged as interlaced."""
    height, width = luma.shape
    made = av.VideoFrame(width, height, "yuv420p")
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    for plane, values in zip(made.planes, (luma, grey, grey), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[: plane.height, : plane.width] = values
    made = made if pixel_format == "yuv420p" else made.reformat(format=pixel_format)
    graph = av.filter.Graph()
    entry = graph.add_buffer(width=width, height=height, format=made.format, time_base=Fraction(1, 25))
    marks, leaving = graph.add("setfield", marked), graph.add("buffersink")
    entry.link_to(marks)
    marks.link_to(leaving)
    graph.configure()
    made.pts, made.time_base = 0, Fraction(1, 25)
    entry.push(made)
    result = leaving.pull()
    assert isinstance(result, av.VideoFrame)
    assert result.interlaced_frame == (marked != "prog")
    return result


def luma_of(frame: av.VideoFrame) -> npt.NDArray[np.int16]:
    plane, bits = frame.planes[0], frame.format.components[0].bits
    kind: Any = np.uint16 if bits > 8 else np.uint8
    rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)[:, : plane.width]
    return (rows >> (bits - 8)).astype(np.int16)


def comb(luma: npt.NDArray[Any]) -> int:
    """The number of pixels that differ from their similar neighbours above and below."""
    luma = luma.astype(np.int16)
    above, lines, below = luma[:-2], luma[1:-1], luma[2:]
    out = np.minimum(abs(lines - above), abs(lines - below)) > 30
    return int((out & (np.sign(lines - above) == np.sign(lines - below)) & (abs(above - below) < 15)).sum())


MOST_COMB = 80
"""Single pixels at corners; the weave has some 1,400 at this size."""


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuvj420p", "yuv420p10le"])
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_moving_edge_has_no_combing_from_the_first_frame(pixel_format: str, mode: Any) -> None:
    deinterlacer = Deinterlacer(mode)
    for number in range(8):
        given = picture(woven(number), pixel_format)
        made = deinterlacer.progressive(given)
        assert comb(luma_of(given)) > 1000
        assert comb(luma_of(made)) < MOST_COMB
        assert made.format.name == pixel_format
        assert not made.interlaced_frame
        first = picture(moment(2 * number), pixel_format)
        difference = abs(luma_of(made) - luma_of(first))
        assert np.percentile(difference, 99) < 12  # the first moment, not the previous or next one


def test_the_first_field_is_kept_even_if_it_is_the_lower_one() -> None:
    deinterlacer = Deinterlacer("auto")
    for number in range(4):
        made = deinterlacer.progressive(picture(woven(number, upper_first=False), marked="bff"))
        assert comb(luma_of(made)) < MOST_COMB
        assert np.percentile(abs(luma_of(made) - moment(2 * number).astype(np.int16)), 99) < 12


def test_static_parts_keep_every_sample() -> None:
    deinterlacer = Deinterlacer("auto")
    noise = np.random.default_rng(1).integers(16, 235, (SIZE[1], SIZE[0])).astype(np.uint8)
    noise[1::2] = noise[::2]  # no combing
    for _ in range(3):
        made = deinterlacer.progressive(picture(noise))
        assert np.array_equal(luma_of(made), noise)
        assert not made.interlaced_frame


def test_progressive_frames_flagged_as_interlaced_are_unchanged() -> None:
    deinterlacer = Deinterlacer("auto")
    for number in range(6):
        luma = moment(number)
        assert np.array_equal(luma_of(deinterlacer.progressive(picture(luma))), luma)


@pytest.mark.parametrize(("mode", "marked"), [("off", "tff"), ("auto", "prog")])
def test_frames_that_need_no_deinterlacing_are_returned_as_is(mode: Any, marked: str) -> None:
    given = picture(woven(0), marked=marked)
    assert Deinterlacer(mode).progressive(given) is given


def test_mode_on_deinterlaces_frames_without_a_flag() -> None:
    deinterlacer = Deinterlacer("on")
    for number in range(3):
        assert comb(luma_of(deinterlacer.progressive(picture(woven(number), marked="prog")))) < MOST_COMB


def test_deinterlaced_frames_keep_times_and_properties() -> None:
    deinterlacer = Deinterlacer("on")
    for number in range(5):
        given = picture(woven(number))
        given.pts, given.time_base = 9_000 * number + 7, Fraction(1, 90_000)
        given.colorspace, given.color_range = 1, 1
        made = deinterlacer.progressive(given)
        assert (made.pts, made.time_base) == (9_000 * number + 7, Fraction(1, 90_000))
        assert (given.pts, given.time_base) == (made.pts, made.time_base)
        assert (made.colorspace, made.color_range) == (given.colorspace, given.color_range)


def test_the_filter_follows_a_change_of_size_and_format() -> None:
    deinterlacer = Deinterlacer("auto")
    for size, pixel_format in ((SIZE, "yuv420p"), ((400, 304), "yuv420p"), (SIZE, "yuv422p")):
        for number in range(2):
            made = deinterlacer.progressive(picture(woven(number, size), pixel_format))
            assert (made.width, made.height, made.format.name) == (*size, pixel_format)
            assert comb(luma_of(made)) < MOST_COMB * 2


def test_unsupported_formats_are_returned_unchanged() -> None:
    given = picture(woven(0), "nv12")
    assert Deinterlacer("on").progressive(given) is given


def test_an_edge_moved_by_a_pixel_is_combing_a_fine_pattern_is_not() -> None:
    slow = moment(0)
    slow[1::2, 1:] = moment(0)[1::2, :-1]
    assert is_combed(picture(slow))
    stripes = np.where(np.arange(SIZE[1])[:, None] // 2 % 2, 200, 40).astype(np.uint8).repeat(SIZE[0], 1)
    assert not is_combed(picture(stripes))


# Through the program


def write_interlaced(path: str, codec: str, seconds: float = 1.0, **how: Any) -> None:
    """A file or stream of interlaced frames."""
    with av.open(path, "w", **how) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *SIZE, "yuv420p", 4_000_000
        stream.codec_context.gop_size = 10
        if codec == "libx264":
            stream.options = {"x264-params": "interlaced=1:tff=1:bframes=0:keyint=10", "preset": "ultrafast"}
        else:
            stream.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced DCT and motion estimation
            stream.codec_context.max_b_frames = 0
            stream.codec_context.field_order = 2
        for number in range(round(25 * seconds)):
            frame = picture(woven(number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module", params=["libx264", "mpeg2video"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fields") / f"{request.param}.mkv"
    write_interlaced(str(path), request.param)
    return path


def frames(path: Path, **options: Any) -> tuple[list[Frame], int]:
    with open_source(str(path), SourceSettings(**options)) as source:
        return list(source), source.info.field_order


def test_of_a_file_the_detector_gets_one_field_the_output_both(clip: Path) -> None:
    seen, field_order = frames(clip)
    assert field_order > 1
    for frame in seen:
        assert comb(luma_of(frame.picture)) > 1000
        assert comb(frame.rgb()[..., 1]) < MOST_COMB * 2
        assert frame.rgb().shape == (SIZE[1], SIZE[0], 3)
        assert frame.rgb((200, 200)).shape == (200, 200, 3)


def test_a_file_is_deinterlaced_on_request(clip: Path) -> None:
    seen, field_order = frames(clip, deinterlace="on")
    assert field_order == 1
    for frame in seen:
        assert comb(luma_of(frame.picture)) < MOST_COMB * 2
        assert comb(frame.rgb()[..., 1]) < MOST_COMB * 2
        assert frame.picture.pts == frame.pts


def test_a_file_is_not_deinterlaced_if_switched_off(clip: Path) -> None:
    seen, field_order = frames(clip, deinterlace="off")
    assert field_order > 1
    assert min(comb(frame.rgb()[..., 1]) for frame in seen) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(("mode", "is_clean"), [("auto", True), ("off", False)])
def test_an_interlaced_camera_is_shown_without_combing(transport: Transport, mode: Any, is_clean: bool) -> None:
    with Camera(interlaced=True, key_frame_every_s=0.5) as camera:
        connector = NetworkConnector(camera.url, SourceSettings(transport=transport, deinterlace=mode))
        with LiveSource(connector, SourceSettings(stall_s=DEADLINE_S)) as source:
            seen = list(itertools.islice(source, 30))
            field_order = source.info.field_order
    assert (field_order == 1) is is_clean
    combs = [comb(luma_of(frame.picture)) for frame in seen]
    assert [frame.damage for frame in seen] == [""] * len(seen)
    assert max(combs) < 200 if is_clean else min(combs) > 800
    assert all(comb(frame.rgb()[..., 1]) < 200 for frame in seen) is is_clean


@pytest.fixture
def sending() -> Iterator[str]:
    """The address of an MPEG-2 camera that sends an interlaced transport stream over UDP."""
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
    ended = threading.Event()

    def send() -> None:
        while not ended.is_set():
            write_interlaced(f"udp://127.0.0.1:{port}?pkt_size=1316", "mpeg2video", 0.4, format="mpegts")
            ended.wait(0.2)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield f"udp://127.0.0.1:{port}"
    ended.set()
    thread.join(DEADLINE_S)


@pytest.mark.slow
def test_an_mpeg2_camera_over_udp_is_shown_without_combing(sending: str) -> None:
    with LiveSource(NetworkConnector(sending), SourceSettings(stall_s=DEADLINE_S)) as source:
        seen = [frame for frame in itertools.islice(source, 20) if not frame.damage]
    assert seen
    assert max(comb(luma_of(frame.picture)) for frame in seen) < MOST_COMB * 2
