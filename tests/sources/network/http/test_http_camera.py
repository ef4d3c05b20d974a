"""Pictures over HTTP: every picture is read, whatever surrounds it; single pictures are polled."""

from __future__ import annotations

import itertools
import logging
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.features import SourceContext
from streamer.flow.stats import RunStats
from streamer.interfaces import Source
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.network.recorded import RecordedSource
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tests import clips
from tests.clips import read_number
from tests.pipeline.parts import DEADLINE_S
from tests.sources.network.http.http_cameras import FORMS, LOGINS, PASSWORD, USER, HttpCamera
from tests.sources.network.web_server import serving

ALWAYS = SourceSettings(stall_s=DEADLINE_S)


def opened(url: str, stats: RunStats | None = None, settings: SourceSettings = ALWAYS, **options: object) -> Source:
    return open_source(url, settings.model_copy(update=options), SourceContext(stats))


def reconnects(stats: RunStats) -> dict[str, int]:
    """By their causes."""
    return {cause: count for (name, cause), count in stats.counts.items() if name == "reconnect"}


def first(source: Source, count: int) -> list[Frame]:
    with source:
        return list(itertools.islice(source, count))


def check_sound(frames: list[Frame]) -> list[int]:
    """The numbers of the frames, which must be whole and in order."""
    numbers = [read_number(frame.picture) for frame in frames]
    assert {frame.damage for frame in frames} == {""}
    assert {frame.segment for frame in frames} == {0}
    assert {frame.raw_pts for frame in frames} == {None}
    assert numbers == sorted(numbers)
    return numbers


def check_every(frames: list[Frame], camera: HttpCamera) -> None:
    """Every picture of the last stream was read, from its first one on."""
    assert check_sound(frames) == camera.streams[-1][: len(frames)]


@pytest.mark.parametrize("form", FORMS)
def test_every_frame_of_every_form_of_mjpeg_is_read(form: str) -> None:
    with HttpCamera(fps=25) as camera:
        frames = first(opened(camera.url(f"/mjpeg/{form}")), 12)
        check_every(frames, camera)
    elapsed_s = [frame.captured_s - frames[0].captured_s for frame in frames]
    assert [frame.time_s for frame in frames] == pytest.approx(elapsed_s, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["good", "nofirst", "extra", "nolen", "bare"])
def test_frames_of_slow_cameras_are_read_as_they_arrive(form: str) -> None:
    with HttpCamera(fps=1) as camera:
        source = opened(camera.url(f"/mjpeg/{form}"))
        with source:
            for frame in itertools.islice(source, 5):
                # The next one has not been sent yet: it was not waited for.
                assert read_number(frame.picture) >= camera.streams[-1][-1] - (form == "bare")


@pytest.mark.parametrize("login", LOGINS)
def test_every_kind_of_login_is_supported(login: str) -> None:
    with HttpCamera() as camera:
        url = camera.url(f"/auth/{login}/mjpeg/good", f"{USER}:{PASSWORD}")
        check_every(first(opened(url), 3), camera)
        expected = "Basic" if login == "basic" else "Digest"
        assert {kind for _, _, kind in camera.requests} == {"", expected}
        with pytest.raises(SourceUnavailable, match="wrong user or password") as caught:
            opened(camera.url(f"/auth/{login}/mjpeg/good", f"{USER}:swordfish"))
        assert "swordfish" not in str(caught.value)


def test_a_redirect_is_followed_with_the_login() -> None:
    with HttpCamera() as camera:
        url = camera.url("/redirect/auth/sha256/mjpeg/good", f"{USER}:{PASSWORD}")
        check_every(first(opened(url), 3), camera)


def test_the_login_does_not_follow_a_redirect_to_another_host() -> None:
    with HttpCamera() as camera, HttpCamera() as other:
        connector = NetworkConnector(camera.url("/", f"{USER}:{PASSWORD}"))
        camera_path = f"/redirect//localhost:{other.port}/auth/basic/mjpeg/good"
        with pytest.raises(SourceUnavailable, match="wrong user or password"):
            NetworkConnector(camera.url(camera_path, f"{USER}:{PASSWORD}")).sends_pictures()
        assert {kind for _, _, kind in other.requests} == {""}
        assert connector.name == camera.url("/")


@pytest.mark.parametrize("path", ["/snapshot.jpg", "/unsized", "/tagged", "/picture.png", "/redirect/snapshot.jpg"])
def test_single_pictures_are_polled(path: str, caplog: pytest.LogCaptureFixture) -> None:
    stats = RunStats()
    with HttpCamera(fps=10) as camera, caplog.at_level(logging.INFO):
        source = opened(camera.url(path), stats, poll_fps=10)
        assert isinstance(source, LiveSource)
        with source:
            frames = list(itertools.islice(source, 6))
            assert source.info.average_fps == Fraction(10)
        assert set(check_sound(frames)) <= set(camera.sent)
    assert caplog.text == ""
    assert reconnects(stats) == {}


def test_an_unchanged_picture_is_a_frame_too(caplog: pytest.LogCaptureFixture) -> None:
    with HttpCamera() as camera, caplog.at_level(logging.INFO):
        camera.still = 7
        frames = first(opened(camera.url("/tagged"), poll_fps=20), 5)
    assert [read_number(frame.picture) for frame in frames] == [7] * 5
    assert caplog.text == ""


def test_single_pictures_keep_one_connection_and_the_pace() -> None:
    with HttpCamera() as camera:
        frames = first(opened(camera.url("/auth/md5/snapshot.jpg", f"{USER}:{PASSWORD}"), poll_fps=5), 5)
        steps_s = [later.captured_s - frame.captured_s for frame, later in itertools.pairwise(frames)]
        # Two connections were made, to see what it is and to read: each was refused once, and no request after that.
        assert [kind for _, _, kind in camera.requests].count("") == 2
    assert min(steps_s) > 0.1


def test_a_failing_snapshot_camera_is_polled_until_it_works() -> None:
    stats = RunStats()
    settings = SourceSettings(stall_s=DEADLINE_S, first_wait_s=0.1)
    with HttpCamera() as camera, opened(camera.url("/snapshot.jpg"), stats, settings, poll_fps=20) as source:
        frames = iter(source)
        next(frames)
        camera.failures, camera.fails = 3, 503
        assert next(frame for frame in frames if frame.segment == 1).damage == ""
        assert camera.failures == 0
    assert reconnects(stats) == {"503": 1}


def test_a_silent_camera_is_reported_and_dropped() -> None:
    with HttpCamera() as camera:
        settings = SourceSettings(stall_s=0.5, retry_for_s=0.0)
        with opened(camera.url("/snapshot.jpg"), None, settings, poll_fps=20, open_timeout_s=0.5) as source:
            frames = iter(source)
            next(frames)
            camera.silent.set()
            with pytest.raises(SourceLost, match=r"no answer in time|did not come in time|nothing came"):
                list(frames)
        camera.silent.clear()


def test_a_truncated_picture_is_never_intact() -> None:
    with HttpCamera() as camera:
        frames = first(opened(camera.url("/broken"), poll_fps=20), 3)
    assert all(frame.damage for frame in frames)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "does not understand the request"),
        (403, "wrong user or password, or this user may not watch"),
        (404, "nothing at this path"),
        (429, "too many requests"),
        (500, "the server failed"),
        (503, "the server is busy"),
        (504, "no answer from the camera behind it"),
    ],
)
def test_errors_of_the_server_are_explained(status: int, said: str) -> None:
    with HttpCamera() as camera:
        camera.fails = status
        with pytest.raises(SourceUnavailable, match=said) as caught:
            opened(camera.url("/mjpeg/good?token=swordfish")).__enter__()
        assert "swordfish" not in str(caught.value)
        assert str(status) in str(caught.value) or status == 404


def test_files_over_http_are_recordings(tmp_path: Path) -> None:
    clips.write_video(tmp_path / "clip.mp4", frames=10)
    (tmp_path / "clip").write_bytes((tmp_path / "clip.mp4").read_bytes())  # given as application/octet-stream
    with serving(tmp_path) as address:
        for name in ("clip.mp4", "clip"):
            source = opened(f"{address}/{name}")
            assert isinstance(source, RecordedSource)
            assert [read_number(frame.picture) for frame in first(source, 99)] == list(range(10))


def test_a_silent_stream_is_reconnected() -> None:
    stats = RunStats()
    settings = SourceSettings(stall_s=0.5, first_wait_s=0.1)
    # Polled so often, so that a silence of a second counts at all.
    with HttpCamera() as camera, opened(camera.url("/mjpeg/nofirst"), stats, settings, poll_fps=30) as source:
        frames = iter(source)
        list(itertools.islice(frames, 5))
        camera.silent.set()
        threading.Timer(2.0, camera.silent.clear).start()
        assert next(frame for frame in frames if frame.segment == 1).damage == ""
    assert set(reconnects(stats)) == {"stalled"}
