"""The clip that a killed program was writing is finished by the next start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.clips import clip_recorder
from streamer.clips.clip import Clip
from streamer.clips.clip_recorder import ClipRecorder
from streamer.clips.event_files import BOXES, CLIP, event_file
from streamer.config.events import ClipSettings
from streamer.config.source import SourceSettings
from streamer.interfaces import Scene
from tests.clips import read_number, write_video
from tests.event_clips.clip_runs import CAMERA, CLOCK, ClipRun, begin, pictures
from tests.sinks.segments.chromium import played

KILLED_AT = 75
MOST_LOST = 25


def record_until_killed(video: str, folder: str) -> None:
    """The killed program: an event lasts from frame 10 on."""
    run = ClipRun(video, Path(folder), ClipSettings(before_s=1), SourceSettings(live=True))

    def script(scene: Scene, clips: ClipRecorder) -> bool:
        if scene.frame.index == 10:
            print(begin(clips, scene).id, flush=True)
        if scene.frame.index == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    run.run(script)


def record_on_a_slow_disk(video: str, folder: str) -> None:
    """A program that ends before the disk has taken the clips of its 30 events, which last until then."""
    clip_recorder._LIVE_END_S = 0.1
    Clip.finish = lambda _: threading.Event().wait()  # type: ignore[method-assign, assignment, return-value]
    run = ClipRun(video, Path(folder), ClipSettings(before_s=1), SourceSettings(live=True))

    def script(scene: Scene, clips: ClipRecorder) -> bool:
        if 10 <= scene.frame.index < 40:
            print(begin(clips, scene).id, flush=True)
        return False

    run.run(script)


def recorded(record: Callable[[str, str], None], video: Path, folder: Path, code: int) -> list[str]:
    """Run a program to its end; returns the ids of its events."""
    program = f"import sys; from tests.event_clips import test_killed_clips as t; t.{record.__name__}(*sys.argv[1:])"
    arguments = [sys.executable, "-c", program, str(video), str(folder)]
    ended = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, timeout=100, check=False)
    assert ended.returncode == code
    return ended.stdout.split()


@pytest.mark.slow
def test_the_clip_of_a_killed_program_is_finished(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = write_video(tmp_path / "video.mp4", frames=100, options={"g": "10", "bf": "0"})
    (event_id,) = recorded(record_until_killed, video, tmp_path / "store", -signal.SIGKILL)
    assert not list((tmp_path / "store").rglob(f"{event_id}*"))
    run = ClipRun(str(video), tmp_path / "store", ClipSettings())
    clip = run.finished.get(timeout=30)
    run.clips.close()
    assert clip.event_id == event_id
    assert clip.start_time == CLOCK
    assert clip.note == "the next start of the program has finished it"
    numbers = [read_number(one.picture) for one in pictures(tmp_path / "store" / clip.clip)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > KILLED_AT - MOST_LOST
    boxes = json.loads((tmp_path / "store" / clip.boxes).read_text(encoding="utf-8"))
    assert boxes["duration_s"] == clip.duration_s
    assert len(boxes["frames"]) >= len(numbers)
    left = [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert sorted(left) == sorted([f"{event_id}{CLIP}", f"{event_id}{BOXES}"])
    # `serve` puts the name of the camera before messages that do not begin with it.
    assert caplog.messages[0].startswith(f"{CAMERA}: clips: recovered {tmp_path / 'store' / clip.clip} of a killed run")


@pytest.mark.slow
def test_clips_that_the_end_of_a_program_did_not_wait_for_are_finished(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", frames=75, options={"g": "10", "bf": "0"})
    ids = recorded(record_on_a_slow_disk, video, tmp_path / "store", 0)
    assert len(ids) == 30
    assert not [path for path in (tmp_path / "store").rglob("*.mp4") if not path.name.startswith(".")]
    run = ClipRun(str(video), tmp_path / "store", ClipSettings())
    clips = [run.finished.get(timeout=30) for _ in ids]
    run.clips.close()
    assert sorted(clip.event_id for clip in clips) == sorted(ids)
    for clip in clips:
        numbers = [read_number(one.picture) for one in pictures(tmp_path / "store" / clip.clip)]
        assert 10 + ids.index(clip.event_id) in numbers
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == 60


def test_old_boxes_without_a_clip_are_removed(tmp_path: Path) -> None:
    folder = (tmp_path / event_file(CAMERA, "01KB0000000000000000000000", CLIP)).parent
    folder.mkdir(parents=True)
    new, old = folder / ".a.boxes.01234567.partial.json", folder / ".b.boxes.01234567.partial.json"
    for path in (new, old):
        path.write_text("{")
    day_ago_s = time.time() - 86400
    os.utime(old, (day_ago_s, day_ago_s))
    ClipRun("none", tmp_path, ClipSettings()).clips.close()
    assert new.exists()
    assert not old.exists()


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_a_browser_plays_a_clip(tmp_path: Path, codec: str) -> None:
    options = {"libx264": {"g": "12", "bf": "3"}, "libsvtav1": {"g": "12", "preset": "12"}}[codec]
    video = write_video(tmp_path / "video.mp4", frames=100, codec=codec, options=options, audio=True)
    run = ClipRun(str(video), tmp_path / "store", ClipSettings(before_s=1, after_s=0.5))

    def script(scene: Scene, clips: ClipRecorder) -> bool:
        if scene.frame.index == 50:
            clips.end(begin(clips, scene).id, scene.frame.time_s)
        return False

    run.run(script)
    (clip,) = run.clips_made
    path = tmp_path / "store" / clip.clip
    first = read_number(pictures(path)[0].picture)
    found = played(path, tmp_path / "profile")
    assert found.error == ""
    assert found.duration_s == pytest.approx(clip.duration_s, abs=0.05)
    assert found.end_s == pytest.approx(found.duration_s, abs=0.05)
    assert len(found.shown) >= 3
    for time_s, number in found.shown:
        assert number == first + round(time_s / 0.04)
