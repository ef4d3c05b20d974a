"""A replay shows the same, byte for byte, and settles its frames in the same states."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.errors import DetectorError, DetectorRestarted, Interrupted, SourceLost
from streamer.flow.simulated_clock import Latency
from streamer.interfaces import Damage, Scene
from streamer.pipeline import Pipeline
from streamer.replay.recording import Recording
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.clips import corrupt, write_video
from tests.faults.camera import Camera
from tests.pipeline.live_parts import Gate, ScriptedCamera
from tests.pipeline.parts import DEADLINE_S
from tests.replay.runs import Result, SquareDetector, collected, opener, record, replay
from tracking.iou import IouTracker

OVERLAYS = ("now", "detected", "delayed")


def check_same(again: Result, run: Result) -> None:
    """The results are equal and not empty."""
    assert again == run
    assert run.lines.count(b'"id"') > 3
    entered, states = run.counts
    assert entered == sum(states.values())


class Waiting:
    """A run on a thread of its own."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._results: list[Result] = []
        self._thread = threading.Thread(target=lambda: self._results.append(work()), daemon=True)
        self._thread.start()

    def result(self) -> Result:
        """Wait for its result."""
        self._thread.join(DEADLINE_S)
        assert self._results, "it did not end, or failed"
        return self._results[0]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 with B-frames."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    options = {"preset": "veryfast", "bf": "3", "g": "20"}
    return write_video(path, frames=60, size=(320, 240), rate=50, options=options)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_run_on_a_simulated_clock(clip: Path, tmp_path: Path, overlay: str) -> None:
    run = record(tmp_path / "kept", opener(clip), overlay=overlay, latency=0.07)
    check_same(replay(tmp_path / "kept"), run)
    assert not run.error


def test_recording_does_not_change_a_run(clip: Path, tmp_path: Path) -> None:
    run = record(tmp_path / "kept", opener(clip), latency=0.07)
    with opener(clip)(None) as source:
        pipeline = Pipeline(source, [SquareDetector()], IouTracker(), latency=Latency([0.07]))
        alone = collected(pipeline, pipeline.stats)
    assert alone == run


def test_a_replay_in_real_time_is_the_same(clip: Path, tmp_path: Path) -> None:
    run = record(tmp_path / "kept", opener(clip), latency=0.07)
    check_same(replay(tmp_path / "kept", in_real_time=True), run)


def test_only_some_frames_are_detected(clip: Path, tmp_path: Path) -> None:
    run = record(tmp_path / "kept", opener(clip), latency=0.05, every=3)
    check_same(replay(tmp_path / "kept"), run)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_file_played_as_a_live_source(clip: Path, tmp_path: Path, overlay: str) -> None:
    seen = threading.Semaphore(0)

    def slow(_frame: Frame) -> None:
        # A detector that ends when two more frames were shown, or after a timeout.
        for _ in range(2):
            seen.acquire(timeout=0.1)

    run = record(
        tmp_path / "kept",
        opener(clip, live=True),
        overlay=overlay,
        detector=SquareDetector(slow),
        on_scene=lambda _: seen.release(),
    )
    check_same(replay(tmp_path / "kept"), run)
    assert (tmp_path / "kept" / "packets-000.nut").stat().st_size < clip.stat().st_size * 2
    assert not list((tmp_path / "kept").glob("pictures-*"))


@pytest.mark.slow
def test_a_delay_that_rises_and_falls(tmp_path: Path) -> None:
    """A stall of six detections, and two minutes of quick ones."""
    clip = write_video(tmp_path / "long.mp4", frames=1600, size=(160, 120), rate=10)
    latency = [0.1] * 30 + [1.4] * 6 + [0.1] * 1600
    run = record(tmp_path / "kept", opener(clip), overlay="delayed", latency=latency)
    check_same(replay(tmp_path / "kept"), run)
    log = (tmp_path / "kept" / "events.jsonl").read_text()
    assert log.count('"event":"due"') > 1000


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_late_damaged_and_lost_frames(tmp_path: Path, overlay: str) -> None:
    """A display thread that is too slow, with packet loss, a new segment and detector errors."""
    camera, gate, looks = ScriptedCamera(), Gate(), Gate()

    def before(frame: Frame) -> None:
        looks(frame)
        if frame.index == 12:
            raise DetectorRestarted("it hung on 12")

    run = Waiting(
        lambda: record(
            tmp_path / "kept",
            lambda _: camera,
            detector=SquareDetector(before),
            overlay=overlay,
            on_scene=gate,
            delay_s=0.0,
        )
    )

    def look(index: int) -> None:
        assert looks.next_index() == index
        looks.release()

    camera.give()
    look(0)
    gate.next_index()  # blocks the display thread
    camera.give()
    assert looks.next_index() == 1
    camera.give(5)
    camera.give(2, damage="packet loss", lost=Damage("decode error", 3))
    gate.open()
    looks.release()
    look(6)
    camera.give(lost=Damage("connection lost", 2, state=FrameState.DROPPED), segment=1)
    look(9)
    for index in range(10, 25):
        camera.give(segment=2)
        look(index)
    camera.end()
    result = run.result()
    check_same(replay(tmp_path / "kept"), result)
    entered, states = result.counts
    assert entered == 25 + 3 + 2
    assert states[FrameState.DROPPED, "detector busy" if overlay == "detected" else "output late"] > 0
    assert states[FrameState.DROPPED, "connection lost"] == 2
    assert states[FrameState.CORRUPT, "decode error"] == 3
    assert states[FrameState.CORRUPT, "packet loss"] == 2
    assert states[FrameState.LOST, "detector hung"] == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_run_that_ends_with_a_detector_error(clip: Path, tmp_path: Path, overlay: str) -> None:
    def fail(frame: Frame) -> None:
        if frame.index >= 30:
            raise DetectorError(f"no luck with {frame.index}")

    run = record(tmp_path / "kept", opener(clip), overlay=overlay, latency=0.1, detector=SquareDetector(fail))
    assert run.error.startswith("no luck")
    check_same(replay(tmp_path / "kept"), run)


def test_a_run_that_ends_with_a_source_error(tmp_path: Path) -> None:
    camera = ScriptedCamera()
    run = Waiting(lambda: record(tmp_path / "kept", lambda _: camera, detector=SquareDetector()))
    camera.give(5)
    camera.end(SourceLost("the camera went away"))
    result = run.result()
    assert result.error == "the camera went away"
    again = replay(tmp_path / "kept")
    assert again._replace(error=result.error) == result
    ended = Recording(tmp_path / "kept").ended
    assert ended is not None
    assert (ended.state, ended.message) == ("failed", "the camera went away")


def test_damaged_packets(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.ts", frames=60, size=(320, 240), options={"preset": "veryfast", "g": "12"})
    # Some 8 packets of the transport stream, which numbers them from 0 to 15: a loss of 16 would not be noticed.
    damaged = corrupt(whole, tmp_path / "damaged.ts", start=0.4, end=0.425)
    run = record(tmp_path / "kept", opener(damaged), latency=0.1)
    again = replay(tmp_path / "kept")
    check_same(again, run)
    assert not run.error
    assert sum(count for (state, _), count in run.counts[1].items() if state == "corrupt") > 0


class Enough:
    """Ends a run after some scenes, as a user does."""

    def __init__(self, scenes: int, act: Callable[[int], None] = lambda _: None) -> None:
        self._left = scenes
        self._act = act

    def __call__(self, _: Scene) -> None:
        self._left -= 1
        self._act(self._left)
        if not self._left:
            raise Interrupted


@pytest.mark.slow
def test_lost_packets_of_a_camera(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Camera(fps=50, key_frame_on_play=True, key_frame_every_s=0.4) as camera:
        camera.lose(0.03, seed=1)
        opens = opener(camera.url, transport="udp")
        run = record(tmp_path / "kept", opens, on_scene=Enough(80))
    assert run.counts[1][FrameState.CORRUPT, "packet loss"] > 0
    caplog.clear()
    again = replay(tmp_path / "kept")
    check_same(again._replace(error=run.error), run)
    assert not caplog.messages  # such as that a picture differs from the run


@pytest.mark.slow
def test_a_camera_that_reconnects(tmp_path: Path) -> None:
    with Camera(fps=50, key_frame_on_play=True) as camera:

        def act(left: int) -> None:
            if left == 60:
                camera.disconnect()
            elif left == 40:
                camera.change_size((320, 240))

        opens = opener(camera.url, first_wait_s=0.1)
        run = record(tmp_path / "kept", opens, on_scene=Enough(90, act))
    segments = {json.loads(line)["segment"] for line in run.lines.splitlines()}
    assert segments == {0, 1, 2}
    check_same(replay(tmp_path / "kept")._replace(error=run.error), run)
    assert {path.name for path in (tmp_path / "kept").glob("*.nut")} == {"packets-000.nut", "packets-001.nut"}
