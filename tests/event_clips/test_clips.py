"""Clips of the events of a file: where they begin and end, and that their packets are those of the input."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.clips import clip_recorder, ring
from streamer.clips.clip import Clip, FinishedClip
from streamer.clips.clip_recorder import ClipRecorder
from streamer.config.events import ClipSettings
from streamer.interfaces import Scene
from tests.clips import read_number, write_video
from tests.disks import mounted_disk
from tests.event_clips.clip_runs import CLOCK, ClipRun, Moment, begin, duration_s, payloads, pictures
from tests.event_clips.nal_units import annex_b_units, length_prefixed_units

FRAME_S = 0.04
SETTINGS = ClipSettings(before_s=1, after_s=0.4)
GROUPS_OF_TEN = {"g": "10", "bf": "0"}


class Recorded:
    """The clips of a video.

    Args:
        path: the video.
        folder: of the store.
        events: first and last frame of each event.
        settings: of the clips.
    """

    def __init__(
        self, path: Path, folder: Path, events: Sequence[tuple[int, int]], settings: ClipSettings = SETTINGS
    ) -> None:
        self.run = ClipRun(str(path), folder, settings)
        self.folder, self._events = folder, events
        self.moments: list[Moment] = []
        self._open: dict[int, list[str]] = {}
        self.run.run(self._script)
        made = {clip.event_id: clip for clip in self.run.clips_made}
        self.clips: list[FinishedClip] = [made[moment.id] for moment in self.moments if moment.id in made]

    def _script(self, scene: Scene, clips: ClipRecorder) -> bool:
        at = scene.frame.index
        for _, last in [event for event in self._events if event[0] == at]:
            self.moments.append(begin(clips, scene, read_number(scene.frame.picture)))
            self._open.setdefault(last, []).append(self.moments[-1].id)
        for event_id in self._open.pop(at, []):
            clips.end(event_id, scene.frame.time_s)
        return False

    def file(self, clip: FinishedClip) -> Path:
        return self.folder / clip.clip

    def numbers(self, clip: FinishedClip) -> list[int]:
        """What the pictures of a clip show."""
        return [read_number(one.picture) for one in pictures(self.file(clip))]

    def boxes(self, clip: FinishedClip) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / clip.boxes).read_text(encoding="utf-8"))
        return content


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """100 frames with a keyframe every ten."""
    return write_video(tmp_path / "video.mp4", frames=100, options=GROUPS_OF_TEN)


def test_a_clip_begins_at_the_keyframe_before_and_ends_behind(video: Path, tmp_path: Path) -> None:
    recorded = Recorded(video, tmp_path / "store", [(52, 57)])
    (clip,) = recorded.clips
    assert recorded.numbers(clip) == list(range(20, 68))  # 52 - 25 is 27; 57 + 10
    assert clip.start_time == pytest.approx(CLOCK + 20 * FRAME_S)
    assert clip.duration_s == pytest.approx(48 * FRAME_S)
    assert clip.duration_s == duration_s(recorded.file(clip))
    assert clip.bytes == sum((recorded.folder / name).stat().st_size for name in (clip.clip, clip.boxes))
    assert clip.note == ""
    assert recorded.run.stats.counts[("clip", "written")] == 1


def test_the_index_is_in_front_so_that_browsers_need_not_wait(video: Path, tmp_path: Path) -> None:
    recorded = Recorded(video, tmp_path / "store", [(52, 57)])
    content = recorded.file(recorded.clips[0]).read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content


def test_events_at_the_start_and_the_end_have_what_there_is(video: Path, tmp_path: Path) -> None:
    recorded = Recorded(video, tmp_path / "store", [(0, 0), (3, 5), (98, 200)])
    assert [recorded.numbers(clip) for clip in recorded.clips] == [
        list(range(11)),
        list(range(16)),
        list(range(70, 100)),
    ]


CODECS: list[Any] = [
    pytest.param(".mp4", "libx264", {"g": "12", "bf": "3"}, id="b-frames"),
    pytest.param(".mkv", "libx264", {"g": "12", "bf": "3"}, id="b-frames in matroska"),
    pytest.param(".ts", "libx264", {"g": "12", "bf": "3"}, id="b-frames in a transport stream"),
    pytest.param(".mp4", "libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1"}, id="open groups"),
    pytest.param(".mp4", "libx265", {"g": "12", "x265-params": "log-level=none"}, id="hevc"),
    pytest.param(".ts", "libx265", {"g": "12", "x265-params": "log-level=none"}, id="hevc in a transport stream"),
    pytest.param(".avi", "mpeg4", {"g": "12"}, id="mpeg4"),
]


@pytest.mark.parametrize(("suffix", "codec", "options"), CODECS)
def test_no_picture_is_lost_or_encoded_again(
    suffix: str, codec: str, options: Mapping[str, str], tmp_path: Path
) -> None:
    path = write_video(tmp_path / f"video{suffix}", frames=100, codec=codec, options=options)
    recorded = Recorded(path, tmp_path / "store", [(3, 3), (50, 50), (51, 53), (60, 71), (95, 200)])
    assert len(recorded.clips) == 5
    assert recorded.run.observer is not None
    sent = {unit for packet in recorded.run.observer.payloads for unit in (packet, *annex_b_units(packet))}
    for moment, clip in zip(recorded.moments, recorded.clips, strict=True):
        shown = pictures(recorded.file(clip))
        numbers = [read_number(one.picture) for one in shown]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        at_s = moment.time_s + CLOCK - clip.start_time
        assert moment.number is not None
        assert shown[moment.number - numbers[0]].time_s == pytest.approx(at_s, abs=0.001)
        assert at_s >= 1 or numbers[0] == 0
        assert at_s < 1 + 12 * FRAME_S
        assert clip.duration_s == pytest.approx(duration_s(recorded.file(clip)), abs=1e-6)
        assert clip.duration_s == pytest.approx(shown[-1].time_s + FRAME_S, abs=0.002)
        assert [round(frame["time_s"], 3) for frame in recorded.boxes(clip)["frames"]] == [
            round(one.time_s, 3) for one in shown
        ]
        for packet in payloads(recorded.file(clip)):
            assert packet in sent or set(length_prefixed_units(packet)) <= sent


def test_pictures_of_a_turned_camera_stay_turned(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.mp4", frames=50, rotation=90, options=GROUPS_OF_TEN)
    recorded = Recorded(path, tmp_path / "store", [(20, 22)])
    (clip,) = recorded.clips
    with av.open(str(recorded.file(clip))) as read:
        assert next(read.decode(video=0)).rotation == 90
    assert (recorded.boxes(clip)["width"], recorded.boxes(clip)["height"]) == (160, 120)


def test_a_clip_has_the_audio_of_its_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.ts", frames=100, options=GROUPS_OF_TEN, audio=True)
    recorded = Recorded(path, tmp_path / "store", [(52, 57), (95, 200)])
    for clip in recorded.clips:
        with av.open(str(recorded.file(clip))) as read:
            (sound,) = read.streams.audio
            times = [packet.pts * packet.time_base for packet in read.demux(sound) if packet.pts is not None]
        assert times[0] == pytest.approx(0, abs=0.03)
        assert times[-1] == pytest.approx(clip.duration_s, abs=0.07)


def test_boxes_are_described_by_their_file(video: Path, tmp_path: Path) -> None:
    recorded = Recorded(video, tmp_path / "store", [(52, 57)])
    (clip,) = recorded.clips
    content = recorded.boxes(clip)
    assert {key: value for key, value in content.items() if key != "frames"} == {
        "version": 1,
        "clip": recorded.file(clip).name,
        "camera": "gate",
        "start_time": clip.start_time,
        "width": 160,
        "height": 120,
        "duration_s": clip.duration_s,
    }
    first = content["frames"][0]
    assert first["time_s"] == 0
    (track,) = first["tracks"]
    assert track["id"] == 1
    assert track["label"] == "thing"
    assert track["score"] == 0.9
    assert track["box"] == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=0.01)


def test_a_long_event_ends_at_max_s(video: Path, tmp_path: Path) -> None:
    recorded = Recorded(video, tmp_path / "store", [(30, 95)], ClipSettings(before_s=0, after_s=1, max_s=1))
    (clip,) = recorded.clips
    assert recorded.numbers(clip) == list(range(30, 56))
    assert clip.note == "it ends at events.clip.max_s=1 s"


def test_overlapping_events_share_the_packets_in_memory(video: Path, tmp_path: Path) -> None:
    one = Recorded(video, tmp_path / "one", [(40, 60)])
    many = Recorded(video, tmp_path / "many", [(40 + event % 5, 60 + event % 7) for event in range(10)])
    assert len(many.clips) == 10
    assert many.run.clips.peak_bytes < 2 * one.run.clips.peak_bytes  # how far reading is ahead differs


def test_too_little_memory_is_said_and_clips_begin_later(
    video: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limit_mb = 0.02
    recorded = Recorded(video, tmp_path / "store", [(70, 72)], ClipSettings(before_s=2, memory_mb=limit_mb))
    (clip,) = recorded.clips
    numbers = recorded.numbers(clip)
    assert numbers[0] > 20
    assert numbers[0] % 10 == 0
    assert 70 in numbers
    assert recorded.run.clips.peak_bytes < limit_mb * 1e6 + 10_000
    (line,) = [record.getMessage() for record in caplog.records if "memory_mb" in record.getMessage()]
    assert line.startswith("gate: events.clip.memory_mb=0.02 holds ")
    assert clip.note.endswith("s late: events.clip.memory_mb is too small")


def test_a_limit_below_one_picture_does_not_hold_the_run(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_vain: list[bool] = []
    monkeypatch.setattr(ring, "_LONGEST_WAIT_S", 0.01)
    wait_for = threading.Condition.wait_for

    def counted(self: threading.Condition, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        found = wait_for(self, predicate, timeout)
        in_vain.extend([True] * (timeout == 0.01 and not found))
        return found

    monkeypatch.setattr(threading.Condition, "wait_for", counted)
    recorded = Recorded(video, tmp_path / "store", [(5, 90)], ClipSettings(memory_mb=0.0005))
    assert recorded.run.stats.shown == 100
    assert len(in_vain) == 1


def test_an_event_that_is_reported_late_has_its_start(video: Path, tmp_path: Path) -> None:
    """As a limit that must be exceeded for some seconds."""
    run = ClipRun(str(video), tmp_path / "store", SETTINGS, late_s=3)
    moments: list[Moment] = []

    def script(scene: Scene, clips: ClipRecorder) -> bool:
        if scene.frame.index == 95:
            moments.append(begin(clips, scene, at_s=30 * FRAME_S))
        return False

    run.run(script)
    (clip,) = run.clips_made
    numbers = [read_number(one.picture) for one in pictures(tmp_path / "store" / clip.clip)]
    assert numbers[0] == 0
    assert 30 in numbers


def test_a_video_that_mp4_cannot_hold_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "video.webm", frames=50, codec="libvpx", options={"deadline": "realtime"})
    recorded = Recorded(path, tmp_path / "store", [(10, 12), (20, 22)])
    assert recorded.clips == []
    assert [record.getMessage() for record in caplog.records] == [
        "gate: its events have no clips: MP4 cannot hold its video (vp8); set it to H.264"
    ]


def test_pictures_without_packets_have_no_clips(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        write_video(folder / f"{number}.png", codec="png", pix_fmt="rgb24", frames=1, container_format="image2")
    recorded = Recorded(folder, tmp_path / "store", [(1, 2), (3, 4)])
    assert recorded.clips == []
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("streamer.clips")]
    assert lines == ["gate: its events have no clips: it sends pictures, not encoded video"]


def test_an_unwritable_store_costs_clips_but_not_the_run(
    video: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store").write_text("a file")
    recorded = Recorded(video, tmp_path / "store", [(30, 32), (50, 52)])
    assert recorded.clips == []
    assert recorded.run.stats.shown == 100
    assert recorded.run.stats.counts[("clip", "dropped")] == 2
    (line,) = [record.getMessage() for record in caplog.records]
    assert "is dropped: cannot create" in line


def test_an_error_in_one_clip_does_not_end_the_others(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("broken")

    monkeypatch.setattr(Clip, "finish", broken)
    recorded = Recorded(video, tmp_path / "store", [(30, 32), (50, 52)])
    assert [clip.event_id for clip in recorded.clips] == [recorded.moments[1].id]
    assert recorded.run.stats.counts[("clip", "dropped")] == 1
    assert "is dropped: RuntimeError: broken" in caplog.text
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == 2


def test_the_end_of_a_run_waits_for_a_slow_disk_once(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written = threading.Event()
    finish = Clip.finish

    def slow(clip: Clip) -> FinishedClip | None:
        written.wait()
        return finish(clip)

    monkeypatch.setattr(Clip, "finish", slow)
    monkeypatch.setattr(clip_recorder, "_END_S", 0.05)
    recorded = Recorded(video, tmp_path / "store", [(90, 99)])  # it closes twice, as runs do
    written.set()
    recorded.run.clips._thread.join()
    assert len([line for line in caplog.messages if "the disk did not take the last clips in time" in line]) == 1
    assert len(recorded.run.clips_made) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    with mounted_disk(tmp_path, "1m") as disk:
        yield disk


def test_a_full_disk_drops_the_clip_and_leaves_nothing(small_disk: Path, video: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1_030_000))
    recorded = Recorded(video, small_disk / "store", [(30, 60), (31, 61)])
    assert recorded.clips == []
    assert recorded.run.stats.shown == 100
    assert recorded.run.stats.counts[("clip", "dropped")] == 2
    assert not [path for path in (small_disk / "store").rglob("*") if path.is_file()]
