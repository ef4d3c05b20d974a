"""What a recording reports of its files, so that a time can be found in them later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.sinks.segments.recording import RecordingSink
from streamer.values.recordings import RecordedFile, RecordedFileState
from tests.sinks.making import recording_sink
from tests.sinks.scenes import decoded
from tests.sinks.segments.test_killed_recording import recorded as killed
from tests.sinks.segments.test_recording import BEGAN, INFO, Wall, numbers_in, shown

OPEN, COMPLETE, REMOVED = RecordedFileState


def write(sink: RecordingSink, count: int) -> None:
    with sink:
        for number in range(count):
            sink.write(shown(number))


def test_each_file_is_reported_when_it_begins_and_is_complete(tmp_path: Path) -> None:
    reported: list[RecordedFile] = []
    pattern = str(tmp_path / "%H%M%S.mp4")
    write(recording_sink(pattern, INFO, reserve_bytes=0, segment_s=1.0, now=Wall(0), recorded=reported.append), 60)
    begun = [one for one in reported if one.state is OPEN]
    complete = [one for one in reported if one.state is COMPLETE]
    assert [one.path for one in begun] == [one.path for one in complete]
    assert {one.path for one in complete} == set(tmp_path.iterdir())
    assert {one.recording for one in reported} == {pattern}
    assert [one.start_s for one in complete] == [0.0, 1.0, 2.0]
    assert [one.duration_s for one in complete] == [1.0, 1.0, pytest.approx(0.4)]
    assert [one.start_time for one in complete] == [BEGAN.timestamp() + second for second in range(3)]
    assert [one.duration_s for one in begun] == [None, None, None]


def test_a_file_begins_when_its_first_frame_arrived(tmp_path: Path) -> None:
    reported: list[RecordedFile] = []
    sink = recording_sink(tmp_path / "%H%M%S.mp4", INFO, reserve_bytes=0, segment_s=1.0, recorded=reported.append)
    with sink:
        for number in range(50):
            scene = shown(number)
            sink.write(replace(scene, frame=replace(scene.frame, arrival_wall_clock_s=1e9 + number * 0.041)))
    complete = [one for one in reported if one.state is COMPLETE]
    assert [one.start_time for one in complete] == [1e9, 1e9 + 25 * 0.041]


def test_a_file_that_retention_removes_is_reported(tmp_path: Path) -> None:
    reported: list[RecordedFile] = []
    pattern = tmp_path / "%H%M%S.mp4"
    sink = recording_sink(
        pattern, INFO, reserve_bytes=0, segment_s=1.0, now=Wall(), keep_gb=1e-9, recorded=reported.append
    )
    write(sink, 60)
    removed = {one.path for one in reported if one.state is REMOVED}
    complete = [one.path for one in reported if one.state is COMPLETE]
    assert [path for path in complete if path not in removed] == list(tmp_path.iterdir())
    assert len(removed) == 2


def test_a_file_of_a_killed_run_is_reported_when_it_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.sinks.video.recovery._LONGEST_END_S", 60.0)
    killed(tmp_path / "%Y%m%d-%H%M%S.mp4", 100)
    reported: list[RecordedFile] = []
    write(recording_sink(tmp_path / "%Y%m%d-%H%M%S.mp4", INFO, reserve_bytes=0, recorded=reported.append), 5)
    [recovered] = [one for one in reported if one.start_time is None]
    assert recovered.state is COMPLETE
    frames = numbers_in(recovered.path)
    assert recovered.duration_s == pytest.approx(len(decoded(recovered.path)) * 0.04)
    assert frames == list(range(len(frames)))
