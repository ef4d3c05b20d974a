"""Annotated clips: made by a process of low priority, from a clip and its boxes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.clips.annotated import clips
from streamer.clips.annotated.clips import AnnotatedClips, Order
from streamer.clips.annotated.render import render
from streamer.errors import SourceUnavailable
from tests.clips import read_number, write_video

SIZE = (320, 240)
BOX = (0.25, 0.5, 0.75, 0.75)
ORDER = Order("EVENT", "gate/EVENT.mp4", "gate/EVENT.boxes.json", "gate/EVENT-annotated.mp4")


def make_clip(folder: Path, frames: int = 50, boxes_from: int = 25) -> Path:
    """A clip whose frames have a box from the frame `boxes_from` on. Returns its path."""
    clip = folder / ORDER.clip
    clip.parent.mkdir(parents=True)
    write_video(clip, size=SIZE, frames=frames, audio=True)
    track = {"id": 3, "label": "Car", "score": 0.9, "box": BOX}
    rows = [{"time_s": number / 25, "tracks": [track] if number >= boxes_from else []} for number in range(frames)]
    (folder / ORDER.boxes).write_text(json.dumps({"version": 1, "frames": rows}))
    return clip


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as read:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in read.decode(video=0)]


def left_edge(picture: np.ndarray) -> np.ndarray:
    return picture[140:170, 78:84]


@pytest.mark.slow
def test_boxes_are_drawn_on_their_frames(tmp_path: Path) -> None:
    clip = make_clip(tmp_path)
    finished: list[tuple[Order, int]] = []
    with AnnotatedClips(tmp_path, lambda order, size: finished.append((order, size))) as annotated:
        annotated.put(ORDER)
        annotated.wait(threading.Event())
    target = tmp_path / ORDER.target
    assert finished == [(ORDER, target.stat().st_size)]
    changes = [
        np.abs(left_edge(drawn) - left_edge(plain)).mean()
        for drawn, plain in zip(pictures(target), pictures(clip), strict=True)
    ]
    assert max(changes[:25]) < 10
    assert min(changes[25:]) > 20


def test_an_annotated_clip_plays_in_a_browser_with_its_sound(tmp_path: Path) -> None:
    clip = make_clip(tmp_path)
    render(clip, tmp_path / ORDER.boxes, tmp_path / ORDER.target)
    with av.open(str(tmp_path / ORDER.target)) as read:
        video, sound = read.streams.video[0], read.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sound.codec_context.name == "aac"
        numbers = [read_number(frame) for frame in read.decode(video=0)]
    assert numbers == list(range(50))
    content = (tmp_path / ORDER.target).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays while it is loaded


def test_a_frame_without_boxes_of_its_own_has_those_before(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, boxes_from=0)
    content = json.loads((tmp_path / ORDER.boxes).read_text())
    content["frames"] = content["frames"][:10]  # the last box is at 0.36 s
    (tmp_path / ORDER.boxes).write_text(json.dumps(content))
    render(clip, tmp_path / ORDER.boxes, tmp_path / ORDER.target)
    drawn, plain = pictures(tmp_path / ORDER.target), pictures(clip)
    changes = [np.abs(left_edge(one) - left_edge(other)).mean() for one, other in zip(drawn, plain, strict=True)]
    assert min(changes[:21]) > 20  # up to 0.5 s later
    assert max(changes[23:]) < 10


def test_boxes_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path)
    (tmp_path / ORDER.boxes).write_text('{"frames": 3}')
    with pytest.raises(SourceUnavailable, match="cannot read the boxes of a clip"):
        render(clip, tmp_path / ORDER.boxes, tmp_path / ORDER.target)
    assert not (tmp_path / ORDER.target).exists()


@pytest.mark.slow
def test_a_clip_that_cannot_be_annotated_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = make_clip(tmp_path)
    clip.write_bytes(b"no video")
    with AnnotatedClips(tmp_path, lambda _order, _size: pytest.fail("it is not made")) as annotated:
        annotated.put(ORDER)
        annotated.wait(threading.Event())
    [line] = [line for line in caplog.messages if "no annotated clip of event EVENT" in line]
    assert "EVENT.mp4" in line
    assert sorted(path.name for path in clip.parent.iterdir()) == ["EVENT.boxes.json", "EVENT.mp4"]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux has SCHED_IDLE")
def test_the_process_gives_way_before_it_imports_libraries() -> None:
    code = (
        "import os, sys; from streamer.clips.annotated.__main__ import give_way; give_way(); "
        "print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE, 'av' in sys.modules, 'cv2' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["19", "True", "False", "False"]


def test_an_error_in_one_clip_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_clip(tmp_path)
    monkeypatch.setattr(clips, "COMMAND", ["sh", "-c", "echo > $3", "render"])
    finished: list[Order] = []

    def finish(order: Order, _: int) -> None:
        finished.append(order)
        if len(finished) == 1:
            raise RuntimeError("broken")

    with AnnotatedClips(tmp_path, finish) as annotated:
        annotated.put(ORDER)
        annotated.put(ORDER)
        annotated.wait(threading.Event())
    assert finished == [ORDER, ORDER]


def test_the_end_of_the_program_drops_what_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_clip(tmp_path)
    started = tmp_path / "started"
    # As the process does: a hidden file, which is incomplete.
    waiting = ["sh", "-c", f"echo > $3; echo > {started}; exec sleep 1000", "render"]
    monkeypatch.setattr(clips, "COMMAND", waiting)
    with AnnotatedClips(tmp_path, lambda _order, _size: None) as annotated:
        annotated.put(ORDER)
        annotated.put(ORDER)
        while not started.exists():
            threading.Event().wait(0.01)
    assert "2 annotated clips not made: the program ends; the next start makes them" in caplog.messages
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_who_waits_for_the_clips_is_told_and_can_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_clip(tmp_path)
    monkeypatch.setattr(clips, "COMMAND", ["sh", "-c", "exec sleep 1000", "render"])
    monkeypatch.setattr(clips, "_TOLD_S", 0.01)
    stopped = threading.Event()
    with AnnotatedClips(tmp_path, lambda _order, _size: None) as annotated:
        annotated.put(ORDER)
        waiting = threading.Thread(target=annotated.wait, args=(stopped,))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        stopped.set()
        annotated.wake()
        waiting.join(60)
        assert not waiting.is_alive()
    assert "waiting for 1 annotated clip; stop the run to leave them out" in caplog.messages


def test_the_hidden_files_of_a_killed_program_are_removed(tmp_path: Path) -> None:
    for name in (".annotated-EVENT.mp4", "..annotated-EVENT.0123abcd.partial.mp4"):
        (tmp_path / name).touch()
    with AnnotatedClips(tmp_path, lambda _order, _size: None):
        assert list(tmp_path.iterdir()) == []


def test_too_many_clips_are_left_out_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clips, "MOST_WAITING", 2)
    annotated = AnnotatedClips(tmp_path, lambda _order, _size: None)  # not entered: nothing is taken
    for _ in range(5):
        annotated.put(ORDER)
    assert annotated.left_out == 3
    assert len([line for line in caplog.messages if "annotated clips take too long: 2 wait" in line]) == 1
