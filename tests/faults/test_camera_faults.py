"""The fault lab's camera, checked with PyAV alone: each fault breaks what it should and nothing else."""

from __future__ import annotations

import itertools
import time

import av
import numpy as np
import pytest

from tests.faults import counter
from tests.faults.camera import Camera, CameraFailed
from tests.faults.camera.bare_client import BareClient
from tests.faults.reading import Seen, assert_consecutive, numbers, opened, pictures, watch

pytestmark = pytest.mark.slow


def quick_camera() -> Camera:
    return Camera(fps=50, key_frame_on_play=True)


def same(picture: av.VideoFrame, other: av.VideoFrame) -> bool:
    return np.array_equal(picture.to_ndarray(), other.to_ndarray())


def test_reported_losses_are_the_missing_or_damaged_frames() -> None:
    """Damage is any difference from the frames of another client, which gets all packets."""
    with Camera(fps=50, key_frame_every_s=0.1) as camera, opened(camera.url) as complete:
        camera.lose(0.03, seed=1)
        seen: list[Seen] = []
        originals: dict[int, av.VideoFrame] = {}
        arriving = pictures(complete)
        with opened(camera.url, "udp") as container:
            for each in itertools.islice(pictures(container), 100):
                seen.append(each)
                while each.number is not None and max(originals, default=0) < each.number:
                    original = next(arriving)
                    originals[numbers([original])[0]] = original.picture
        read = {each.number: each.picture for each in seen if each.number is not None}
        whole = {number for number, picture in read.items() if number in originals and same(picture, originals[number])}
        first, last = min(whole), max(whole)
        damaged = camera.damaged_numbers(first, last)
        assert set(damaged) & set(camera.lost_numbers(first, last))
    assert whole == set(range(first, last + 1)) - set(damaged)
    visible = [each.number for each in seen if counter.is_damaged(each.picture, each.number)]
    assert visible
    assert not whole & set(visible)


def test_numbers_are_right_or_none_under_heavy_loss() -> None:
    """The PTS, which does not depend on pixels, gives the expected number."""
    with quick_camera() as camera:
        camera.lose(0.1, seed=2)
        seen = watch(camera.url, 120, "udp")
        moments = []
        for number, pts_s in [(each.number, each.pts_s) for each in seen]:
            if number is not None and pts_s is not None:
                shot = camera.shot(number)
                assert shot is not None
                moments.append(pts_s - shot.stamped_s)
    assert len(moments) > 5
    assert max(moments) - min(moments) < 0.001


def test_the_same_seed_loses_the_same_packets() -> None:
    def lost(seed: int) -> list[int]:
        with Camera(codec="audio") as camera:
            camera.lose(0.2, seed)
            with opened(camera.url, "udp") as container:
                assert len(list(itertools.islice(container.decode(audio=0), 10)))
            first = next(n for n in itertools.count() if (shot := camera.shot(n)) and shot.sent_s)
            return [number - first for number in camera.lost_numbers(first, first + 9)]

    assert lost(3) == lost(3) != lost(4)


def test_timestamps_overflow_for_new_clients() -> None:
    with quick_camera() as camera:
        camera.wrap_pts(in_s=0.1)
        with BareClient(camera.port) as client:
            client.play()
            raw = client.timestamps(15)
        wrapped = [after - before for before, after in itertools.pairwise(raw) if after < before]
        assert len(wrapped) == 1
        assert raw[0] > 2**32 - 90000
        assert raw[-1] < 10 * 90000
        camera.wrap_pts(in_s=1.0)
        seen = watch(camera.url, 60)
    assert_consecutive(numbers(seen))
    times_s = [each.pts_s for each in seen if each.pts_s is not None]
    steps = [after - before for before, after in itertools.pairwise(times_s)]
    assert 0 < min(steps) <= max(steps) < 10


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_timestamps_jump_and_continue_from_there(by_s: float) -> None:
    with quick_camera() as camera, BareClient(camera.port) as client:
        client.play()
        client.timestamps(3)
        camera.jump_pts(by_s)
        raw = client.timestamps(10)
    steps = [(after - before + 2**31) % 2**32 - 2**31 for before, after in itertools.pairwise(raw)]
    jumps = [step for step in steps if abs(step) > 90000]
    assert len(jumps) == 1
    assert abs(jumps[0] - by_s * 90000) < 9000


def test_a_restarted_camera_keeps_its_url_and_numbering() -> None:
    with quick_camera() as camera:
        last = watch(camera.url, 3)[-1].number or 0
        camera.kill()
        with pytest.raises(av.error.ConnectionRefusedError):
            opened(camera.url)
        with pytest.raises(CameraFailed, match="does not run"):
            camera.silence()
        began_s = camera.start()
        shot = camera.shot(watch(camera.url, 1)[0].number or 0)
        assert shot is not None
        assert shot.number > last
        assert shot.drawn_s > began_s - 1


def test_a_stopped_camera_is_silent_until_it_continues() -> None:
    with quick_camera() as camera, BareClient(camera.port) as client:
        client.play()
        client.timestamps(2)
        camera.stop()
        number = camera.next_number
        assert client.is_silent(0.3)
        assert camera.next_number == number
        camera.cont()
        assert camera.playing() == 1
        assert camera.next_number >= number


def test_a_silent_camera_answers_and_a_half_open_one_does_not() -> None:
    with quick_camera() as camera, BareClient(camera.port) as client:
        client.play()
        camera.silence()
        first = camera.next_number
        assert "200 OK" in client.ask("GET_PARAMETER")
        camera.half_open()
        client.say("OPTIONS")
        assert client.is_silent(0.3)
        camera.resume()
        shots = [camera.shot(number) for number in range(first, camera.next_number - 1)]
        assert {shot.sent_s for shot in shots if shot is not None} == {None}
        assert client.timestamps(2)


def test_a_closed_port_refuses_new_clients_and_keeps_existing_ones() -> None:
    with quick_camera() as camera, opened(camera.url) as container:
        arriving = pictures(container)
        next(arriving)
        camera.close_port()
        with pytest.raises(av.error.ConnectionRefusedError):
            opened(camera.url)
        assert_consecutive(numbers(list(itertools.islice(arriving, 5))))
        camera.open_port()
        assert len(watch(camera.url, 1)) == 1


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_streams_end_regularly(transport: str) -> None:
    with quick_camera() as camera, opened(camera.url, transport) as container:
        arriving = pictures(container)
        next(arriving)
        camera.end_streams()
        last = camera.next_number
        assert all(each.number is not None and each.number < last for each in arriving)
        assert camera.playing() == 0


def test_keyframes_can_be_withheld() -> None:
    with Camera(fps=50, key_frame_every_s=0.1) as camera:
        watch(camera.url, 1)
        from_s = time.monotonic()
        camera.withhold_key_frames(for_s=0.6)
        first = camera.next_number
        watch(camera.url, 1)
        shots = [camera.shot(number) for number in range(first, camera.next_number)]
    keys = [shot.drawn_s - from_s for shot in shots if shot is not None and shot.is_key]
    assert keys
    assert keys[0] >= 0.6


def test_a_client_that_does_not_read_does_not_affect_others() -> None:
    with (
        Camera(codec="mjpeg", size=(1280, 720), fps=30) as camera,
        BareClient(camera.port, receive_bytes=4096) as lazy,
        opened(camera.url) as container,
    ):
        lazy.play()
        assert_consecutive(numbers(list(itertools.islice(pictures(container), 60))))
        sequence = (packet.sequence for packet in iter(lazy.packet, None) if not packet.is_report)
        assert any(
            (after - before) % 65536 != 1 for before, after in itertools.islice(itertools.pairwise(sequence), 4000)
        )
        assert camera.playing() == 2
