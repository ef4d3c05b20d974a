"""A camera's picture that is black or frozen, on fake time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.observe.picture_watch import BLACK_S, FROZEN_S, PictureWatch
from streamer.values.frame import Frame
from tests.clips import write_video

FPS = 5
RANDOM = np.random.default_rng(1)


def noisy(level: int, noise: float = 2.0) -> av.VideoFrame:
    """A uniform grey as a sensor sees it."""
    luma = np.clip(RANDOM.normal(level, noise, (120, 160)), 0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(np.vstack([luma, np.full((60, 160), 128, np.uint8)]), format="yuv420p")


class Camera:
    """Shows pictures to a watch, and keeps what it tells."""

    def __init__(self) -> None:
        self.watch = PictureWatch()
        self.told: list[tuple[str, bool, int]] = []
        self.index = 0

    def show(self, duration_s: float, *pictures: av.VideoFrame) -> None:
        """Show these pictures in turn, or noisy ones if there are none."""
        for _ in range(round(duration_s * FPS)):
            picture = pictures[self.index // FPS % len(pictures)] if pictures else noisy(120)
            frame = Frame(picture, self.index, self.index, Fraction(1, FPS), 1000 + self.index / FPS)
            self.told += [(change.cause, change.is_over, round(change.lasted_s)) for change in self.watch.add(frame)]
            self.index += 1


@pytest.fixture
def camera() -> Camera:
    return Camera()


def test_a_working_camera_is_not_reported(camera: Camera) -> None:
    camera.show(3 * FROZEN_S)
    assert camera.told == []


def test_a_black_picture_is_reported_after_ten_seconds_and_when_it_is_back(camera: Camera) -> None:
    camera.show(20)
    for _ in range(30 * FPS):
        camera.show(1 / FPS, noisy(18, 4.0))
    assert camera.told == [("black", False, BLACK_S)]
    camera.show(20)
    assert camera.told[1:] == [("black", True, 30)]


def test_a_fade_to_black_and_a_dark_room_are_not_reported(camera: Camera) -> None:
    for _ in range(8 * FPS):
        camera.show(1 / FPS, noisy(16))
    for _ in range(60 * FPS):
        camera.show(1 / FPS, noisy(50, 8.0))
    assert camera.told == []


def test_a_small_light_in_the_dark_is_not_black(camera: Camera) -> None:
    picture = noisy(16, 0.0)
    dark = picture.to_ndarray()
    dark[40:50, 60:70] = 235
    camera.show(30, av.VideoFrame.from_ndarray(dark, format="yuv420p"))
    assert camera.told == []


@pytest.mark.parametrize("pictures", [1, 3])
def test_a_frozen_picture_is_reported_once_and_when_it_moves_again(camera: Camera, pictures: int) -> None:
    """Its encoder may repeat a few pictures."""
    camera.show(20)
    camera.show(FROZEN_S + 30, *(noisy(120) for _ in range(pictures)))
    assert camera.told == [("frozen", False, FROZEN_S)]
    camera.show(10)
    assert [(cause, is_over) for cause, is_over, _ in camera.told[1:]] == [("frozen", True)]


def test_a_picture_that_is_black_is_not_frozen_too(camera: Camera) -> None:
    camera.show(2 * FROZEN_S, av.VideoFrame.from_ndarray(np.full((180, 160), 16, np.uint8), format="yuv420p"))
    assert camera.told == [("black", False, BLACK_S)]


def test_a_clip_that_is_played_in_a_loop_is_not_frozen(camera: Camera) -> None:
    camera.show(3 * FROZEN_S, *(noisy(120) for _ in range(8)))
    assert camera.told == []


def test_time_without_frames_does_not_count(camera: Camera) -> None:
    still = noisy(120)
    camera.show(FROZEN_S - 10, still)
    camera.index += 100 * FPS
    camera.show(FROZEN_S - 10, still)
    assert camera.told == []


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj422p", "yuv420p10le"])
def test_pictures_of_all_formats_can_be_watched(tmp_path: Path, pix_fmt: str) -> None:
    codec = "mjpeg" if pix_fmt == "yuvj422p" else "libx264"
    clip = write_video(tmp_path / "clip.mkv", frames=12, codec=codec, pix_fmt=pix_fmt)
    watch = PictureWatch()
    with av.open(str(clip)) as container:
        frames = [
            Frame(picture, index, index, Fraction(1, FPS), 1000.0 + 5 * index)
            for index, picture in enumerate(container.decode(video=0))
        ]
    assert [change for frame in frames for change in watch.add(frame)] == []
