"""After `kill -9` or a power failure, the next start recovers a recording except for its last seconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import describe_streams, passthrough_packet
from streamer.sinks.muxing.adts import has_headers
from streamer.sinks.muxing.crash_safe import CrashSafeFile
from streamer.sinks.muxing.remux import StoppedError, UnreadableError, remux
from streamer.sinks.video.disk_sync import DiskSync
from streamer.sinks.video.recovery import Recovery, lock, lock_own, remux_in_place
from streamer.sinks.video.segment_names import NamePattern, free_name, partial_stem, partials_of
from tests.clips import write_video
from tests.sinks.making import recording_sink, video_sink
from tests.sinks.muxing.claps import Feed, claps_in, click_track
from tests.sinks.scenes import decoded, info, times
from tests.sinks.segments.test_recording import INFO, ROOT, STEP, Wall, names, numbers_in, record, shown

MOST_LOST = 50
"""Frames: two seconds."""


@pytest.fixture(autouse=True)
def _enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run that ends wait for recovery, also on a slow machine."""
    monkeypatch.setattr("streamer.sinks.video.recovery._LONGEST_END_S", 60.0)


# The killed process records, prints that it does, and waits.
PROGRAM = """
    import sys
    from fractions import Fraction
    from tests.sinks.making import recording_sink, video_sink
    from tests.sinks.muxing.claps import Feed, click_track
    from tests.sinks.scenes import info, scene
    from tests.sinks.segments.test_recording import SIZE, STEP, shown

    def shown_at(number, fps):
        return scene(number, number * 12800 // fps, size=SIZE, duration=12800 // fps)

    {body}
    print("recording", flush=True)
    sys.stdin.read()
"""


def killed_after(body: str) -> None:
    """Run a program up to its last line, and kill it."""
    program = textwrap.dedent(PROGRAM).replace("{body}", textwrap.dedent(body))
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == "recording\n"
        recorder.send_signal(signal.SIGKILL)
        recorder.wait()


def recorded(pattern: Path, count: int, sink: str = "recording_sink({pattern}, info(size=SIZE, {more}), {given})",
             fps: int = 25, more: str = "", **given: Any) -> None:  # fmt: skip
    settings = ", ".join(f"{name}={value!r}" for name, value in given.items())
    made = sink.format(pattern=repr(str(pattern)), more=f"average_fps=Fraction({fps}), {more}", given=settings)
    killed_after(
        f"sink = {made}\nsink.__enter__()\nfor number in range({count}):\n    sink.write(shown_at(number, {fps}))\n"
    )


def finished(pattern: Path) -> None:
    """Start again, and end after the recovery."""
    with recording_sink(pattern, INFO, reserve_bytes=0):
        pass


def only(folder: Path) -> Path:
    (name,) = names(folder)
    return folder / name


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", None),
        (".mov", None),
        (".mkv", None),
        (".avi", None),
        (".ts", None),
        (".webm", "vp9"),
        (".webm", "av1"),
        pytest.param(".mp4", "hevc", marks=pytest.mark.slow),
        pytest.param(".mp4", "av1", marks=pytest.mark.slow),
        pytest.param(".mkv", "ffv1", marks=pytest.mark.slow),
        pytest.param(".mp4", "mpeg4", marks=pytest.mark.slow),
        pytest.param(".flv", None, marks=pytest.mark.slow),
        pytest.param(".nut", None, marks=pytest.mark.slow),
    ],
)
def test_the_next_run_recovers_the_files_of_a_killed_run(
    tmp_path: Path, suffix: str, codec: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(tmp_path / f"cam{suffix}", 130, codec=codec)
    partial = only(tmp_path)
    wanted = f"{partial_stem(partial)}{suffix}"
    finished(tmp_path / f"cam{suffix}")
    path = only(tmp_path)
    assert path.name == wanted
    numbers = numbers_in(path)
    if codec == "hevc":  # of the last pictures those that are shown earlier come later
        del numbers[-4:]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 130 - MOST_LOST
    frames = decoded(path)[: len(numbers)]
    assert [float(one) for one in times(frames)] == pytest.approx(
        [k * 0.04 + float(times(frames)[0]) for k in range(len(frames))], abs=0.0011
    )
    message = [record.getMessage() for record in caplog.records if "killed run" in record.getMessage()]
    assert len(message) == 1
    assert f"recovered {path} of a killed run: " in message[0]
    with av.open(str(path)) as container:
        assert container.duration is not None


@pytest.mark.parametrize(("fps", "codec"), [(5, "h264"), (1, "h264"), (5, "hevc"), (2, "av1"), (25, "hevc")])
@pytest.mark.slow
def test_slow_cameras_lose_no_more_frames(tmp_path: Path, fps: int, codec: str) -> None:
    count = 8 * fps if fps == 25 else 20 * fps
    recorded(tmp_path / "cam.mp4", count, fps=fps, codec=codec)
    finished(tmp_path / "cam.mp4")
    numbers = sorted(number for path in tmp_path.iterdir() for number in numbers_in(path))
    assert len(numbers) >= count - max(2 * fps, 1)
    if codec == "hevc":  # of the last pictures those that are shown earlier come later
        del numbers[-4:]
    assert numbers == list(range(len(numbers)))


def test_a_camera_below_its_nominal_rate_loses_no_more(tmp_path: Path) -> None:
    # The nominal rate is 25 frames per second and the real one 2, so the encoder's delay at 25 is 8 s.
    body = f"""
        sink = recording_sink({str(tmp_path / "cam.mp4")!r}, info(size=SIZE), codec="hevc")
        sink.__enter__()
        for number in range(40):
            sink.write(shown_at(number, 2))
    """
    killed_after(textwrap.dedent(body))
    finished(tmp_path / "cam.mp4")
    numbers = sorted(number for path in tmp_path.iterdir() for number in numbers_in(path))
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 36


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("late_s", [0.0, 1.3])
def test_audio_stays_in_sync(tmp_path: Path, suffix: str, late_s: float) -> None:
    body = f"""
        from tests.sinks.muxing.claps import SIZE, clap_scene
        feed = Feed(click_track("aac", 8.0), late_s={late_s})
        sink = recording_sink({str(tmp_path / f"cam{suffix}")!r}, info(size=SIZE), passthrough=feed.passthrough)
        sink.__enter__()
        feed.passthrough.begin()
        for number in range(150):
            sink.write(feed.come(clap_scene(number)))
    """
    killed_after(textwrap.dedent(body))
    finished(tmp_path / f"cam{suffix}")
    seen, heard = claps_in(only(tmp_path))
    assert len(seen) >= 4
    assert len(heard) >= 2
    for a, b in zip(seen, heard, strict=False):
        assert abs(a - b) <= 0.04


def test_a_silent_audio_stream_loses_no_more_frames(tmp_path: Path) -> None:
    body = f"""
        stream, _ = click_track("aac", 1.0)
        feed = Feed((stream, []))
        sink = recording_sink({str(tmp_path / "cam.mp4")!r}, info(size=SIZE), passthrough=feed.passthrough)
        sink.__enter__()
        feed.passthrough.begin()
        for number in range(200):
            sink.write(feed.come(shown(number)))
    """
    killed_after(textwrap.dedent(body))
    finished(tmp_path / "cam.mp4")
    numbers = sorted(number for path in tmp_path.iterdir() for number in numbers_in(path))
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 200 - MOST_LOST


def test_a_live_video_in_one_file_is_crash_safe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "out.mp4"
    made = "video_sink({pattern}, info(size=SIZE, live=True, {more}), {given})"
    recorded(path, 130, sink=made)
    left = set(partials_of(path))
    assert len(left) == 1
    with video_sink(path, info(size=(160, 120), live=True)) as sink:
        sink.write(shown(7))
    assert names(tmp_path) == ["out-2.mp4", "out.mp4"]
    assert numbers_in(path) == [7]
    numbers = numbers_in(tmp_path / "out-2.mp4")
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 130 - MOST_LOST
    assert any("recovered" in one.getMessage() and "out-2.mp4" in one.getMessage() for one in caplog.records)


def test_the_open_file_of_another_process_is_left_alone(tmp_path: Path) -> None:
    with recording_sink(tmp_path / "cam.mp4", INFO, reserve_bytes=0) as sink:
        for number in range(60):
            sink.write(shown(number))
        (partial,) = names(tmp_path)
        # Of this process: a lock belongs to the open file, so a second sink is refused as another process is.
        finished(tmp_path / "cam.mp4")
        assert names(tmp_path) == [partial]
    assert numbers_in(only(tmp_path)) == list(range(60))


def test_files_of_other_recordings_are_left_alone(tmp_path: Path, one_left: bytes) -> None:
    (tmp_path / ".other-20260301-083000.01234567.partial.mp4").write_bytes(one_left)
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == [".other-20260301-083000.01234567.partial.mp4"]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """For each container, the partial file of a killed run with 130 frames."""
    found = {}
    for suffix in (".mp4", ".mkv", ".ts", ".avi"):
        folder = tmp_path_factory.mktemp("left")
        recorded(folder / f"cam{suffix}", 130)
        found[suffix] = only(folder).read_bytes()
    return found


@pytest.fixture
def one_left(left: dict[str, bytes]) -> bytes:
    return left[".mp4"]


def hidden(folder: Path, suffix: str = ".mp4", stem: str = "cam-20260301-083000") -> Path:
    return folder / f".{stem}.01234567.partial{suffix}"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_a_truncated_file_is_read_up_to_its_end(tmp_path: Path, suffix: str, left: dict[str, bytes]) -> None:
    # A power cut leaves any length of it.
    whole = left[suffix]
    counts = []
    for share in range(1, 25):
        folder = tmp_path / str(share)
        folder.mkdir()
        hidden(folder, suffix).write_bytes(whole[: len(whole) * share // 24])
        finished(folder / f"cam{suffix}")
        found = [numbers_in(path) for path in folder.iterdir()]
        numbers = found[0] if found else []
        assert numbers == list(range(len(numbers)))
        counts.append(len(numbers))
    assert counts == sorted(counts)
    assert counts[-1] >= 130 - MOST_LOST
    # Of each part no more than half a second is lost, and what the encoder gives of a key frame more.
    assert all(count >= (130 * (k + 1) // 24) - 40 for k, count in enumerate(counts))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_power_failure_in_the_trailer_leaves_a_readable_file(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is on the disk before the index, with all of it, and with what makes it valid.
    states: list[bytes] = []
    seal, begin = CrashSafeFile.seal, CrashSafeFile.begin_trailer

    def noted(file: CrashSafeFile) -> None:
        states.append(Path(str(file.name)).read_bytes())
        (seal if len(states) % 2 == 0 else begin)(file)

    monkeypatch.setattr(CrashSafeFile, "begin_trailer", noted)
    monkeypatch.setattr(CrashSafeFile, "seal", noted)
    record(tmp_path / f"cam{suffix}", range(130))
    monkeypatch.undo()
    before, after = states
    assert len(after) > len(before)
    for cut in (len(before), (len(before) + len(after)) // 2, len(after)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        hidden(folder, suffix).write_bytes(after[:cut])
        finished(folder / f"cam{suffix}")
        numbers = numbers_in(only(folder))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= 110


def test_partial_files_without_a_frame_are_removed_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, one_left: bytes
) -> None:
    empty, header = hidden(tmp_path, stem="cam-20260301-083000"), hidden(tmp_path, stem="cam-20260301-083001")
    empty.touch()
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == [empty.name]  # less than a minute old: it may not be locked yet
    old_s = time.time() - 100
    os.utime(empty, (old_s, old_s))
    header.write_bytes(one_left[:88])
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == []
    assert sum("it has no frame" in one.getMessage() for one in caplog.records) == 2


def test_large_unreadable_files_are_kept_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hidden(tmp_path).write_bytes(os.urandom(200_000))
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == [hidden(tmp_path).name]
    assert any("cannot read" in one.getMessage() and "kept" in one.getMessage() for one in caplog.records)


def test_a_name_that_came_into_use_meanwhile_gets_a_number(tmp_path: Path, one_left: bytes) -> None:
    hidden(tmp_path).write_bytes(one_left)
    (tmp_path / "cam-20260301-083000.mp4").write_bytes(b"another")
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == ["cam-20260301-083000-2.mp4", "cam-20260301-083000.mp4"]
    assert (tmp_path / "cam-20260301-083000.mp4").read_bytes() == b"another"


def test_a_new_file_of_the_same_minute_does_not_take_its_name(tmp_path: Path, one_left: bytes) -> None:
    hidden(tmp_path, stem="cam-0830").write_bytes(one_left)
    record(tmp_path / "cam-%H%M.mp4", range(3), now=Wall(0))
    assert names(tmp_path) == ["cam-0830-2.mp4", "cam-0830.mp4"]
    assert len(numbers_in(tmp_path / "cam-0830.mp4")) > 3
    assert numbers_in(tmp_path / "cam-0830-2.mp4") == [0, 1, 2]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_shortened_name_is_recognised(tmp_path: Path, suffix: str) -> None:
    pattern = tmp_path / f"{'long' * 40}-%H%M%S{suffix}"
    recorded(pattern, 60)
    wanted = partial_stem(only(tmp_path))
    finished(pattern)
    assert only(tmp_path).name == f"{wanted}{suffix}"
    assert len(wanted or "") == 167


def test_the_age_of_a_recovered_file_is_that_of_its_last_frame(tmp_path: Path, one_left: bytes) -> None:
    path = hidden(tmp_path)
    path.write_bytes(one_left)
    os.utime(path, (1e9, 1e9))
    finished(tmp_path / "cam.mp4")
    assert only(tmp_path).stat().st_mtime == 1e9


def test_retention_removes_recovered_files(tmp_path: Path, one_left: bytes) -> None:
    path = hidden(tmp_path)
    path.write_bytes(one_left)
    os.utime(path, (1e9, 1e9))
    with recording_sink(tmp_path / "cam.mp4", INFO, keep_days=60 / 86400, reserve_bytes=0):
        pass
    assert names(tmp_path) == []


# Killed while what was left is being finished


def test_an_incomplete_copy_is_made_again(tmp_path: Path, one_left: bytes) -> None:
    hidden(tmp_path).write_bytes(one_left)
    hidden(tmp_path).with_name(".cam-20260301-083000.01234567.finishing.mp4").write_bytes(one_left[:1000])
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == ["cam-20260301-083000.mp4"]


def test_only_the_hidden_name_of_a_named_file_is_removed(tmp_path: Path, one_left: bytes) -> None:
    final = tmp_path / "cam-20260301-083000.mp4"
    final.write_bytes(one_left)
    os.link(final, hidden(tmp_path))
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == [final.name]
    assert final.read_bytes() == one_left


def test_a_stopped_copy_leaves_the_partial_file(tmp_path: Path, one_left: bytes) -> None:
    path = hidden(tmp_path)
    path.write_bytes(one_left)
    with pytest.raises(StoppedError):
        remux_in_place(path, path, stopped=lambda: True)
    assert names(tmp_path) == [path.name]
    assert path.read_bytes() == one_left


def test_recovery_on_a_full_disk_keeps_the_partial_file(
    tmp_path: Path, one_left: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    path = hidden(tmp_path)
    path.write_bytes(one_left)
    monkeypatch.setattr("streamer.sinks.video.recovery.sync", full)
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == [path.name]
    assert path.read_bytes() == one_left
    (message,) = [one.getMessage() for one in caplog.records]
    assert message.endswith(": No space left on device; the file is kept")


def test_recovery_does_not_begin_a_copy_that_would_fill_the_disk(
    tmp_path: Path, one_left: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hidden(tmp_path).write_bytes(one_left)
    pattern = NamePattern(tmp_path / "cam.mp4")
    recovery = Recovery(pattern, pattern.partials, reserve_bytes=1 << 60)
    recovery.begin()
    recovery.close()
    assert names(tmp_path) == [hidden(tmp_path).name]
    (message,) = [one.getMessage() for one in caplog.records]
    assert "cannot recover " in message
    assert "free some space; the file is kept" in message


def test_a_check_of_a_new_file_does_not_take_its_lock(tmp_path: Path) -> None:
    path = hidden(tmp_path)
    path.touch()
    looking = lock(path)
    taken: list[int | None] = []
    owner = threading.Thread(target=lambda: taken.append(lock_own(path)))
    owner.start()
    os.close(looking)
    owner.join(30)
    (own,) = taken
    assert own is not None
    with pytest.raises(BlockingIOError):
        lock(path)
    os.close(own)


def test_only_one_of_two_processes_recovers_a_file(tmp_path: Path, one_left: bytes) -> None:
    path = hidden(tmp_path)
    path.write_bytes(one_left)
    descriptor = lock(path)
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == [path.name]
    os.close(descriptor)
    finished(tmp_path / "cam.mp4")
    assert names(tmp_path) == ["cam-20260301-083000.mp4"]


# What the finished file is like


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_recovered_file_equals_an_ordinary_one(tmp_path: Path, suffix: str) -> None:
    """Colour, aspect ratio and time base of the video, tags and language."""
    body = """
        feed = Feed(click_track("aac", 8.0))
        feed.passthrough.tags["title"] = "front door"
        known = info(size=SIZE, sample_aspect_ratio=Fraction(4, 3), colour=(9, 16, 9, 1))
        sink = recording_sink({path!r}, known, passthrough=feed.passthrough, options={options!r})
        sink.__enter__()
        feed.passthrough.begin()
        for number in range(100):
            sink.write(feed.come(shown(number)))
    """
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    pattern = str(tmp_path / "killed" / f"cam{suffix}")
    killed_after(textwrap.dedent(body).format(path=pattern, options={}))
    finished(Path(pattern))
    whole = str(tmp_path / "whole" / f"cam{suffix}")
    killed_after(textwrap.dedent(body).format(path=whole, options={}) + "sink.__exit__(None, None, None)\n")
    one, other = _described(only(tmp_path / "killed")), _described(only(tmp_path / "whole"))
    assert one == other


def _described(path: Path) -> dict[str, Any]:
    container: Any
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        first = next(packet for packet in container.demux(sound) if packet.size)
        return {
            "video": (context.name, context.width, context.height, context.pix_fmt, video.sample_aspect_ratio),
            "tag": context.codec_tag,
            "colour": (context.color_primaries, context.color_trc, context.colorspace, context.color_range),
            "clock": (video.time_base, sound.time_base, video.start_time, first.pts),
            "sound": (sound.codec_context.name, sound.rate, sound.layout.name, sound.language),
            "title": {key.lower(): value for key, value in container.metadata.items()}["title"],
        }


def test_faststart_is_kept(tmp_path: Path, one_left: bytes) -> None:
    record(tmp_path / "cam.mp4", range(60), options={"movflags": "faststart"})
    content = only(tmp_path).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert numbers_in(only(tmp_path)) == list(range(60))
    only(tmp_path).unlink()
    hidden(tmp_path).write_bytes(one_left)
    with recording_sink(tmp_path / "cam.mp4", INFO, options={"movflags": "faststart"}, reserve_bytes=0):
        pass
    content = only(tmp_path).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_recovered_file_is_not_fragmented(tmp_path: Path) -> None:
    record(tmp_path / "cam.mp4", range(60))
    assert _boxes(only(tmp_path)) == ["ftyp", "free", "mdat", "moov"]


def _boxes(path: Path) -> list[str]:
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        found.append(content[at + 4 : at + 8].decode())
        at += int.from_bytes(content[at : at + 4], "big")
    return found


# Parts


def test_recovery_does_not_block_the_recording(tmp_path: Path, one_left: bytes) -> None:
    pattern = NamePattern(tmp_path / "cam.mp4")
    hidden(tmp_path).write_bytes(one_left)
    recovery = Recovery(pattern, pattern.partials)
    recovery.begin()
    assert recovery.taken in (frozenset({tmp_path / "cam-20260301-083000.mp4"}), frozenset())
    recovery.begin()  # goes on, does not begin again
    recovery.close()
    recovery.close()
    assert recovery.taken == frozenset()
    assert names(tmp_path) == ["cam-20260301-083000.mp4"]


def test_a_file_without_video_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "b.mp4").touch()
    with pytest.raises(UnreadableError):
        remux(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "b.mp4")


def test_the_copy_returns_the_duration(tmp_path: Path, one_left: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(one_left)
    lasted = remux(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "b.mp4")
    assert lasted == Fraction(len(numbers_in(tmp_path / "b.mp4")) * STEP, 12800)


def test_names_that_exist_get_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert free_name(path, []) == path
    shutil.copy(__file__, path)
    assert free_name(path, [tmp_path / "a-2.mp4"]) == tmp_path / "a-3.mp4"


@pytest.mark.parametrize("frames", [25, 40, 47, 60])
def test_reordered_frames_are_all_in_the_complete_file(tmp_path: Path, frames: int) -> None:
    record(tmp_path / "cam.mp4", range(frames), options={"tune": "film", "bf": "3"})
    assert numbers_in(only(tmp_path)) == list(range(frames))
    assert _boxes(only(tmp_path)) == ["ftyp", "free", "mdat", "moov"]


@pytest.mark.parametrize("known", [True, False], ids=["first-packet-known", "nothing-came-yet"])
def test_aac_of_a_transport_stream_is_copied(tmp_path: Path, known: bool) -> None:
    clip = write_video(tmp_path / "in.ts", size=(160, 120), frames=60, audio=True)
    container: Any
    with av.open(str(clip)) as container:
        found = describe_streams([container.streams.audio[0]])[0]
        packets = [passthrough_packet(packet) for packet in container.demux(audio=0) if packet.size]
    assert has_headers(found)
    passthrough = Passthrough([found], live=True)
    with video_sink(tmp_path / "out.mp4", info(size=(160, 120), live=True), passthrough=passthrough) as sink:
        for packet in packets[:5] if known else []:
            passthrough.put(found, packet)
        passthrough.begin()
        for packet in packets[5 if known else 0 :]:
            passthrough.put(found, packet)
        for number in range(60):
            sink.write(shown(number))
    assert sink.notes == []
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
        assert container.streams.audio[0].codec_context.extradata
    assert len(sound) > 40
    assert sound == [one.data[7:] for one in packets][: len(sound)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 40_000


def test_a_live_video_with_a_silent_stream_is_crash_safe(tmp_path: Path) -> None:
    body = f"""
        stream, _ = click_track("aac", 1.0)
        feed = Feed((stream, []))
        sink = video_sink({str(tmp_path / "out.mp4")!r}, info(size=SIZE, live=True), passthrough=feed.passthrough)
        sink.__enter__()
        feed.passthrough.begin()
        for number in range(130):
            sink.write(feed.come(shown(number)))
    """
    killed_after(textwrap.dedent(body))
    with video_sink(tmp_path / "out.mp4", info(size=(160, 120), live=True)):
        pass
    numbers = numbers_in(only(tmp_path))
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 130 - MOST_LOST


def test_intermittent_audio_begins_few_files(tmp_path: Path) -> None:
    stream, packets = click_track("aac", 20.0)
    heard = [one for one in packets if 6 <= one.ticks * stream.time_base < 8 or one.ticks * stream.time_base >= 14]
    feed = Feed((stream, heard))
    sink = recording_sink(tmp_path / "a.mp4", INFO, passthrough=feed.passthrough, now=Wall(), reserve_bytes=0)
    with sink:
        feed.passthrough.begin()
        for number in range(450):
            sink.write(feed.come(shown(number)))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3  # one that waits for sound, one without, one with
    assert [number for path in files for number in numbers_in(path)] == list(range(450))


def test_files_are_synced_while_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.set() if descriptor >= 0 else None)
    path = tmp_path / "a"
    path.touch()
    sync = DiskSync(interval_s=0.001)
    sync.watch(path)
    assert synced.wait(30)
    sync.forget(path)
    sync.close()
    sync.close()
    assert not any(thread.name == "streamer-disk-sync" for thread in threading.enumerate())


def test_a_disk_that_cannot_be_synced_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    tried = threading.Semaphore(0)

    class Refusing(DiskSync):
        def _sync(self, path: Path) -> None:
            super()._sync(path)
            tried.release()

    sync = Refusing(interval_s=0.001)
    sync.watch(Path("/proc/self/status/none"))
    for _ in range(3):
        assert tried.acquire(timeout=30)
    sync.close()
    assert sum("to the disk: " in one.getMessage() for one in caplog.records) == 1
