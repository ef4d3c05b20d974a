"""The frames in the window at any size, and the snapshots."""

from __future__ import annotations

import logging
import re
import threading
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.settings import WindowSettings
from streamer.errors import SinkError
from streamer.interfaces import Scene
from streamer.sinks.window.process import fitting
from streamer.sinks.window.scene_buffer import SceneBuffer
from streamer.sinks.window.snapshot import save_snapshot
from streamer.sinks.window.window import WindowSink
from tests.sinks.making import window_sink
from tests.sinks.scenes import info, scene
from tests.sinks.window.screen import Hand, Screen, UInt8Array

SIZE = (320, 240)
LARGE = (960, 720)
F1 = 0xFFBE

sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


def numbered(number: int, size: tuple[int, int] = SIZE) -> Scene:
    return scene(number, number * 512, size=size)


def hud_of(number: int, drawn: list[int]) -> WindowSink:
    """A sink whose head-up line is a frame with another number."""

    def draw(shown: Scene) -> av.VideoFrame:
        drawn.append(shown.frame.index)
        return numbered(number).frame.picture

    return window_sink(draw_hud=draw)


def is_shown(screen: Screen, number: int, size: tuple[int, int]) -> bool:
    return screen.number(size) == number


def write_for_ever(sink: WindowSink, shown: Scene) -> None:
    while True:
        sink.write(shown)


def averaged(shown: Scene, size: tuple[int, int]) -> UInt8Array:
    """A scene's frame, reduced to a size."""
    return np.asarray(cv2.resize(shown.frame.rgb(), size, interpolation=cv2.INTER_AREA), np.uint8)


def psnr(one: UInt8Array, other: UInt8Array) -> float:
    return float(cv2.PSNR(np.ascontiguousarray(one), np.ascontiguousarray(other)))


@given(sizes, sizes)
def test_fitting_keeps_the_aspect_ratio_and_touches_two_edges(size: tuple[int, int], view: tuple[int, int]) -> None:
    width, height = fitting(size, view)
    assert 1 <= width <= view[0]
    assert 1 <= height <= view[1]
    assert width == view[0] or height == view[1]
    # One side follows from the other to half a pixel, or has the minimum of one pixel.
    across, down = height * size[0] / size[1], width * size[1] / size[0]
    assert abs(width - across) <= 0.5 + 1e-6 or abs(height - down) <= 0.5 + 1e-6 or 1 in (width, height)


@pytest.mark.parametrize("view", [(300, 600), (800, 200), (40, 60), (640, 480), (900, 650)])
def test_any_window_shows_the_whole_frame_sharply(hand: Hand, screen: Screen, view: tuple[int, int]) -> None:
    shown = numbered(700, LARGE)
    with window_sink() as sink:
        sink.write(shown)
        screen.wait_for(lambda: screen.number(LARGE) == 700)
        hand.resize(view)
        width, height = fitting(LARGE, view)
        left, top = (view[0] - width) // 2, (view[1] - height) // 2
        small = averaged(shown, (width, height))

        def is_seen() -> bool:
            seen = screen.grab()
            inside = seen[top : top + height, left : left + width].copy()
            seen[top : top + height, left : left + width] = 0
            # A shift of one pixel gives 15 to 30 dB here, nearest-pixel scaling at most 34 dB where it is not exact.
            return not seen.any() and psnr(inside, small) > 40

        screen.wait_for(is_seen)


def test_a_paused_frame_is_sharp_in_a_larger_window(hand: Hand, screen: Screen) -> None:
    with window_sink() as sink:
        sink.write(numbered(700, LARGE))
        screen.wait_for(lambda: screen.number(LARGE) == 700)
        hand.resize((96, 72))
        for number in (701, 702):  # the second is sent at the window's small size
            sink.write(numbered(number, LARGE))
            screen.wait_for(partial(is_shown, screen, number, (96, 72)))
        hand.press(" ")
        hand.resize((800, 600))
        expected = averaged(numbered(702, LARGE), (800, 600))
        # Without the corner that the pause text covers.
        screen.wait_for(lambda: psnr(screen.grab()[150:600, :800], expected[150:]) > 40)


def test_non_square_pixels_are_shown_with_their_aspect_ratio(screen: Screen) -> None:
    with window_sink(info(sample_aspect_ratio=Fraction(2))) as sink:
        sink.write(numbered(700))
        screen.wait_for(lambda: screen.number((640, 240)) == 700)


def test_the_head_up_line_can_be_toggled(hand: Hand, screen: Screen) -> None:
    drawn: list[int] = []
    with hud_of(900, drawn) as sink:
        sink.write(numbered(700))
        screen.wait_for(lambda: screen.number(SIZE) == 700)
        assert drawn == []
        hand.press("h")
        screen.wait_for(lambda: screen.number(SIZE) == 900)
        assert drawn == [700]
        hand.press("h")
        screen.wait_for(lambda: screen.number(SIZE) == 700)


def test_a_head_up_line_that_fails_is_an_error(hand: Hand) -> None:
    def draw(_: Scene) -> av.VideoFrame:
        raise ZeroDivisionError

    with window_sink(draw_hud=draw) as sink:
        hand.press("h")
        with pytest.raises(SinkError) as caught:
            write_for_ever(sink, numbered(700))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("key", ["?", F1])
def test_help_can_be_toggled(hand: Hand, screen: Screen, key: str | int) -> None:
    with window_sink() as sink:
        sink.write(numbered(700))
        screen.wait_for(lambda: screen.number(SIZE) == 700)
        plain = screen.grab()
        hand.press(key)
        # Six lines of text, not only the pause text.
        screen.wait_for(lambda: bool((screen.grab() != plain)[100:124, :100].any()))
        hand.press(key)
        screen.wait_for(lambda: bool((screen.grab() == plain).all()))


class LogHandler(logging.Handler):
    """Collects log records; `logged` is set at the first."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.logged = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.logged.set()


@pytest.fixture
def log() -> LogHandler:
    handler, logger = LogHandler(), logging.getLogger("streamer.sinks.window.snapshot")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


def test_a_snapshot_is_the_shown_frame_at_full_size(
    hand: Hand, screen: Screen, log: LogHandler, tmp_path: Path
) -> None:
    folder, shown = tmp_path / "made" / "for it", numbered(700, LARGE)
    with window_sink(info(live=True), window=WindowSettings(snapshot_folder=folder)) as sink:
        sink.write(shown)
        screen.wait_for(lambda: screen.number(LARGE) == 700)
        hand.resize((96, 72))
        screen.wait_for(lambda: screen.number((96, 72)) == 700)
        hand.press(" ")
        hand.resize((192, 288))  # seen after the pause began, which is shown above the frame
        screen.wait_for(lambda: screen.number((192, 144), at=(0, 72)) == 700)
        for k in range(701, 720):
            sink.write(numbered(k, LARGE))
        hand.press("s")
        assert log.logged.wait(30)
    (file,) = folder.iterdir()
    assert re.fullmatch(r"streamer-\d{8}-\d{6}-\d{3}\.png", file.name)
    with av.open(str(file)) as png:
        saved = next(png.decode(video=0)).to_ndarray(format="rgb24")
    assert (saved == shown.frame.rgb()).all()
    assert [record.getMessage() for record in log.records] == [f"snapshot saved: {file}"]


def test_an_unwritable_folder_is_one_warning(hand: Hand, screen: Screen, log: LogHandler, tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("mine")
    with window_sink(window=WindowSettings(snapshot_folder=folder)) as sink:
        sink.write(numbered(700))
        screen.wait_for(lambda: screen.number(SIZE) == 700)
        hand.press("s")
        assert log.logged.wait(30)
        sink.write(numbered(701))
        screen.wait_for(lambda: screen.number(SIZE) == 701)
    (record,) = log.records
    assert record.levelno == logging.WARNING
    assert re.fullmatch(rf"no snapshot: {re.escape(str(folder))}: [^\n]+", record.getMessage())
    assert folder.read_text() == "mine"


def test_the_window_shows_for_some_seconds_where_the_snapshot_is(hand: Hand, screen: Screen, tmp_path: Path) -> None:
    with window_sink(window=WindowSettings(snapshot_folder=tmp_path)) as sink:
        sink.write(numbered(0))
        dark = screen.grab()[: SIZE[1], : SIZE[0]]
        screen.wait_for(lambda: bool((screen.grab()[: SIZE[1], : SIZE[0]] != dark).any()))
        shown = screen.grab()[:80, :300]
        hand.press("s")
        # The text is white on a dark background.
        screen.wait_for(lambda: int((screen.grab()[:80, :300] > shown).any(axis=2).sum()) > 500)
        screen.wait_for(lambda: bool((screen.grab()[:80, :300] == shown).all()))


def test_a_snapshot_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = save_snapshot(np.zeros((4, 4, 3), np.uint8), Path("shots"), datetime(2026, 1, 2, 3, 4, 5))
    path = tmp_path / "shots" / "streamer-20260102-030405-000.png"
    assert message == f"snapshot saved: {path}"
    assert path.exists()


def test_the_next_delivery_has_the_message() -> None:
    buffer = SceneBuffer(keeps_all=False, hud=False)
    buffer.put(numbered(0))
    buffer.request_next(0, SIZE)
    buffer.take()
    buffer.request_again(1, SIZE, message="saved")
    again = buffer.take()
    assert (again.number, again.message) == (1, "saved")
    buffer.put(numbered(1))
    buffer.request_next(1, SIZE)
    assert buffer.take().message == ""
    buffer.request_again(1, SIZE, message="saved")  # while a newer scene is on its way
    buffer.put(numbered(2))
    buffer.request_next(2, SIZE)
    after = buffer.take()
    assert (after.number, after.message) == (3, "saved")


def test_a_live_window_gets_the_newest_scene_and_no_older_one() -> None:
    buffer = SceneBuffer(keeps_all=False, hud=False)
    for k in range(5):
        buffer.put(numbered(k))
    buffer.request_next(0, SIZE)
    assert buffer.take().scene.frame.index == 4
    buffer.put(numbered(5))
    buffer.request_next(5, SIZE)
    buffer.request_again(5, (640, 480))  # for the first scene that was sent
    again, after = buffer.take(), buffer.take()
    assert (again.scene.frame.index, again.view) == (4, (640, 480))
    assert after.scene.frame.index == 5
    buffer.request_again(5, SIZE)  # for a scene that was in transit when a newer one was sent
    buffer.put(numbered(6))
    buffer.request_next(6, SIZE)
    assert buffer.take().scene.frame.index == 6
