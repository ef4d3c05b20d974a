"""What a plan has, and which inputs and settings are refused."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamer.errors import ConfigError, SourceUnavailable, StreamerError
from streamer.parts.detecting import settings_of_worker
from streamer.parts.matching import joined_settings
from streamer.parts.planning import make_plan
from streamer.parts.splitting import split as splitting
from tests.clips import write_picture, write_video
from tests.parts.identity import planned, settings


def keyframe_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.pts for packet in container.demux() if packet.is_keyframe and packet.pts is not None]


def test_parts_begin_at_keyframes_and_are_of_similar_size(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", frames=200, options={"g": "10", "bf": "2"})
    plan = planned(path, 6)
    starts = [part.start_pts for part in plan.parts[1:]]
    assert set(starts) <= set(keyframe_times(path))
    assert all(abs(part.frames - 200 / 6) <= 10 for part in plan.parts)
    assert [part.end_pts for part in plan.parts] == [*starts, None]
    assert [part.first_index for part in plan.parts] == [
        sum(part.frames for part in plan.parts[:number]) for number in range(6)
    ]


def test_a_decoder_begins_one_group_before_its_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "WARM_UP", 0)
    path = write_video(tmp_path / "clip.mp4", frames=100, options={"g": "10", "bf": "2"})
    keyframes = keyframe_times(path)
    for part in planned(path, 5).parts[1:]:
        assert part.seek is not None
        assert part.start_pts is not None
        assert keyframes.index(part.seek.pts) == keyframes.index(part.start_pts) - 1


def test_more_parts_than_keyframes_begin_between_them(tmp_path: Path) -> None:
    plan = planned(write_video(tmp_path / "clip.mp4", frames=100, options={"g": "50"}), 20)
    assert [part.frames for part in plan.parts] == [5] * 20


def test_there_are_no_more_parts_than_frames(tmp_path: Path) -> None:
    assert len(planned(write_video(tmp_path / "clip.mkv", frames=7), 64).parts) == 7


def test_a_plan_of_many_parts_is_small(tmp_path: Path) -> None:
    plan = planned(write_video(tmp_path / "clip.mp4", frames=300, size=(32, 32), options={"g": "1"}), 300)
    assert len(plan.parts) == 300
    assert len(plan.model_dump_json()) < 300 * 300


def test_equal_input_and_settings_have_the_same_plan(tmp_path: Path) -> None:
    """So parts stay valid when the plan is made again, also of a copy of the file."""
    path = write_video(tmp_path / "clip.mp4")
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(path.read_bytes())
    assert planned(path, 3).digest == planned(copy, 3).digest
    assert planned(path, 3).digest != planned(path, 4).digest
    assert planned(path, 3).digest != planned(path, 3, "detector.min_score=0.3").digest


def test_auto_becomes_the_detector_that_it_means_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_OFFLINE", "1")
    path = write_video(tmp_path / "clip.mp4")
    assert planned(path, 2, "detector.name=auto").detector.name != "auto"


def test_the_paths_of_a_model_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "clip.mp4")
    (tmp_path / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n", encoding="utf-8")
    (tmp_path / "names.txt").write_text("Person\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    given = ("detector.name=det.txt", "detector.label_map=names.txt")
    plan = planned(path, 2, *given)
    assert plan.detector.name == str(tmp_path / "det.txt")
    assert plan.detector.label_map == str(tmp_path / "names.txt")
    assert joined_settings(plan, settings(*given)).detector.label_map == plan.detector.label_map
    assert settings_of_worker(plan, settings(*given).detector).label_map == plan.detector.label_map
    assert planned(path, 2, "detector.name=det.txt", "detector.label_map=coco").detector.label_map == "coco"


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv")

    def grow(_packets: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(SourceUnavailable, match="changed while it was planned; plan it again when it is complete"):
        make_plan(path, settings(), 2, progress=grow)


def refused(path: Path | str, *assignments: str) -> str:
    with pytest.raises(StreamerError) as caught:
        planned(Path(path) if not str(path).startswith("rtsp") else path, 2, *assignments)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_inputs_that_are_no_video_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "notes.txt").write_text("no video\n" * 100, encoding="utf-8")
    assert "no such file" in refused(tmp_path / "none.mp4")
    assert "is a folder; a plan is for one video file" in refused(tmp_path)
    assert "is a picture" in refused(write_picture(tmp_path / "one.png"))
    assert "record or download it first" in refused(tmp_path / "pipe")
    assert "not a video" in refused(tmp_path / "notes.txt")
    assert refused("rtsp://user:secret@192.0.2.1/x") == "rtsp://192.0.2.1/x: a plan is for a video file; " + (
        "record or download it first"
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("source.live=true", "source.live plays a file in real time"),
        ("detector.latency='0.5'", "detector.latency simulates a live run"),
        ("detector.name=nodet", "did you mean nanodet?"),
        ("detector.name=https://me:secret@192.0.2.1/model", "https://192.0.2.1/model has a login"),
    ],
)
def test_settings_that_no_worker_can_use_are_refused(tmp_path: Path, assignment: str, message: str) -> None:
    text = refused(write_video(tmp_path / "clip.mp4"), assignment)
    assert message in text
    assert "secret" not in text


@pytest.mark.parametrize("parts", [0, 100_001])
def test_a_plan_has_one_part_and_can_be_read(tmp_path: Path, parts: int) -> None:
    with pytest.raises(ConfigError, match=f"a plan has 1 to 100000 parts, not {parts}"):
        make_plan(tmp_path / "clip.mp4", settings(), parts)


def test_the_rate_of_the_settings_is_the_clock_of_the_plan(tmp_path: Path) -> None:
    plan = planned(write_video(tmp_path / "clip.mp4", frames=40), 4, "source.fps=10")
    assert plan.tick == Fraction(1, 10)
    assert [part.start_pts for part in plan.parts[1:]] == [10, 20, 30]
