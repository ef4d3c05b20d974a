"""Recordings: cuts without loss, names for complete files only, retention, full disks."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.config.output import OutputSettings
from streamer.errors import SinkError, SinkUnavailable
from streamer.sinks.segments.recording import RecordingSink
from streamer.sinks.segments.segment import Segment
from streamer.sinks.video.retention import is_full, remove_old, require_room
from streamer.sinks.video.segment_names import NamePattern
from streamer.system.backoff import Backoff
from tests.clips import read_number
from tests.disks import mounted_disk
from tests.sinks.making import recording_sink
from tests.sinks.scenes import decoded, info, scene, times

ROOT = Path(__file__).parents[3]
SIZE = (160, 120)
INFO = info(size=SIZE)
STEP = 512  # ticks of a scene at 25 frames a second
BEGAN = datetime(2026, 3, 1, 8, 30, 0)


class Wall:
    """Local time that advances by a step with each call."""

    def __init__(self, step_s: float = 1.0, at: datetime = BEGAN) -> None:
        self._step = timedelta(seconds=step_s)
        self._at = at - self._step

    def __call__(self) -> datetime:
        self._at += self._step
        return self._at


def shown(number: int, *, size: tuple[int, int] = SIZE, pts: int | None = None, pix_fmt: str = "yuv420p") -> Any:
    return scene(number, number * STEP if pts is None else pts, size=size, pix_fmt=pix_fmt, duration=STEP)


def record(pattern: Path | str, numbers: Iterable[int], **options: Any) -> RecordingSink:
    settings: dict[str, Any] = {"now": Wall(), "reserve_bytes": 0} | options
    sink = recording_sink(pattern, INFO, **settings)
    with sink:
        for number in numbers:
            sink.write(shown(number))
    return sink


def write_many(sink: RecordingSink, count: int) -> None:
    for number in range(count):
        sink.write(shown(number))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def numbers_in(path: Path) -> list[int]:
    return [read_number(frame) for frame in decoded(path)]


# Cutting


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_frame_is_in_exactly_one_file(tmp_path: Path, suffix: str) -> None:
    sink = record(tmp_path / f"front{suffix}", range(110), segment_s=1.0)
    files = sorted(tmp_path.iterdir())
    assert [numbers_in(path) for path in files] == [
        list(range(start, min(start + 25, 110))) for start in range(0, 110, 25)
    ]
    assert (sink.written, sink.skipped) == (110, 0)
    for path in files:
        frames = decoded(path)
        assert frames[0].key_frame
        assert [round(float(time), 3) for time in times(frames)] == [round(k * 0.04, 3) for k in range(len(frames))]


def test_files_are_named_by_the_local_time_at_which_they_begin(tmp_path: Path) -> None:
    record(tmp_path / "%Y" / "cam %d.%m. %H-%M-%S 100%%.mp4", range(50), segment_s=1.0, now=Wall(0))
    record(tmp_path / "plain.mp4", range(5), now=Wall(0))
    assert names(tmp_path) == [
        "2026/cam 01.03. 08-30-00 100%-2.mp4",
        "2026/cam 01.03. 08-30-00 100%.mp4",
        "plain-20260301-083000.mp4",
    ]


def test_files_of_the_same_second_do_not_collide(tmp_path: Path) -> None:
    for start in (0, 30):
        record(tmp_path / "day-%Y%m%d.mp4", range(start, start + 30), segment_s=0.4, now=Wall(0))
    files = [tmp_path / f"day-20260301{'' if k == 1 else f'-{k}'}.mp4" for k in range(1, 7)]
    assert names(tmp_path) == sorted(path.name for path in files)
    assert list(itertools.chain(*map(numbers_in, files))) == list(range(60))


def test_a_name_appears_with_the_complete_file(tmp_path: Path) -> None:
    with recording_sink(tmp_path / "a.mp4", INFO, segment_s=1.0, now=Wall(), reserve_bytes=0) as sink:
        for k in range(20):
            sink.write(shown(k))
        (partial,) = names(tmp_path)
        assert partial.startswith(".a-")
        assert ".partial" in partial
        for k in range(20, 80):
            sink.write(shown(k))
            for name in names(tmp_path):
                if not name.startswith("."):
                    assert len(decoded(tmp_path / name)) == 25
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ZeroDivisionError()], ids=["clean", "ctrl-c", "error"])
def test_a_recording_is_complete_however_it_is_left(tmp_path: Path, error: BaseException | None) -> None:
    with (
        suppress(KeyboardInterrupt, ZeroDivisionError),
        recording_sink(tmp_path / "a.mp4", INFO, now=Wall(), reserve_bytes=0) as sink,
    ):
        for k in range(10):
            sink.write(shown(k))
        if error is not None:
            raise error
    (path,) = tmp_path.iterdir()
    assert numbers_in(path) == list(range(10))


def test_a_run_without_frames_leaves_nothing(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4", [])
    assert names(tmp_path) == []


def test_frames_of_another_size_begin_a_file_or_are_scaled(tmp_path: Path) -> None:
    wanted: list[tuple[Any, list[tuple[int, int]]]] = [
        ("reopen", [(160, 10), (320, 10), (320, 10)]),
        ("rescale", [(160, 30)]),
    ]
    for on_change, expected in wanted:
        folder = tmp_path / on_change
        sink = recording_sink(folder / "a.mkv", INFO, on_change=on_change, now=Wall(), reserve_bytes=0)
        with sink:
            for k in range(30):
                pix_fmt = "yuv444p" if k >= 20 else "yuv420p"
                sink.write(shown(k, size=SIZE if k < 10 else (320, 240), pix_fmt=pix_fmt))
        files = sorted(folder.iterdir())
        frames = [decoded(path) for path in files]
        assert [(one[0].width, len(one)) for one in frames] == expected
        assert list(itertools.chain(*map(numbers_in, files))) == list(range(30))


def test_a_clock_that_goes_back_begins_a_new_file(tmp_path: Path) -> None:
    with recording_sink(tmp_path / "a.mp4", INFO, now=Wall(), reserve_bytes=0) as sink:
        for number, pts in enumerate([90_000, 90_512, 0, 512, 1024]):
            sink.write(shown(number, pts=pts))
    assert [numbers_in(path) for path in sorted(tmp_path.iterdir())] == [[0, 1], [2, 3, 4]]


# Old files


def test_the_oldest_files_are_removed_beyond_the_size_limit(tmp_path: Path) -> None:
    strangers = ["rec-1.mp4", "rec-20260301-0830.mp4", "rec-20260301-083000.mkv", "other-20260301-083000.mp4"]
    for name in strangers:
        (tmp_path / name).write_bytes(bytes(1000))
    record(tmp_path / "rec.mp4", range(100), segment_s=0.4, keep_gb=1e-9)
    kept = [name for name in names(tmp_path) if name not in strangers]
    assert [numbers_in(tmp_path / name) for name in kept] == [list(range(90, 100))]
    assert set(strangers) <= set(names(tmp_path))


def test_files_within_the_limits_are_kept(tmp_path: Path) -> None:
    pattern = NamePattern(tmp_path / "%Y%m%d" / "rec-%H%M%S.mp4")
    made = []
    for day, hour in itertools.product(range(1, 4), range(4)):
        path = pattern.at(datetime(2026, 3, day, hour), [])
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (day * 86400 + hour * 3600,) * 2)
        made.append(path)
    remove_old(pattern, OutputSettings(keep_gb=550e-9), now=BEGAN)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == made[-5:]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["20260302", "20260303"]
    remove_old(pattern, OutputSettings(keep_days=3700 / 86400), now=datetime.fromtimestamp(3 * 86400 + 3 * 3600 + 60))
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == made[-2:]


class TwoCleaners(NamePattern):
    """A pattern that lists removed files again, as if another process removed them."""

    def files(self) -> Iterator[Path]:
        found = list(super().files())
        return iter(found + found)


def test_a_file_that_another_process_removed_is_not_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pattern = TwoCleaners(tmp_path / "rec.mp4")
    pattern.at(BEGAN, []).touch()
    remove_old(pattern, OutputSettings(keep_days=1 / 86400), now=datetime(2100, 1, 1))
    assert names(tmp_path) == []
    assert caplog.records == []


def test_a_missing_disk_is_reported(tmp_path: Path) -> None:
    require_room(tmp_path / "rec.mp4", 0)
    with pytest.raises(SinkError, match=r"rec\.mp4: No such file or directory; check that the disk is mounted"):
        require_room(tmp_path / "unplugged" / "rec.mp4", 0)


def test_too_little_free_space_is_reported_before_a_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"less than 1e\+12 MB are free; free some space") as caught:
        require_room(tmp_path / "rec.mp4", 10**18)
    assert is_full(caught.value)


def caused(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (None, False),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (SinkError("cannot write"), False),
        (caused(SinkError("cannot write"), OSError(errno.ENOSPC, "No space left on device")), True),
        (caused(SinkError("cannot write"), caused(ValueError(), OSError(errno.ENOSPC, "No space"))), True),
        (caused(SinkError("cannot write"), OSError(errno.EIO, "Input/output error")), False),
    ],
)
def test_a_full_disk_is_recognised_as_the_cause_of_an_error(error: BaseException | None, full: bool) -> None:
    assert is_full(error) == full


def test_a_file_that_cannot_be_removed_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    pattern = NamePattern(tmp_path / "rec.mp4")
    path = pattern.at(BEGAN, [])
    path.touch()
    remove_old(pattern, OutputSettings(keep_days=1 / 86400), now=datetime(2100, 1, 1))
    assert [record.getMessage() for record in caplog.records] == [f"cannot remove {path}: Permission denied"]


# Disks that fill up


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    with mounted_disk(tmp_path, "1m") as disk:
        yield disk


class Clock:
    """A clock that advances by a minute with each call, so that every wait between attempts is over."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        self._now_s += 60.0
        return self._now_s


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    loggers = ("streamer.sinks.segments", "streamer.sinks.outage")
    return [record.getMessage() for record in caplog.records if record.name.startswith(loggers)]


def test_a_file_is_completed_before_the_disk_is_full(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    with recording_sink(
        small_disk / "a.mp4", INFO, crf=5, reserve_bytes=300_000, now=Wall(), clock=Clock(), options={"bf": "0"}
    ) as sink:
        count = 0
        while sink.connected and count < 900:
            sink.write(shown(count))
            count += 1
        assert not sink.connected
        (name,) = [name for name in names(small_disk) if name.startswith("a-")]
        assert numbers_in(small_disk / name) == list(range(count - 1))
        sink.write(shown(count))
        ballast.unlink()
        sink.write(shown(count + 1))
        assert sink.connected
    assert (sink.written, sink.skipped) == (count, 2)
    full, back = lines_of(caplog)[:2]
    assert re.fullmatch(r"cannot write .*a-.*mp4: less than 0.3 MB are free; free some space; trying again, .*", full)
    assert back.endswith("2 scenes skipped")
    assert len(names(small_disk)) == 2


def test_old_files_make_room(small_disk: Path) -> None:
    sink = record(
        small_disk / "a.mp4", range(900), segment_s=2.0, keep_gb=0.0003, crf=5, reserve_bytes=100_000, clock=Clock()
    )
    assert (sink.written, sink.skipped) == (900, 0)
    assert sum(path.stat().st_size for path in small_disk.iterdir()) < 900_000


def test_the_partial_file_of_a_full_disk_is_recovered_later(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recording_sink(small_disk / "a.mkv", INFO, crf=1, reserve_bytes=0, now=Wall(), clock=Clock()) as sink:
        (small_disk / "ballast").write_bytes(bytes(900_000))
        for k in range(900):
            sink.write(shown(k))
            if not sink.connected:
                break
        assert not sink.connected
        (partial, _) = names(small_disk)
        assert partial.startswith(".a-")
        (small_disk / "ballast").unlink()
        sink.write(shown(900))
        assert sink.connected
    lines = lines_of(caplog)
    assert "the partial file is kept as" in lines[0]
    assert "No space left on device" in lines[1]
    first, second = (numbers_in(small_disk / name) for name in names(small_disk))
    assert first == list(range(len(first)))
    assert sink.written - 20 < len(first) <= sink.written  # half a second in the muxer, and what did not fit
    assert second == [900]


def test_a_required_recording_ends_the_run_on_a_full_disk(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(300_000))
    with (
        recording_sink(small_disk / "a.mp4", INFO, crf=5, reserve_bytes=300_000, required=True, now=Wall()) as sink,
        pytest.raises(SinkError, match=r"less than 0\.3 MB are free; free some space"),
    ):
        write_many(sink, 900)
    (name,) = [name for name in names(small_disk) if name.startswith("a-")]
    assert numbers_in(small_disk / name) == list(range(sink.written))


def test_a_file_size_limit_is_treated_as_a_full_disk(tmp_path: Path) -> None:
    # In a process of its own: the limit on file sizes is the nearest to a quota that needs no privileges.
    program = f"""
        import logging, resource, signal
        from tests.sinks.segments.test_recording import INFO, Clock, Wall, recording_sink, shown
        logging.basicConfig(format="%(message)s")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
        with recording_sink({str(tmp_path / "a.mkv")!r}, INFO, crf=1, now=Wall(), clock=Clock()) as sink:
            for k in range(200):
                sink.write(shown(k))
            print(sink.skipped > 0, sink.connected)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "True True\n"
    assert "File too large; free some space" in ran.stderr
    assert "Traceback" not in ran.stderr
    found = sorted(numbers_in(path) for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert found[-1][-1] == 199
    assert all(numbers == list(range(numbers[0], numbers[-1] + 1)) for numbers in found)


def test_leaving_does_not_wait_for_a_write_that_hangs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, go_on = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hanging.set()
        go_on.wait()

    monkeypatch.setattr(Segment, "write", hang)
    sink = recording_sink(tmp_path / "a.mp4", INFO, now=Wall(), reserve_bytes=0)
    sink.__enter__()
    writer = threading.Thread(target=sink.write, args=(shown(0),))
    writer.start()
    hanging.wait()
    sink.__exit__(None, None, None)
    assert writer.is_alive()
    assert "another thread still writes" in caplog.text
    go_on.set()
    writer.join()
    sink.__exit__(None, None, None)


def test_the_disk_is_full_at_the_start(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(900_000))
    with (
        pytest.raises(SinkUnavailable, match="free some space"),
        recording_sink(small_disk / "a.mp4", INFO, required=True, reserve_bytes=300_000),
    ):
        pytest.fail("the sink opened")
    with recording_sink(small_disk / "a.mp4", INFO, reserve_bytes=300_000, now=Wall(), clock=Clock()) as sink:
        sink.write(shown(0))
        assert sink.skipped == 1
        (small_disk / "ballast").unlink()
        sink.write(shown(1))
        assert sink.written == 1


def test_there_is_no_attempt_between_two_waits(tmp_path: Path) -> None:
    now_s, attempts = 0.0, []

    def wall() -> datetime:
        attempts.append(now_s)
        return BEGAN

    enough = 1 << 62  # bytes that no disk has
    backoff = Backoff(10.0, 20.0, jitter=random.Random(1))
    with recording_sink(
        tmp_path / "a.mp4", INFO, reserve_bytes=enough, clock=lambda: now_s, backoff=backoff, now=wall
    ) as sink:
        attempts.clear()
        for later_s in (0.0, 5.0, 7.0, 13.0):
            now_s = later_s
            sink.write(shown(0))
    assert sink.skipped == 4
    assert set(attempts) == {0.0, 13.0}
    assert names(tmp_path) == []


# Refused


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rec", {}, "end the name with the suffix of a container"),
        ("rec.xyz", {}, "no video container has that suffix"),
        ("rec-%B.mp4", {}, "a name cannot have %B; use %Y %m %d"),
        ("rec-%.mp4", {}, "end the name|a name cannot have"),
        ("rec.mp4", {"codec": "h246"}, "did you mean"),
        ("rec.mp4", {"options": {"rc-lookahaed": "1"}}, "did you mean"),
        ("file/rec.mp4", {}, "cannot make the folder"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    tmp_path: Path, name: str, given: dict[str, Any], message: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkUnavailable, match=message) as caught:
        record(tmp_path / name, [], **given)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]


def test_writing_to_a_sink_that_is_not_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="not open"):
        recording_sink(tmp_path / "a.mp4", INFO).write(shown(0))


def test_many_cuts_leave_no_thread_and_no_open_file(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4", range(5))
    process = psutil.Process()
    files, threads = process.num_fds(), threading.active_count()
    record(tmp_path / "a.mp4", range(60), segment_s=0.2)
    assert process.num_fds() == files
    assert threading.active_count() == threads


# Names


@example(datetime(2000, 1, 1), "0" * 29)
@given(st.datetimes(), st.text(st.characters(codec="utf-8", exclude_characters="/\0%", exclude_categories=["C"])))
def test_a_pattern_matches_its_own_files(tmp_path_factory: pytest.TempPathFactory, at: datetime, text: str) -> None:
    folder = tmp_path_factory.mktemp("own")
    pattern = NamePattern(folder / "%Y-%m" / f"a{text[:30]} %d%H%M%S.mp4")
    first = pattern.at(at, [])
    second = pattern.at(at, [first])
    assert first != second
    first.parent.mkdir()
    for path in (first, second):
        path.touch()
        path.with_name(f".{path.stem}.0123abcd.partial.mp4").touch()
    path.with_name(f"x{first.name}").touch()
    assert set(pattern.files()) == {first, second}
    assert len(set(pattern.partials())) == 2
