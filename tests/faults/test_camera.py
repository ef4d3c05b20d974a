"""The fault lab's camera, checked with PyAV alone: the frames that it reports as sent arrive."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import av
import pytest

from tests.faults import counter
from tests.faults.camera import Camera, Codec, Scheme
from tests.faults.camera.bare_client import BareClient
from tests.faults.reading import assert_consecutive, numbers, opened, pictures

CODEC_NAMES: dict[Codec, str] = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def camera() -> Iterator[Camera]:
    """One camera for all tests of this file; each test sets it up."""
    with Camera(key_frame_on_play=True) as camera:
        yield camera


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_every_codec_arrives_intact_and_in_order(camera: Camera, codec: Codec, transport: str) -> None:
    camera.change_codec(codec)
    with opened(camera.url, transport) as container:
        assert container.streams.video[0].codec_context.name == CODEC_NAMES[codec]
        seen = list(itertools.islice(pictures(container), 12))
    assert_consecutive(numbers(seen))
    assert [each.number for each in seen if counter.is_damaged(each.picture, each.number)] == []
    for each in seen[:-1]:  # the log entry is written before the next frame
        shot = camera.shot(each.number or 0)
        assert shot is not None
        assert shot.sent_s is not None
        assert shot.drawn_s < shot.sent_s
        assert shot.drawn_s < each.at_s


def test_the_size_changes_inside_the_session(camera: Camera) -> None:
    camera.change_codec("h264")
    with opened(camera.url) as container:
        arriving = pictures(container)
        seen = list(itertools.islice(arriving, 2))
        camera.change_size((1280, 720))
        seen += itertools.islice(arriving, 10)
    camera.change_size((640, 360))
    sizes = [(each.picture.width, each.picture.height) for each in seen]
    assert (sizes[0], sizes[-1]) == ((640, 360), (1280, 720))
    assert_consecutive(numbers(seen))
    assert max(counter.worst_difference(each.picture, each.number or 0) for each in seen) < counter.VISIBLE / 2


def test_another_codec_ends_the_session_and_starts_in_the_next(camera: Camera) -> None:
    camera.change_codec("h264")
    with opened(camera.url) as container:
        arriving = pictures(container)
        before = [next(arriving)]
        camera.change_codec("mjpeg")
        before += arriving
    with opened(camera.url) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
        after = numbers([next(pictures(container))])
    assert after > numbers(before)[-1:]


def test_a_camera_without_video_sends_audio(camera: Camera) -> None:
    camera.change_codec("audio")
    with opened(camera.url) as container:
        assert [stream.type for stream in container.streams] == ["audio"]
        blocks = list(itertools.islice(container.decode(audio=0), 10))
    assert all(block.samples == 160 and abs(block.to_ndarray()).max() > 7000 for block in blocks)


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_only_the_right_password_opens_it_also_after_a_change(camera: Camera, scheme: Scheme) -> None:
    camera.change_auth((scheme, "user", "s:cr/t@"))
    before = camera.url
    opened(before).close()
    for wrong in (camera.url_with("user", "wrong"), camera.url_with("else", "s:cr/t@"), camera.url_at("/live")):
        with pytest.raises(av.error.HTTPUnauthorizedError):
            opened(wrong)
    camera.change_auth((scheme, "user", "new"))
    with pytest.raises(av.error.HTTPUnauthorizedError):
        opened(before)
    opened(camera.url).close()
    camera.change_auth(None)


def test_another_path_is_not_found(camera: Camera) -> None:
    with pytest.raises(av.error.HTTPNotFoundError):
        opened(camera.url_at("/nothing"))
    assert camera.wait_for("not found")["client"] > 0


def test_a_sender_report_comes_first_with_the_wall_clock_of_the_frames(camera: Camera) -> None:
    camera.change_codec("h264")
    with BareClient(camera.port) as client:
        client.play()
        report, picture = client.packets(2)
        now_s = time.time()
    assert (report.is_report, picture.is_report) == (True, False)
    drawn_s = report.ntp_s + (picture.timestamp - report.timestamp) / 90000
    assert abs(now_s - drawn_s) < 60


def test_the_rate_changes(camera: Camera) -> None:
    with BareClient(camera.port) as client:
        camera.change_fps(5)
        client.play()
        slow = client.timestamps(4)
        camera.change_fps(60)
        fast = client.timestamps(20)
    camera.change_fps(25)
    for timestamps, step in ((slow, 18000), (fast, 1500)):
        steps = sorted(after - before for before, after in itertools.pairwise(timestamps))
        assert steps[len(steps) // 2] == pytest.approx(step, abs=1)


def test_invalid_settings_are_refused(camera: Camera) -> None:
    with pytest.raises(ValueError, match="even"):
        camera.change_size((641, 360))
    with pytest.raises(ValueError, match="fraction"):
        camera.lose(3)
