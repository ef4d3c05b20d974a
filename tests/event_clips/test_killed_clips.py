"""The clip that a killed program was writing is finished by the next start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def killed(video: Path, folder: Path) -> str:
    """Run and kill the program; returns the id of its event."""
    program = "import sys; from tests.event_clips import test_killed_clips as t; t.record_until_killed(*sys.argv[1:])"
    arguments = [sys.executable, "-c", program, str(video), str(folder)]
    ended = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, timeout=100, check=False)
    assert ended.returncode == -signal.SIGKILL
    return ended.stdout.strip()


@pytest.mark.slow
def test_the_clip_of_a_killed_program_is_finished(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = write_video(tmp_path / "video.mp4", frames=100, options={"g": "10", "bf": "0"})
    event_id = killed(video, tmp_path / "store")
    assert not list((tmp_path / "store").rglob(f"{event_id}*"))
    run = ClipRun(str(video), tmp_path / "store", ClipSettings())
    clip = run.finished.get(timeout=30)
    run.clips.close()
    assert clip.event_id == event_id
    assert clip.start_time == CLOCK
    assert clip.note == "it ends where the program was killed"
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
