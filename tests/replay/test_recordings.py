"""Recordings that stop early, are damaged or have no room, and values that survive exactly."""

from __future__ import annotations

import itertools
import json
import resource
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import ConfigError, SourceLost, SourceUnavailable
from streamer.interfaces import Scene
from streamer.replay.event_log import (
    EVENTS,
    DetectorResult,
    FrameArrived,
    FrameCaptured,
    RecordedDetections,
    line_of,
    read_events,
)
from streamer.replay.header import HEADER
from streamer.replay.pixel_data import crc_of
from streamer.replay.recorder import Recorder
from streamer.replay.recording import Recording
from streamer.replay.write_queue import WriteQueue
from streamer.values.states import FrameState
from tests.clips import write_video
from tests.pipeline.parts import DEADLINE_S
from tests.replay.runs import IOU, opener, record, replay
from tracking.types import Detections

exact = st.floats(allow_nan=False, allow_infinity=False)
pixels = st.floats(0, 1e5, width=32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("media") / "clip.mp4", frames=40, options={"bf": "0"})


@given(
    index=st.integers(0, 2**40),
    times=st.tuples(exact, exact, exact),
    rows=st.lists(
        st.tuples(pixels, pixels, pixels, pixels, st.floats(0, 1, width=32), st.integers(0, 600)), max_size=5
    ),
)
def test_results_survive_exactly(index: int, times: tuple[float, float, float], rows: list[tuple[float, ...]]) -> None:
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)
    scores, labels = np.array([row[4] for row in rows], np.float32), np.array([row[5] for row in rows], np.int32)
    detections = Detections(boxes, scores, labels)
    result = DetectorResult(
        index=index, captured_s=times[0], detect_s=times[1], done_s=times[2], found=RecordedDetections.of(detections)
    )
    read = DetectorResult.model_validate_json(line_of(result))
    assert read == result
    assert read.found is not None
    again = read.found.detections()
    for name in ("boxes", "scores", "labels"):
        assert getattr(again, name).tobytes() == getattr(detections, name).tobytes()


@given(pts=st.integers(-(2**62), 2**62), base=st.fractions(min_value=Fraction(1, 10**9), max_value=10), at_s=exact)
def test_times_of_frames_survive_exactly(pts: int, base: Fraction, at_s: float) -> None:
    event = FrameCaptured(
        index=0,
        pts=pts,
        time_base=base,
        captured_s=at_s,
        segment=1,
        duration=0,
        corrupt=True,
        damage="packet loss",
        raw_pts=pts,
        wall_clock_s=at_s,
        arrival_wall_clock_s=at_s,
        file="packets-000.nut",
        number=7,
        format="yuv420p",
        colour=(1, 1, 1, 2),
        crc=2**32 - 1,
    )
    assert FrameCaptured.model_validate_json(line_of(event)) == event


@settings(max_examples=50)
@given(st.lists(st.integers(1, 50), max_size=20), st.integers(1, 100))
def test_a_write_queue_gives_its_items_up_to_the_first_without_room(sizes: list[int], most: int) -> None:
    queue: WriteQueue[int] = WriteQueue(most)
    for number, size in enumerate(sizes):
        queue.put(number, size)
    queue.finish()
    taken = list(queue)
    assert taken == list(range(len(taken)))
    assert queue.overrun == (len(taken) < len(sizes))
    assert sum(sizes[: len(taken)]) <= max(most, sizes[0] if sizes else 0)
    if queue.overrun:
        assert sum(sizes[: len(taken) + 1]) > most


def test_a_blocking_write_queue_loses_nothing() -> None:
    queue: WriteQueue[int] = WriteQueue(3)
    queue.wait_for_room()

    def add() -> None:
        for number in range(50):
            queue.put(number, 2)
        queue.finish()

    thread = threading.Thread(target=add)
    thread.start()
    assert list(queue) == list(range(50))
    thread.join()


def test_a_truncated_recording_is_played_up_to_its_end(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = record(tmp_path / "kept", opener(clip), latency=0.1)
    events = tmp_path / "kept" / EVENTS
    content = events.read_bytes()
    events.write_bytes(content[: len(content) // 2])
    again = replay(tmp_path / "kept")
    assert run.lines.startswith(again.lines)
    assert 5 < again.lines.count(b"\n") < 40
    assert "stops before the end of the run" in caplog.text
    assert "cut off" in caplog.text


def test_truncated_packets(clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the run had not ended, the frames before are replayed; if it had, it is an error."""
    run = record(tmp_path / "kept", opener(clip), latency=0.1)
    packets = tmp_path / "kept" / "packets-000.nut"
    packets.write_bytes(packets.read_bytes()[: packets.stat().st_size // 2])
    assert "packets-000.nut has" in replay(tmp_path / "kept").error
    events = tmp_path / "kept" / EVENTS
    lines = events.read_bytes().splitlines(keepends=True)
    assert b'"ended"' in lines[-1]
    events.write_bytes(b"".join(lines[:-1]))
    again = replay(tmp_path / "kept")
    assert not again.error
    assert run.lines.startswith(again.lines)
    assert 5 < again.lines.count(b"\n") < 40
    assert "the recording is played up to there" in caplog.text


def test_a_slow_disk_ends_the_recording_but_not_the_run(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes, goes_on = itertools.count(), threading.Event()

    def slowly(picture: av.VideoFrame) -> int:
        assert goes_on.wait(DEADLINE_S)
        return crc_of(picture)

    def see(_: Scene) -> None:
        if next(scenes) == 10:  # 29 KB each
            goes_on.set()

    monkeypatch.setattr("streamer.replay.writer.crc_of", slowly)
    run = record(tmp_path / "kept", opener(clip, live=True), most_bytes=100_000, on_scene=see)
    assert not run.error
    assert run.counts[0] == 40
    assert caplog.text.count("the disk is too slow") == 1
    again = replay(tmp_path / "kept")
    assert run.lines.startswith(again.lines)


def test_a_full_disk_ends_the_recording_but_not_the_run(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))  # of every file
    try:
        run = record(tmp_path / "kept", opener(clip), latency=0.1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not run.error
    assert run.counts[0] == 40
    assert caplog.text.count("ended: File too large") == 1
    again = replay(tmp_path / "kept")
    assert run.lines.startswith(again.lines)
    assert again.lines


def test_a_run_that_never_started_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="gone"), Recorder(tmp_path / "kept", "test", IOU):
        raise SourceLost("gone")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["file", "full folder"])
def test_recording_needs_a_new_or_empty_folder(tmp_path: Path, there: str) -> None:
    target = tmp_path / "kept"
    if there == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
    with pytest.raises(ConfigError, match=r"cannot record in .*kept: .*; name a"):
        Recorder(target, "test", IOU)


def test_a_folder_that_is_not_a_recording_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="is not a recording"):
        Recording(tmp_path / "nothing")
    record(tmp_path / "kept", opener(clip), latency=0.1)
    header = json.loads((tmp_path / "kept" / HEADER).read_text())
    (tmp_path / "kept" / HEADER).write_text(json.dumps(header | {"version": 2}))
    with pytest.raises(ConfigError, match=f"{HEADER}: .*version"):
        Recording(tmp_path / "kept")


@pytest.mark.parametrize(
    ("line", "saying"),
    [
        ("nonsense", "not what run --record writes"),
        ('{"event":"arrival","index":-1,"captured_s":0.0}', "index"),
        ('{"event":"arrival","index":7000,"captured_s":0.0}', "frame 7000 is delivered before it is captured"),
        ('{"event":"settled","state":"detected","cause":"","frames":9999}', "more frames are settled as detected"),
        ('{"event":"discarded","stream":4,"packet":0}', "stream 4"),
    ],
)
def test_a_damaged_line_is_reported_with_its_number(clip: Path, tmp_path: Path, line: str, saying: str) -> None:
    record(tmp_path / "kept", opener(clip), latency=0.1)
    events = tmp_path / "kept" / EVENTS
    lines = events.read_text().splitlines()
    lines.insert(10, line)
    events.write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigError, match=rf"{EVENTS}, line 11: .*{saying}"):
        Recording(tmp_path / "kept")


def test_events_are_in_the_order_of_the_display_thread(clip: Path, tmp_path: Path) -> None:
    run = record(tmp_path / "kept", opener(clip), latency=0.1)
    given = [event for event in read_events(tmp_path / "kept") if isinstance(event, FrameArrived | DetectorResult)]
    shown = [json.loads(line)["index"] for line in run.lines.splitlines()]
    assert [event.index for event in given if isinstance(event, FrameArrived)] == shown
    assert sum(isinstance(event, DetectorResult) for event in given) == run.counts[1][FrameState.DETECTED, ""]
