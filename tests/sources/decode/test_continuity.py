"""The continuous clock of files whose time stamps restart, jump, pause or are broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.sources.decode.continuity import ContinuousClock
from streamer.sources.file.file import FileSource
from tests.clips import read_number
from tests.structure import PART_NUMBERS, FilePlan, StreamPlan, build, contents

TICK_S = Fraction(1, 90_000)
SECOND = Fraction(1)


@dataclass(frozen=True)
class Moved:
    """The result of reading a file: for each part, the offsets of its frames and its audio; and the notes."""

    pictures: dict[int, set[Fraction]]
    sound: dict[int, set[Fraction]]
    times: list[Fraction]
    notes: list[str]


def moved(path: Path) -> Moved:
    """Read a file of `FilePlan` parts; the content identifies the parts."""
    plain = contents(path)
    with FileSource(path, threads=1) as source:
        assert source.passthrough is not None
        subscription = source.passthrough.subscribe()
        frames = list(source)
        packets = [(stream, packet) for stream, packet in subscription.take(None) if stream.kind == "audio"]
        notes = list(source.notes)
    numbers = [read_number(frame.picture) for frame in frames]
    assert numbers == plain.numbers
    pictures: dict[int, set[Fraction]] = {}
    for number, frame, before in zip(numbers, frames, plain.times, strict=True):
        pictures.setdefault(number // PART_NUMBERS, set()).add(frame.pts * frame.time_base - (before or 0))
    sound: dict[int, set[Fraction]] = {}
    for heard in [stream for stream in plain.streams if stream.kind == "audio"]:
        places = {data: time for time, data in heard.packets}
        part, last = 0, None
        for stream, packet in packets:
            before = places[packet.data]
            assert before is not None
            if last is not None and not -Fraction(1, 10) < before - last < 100:
                part += 1
            last = before
            sound.setdefault(part, set()).add(packet.ticks * stream.time_base - before)
        assert len(packets) == len(heard.packets)
    return Moved(pictures, sound, [frame.pts * frame.time_base for frame in frames], notes)


def joined(codec: str = "h264", *, picture_s: Fraction = SECOND, sound_s: Fraction = SECOND, **more: Any) -> FilePlan:
    return FilePlan(".ts", (StreamPlan(codec, picture_s), StreamPlan("mp2", sound_s)), **({"parts": 3} | more))


def assert_in_step(found: Moved, parts: int) -> None:
    """All packets of a part have the same offset, and times rise."""
    assert sorted(found.pictures) == list(range(parts))
    for part, offsets in found.pictures.items():
        assert max(offsets) - min(offsets) <= TICK_S
        if part in found.sound:
            assert max(found.sound[part] | offsets) - min(found.sound[part] | offsets) <= 2 * TICK_S
    assert found.times == sorted(set(found.times))


def assert_untouched(found: Moved) -> None:
    """All times are unchanged, and there are no notes."""
    assert found.notes == []
    assert [*found.pictures.values(), *found.sound.values()] in ([{0}], [{0}, {0}])


@pytest.mark.parametrize("codec", ["h264", "reordered", "mpeg2video"])
@pytest.mark.parametrize("lag_s", [0, -30, 30, Fraction(1, 2)])
@pytest.mark.parametrize("start_s", [0, 1, 7200])
def test_joined_parts_keep_audio_and_video_in_sync(tmp_path: Path, codec: str, lag_s: Fraction, start_s: int) -> None:
    starts = (Fraction(start_s),) * 2
    plan = joined(
        codec, sound_s=Fraction(7, 10), lag_s=Fraction(lag_s), part_starts_s=starts, offset_s=Fraction(start_s)
    )
    found = moved(build(plan, tmp_path / "in.ts"))
    assert_in_step(found, 3)
    assert len(found.notes) == 2
    assert all("restarts" in note for note in found.notes)
    gaps = [later - earlier for earlier, later in zip(found.times, found.times[1:], strict=False)]
    assert max(gaps) <= Fraction(3, 25)  # no gap between the parts beyond the decoding delay


def test_the_times_of_frames_do_not_depend_on_whether_audio_is_copied(tmp_path: Path) -> None:
    """The audio of a part is longer than its video, so it determines where the next part begins."""
    path = build(joined(sound_s=Fraction(7, 5)), tmp_path / "in.ts")
    with FileSource(path, threads=1) as source:
        times = [frame.pts * frame.time_base for frame in source]
    assert times == moved(path).times


def test_the_note_has_the_time_in_the_output(tmp_path: Path) -> None:
    plan = joined(offset_s=Fraction(7, 5), parts=2)
    found = moved(build(plan, tmp_path / "in.ts"))
    (note,) = found.notes
    (second,) = found.pictures[1]
    assert "restarts at 1.008 s" in note  # the audio of the first part has 42 packets of 24 ms
    assert second == Fraction(1008, 1000)


def test_a_jump_of_two_hours_is_closed_and_reported(tmp_path: Path) -> None:
    found = moved(build(joined(parts=2, part_starts_s=(Fraction(7201),)), tmp_path / "in.ts"))
    assert_in_step(found, 2)
    assert found.times[-1] < 3
    assert len(found.notes) == 1
    assert "jumps at 1.008 s" in found.notes[0]
    assert "(-7199.992 s)" in found.notes[0]


@pytest.mark.parametrize("pause_s", [8, 9])
def test_a_pause_is_kept(tmp_path: Path, pause_s: int) -> None:
    gaps = ((10, Fraction(pause_s)),)
    plan = FilePlan(".ts", (StreamPlan("reordered", gaps=gaps), StreamPlan("mp2", gaps=gaps)))
    found = moved(build(plan, tmp_path / "in.ts"))
    assert_untouched(found)
    assert max(later - earlier for earlier, later in zip(found.times, found.times[1:], strict=False)) > pause_s


def test_a_longer_pause_of_one_stream_is_not_a_jump(tmp_path: Path) -> None:
    streams = (StreamPlan("h264", Fraction(2), stretch=20), StreamPlan("mp2", gaps=((10, Fraction(30)),)))
    found = moved(build(FilePlan(".ts", streams), tmp_path / "in.ts"))
    assert_untouched(found)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4", ".nut"])
@pytest.mark.parametrize("lag_s", [30, -30])
@pytest.mark.parametrize("durations", ["right", "missing", "absurd"])
def test_audio_far_from_its_video_is_not_a_restart(tmp_path: Path, suffix: str, lag_s: int, durations: str) -> None:
    codec, sound = "h264" if suffix == ".nut" else "reordered", "mp2" if suffix != ".mp4" else "mp3"
    streams = (StreamPlan(codec, Fraction(2), stretch=20, durations=durations), StreamPlan(sound, Fraction(2)))
    found = moved(build(FilePlan(suffix, streams, lag_s=Fraction(lag_s)), tmp_path / f"in{suffix}"))
    assert_untouched(found)


def test_reordered_frames_around_a_pause_are_not_a_restart(tmp_path: Path) -> None:
    streams = (StreamPlan("reordered", gaps=((2, Fraction(3)),)), StreamPlan("aac"))
    found = moved(build(FilePlan(".mkv", streams), tmp_path / "in.mkv"))
    assert_untouched(found)


def test_derived_decoding_times_that_go_back_are_not_a_restart(tmp_path: Path) -> None:
    streams = (StreamPlan("reordered", stretch=20), StreamPlan("mp2", Fraction(2)))
    assert_untouched(moved(build(FilePlan(".mkv", streams), tmp_path / "in.mkv")))


def test_three_restarts_within_a_second(tmp_path: Path) -> None:
    plan = joined(picture_s=Fraction(8, 25), sound_s=Fraction(8, 25), parts=4)
    found = moved(build(plan, tmp_path / "in.ts"))
    assert_in_step(found, 4)
    assert len(found.notes) == 3
    assert found.times[-1] < Fraction(3, 2)


def test_a_part_without_audio_continues_after_one_with_audio(tmp_path: Path) -> None:
    first = build(joined(parts=1), tmp_path / "a.ts")
    silent = FilePlan(".ts", (StreamPlan("h264", Fraction(2), stretch=10),))
    size = build(silent, tmp_path / "b.ts").stat().st_size
    build(replace(silent, parts=2), tmp_path / "b.ts")  # for the frames of a second part
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + (tmp_path / "b.ts").read_bytes()[size:])
    found = moved(both)
    assert_in_step(found, 2)
    assert len(found.notes) == 1
    assert found.times[-1] > 20


def test_the_number_of_reported_restarts_is_limited(tmp_path: Path) -> None:
    plan = joined(picture_s=Fraction(8, 25), sound_s=Fraction(8, 25), parts=9)
    part = build(plan, tmp_path / "in.ts").read_bytes()
    (tmp_path / "in.ts").write_bytes(part * 4)
    with FileSource(tmp_path / "in.ts") as source:
        times = [frame.pts for frame in source]
        assert times == sorted(set(times))
        assert len(source.notes) == 20


def packets(path: Path, streams: int = 2) -> Iterator[Any]:
    with av.open(str(path)) as container:
        yield from (one for one in container.demux() if one.size and one.stream_index < streams)


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize(
    ("jumps", "error_s"), [(True, -3600), (True, -5), (True, 40), (False, -3600), (False, -5), (False, 200_000)]
)
def test_one_broken_time_stamp_is_not_a_restart(tmp_path: Path, jumps: bool, streams: int, error_s: int) -> None:
    clip = build(joined(parts=1), tmp_path / "in.ts")
    clock, given, placed = ContinuousClock(jumps=jumps), [], []
    for number, packet in enumerate(packets(clip, streams)):
        given.append((packet.stream_index, packet.dts))
        if number == 20:
            packet.dts += error_s * 90_000
            packet.pts += error_s * 90_000
        placed += [(one.stream_index, one.dts) for one in clock.place(packet)]
    placed += [(one.stream_index, one.dts) for one in clock.finish()]
    assert clock.discontinuities == []
    assert clock.offset == 0
    assert len(placed) == len(given)
    kept = [after for before, after in zip(given, placed, strict=True) if before == after]
    assert len(kept) == len(given) - 1  # only the broken time is removed or kept


def test_a_pause_up_to_the_end_of_a_part_is_not_a_broken_time(tmp_path: Path) -> None:
    gaps = ((20, Fraction(3)),)
    plan = FilePlan(".ts", (StreamPlan("h264", Fraction(21, 25), gaps=gaps), StreamPlan("mp2", gaps=gaps)), parts=3)
    with FileSource(build(plan, tmp_path / "in.ts")) as source:  # the audio is unused and therefore not read further
        times = [frame.pts * frame.time_base for frame in source]
        assert times == sorted(set(times))
        assert len(source.notes) == 2


@pytest.mark.parametrize("jumps", [True, False])
def test_a_restart_is_detected_in_every_format(tmp_path: Path, jumps: bool) -> None:
    clip = build(joined(parts=3), tmp_path / "in.ts")
    clock, placed = ContinuousClock(jumps=jumps), []
    for packet in packets(clip):
        placed += [(one.stream_index, one.dts) for one in clock.place(packet)]
    placed += [(one.stream_index, one.dts) for one in clock.finish()]
    assert len(clock.discontinuities) == 2
    assert clock.offset == 2 * Fraction(1008, 1000)
    for index in (0, 1):
        times = [ticks for one, ticks in placed if one == index and ticks is not None]
        assert times == sorted(set(times))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("start_s", [Fraction(1, 2), Fraction(3, 5)])
def test_a_part_that_overlaps_the_previous_one_is_separated(tmp_path: Path, first: int, start_s: Fraction) -> None:
    """Its clock starts within the previous part, and its first packets reach the end of that part."""
    lag_s = Fraction(-1, 5) if first else Fraction(1, 5)
    plan = joined(sound_s=Fraction(4, 5), lag_s=lag_s, part_starts_s=(start_s, start_s))
    found = moved(build(plan, tmp_path / "in.ts"))
    assert_in_step(found, 3)
    assert len(found.notes) == 2
