"""Exports of recordings: the frames of a time span, copied from the files of a recording."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.clips.exports.plan import ExportPlan, Span, existing, make_plan, named_files
from streamer.clips.exports.writer import export
from streamer.errors import ConfigError, SinkUnavailable, SourceUnavailable
from streamer.store import recordings, schema
from streamer.store.recordings import StoredRecording
from streamer.values.recordings import RecordedFile, RecordedFileState
from tests.clips import read_number, write_video
from tests.sinks.making import recording_sink
from tests.sinks.scenes import decoded, info, times
from tests.sinks.segments.test_recording import INFO, shown

T = 1_700_000_000.0
FPS = 25
GOP = 10


class Site:
    """A camera with a recording, as the store knows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        schema.upgrade(self.connection)

    def record(self, numbers: Iterable[int], at: float = T, size: tuple[int, int] = (160, 120)) -> None:
        """Frames of these numbers, each shown at `at` + number / 25, in files of two seconds."""
        sink = recording_sink(
            self.folder / "gate-%Y%m%d-%H%M%S.mp4", info(size=size), reserve_bytes=0, segment_s=2.0,
            options={"g": str(GOP), "sc_threshold": "0"}, recorded=self.note,
        )  # fmt: skip
        with sink:
            for number in numbers:
                scene = shown(number, size=size)
                sink.write(replace(scene, frame=replace(scene.frame, arrival_wall_clock_s=at + number / FPS)))

    def note(self, file: RecordedFile) -> None:
        recordings.note(self.connection, "gate", file)

    def plan(self, since: float, until: float) -> ExportPlan:
        span = Span(T + since, T + until)
        found = recordings.find(self.connection, "gate", span.start_time, span.end_time)
        plan = make_plan(existing(found), span)
        assert plan is not None
        return plan


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def numbers(path: Path) -> list[int]:
    return [read_number(frame) for frame in decoded(path)]


def test_a_span_over_several_files_has_each_frame_once(site: Site, tmp_path: Path) -> None:
    site.record(range(200))
    done = export(site.plan(1.0, 6.0), tmp_path / "out.mp4")
    shown_numbers = numbers(tmp_path / "out.mp4")
    # Frame 25 is at 1 s; keyframes are every 10 frames from the begin of each file.
    assert shown_numbers[0] == 20
    assert shown_numbers == list(range(20, 20 + len(shown_numbers)))
    assert 149 <= shown_numbers[-1] <= 152
    assert done.start_time == pytest.approx(T + 0.8)
    assert done.duration_s == pytest.approx(len(shown_numbers) / FPS)
    assert done.frames == len(shown_numbers)
    frame_times = times(decoded(tmp_path / "out.mp4"))
    assert [round(float(time), 3) for time in frame_times] == [round(k / FPS, 3) for k in range(len(frame_times))]


def test_pictures_are_not_encoded_again(site: Site, tmp_path: Path) -> None:
    site.record(range(100))
    export(site.plan(0.0, 4.0), tmp_path / "out.mp4")
    files = recordings.find(site.connection, "gate", T, T + 10)
    originals = [bytes(packet) for file in files for packet in packets(file.path)]
    assert [bytes(packet) for packet in packets(tmp_path / "out.mp4")] == originals


def packets(path: Path) -> list[Any]:
    with av.open(str(path)) as read:
        return [packet for packet in read.demux(video=0) if packet.size]


def test_gaps_are_left_out_and_reported(site: Site, tmp_path: Path) -> None:
    site.record(range(50))
    site.record(range(250, 300))
    plan = site.plan(-5.0, 20.0)
    assert [(gap.start_time - T, gap.end_time - T) for gap in plan.gaps] == [
        (-5.0, 0.0), (pytest.approx(2.0), 10.0), (pytest.approx(12.0), 20.0),
    ]  # fmt: skip
    export(plan, tmp_path / "out.mp4")
    assert numbers(tmp_path / "out.mp4") == [*range(50), *range(250, 300)]


def test_a_plan_has_the_files_inside_the_span() -> None:
    begins = (0.0, 2.0, 5.0, 7.0, 9.0)
    files = [StoredRecording(Path(f"{at}.mp4"), "gate", at, at + 2) for at in begins]
    plan = make_plan(reversed(files), Span(2.0, 9.0))
    assert plan is not None
    assert [(part.start_time, part.from_s, part.to_s) for part in plan.parts] == [
        (2.0, None, None), (5.0, None, None), (7.0, None, None),
    ]  # fmt: skip
    assert plan.gaps == []  # a pause of one second is none
    plan = make_plan([replace(files[1], end_time=None), files[3]], Span(3.0, 10.5))
    assert plan is not None
    assert [(part.from_s, part.to_s) for part in plan.parts] == [(1.0, 8.5), (None, None)]
    assert plan.gaps == [Span(9.0, 10.5)]
    assert make_plan(files, Span(11.0, 12.0)) is None


def test_files_that_retention_removed_are_forgotten(site: Site) -> None:
    site.record(range(100))
    first, second = recordings.find(site.connection, "gate", T, T + 10)
    site.note(RecordedFile(first.path, RecordedFileState.REMOVED, first.recording))
    assert recordings.find(site.connection, "gate", T, T + 10) == [second]


def test_a_file_that_is_written_can_be_exported(site: Site, tmp_path: Path) -> None:
    sink = recording_sink(
        site.folder / "gate-%Y%m%d-%H%M%S.mp4", INFO, reserve_bytes=0, options={"g": str(GOP)}, recorded=site.note
    )
    with sink:
        for number in range(200):
            scene = shown(number)
            sink.write(replace(scene, frame=replace(scene.frame, arrival_wall_clock_s=T + number / FPS)))
        export(site.plan(1.0, 5.0), tmp_path / "out.mp4")
        [hidden] = site.folder.glob(".gate-*.partial.mp4")
        (tmp_path / ".door-20260301-083000.0123abcd.partial.mp4").write_bytes(hidden.read_bytes())
    begin = datetime(2026, 3, 1, 8, 30).timestamp()
    span = Span(begin + 1, begin + 5)
    plan = make_plan(named_files(str(tmp_path / "door-%Y%m%d-%H%M%S.mp4"), span), span)
    assert plan is not None
    assert not plan.gaps
    export(plan, tmp_path / "named.mp4")
    for name in ("out.mp4", "named.mp4"):
        exported = numbers(tmp_path / name)
        assert exported[0] == 20
        assert exported == list(range(20, 20 + len(exported)))
        assert 124 <= exported[-1] <= 128


def test_a_change_of_size_is_refused_with_its_time(site: Site, tmp_path: Path) -> None:
    site.record(range(50))
    site.record(range(50, 100), size=(320, 240))
    with pytest.raises(ConfigError, match=r"the video changes at .* \(to 320x240\)"):
        export(site.plan(0.0, 4.0), tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert not list(tmp_path.glob(".*"))


def test_an_existing_file_is_kept(site: Site, tmp_path: Path) -> None:
    site.record(range(50))
    target = tmp_path / "out.mp4"
    target.write_text("mine")
    with pytest.raises(SinkUnavailable, match="exists already"):
        export(site.plan(0.0, 1.0), target)
    assert target.read_text() == "mine"
    export(site.plan(0.0, 1.0), target, overwrite=True)
    assert numbers(target)[0] == 0


def test_damaged_files_are_left_out_and_told(site: Site, tmp_path: Path) -> None:
    site.record(range(100))
    first, second = (file.path for file in recordings.find(site.connection, "gate", T, T + 10))
    first.write_bytes(b"no video")
    done = export(site.plan(0.0, 4.0), tmp_path / "out.mp4")
    assert numbers(tmp_path / "out.mp4") == list(range(50, 100))
    assert [str(first) in line for line in done.notes] == [True]
    second.write_bytes(b"no video")
    with pytest.raises(SourceUnavailable, match="no frame can be read"):
        export(site.plan(0.0, 4.0), tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()


def test_files_are_found_by_their_names_without_a_store(site: Site, tmp_path: Path) -> None:
    begin = datetime(2026, 3, 1, 8, 30).timestamp()
    site.record(range(50))
    [original] = tmp_path.glob("gate*.mp4")
    for second in (0, 2, 4):
        name = datetime.fromtimestamp(begin + second).strftime("door-%Y%m%d-%H%M%S.mp4")
        (tmp_path / name).write_bytes(original.read_bytes())
    found = named_files(str(tmp_path / "door-%Y%m%d-%H%M%S.mp4"), Span(begin + 1, begin + 3))
    assert [file.start_time - begin for file in found] == [0.0, 2.0]
    assert [file.end_time is not None and file.end_time - begin for file in found] == pytest.approx([2.0, 4.0])
    plan = make_plan(found, Span(begin + 1, begin + 3))
    assert plan is not None
    export(plan, tmp_path / "out.mp4")
    assert numbers(tmp_path / "out.mp4")[:31] == [*range(20, 50), 0]


def test_sound_is_copied_from_the_first_frame_on(tmp_path: Path) -> None:
    for name in ("1.mp4", "2.mp4"):
        write_video(tmp_path / name, frames=100, audio=True, options={"g": str(GOP)})
    files = [StoredRecording(tmp_path / f"{at + 1}.mp4", "rec", T + 4 * at, T + 4 * at + 4) for at in range(2)]
    plan = make_plan(files, Span(T + 1.5, T + 6))
    assert plan is not None
    export(plan, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as read:
        video, sound = read.streams.video[0], read.streams.audio[0]
        lasts = [float((one.duration or 0) * (one.time_base or Fraction(0))) for one in (video, sound)]
        samples = [frame.to_ndarray()[0] for frame in read.decode(sound)]
    assert lasts[1] == pytest.approx(lasts[0], abs=0.15)
    heard = np.abs(np.concatenate(samples))
    assert np.mean(heard[4800:] > 0.01) > 0.9  # a tone without a pause


def test_an_interrupted_export_leaves_nothing(site: Site, tmp_path: Path) -> None:
    site.record(range(100))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        export(site.plan(0.0, 4.0), tmp_path / "out.mp4", progress=interrupt)
    assert sorted(tmp_path.iterdir()) == before
