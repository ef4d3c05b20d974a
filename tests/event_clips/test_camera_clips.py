"""Clips of an RTSP camera that is restarted, changes its picture and its clock, or sends another codec."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streamer.clips.clip import FinishedClip
from streamer.clips.clip_recorder import ClipRecorder
from streamer.config.events import ClipSettings
from streamer.config.source import SourceSettings
from streamer.interfaces import Scene
from tests.event_clips.clip_runs import CLOCK, ClipRun, Moment, Picture, begin, duration_s, pictures
from tests.faults import counter
from tests.faults.camera import Camera
from tests.faults.gstreamer import GStreamerServer, missing
from tests.sources.live.sounding import write_sounding

pytestmark = pytest.mark.slow

SETTINGS = ClipSettings(before_s=1, after_s=0.5)


class Watched:
    """A run of a camera.

    Args:
        camera: it runs.
        folder: of the store.
        events: first and last frame of each event, in shown frames.
        last: the frame on which the run ends.
        acts: what happens to the camera after a shown frame.
        settings: of the clips.
    """

    def __init__(
        self,
        camera: Camera,
        folder: Path,
        events: Sequence[tuple[int, int]],
        last: int,
        acts: dict[int, Callable[[Camera], object]] | None = None,
        settings: ClipSettings = SETTINGS,
    ) -> None:
        self._camera, self._events, self._last, self._acts = camera, events, last, acts or {}
        self._shown = 0
        self._open: dict[int, list[str]] = {}
        self._folder = folder
        self.moments: list[Moment] = []
        self.run = ClipRun(camera.url, folder, settings, SourceSettings(first_wait_s=0.1))
        self.run.run(self._script)
        made = {clip.event_id: clip for clip in self.run.clips_made}
        self.clips: list[FinishedClip] = [made[moment.id] for moment in self.moments]

    def _script(self, scene: Scene, clips: ClipRecorder) -> bool:
        at, self._shown = self._shown, self._shown + 1
        for _, last in [event for event in self._events if event[0] == at]:
            self.moments.append(begin(clips, scene, counter.read_number(scene.frame.picture)))
            self._open.setdefault(last, []).append(self.moments[-1].id)
        for event_id in self._open.pop(at, []):
            clips.end(event_id, scene.frame.time_s)
        if at in self._acts:
            self._acts[at](self._camera)
        return at >= self._last

    def check(self) -> list[list[int]]:
        """The numbers in each clip, which has the moment of its event."""
        return [self._numbers(*one) for one in zip(self.moments, self.clips, strict=True)]

    def _numbers(self, moment: Moment, clip: FinishedClip) -> list[int]:
        path = self._folder / clip.clip
        shown: list[Picture] = pictures(path)
        numbers = [counter.read_number(one.picture) for one in shown]
        assert moment.number in numbers
        at_s = moment.time_s + CLOCK - clip.start_time
        assert shown[numbers.index(moment.number)].time_s == pytest.approx(at_s, abs=0.001)
        assert clip.duration_s == duration_s(path)
        assert [one.time_s for one in shown] == sorted(one.time_s for one in shown)
        return [number for number in numbers if number is not None]


def restarted(camera: Camera) -> None:
    """A power cut."""
    camera.kill()
    camera.start()


def test_an_event_across_a_restart_of_the_camera_is_one_clip(tmp_path: Path) -> None:
    with Camera() as camera:
        watched = Watched(camera, tmp_path, [(45, 70), (50, 50), (62, 62)], 110, {55: restarted})
        across, _, _ = watched.check()
    gap = [(one, other) for one, other in pairwise(across) if other != one + 1]
    assert len(gap) == 1
    assert watched.moments[2].number in across
    assert watched.clips[0].note == ""
    assert watched.clips[0].duration_s > len(across) * 0.04 + 0.1  # the last picture stands in the gap


def test_an_event_in_the_first_second_begins_with_the_stream(tmp_path: Path) -> None:
    with Camera() as camera:
        watched = Watched(camera, tmp_path, [(1, 1), (5, 8)], 50)
        for numbers in watched.check():
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert [clip.start_time for clip in watched.clips] == [CLOCK, CLOCK]


@pytest.mark.parametrize("disconnect", [True, False], ids=["reconnected", "in the stream"])
def test_a_new_format_of_the_video_ends_the_clip(disconnect: bool, tmp_path: Path) -> None:
    def change(camera: Camera) -> None:
        camera.change_size((320, 240), disconnect=disconnect)

    with Camera() as camera:
        watched = Watched(camera, tmp_path, [(45, 90), (85, 85)], 130, {55: change})
        before, after = watched.check()
    assert watched.clips[0].note == "the camera changed the format of its video"
    assert not set(before) & set(after)
    assert pictures(tmp_path / watched.clips[1].clip)[0].picture.width == 320


@pytest.mark.parametrize("by_s", [100.0, -100.0])
def test_a_jump_of_the_clock_of_the_camera_leaves_no_gap(by_s: float, tmp_path: Path) -> None:
    with Camera() as camera:
        watched = Watched(camera, tmp_path, [(45, 70)], 110, {55: lambda one: one.jump_pts(by_s)})
        (numbers,) = watched.check()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert watched.clips[0].duration_s < 6


@pytest.mark.parametrize("codec", ["h265", "mjpeg"])
def test_other_codecs_of_cameras_are_copied_too(codec: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Camera(codec=codec, fps=10) as camera:  # type: ignore[arg-type]
        watched = Watched(camera, tmp_path, [(20, 22)], 45)
        (numbers,) = watched.check()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    said = [record.getMessage() for record in caplog.records if "browsers" in record.getMessage()]
    expected = "gate: browsers cannot play clips of its video (mjpeg); VLC and FFmpeg can"
    assert said == ([expected] if codec == "mjpeg" else [])


def test_a_lost_camera_ends_the_clip_of_an_ended_event(tmp_path: Path) -> None:
    made: list[FinishedClip] = []
    with Camera() as camera:
        run = ClipRun(camera.url, tmp_path, ClipSettings(before_s=1, after_s=1), SourceSettings(first_wait_s=0.1))

        def script(scene: Scene, clips: ClipRecorder) -> bool:
            if scene.frame.segment > 0:
                return True
            if scene.frame.index == 40:
                clips.end(begin(clips, scene).id, scene.frame.time_s)
                camera.kill()
            return False

        def wait() -> None:
            made.append(run.finished.get(timeout=20))
            camera.start()

        waiting = threading.Thread(target=wait)
        waiting.start()
        run.run(script)
        waiting.join()
    (clip,) = made
    assert clip.duration_s < 2.5


def test_memory_of_a_camera_stays_within_its_limit(tmp_path: Path) -> None:
    with Camera() as camera:
        watched = Watched(
            camera, tmp_path, [(60, 80)], 120, settings=ClipSettings(before_s=3, after_s=0.5, memory_mb=0.15)
        )
        watched.check()
    assert 0 < watched.run.clips.peak_bytes < 0.2e6
    assert watched.run.stats.gauges["clip_memory_bytes", ""] <= 0.2e6


@pytest.mark.system
@pytest.mark.skipif(bool(missing()), reason=f"no GStreamer server: {missing()}")
@pytest.mark.parametrize(("codec", "rate_hz"), [("aac", 48000), ("pcm_alaw", 8000)])
def test_a_clip_has_the_audio_of_the_camera(codec: str, rate_hz: int, tmp_path: Path) -> None:
    """The camera sends its size with the video only, and its G.711 becomes AAC."""
    sounding = write_sounding(tmp_path / "clip.mov", codec=codec, rate_hz=rate_hz)
    with GStreamerServer(file=sounding, sound=codec) as server:
        run = ClipRun(server.url("/file"), tmp_path / "store", SETTINGS)

        def script(scene: Scene, clips: ClipRecorder) -> bool:
            if scene.frame.index == 50:
                clips.end(begin(clips, scene).id, scene.frame.time_s)
            return scene.frame.index >= 90

        run.run(script)
    (clip,) = run.clips_made
    with av.open(str(tmp_path / "store" / clip.clip)) as read:
        (sound,) = read.streams.audio
        assert sound.codec_context.name == "aac"
        times = [packet.pts * packet.time_base for packet in read.demux(sound) if packet.pts is not None]
    assert times[0] == pytest.approx(0, abs=0.1)
    assert times[-1] == pytest.approx(clip.duration_s, abs=0.2)
