"""Network streams from a real RTSP server: frames, refusals, and passwords that are never shown."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from streamer.config.source import SourceSettings, Transport
from streamer.errors import SourceLost, SourceUnavailable
from streamer.sinks.mjpeg.mjpeg import MjpegSink
from streamer.sources.live.connection_thread import LATE
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.values.frame import Frame
from tests.clips import read_number as read_media_number
from tests.faults.camera import Camera
from tests.faults.counter import read_number
from tests.pipeline.parts import DEADLINE_S
from tests.sinks.making import mjpeg_sink
from tests.sinks.scenes import scene

CANARY = "swordfish"
ALWAYS = SourceSettings(stall_s=DEADLINE_S)


def is_active() -> bool:
    return True


@pytest.fixture(scope="module")
def camera() -> Iterator[Camera]:
    """One camera for all tests that do not break it, with a keyframe every half second."""
    with Camera(fps=50, key_frame_every_s=0.5) as camera:
        yield camera


def source(camera: Camera, transport: Transport = "tcp") -> LiveSource:
    return LiveSource(NetworkConnector(camera.url, SourceSettings(transport=transport)), ALWAYS)


def numbers(frames: list[Frame]) -> list[int | None]:
    return [read_number(frame.picture) for frame in frames]


@pytest.mark.parametrize("transport", ["tcp", "udp", "prefer_tcp"])
def test_frames_are_intact_in_order_and_have_their_times(camera: Camera, transport: Transport) -> None:
    with source(camera, transport) as opened:
        frames = list(itertools.islice(opened, 40))
        damage = {(one.state, one.cause): one.frames for one in opened.take_damage()}
        info = opened.info
    assert (info.width, info.height, info.live) == (640, 360, True)
    assert info.average_fps == 50
    assert info.name == f"rtsp://127.0.0.1:{camera.port}/live"
    read = [number for number in numbers(frames) if number is not None]
    assert len(read) == len(frames)
    assert read == sorted(set(read))
    missing = read[-1] - read[0] + 1 - len(read)
    assert missing == 0 or ("dropped", LATE) in damage  # on a machine that is too busy for this test
    assert damage.keys() <= {("corrupt", "before key frame"), ("dropped", LATE)}
    assert {(frame.segment, frame.damage) for frame in frames} == {(0, "")}
    assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})
    moments = [
        frame.raw_pts / 90000 - shot.stamped_s
        for frame, shot in zip(frames, map(camera.shot, read), strict=True)
        if frame.raw_pts is not None and shot is not None
    ]
    assert len(moments) > 20
    assert max(moments) - min(moments) < 1e-3


def test_data_before_the_first_key_frame_is_counted_and_not_decoded(camera: Camera) -> None:
    camera.withhold_key_frames(1.5)
    with source(camera) as opened:
        first = next(iter(opened))
        (damage,) = opened.take_damage()
    shot = camera.shot(read_number(first.picture) or 0)
    assert shot is not None
    assert shot.is_key
    assert (damage.state, damage.cause) == ("corrupt", "before key frame")
    assert damage.frames > 1


def test_the_senders_wall_clock_is_read(camera: Camera) -> None:
    with source(camera) as opened:
        frames = list(itertools.islice(opened, 20))
    to_wall_clock_s = time.time() - time.monotonic()
    told = [frame for frame in frames if frame.wall_clock_s is not None]
    assert len(told) >= 18  # the first frame may arrive before the first report
    for frame in told:
        shot = camera.shot(read_number(frame.picture) or 0)
        assert shot is not None
        assert frame.wall_clock_s == pytest.approx(shot.stamped_s + to_wall_clock_s, abs=0.05)
        assert shot.drawn_s <= frame.captured_s


def test_a_change_of_size_within_the_session_starts_a_segment(camera: Camera) -> None:
    with source(camera) as opened:
        frames = iter(opened)
        seen = [next(frames)]
        camera.change_size((320, 180))
        seen += itertools.takewhile(lambda frame: frame.width == 640, frames)
        seen += itertools.islice(frames, 5)
    camera.change_size((640, 360))
    sizes = {(frame.segment, frame.width, frame.height) for frame in seen}
    assert sizes == {(0, 640, 360), (1, 320, 180)}
    assert [frame.pts for frame in seen] == sorted({frame.pts for frame in seen})


def test_frames_with_lost_packets_are_kept_from_the_detector(camera: Camera) -> None:
    camera.lose(0.1, seed=5)
    with source(camera, "udp") as opened:
        frames = list(itertools.islice(opened, 50))
    camera.lose(0)
    flagged = [frame for frame in frames if frame.damage]
    assert {frame.damage for frame in flagged} <= {"packet loss", "decoder error"}
    assert "packet loss" in {frame.damage for frame in flagged}


def connect(url: str, **options: object) -> None:
    NetworkConnector(url, SourceSettings(**options)).connect(is_active).close()  # type: ignore[arg-type]


@contextlib.contextmanager
def nothing_says(word: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Neither a log line nor the terminal may hold the word."""
    with caplog.at_level(logging.DEBUG):
        yield
    assert word not in caplog.text
    assert word not in "".join(capfd.readouterr())


def test_a_missing_login_is_not_called_a_wrong_one(camera: Camera) -> None:
    camera.change_auth(("digest", "me", "right"))
    try:
        with pytest.raises(SourceUnavailable, match="a user and a password are required; give both in the URL"):
            connect(camera.url_at("/live"))
    finally:
        camera.change_auth(None)


def test_a_wrong_login_is_reported_without_the_password(
    camera: Camera, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    camera.change_auth(("digest", "me", "right"))
    try:
        with nothing_says(CANARY, caplog, capfd):
            for url in (camera.url_with("me", CANARY), camera.url_with("you", f"{CANARY}@:/")):
                with pytest.raises(SourceUnavailable, match="wrong user or password") as caught:
                    connect(url)
                assert caught.value.cause == "login refused"
                assert CANARY not in f"{caught.value} {caught.value!r}"
            with pytest.raises(SourceUnavailable, match="wrong user or password") as caught:
                LiveSource(NetworkConnector(camera.url_with("me", CANARY)), ALWAYS).__enter__()
            assert caught.value.cause == "login refused"
        connect(camera.url_at("/live"), user="me", password="right")
        connect(camera.url_with("me", CANARY), user="me", password="right")  # the settings count more
        connect(camera.url)
    finally:
        camera.change_auth(None)


def test_a_wrong_path_is_reported(camera: Camera) -> None:
    with pytest.raises(SourceUnavailable, match="/nothing: the server has nothing at this path") as caught:
        connect(camera.url_at("/nothing?token=swordfish"))
    assert caught.value.cause == "no such path"
    assert CANARY not in str(caught.value)


def test_a_camera_with_audio_only_has_no_video() -> None:
    with Camera(codec="audio") as camera, pytest.raises(SourceUnavailable, match=r"has no video \(only audio\)"):
        connect(camera.url)


def test_a_lost_camera_is_reported_without_its_password(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with Camera(auth=("basic", "me", CANARY), key_frame_on_play=True) as camera, nothing_says(CANARY, caplog, capfd):
        connector = NetworkConnector(camera.url)
        assert CANARY not in connector.name
        assert connector.is_reachable()
        with LiveSource(connector, SourceSettings(stall_s=DEADLINE_S, retry_for_s=0.0)) as opened:
            frames = iter(opened)
            assert next(frames).index == 0
            camera.kill()
            with pytest.raises(SourceLost, match=r"(the stream ended|reading failed.*); given up") as caught:
                list(frames)
        assert CANARY not in str(caught.value)
        assert not connector.is_reachable()
        with pytest.raises(SourceLost, match="no server listens at that port") as caught:
            connector.connect(is_active)
        assert caught.value.cause == "refused"
        assert CANARY not in f"{caught.value!r}"


def test_opening_a_hung_camera_has_a_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(SourceLost, match=f"rtsp://127.0.0.1:{port}/: no ") as caught:
            connect(f"rtsp://127.0.0.1:{port}/", open_timeout_s=0.3)
        assert caught.value.cause == "no answer"


@pytest.mark.parametrize("url", ["rtsp://[::1/x", "rtsp://me:swordfish@camera:port/x", "http://camera:99999/"])
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(SourceUnavailable, match="is no address") as caught:
        NetworkConnector(url)
    assert CANARY not in str(caught.value)


def test_frames_over_http_are_timed_by_arrival() -> None:
    done = threading.Event()

    def show(sink: MjpegSink) -> None:
        for number in itertools.count():
            sink.write(scene(number % 1000, number, size=(160, 120)))
            if done.wait(0.02):
                return

    with mjpeg_sink("http://127.0.0.1:0/") as sink:
        shower = threading.Thread(target=show, args=(sink,), daemon=True)
        shower.start()
        with LiveSource(NetworkConnector(f"{sink.url}stream.mjpg"), ALWAYS) as opened:
            frames = list(itertools.islice(opened, 10))
        done.set()
        shower.join(DEADLINE_S)
    read = [read_media_number(frame.picture) for frame in frames]
    assert read == sorted(set(read))
    assert {frame.raw_pts for frame in frames} == {None}
    elapsed_s = [frame.captured_s - frames[0].captured_s for frame in frames]
    assert [frame.time_s for frame in frames] == pytest.approx(elapsed_s, abs=1e-3)
