"""A site with real cameras (files at their own pace, generated pictures) and the starter, in this process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamer.config.site import SiteSettings
from streamer.errors import ConfigError, Interrupted
from streamer.serve.camera import Camera
from streamer.serve.site import Site
from streamer.serve.status import CameraState, CameraStatus
from tests.clips import write_video
from tests.pipeline.parts import DEADLINE_S

pytestmark = pytest.mark.usefixtures("starter_weights")
ENDLESS = "lavfi:testsrc2=size=64x48:rate=25"


class Kept:
    """A reporter that keeps the messages, and the state at each refresh."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cameras: dict[str, CameraStatus] = {}
        self._changed = threading.Condition()

    def say(self, text: str) -> None:
        self.message("site", text)

    def message(self, name: str, text: str) -> None:
        with self._changed:
            self.lines.append(f"{name}: {text}")
            self._changed.notify_all()

    def refresh(self, cameras: Sequence[CameraStatus]) -> None:
        with self._changed:
            self.cameras = {one.name: one for one in cameras}
            self._changed.notify_all()

    def wait_for(self, happened: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(happened, DEADLINE_S), self.lines

    def wait_for_state(self, state: CameraState, *names: str) -> None:
        self.wait_for(lambda: all(one in self.cameras and self.cameras[one].state is state for one in names))


def site_of(cameras: dict[str, Any], **others: Any) -> SiteSettings:
    return SiteSettings.model_validate({"detector": {"name": "starter", "workers": 1}, "cameras": cameras, **others})


def endless(folder: Path, name: str, **others: Any) -> dict[str, Any]:
    return {"source": {"uri": ENDLESS, "live": True}, "outputs": [{"to": str(folder / f"{name}.jsonl")}], **others}


@contextmanager
def running(
    settings: SiteSettings, load: Callable[[], SiteSettings] | None = None, *, overwrite: bool = False
) -> Iterator[tuple[Site, Kept, list[BaseException]]]:
    """A site that runs on another thread; stopped at the end."""
    kept, ended = Kept(), list[BaseException]()
    site = Site(settings, load or (lambda: settings), kept, overwrite=overwrite)

    def work() -> None:
        try:
            site.run()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield site, kept, ended
    finally:
        site.stop()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def indices(path: Path) -> list[int]:
    """The numbers of the frames in a camera's file of JSON lines."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {line["camera"] for line in lines} == {path.stem.partition("-")[0]}
    return [line["index"] for line in lines]


def test_a_site_of_files_ends_with_the_last_file(tmp_path: Path) -> None:
    for name, frames in (("one", 10), ("two", 25)):
        write_video(tmp_path / f"{name}.mp4", frames=frames)
    cameras = {
        "one": {"source": {"uri": str(tmp_path / "one.mp4")}, "outputs": [{"to": str(tmp_path / "{camera}.txt")}]},
        "two": {"source": {"uri": str(tmp_path / "two.mp4")}, "outputs": [{"to": str(tmp_path / "two.jsonl")}]},
    }
    kept = Kept()
    settings = site_of(cameras)
    site = Site(settings, lambda: settings, kept)
    site.run()
    assert {one.name: one.state for one in site.cameras()} == dict.fromkeys(cameras, CameraState.ENDED)
    assert indices(tmp_path / "two.jsonl") == list(range(25))
    assert (tmp_path / "one.txt").exists()
    assert {name: report.state for name, report in site.reports().items()} == dict.fromkeys(cameras, "complete")
    assert site.reports()["two"].stats.stream == "two"


def test_a_camera_that_fails_is_tried_again_and_disturbs_no_other(tmp_path: Path) -> None:
    broken = {"source": {"uri": str(tmp_path / "later.mp4")}, "outputs": [{"to": str(tmp_path / "broken.jsonl")}]}
    (tmp_path / "later.mp4").write_text("not yet a video")
    with running(site_of({"good": endless(tmp_path, "good"), "broken": broken})) as (site, kept, ended):
        kept.wait_for_state(CameraState.WAITING, "broken")
        kept.wait_for_state(CameraState.RUNNING, "good")
        assert any("later.mp4" in one.last_event for one in site.cameras())
        write_video(tmp_path / "later.mp4", frames=5)
        kept.wait_for_state(CameraState.ENDED, "broken")
        assert kept.cameras["broken"].restarts >= 1
        assert kept.cameras["good"].restarts == 0
    assert isinstance(ended[0], Interrupted)
    good = indices(tmp_path / "good.jsonl")
    assert good == list(range(len(good)))
    assert indices(tmp_path / "broken.jsonl") == list(range(5))


def test_the_last_event_has_the_size_of_the_last_frame(tmp_path: Path) -> None:
    both = b"".join(
        write_video(tmp_path / f"{size[0]}.ts", size=size, frames=10).read_bytes() for size in ((64, 48), (128, 96))
    )
    (tmp_path / "clip.ts").write_bytes(both)
    cameras = {"front": {"source": {"uri": str(tmp_path / "clip.ts"), "live": True}}}
    kept, settings = Kept(), site_of(cameras)
    site = Site(settings, lambda: settings, kept)
    site.run()
    assert site.cameras()[0].last_event == "128x96"


def test_a_reload_changes_one_camera_and_the_others_lose_no_frame(tmp_path: Path) -> None:
    old = site_of({name: endless(tmp_path, name) for name in ("a", "b", "c")})
    new = site_of(
        {
            "a": endless(tmp_path, "a"),
            "b": endless(tmp_path, "b", detector={"fps": 2}),
            "d": endless(tmp_path, "d"),
        }
    )
    with running(old, lambda: new) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a", "b", "c")
        changes = site.reload()
        assert (changes.added, changes.removed, changes.changed, changes.unchanged) == (("d",), ("c",), ("b",), ("a",))
        kept.wait_for(lambda: "c" not in kept.cameras)
        kept.wait_for_state(CameraState.RUNNING, "a", "b", "d")
        assert list(kept.cameras) == ["a", "b", "d"]
    for name in "abcd":
        found = indices(tmp_path / f"{name}.jsonl")
        assert found == list(range(len(found)))
    assert (tmp_path / "b-2.jsonl").exists()
    assert not (tmp_path / "a-2.jsonl").exists()


def test_a_reload_that_fails_changes_nothing(tmp_path: Path) -> None:
    settings = site_of({"a": endless(tmp_path, "a")})

    def broken() -> SiteSettings:
        raise ConfigError("cameras.a.sorce: no such setting")

    with running(settings, broken) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a")
        with pytest.raises(ConfigError, match="sorce"):
            site.reload()
        with pytest.raises(ConfigError, match="no class 'Purson'"):
            site.add("b", endless(tmp_path, "b", detector={"classes": ["Purson"]}))
        assert [(one.name, one.restarts) for one in site.cameras()] == [("a", 0)]


def test_cameras_are_added_removed_and_restarted_by_name(tmp_path: Path) -> None:
    with running(site_of({"a": endless(tmp_path, "a")})) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a")
        site.add("b", endless(tmp_path, "b"))
        kept.wait_for_state(CameraState.RUNNING, "a", "b")
        first = kept.cameras["b"].stats
        kept.wait_for(lambda: first.shown > 1)  # an output has the first frame
        site.restart("b")
        kept.wait_for(lambda: "b" in kept.cameras and kept.cameras["b"].stats is not first)
        kept.wait_for_state(CameraState.RUNNING, "b")
        site.remove("a")
        assert [one.name for one in site.cameras()] == ["b"]
        with pytest.raises(ConfigError, match="no camera 'c'"):
            site.remove("c")
        with pytest.raises(ConfigError, match="no camera 'c'"):
            site.restart("c")
        with pytest.raises(ConfigError, match="already"):
            site.add("b", endless(tmp_path, "b"))
    assert (tmp_path / "b-2.jsonl").exists()


def test_a_camera_that_starts_again_is_listed_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    join, listed = Camera.join, list[list[str]]()

    def listing_join(camera: Camera, deadline_s: float) -> bool:
        listed.append([one.name for one in site.cameras()])
        return join(camera, deadline_s)

    with running(site_of({name: endless(tmp_path, name) for name in ("a", "b")})) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a", "b")
        monkeypatch.setattr(Camera, "join", listing_join)
        site.restart("a")
        assert listed == [["a", "b"]]
        site.remove("a")
        assert [one.name for one in site.cameras()] == ["b"]


def test_a_restart_continues_the_report_and_replaces_no_file_of_the_site(tmp_path: Path) -> None:
    with running(site_of({"a": endless(tmp_path, "a")}), overwrite=True) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a")
        first = kept.cameras["a"].stats
        kept.wait_for(lambda: first.shown > 1)  # an output has the first frame
        site.restart("a")
        kept.wait_for(lambda: kept.cameras["a"].stats is not first and kept.cameras["a"].stats.shown > 1)
    report, frames = site.reports()["a"], [indices(tmp_path / name) for name in ("a.jsonl", "a-2.jsonl")]
    assert site.cameras()[0].restarts == 1
    assert report.stats.shown == sum(map(len, frames))
    assert [Path(output).name for output in report.outputs] == ["a.jsonl", "a-2.jsonl"]


def test_a_camera_that_never_answers_is_stopped_while_it_connects(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/"
        mute = {"source": {"uri": uri, "retry_at_start": True}, "outputs": [{"to": str(tmp_path / "mute.jsonl")}]}
        with running(site_of({"good": endless(tmp_path, "good"), "mute": mute})) as (site, kept, _):
            kept.wait_for_state(CameraState.RUNNING, "good")
            assert kept.cameras["mute"].state is CameraState.STARTING
            site.remove("mute")
            assert not any("left behind" in line for line in kept.lines)
    assert not list(tmp_path.glob("mute*"))


def test_a_wrong_class_is_refused_before_a_camera_starts(tmp_path: Path) -> None:
    settings = site_of({"a": endless(tmp_path, "a", detector={"classes": ["Purson"]})})
    site = Site(settings, lambda: settings, Kept())
    with pytest.raises(ConfigError, match=r"cameras\.a\.detector\.classes: .*Purson"):
        site.run()
    assert not list(tmp_path.iterdir())


def test_settings_that_cannot_work_are_refused_before_a_camera_starts(tmp_path: Path) -> None:
    cameras = {
        "a": endless(tmp_path, "a", tracker={"options": {"iou": 2}}),
        "b": {"source": {"uri": str(tmp_path / "missing.mp4")}},
        "c": endless(tmp_path / "file.txt", "c"),
    }
    (tmp_path / "file.txt").touch()
    settings = site_of(cameras)
    with pytest.raises(ConfigError) as refused:
        Site(settings, lambda: settings, Kept()).run()
    assert [one.partition(":")[0] for one in refused.value.problems] == [
        "cameras.a.tracker.options.iou",
        "cameras.b.source.uri",
        "cameras.c.outputs.0.to",
    ]


def test_no_camera_begins_after_the_end_while_a_reload_runs(tmp_path: Path) -> None:
    old = site_of({"a": endless(tmp_path, "a")})
    new = site_of({"a": endless(tmp_path, "a"), "b": endless(tmp_path, "b")})
    reading, go_on = threading.Event(), threading.Event()

    def load() -> SiteSettings:
        reading.set()
        assert go_on.wait(DEADLINE_S)
        return new

    with running(old, load) as (site, kept, ended):
        kept.wait_for_state(CameraState.RUNNING, "a")
        reload = threading.Thread(target=site.reload)
        reload.start()
        assert reading.wait(DEADLINE_S)
        with pytest.raises(ConfigError, match="another change of the cameras is running"):
            site.restart("a")
        site.stop()
        kept.wait_for_state(CameraState.STOPPED, "a")
    go_on.set()
    reload.join(DEADLINE_S)
    assert isinstance(ended[0], Interrupted)
    assert not (tmp_path / "b.jsonl").exists()
    with pytest.raises(ConfigError, match="the site is ending"):
        site.reload(wait=True)


def test_a_reload_may_wait_for_another_change(tmp_path: Path) -> None:
    settings = site_of({"a": endless(tmp_path, "a")})
    reading, go_on = threading.Event(), threading.Event()
    loads = iter((True, False))

    def load() -> SiteSettings:
        if next(loads):
            reading.set()
            assert go_on.wait(DEADLINE_S)
        return settings

    with running(settings, load) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a")
        reloads = [threading.Thread(target=site.reload, kwargs={"wait": wait}) for wait in (False, True)]
        reloads[0].start()
        assert reading.wait(DEADLINE_S)
        reloads[1].start()
        go_on.set()
        for reload in reloads:
            reload.join(DEADLINE_S)
        assert next(loads, None) is None


def test_a_camera_without_outputs_is_detected_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short = {"source": {"uri": f"{ENDLESS}:duration=1", "live": True}}
    site = Site(site_of({"a": short}), lambda: site_of({"a": short}), Kept())
    site.run()
    assert site.cameras()[0].stats.ledger.entered == 25
    assert not list(tmp_path.iterdir())


def test_a_bound_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    cameras = {"a": endless(tmp_path, "a")}
    tight = site_of(cameras)
    tight = tight.model_copy(update={"detector": tight.detector.model_copy(update={"max_age_s": 1e-6})})
    with pytest.raises(ConfigError, match=r"1 camera x .* on 1 worker = .* detector\.max_age_s 1e-06 cannot be kept"):
        Site(tight, lambda: tight, Kept()).run()
    with running(site_of(cameras), lambda: tight) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a")
        with pytest.raises(ConfigError, match="cannot be kept"):
            site.reload()
        with pytest.raises(ConfigError, match="cannot be kept"):
            site.add("b", endless(tmp_path, "b", detector={"max_age_s": 1e-6}))
        assert site.settings == site_of(cameras)
        assert [one.name for one in site.cameras()] == ["a"]


def test_an_output_of_another_camera_is_refused_while_the_site_runs(tmp_path: Path) -> None:
    with running(site_of({"a": endless(tmp_path, "a")})) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "a")
        with pytest.raises(ConfigError, match=r"cameras\.b\.outputs\.0\.to: .*a\.jsonl is an output of camera a"):
            site.add("b", endless(tmp_path, "a"))
        assert [one.name for one in site.cameras()] == ["a"]
