"""Publishes to real receivers, also to some that cannot be reached, hang or refuse."""

from __future__ import annotations

import itertools
import json
import logging
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import av
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.output import OutputSettings
from streamer.errors import SinkError, SinkUnavailable
from streamer.interfaces import Scene
from streamer.sinks.publish import link
from streamer.sinks.publish.encoder import StreamEncoder
from streamer.sinks.publish.stream import StreamSink
from streamer.sinks.publish.target import parse_target
from streamer.system.backoff import Backoff
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.clips import read_number
from tests.sinks.making import stream_sink
from tests.sinks.scenes import LABELS, info, scene, tracks

ROOT = Path(__file__).parents[3]
SIZE = (160, 120)
INFO = info(size=SIZE)
STEP = 512  # ticks of a scene at 25 frames a second
PASSWORD = "sEcr3t-p4ss"
# A receiver for one publisher; it prints a line of JSON for each frame until the stream ends.
RECEIVER = """
import json, sys, av
from tests.clips import read_number
with av.open(sys.argv[1], format=sys.argv[2] or None, options=json.loads(sys.argv[3])) as container:
    for packet in container.demux(video=0):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:  # joined between two keyframes
            continue
        for frame in frames:
            time = None if frame.pts is None else float(frame.pts * frame.time_base)  # unknown at first over RTSP
            line = {"time": time, "key": bool(frame.key_frame), "number": read_number(frame), "width": frame.width}
            print(json.dumps(line), flush=True)
"""
AT_ONCE = {"analyzeduration": "0", "probesize": "32"}
LISTEN = {
    "rtsp": ("", {"rtsp_flags": "listen", "listen_timeout": "20", **AT_ONCE}),
    "rtmp": ("", {"listen": "1", **AT_ONCE}),
    "udp": ("mpegts", {"analyzeduration": "1000000"}),
}


class Clock:
    """A clock that advances by a minute at each reading, so that every wait between attempts is over."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 60.0
        return self.now_s


class Receiver:
    """A receiving process; iterating gives a dictionary for each frame."""

    def __init__(self, url: str, kind: str) -> None:
        container, options = LISTEN[kind]
        command = [sys.executable, "-c", RECEIVER, url, container, json.dumps(options)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The frames as they arrive, until the stream ends."""
        assert self.process.stdout is not None
        return map(json.loads, self.process.stdout)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_until_listening(receiver: subprocess.Popen[str], url: str) -> None:
    """Wait without connecting, because a receiver accepts one connection only."""
    port = urlsplit(url).port
    for _ in range(2000):
        if any(one.laddr.port == port for one in psutil.Process(receiver.pid).net_connections()):
            return
        threading.Event().wait(0.01)
    pytest.fail("the receiver does not listen")


@pytest.fixture
def receive() -> Iterator[Callable[[str, str], Receiver]]:
    with ExitStack() as stack:

        def start(url: str, kind: str) -> Receiver:
            receiver = Receiver(url, kind)
            stack.callback(receiver.end)
            wait_until_listening(receiver.process, url)
            return receiver

        yield start


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def address(kind: str) -> str:
    if kind == "udp":
        return f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    return f"{kind}://127.0.0.1:{free_port()}/live/{'key' if kind == 'rtmp' else 'cam'}"


def shown(number: int, *, pts: int | None = None, size: tuple[int, int] = SIZE) -> Scene:
    return scene(number % 1000, number * STEP if pts is None else pts, size=size)


def write_many(sink: StreamSink, count: int) -> None:
    for k in range(count):
        sink.write(shown(k))


def write_until_connected(sink: StreamSink, number: int = 0) -> None:
    """Write one scene repeatedly until a receiver takes it; a receiver needs a moment to listen."""
    for _ in range(500):
        sink.write(shown(number))
        if sink.connected:
            return
    pytest.fail("no receiver took the stream")


@contextmanager
def answering(reply: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives the same reply to all requests (None: it hangs); yields its port and the requests."""
    asked: list[bytes] = []
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    asked.append(connection.recv(65536))
                    if reply is not None:
                        with suppress(OSError):
                            connection.sendall(reply)
                            while request := connection.recv(65536):
                                asked.append(request)
                                connection.sendall(reply)
                        connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in held:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


# Received streams


@pytest.mark.parametrize("kind", ["rtsp", "rtmp", "udp"])
def test_frames_arrive_in_order_with_their_times(kind: str, receive: Callable[[str, str], Receiver]) -> None:
    url = address(kind)
    receiver = receive(url, kind)
    with stream_sink(url, INFO, clock=Clock()) as sink:
        if kind == "udp":
            # Datagrams are lost until the receiver listens.
            got = _first_over_udp(sink, receiver)
        else:
            write_until_connected(sink)
            for k in range(1, 150):
                sink.write(shown(k))
            got = []
    got += list(receiver) if kind != "udp" else []
    assert len(got) >= 100
    numbers = [one["number"] for one in got]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    times = [one["time"] for one in got if one["time"] is not None]
    assert len(times) >= 100
    assert np.diff(times) == pytest.approx(0.04, abs=0.002)
    keys = [one["time"] for one in got if one["key"] and one["time"] is not None]
    assert keys
    assert all(b - a <= 2.0 + 0.002 for a, b in itertools.pairwise(keys))
    assert all(one["width"] == SIZE[0] for one in got)
    assert sink.written >= len(got)


def _first_over_udp(sink: StreamSink, receiver: Receiver) -> list[dict[str, Any]]:
    got: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: got.extend(itertools.islice(receiver, 120)))
    reader.start()
    for k in itertools.count():
        sink.write(shown(k))
        reader.join(0.002)  # at most ten times as fast as real time: a burst would overrun the receiver
        if not reader.is_alive():
            return got
    raise AssertionError


def test_repeated_or_decreasing_times_are_sent_increasing(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtmp")
    receiver = receive(url, "rtmp")
    with stream_sink(url, INFO, clock=Clock()) as sink:
        write_until_connected(sink)
        for number, pts in enumerate([1, 2, 2, 1, 3, -9000, -8999, -8998], 1):
            sink.write(shown(number, pts=pts * STEP))
    got = list(receiver)
    assert [one["number"] for one in got] == list(range(9))
    assert all(a["time"] < b["time"] for a, b in itertools.pairwise(got))


def test_keyframes_are_at_most_two_seconds_of_media_time_apart(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtmp")
    receiver = receive(url, "rtmp")
    with stream_sink(url, INFO, clock=Clock()) as sink:  # announced with 25 frames per second, written with 4
        write_until_connected(sink)
        for k in range(1, 40):
            sink.write(shown(k, pts=k * 3200))
    keys = [one["time"] for one in list(receiver) if one["key"]]
    assert keys == pytest.approx([0, 2, 4, 6, 8], abs=0.001)


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8"])
def test_the_encoder_has_no_delay_and_keeps_the_bit_rate(codec: str) -> None:
    rng = np.random.default_rng(1)
    settings = OutputSettings(codec=codec, bit_rate_kbps=400)
    encoder = StreamEncoder(parse_target("rtsp://host/x"), INFO, settings, pytest.fail)
    sizes = []
    for k in range(50):
        noise = av.VideoFrame.from_ndarray(rng.integers(0, 255, (180, 160), np.uint8), "yuv420p")
        packets = encoder.encode(
            Scene(Frame(noise, k, k * STEP, INFO.time_base, 0.0), tracks(0), LABELS, FrameState.DETECTED)
        )
        assert len(packets) == 1
        assert packets[0].pts == packets[0].dts == k * 3600
        sizes.append(len(packets[0].data))
    if codec != "vp8":  # its coarsest quantiser is too fine for noise
        assert sum(sizes) * 8 / 2.0 < 1.3 * 400_000


# Servers that cannot be reached, hang or refuse


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    loggers = ("streamer.sinks.publish.stream", "streamer.sinks.outage")
    return [record.getMessage() for record in caplog.records if record.name in loggers]


def test_an_unreachable_server_is_logged_once_and_scenes_are_skipped(caplog: pytest.LogCaptureFixture) -> None:
    url = f"rtsp://user:{PASSWORD}@127.0.0.1:{free_port()}/cam"
    with stream_sink(url, INFO, clock=Clock()) as sink:
        for k in range(3):
            sink.write(shown(k))
        assert (sink.connected, sink.written, sink.skipped) == (False, 0, 3)
    (line,) = lines_of(caplog)
    assert "cannot be reached: Connection refused (check host and port, and start the server first)" in line
    assert sink.notes == [f"3 scenes were not published: no connection to rtsp://{url.rpartition('@')[2]}"]
    assert PASSWORD not in caplog.text + str(sink.notes)


def test_the_server_is_not_asked_between_two_attempts() -> None:
    now_s = 0.0
    with answering(b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n") as (port, asked):
        url = f"rtsp://127.0.0.1:{port}/cam"
        backoff = Backoff(1.0, 30.0, jitter=random.Random(1))
        with stream_sink(url, INFO, clock=lambda: now_s, backoff=backoff) as sink:
            for k in range(20):
                sink.write(shown(k))
            assert len(asked) == 1
            now_s = 1.3
            sink.write(shown(20))
            assert len(asked) == 2
    assert sink.skipped == 21


@pytest.mark.parametrize(
    ("status", "reason"), [("401 Unauthorized", "authorization"), ("404 Not Found", "404"), ("403 Forbidden", "403")]
)
def test_a_refusal_is_logged_once_and_retried_rarely(
    status: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 0.0
    reply = f'RTSP/1.0 {status}\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'.encode()
    with answering(reply) as (port, asked):
        url = f"rtsp://user:{PASSWORD}@127.0.0.1:{port}/cam"
        with stream_sink(url, INFO, clock=lambda: now_s) as sink:
            for k in range(40):
                now_s = float(k)
                sink.write(shown(k))
    (line,) = lines_of(caplog)
    assert "refused" in line
    assert reason in line.lower()
    assert "check user, password and path" in line
    assert sum(request.startswith(b"OPTIONS") or request.startswith(b"ANNOUNCE") for request in asked) <= 10
    assert PASSWORD not in caplog.text + str(sink.notes)


@pytest.mark.slow
def test_publishing_resumes_after_the_receiver_was_killed(
    receive: Callable[[str, str], Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    url = address("rtsp")
    first = receive(url, "rtsp")
    with stream_sink(url, INFO, clock=Clock()) as sink:
        write_until_connected(sink)
        for k in range(1, 60):
            sink.write(shown(k))
        assert next(iter(first))["key"]
        caplog.clear()
        first.end()
        for k in range(60, 2000):
            sink.write(shown(k))
            if not sink.connected:
                break
        second = receive(url, "rtsp")
        write_until_connected(sink, 900)
        for k in range(901, 960):
            sink.write(shown(k))
    got = list(second)
    assert got[0]["key"]
    assert got[0]["number"] in (900, 901)
    lost, back = lines_of(caplog)
    assert ": lost (" in lost
    assert ": back after " in back
    assert back.endswith(" scenes skipped")


def test_a_receiver_that_stops_reading_is_disconnected(
    receive: Callable[[str, str], Receiver], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = address("rtsp")
    size = (640, 480)
    stopped = receive(url, "rtsp")
    rng = np.random.default_rng(1)
    noise = [av.VideoFrame.from_ndarray(rng.integers(0, 255, (720, 640), np.uint8), "yuv420p") for _ in range(2)]
    with stream_sink(url, info(size=size), clock=Clock(), bit_rate_kbps=50_000) as sink:
        write_until_connected(sink)
        stopped.process.send_signal(signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(link, "STALL_S", 0.3)
            for k in range(1, 500):
                frame = Frame(noise[k % 2], k, k * STEP, INFO.time_base, 0.0)
                sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
                if not sink.connected:
                    break
        assert not sink.connected
        stopped.end()
        again = receive(url, "rtsp")
        write_until_connected(sink)
        for k in range(1, 30):
            sink.write(shown(k))
    assert next(iter(again))["key"]
    assert any("took no data for 0.3 s" in line for line in lines_of(caplog))


def test_a_server_that_does_not_answer_is_disconnected(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(None) as (port, asked), stream_sink(f"rtsp://127.0.0.1:{port}/cam", INFO, clock=Clock()) as sink:
        for count, wait_s in enumerate((0.5, 2.0, 8.0), 1):  # on a busy machine the request takes long
            monkeypatch.setattr(link, "CONNECT_S", wait_s)
            sink.write(shown(count))
            if asked:
                break
        assert asked
        assert sink.skipped == count
    assert "no answer within 0.5 s" in caplog.text  # an outage logs its first failure only


def test_leaving_does_not_wait_for_a_write_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    with answering(None) as (port, asked):
        sink = stream_sink(f"rtsp://127.0.0.1:{port}/cam", INFO)
        sink.__enter__()
        writer = threading.Thread(target=sink.write, args=(shown(0),))
        children = psutil.Process().children()
        writer.start()
        while not asked:  # until the write waits for the server's answer
            writer.join(0.01)
        sink.__exit__(None, None, None)
        assert writer.is_alive() or sink.skipped
        writer.join(5)
        assert not writer.is_alive()
        assert psutil.Process().children() == children
    assert [line for line in lines_of(caplog) if "cut off" in line]


def test_leaving_ends_the_process_of_a_server_that_hangs(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtmp")
    receiver = receive(url, "rtmp")
    children = psutil.Process().children()
    with stream_sink(url, INFO, clock=Clock()) as sink:
        write_until_connected(sink)
        receiver.process.send_signal(signal.SIGSTOP)
        sink.write(shown(1))
    assert psutil.Process().children() == children


# Required streams


def test_a_required_stream_must_connect() -> None:
    url = f"rtsp://user:{PASSWORD}@127.0.0.1:{free_port()}/cam"
    with (
        pytest.raises(SinkUnavailable, match="cannot publish to rtsp://127") as caught,
        stream_sink(url, INFO, required=True),
    ):
        pytest.fail("the sink opened")
    assert PASSWORD not in "".join(_all_texts(caught.value))


def test_a_lost_required_stream_is_an_error(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtmp")
    receiver = receive(url, "rtmp")
    sink = _entered_when_a_receiver_listens(url)
    try:
        for k in range(30):
            sink.write(shown(k))
        black = next(iter(receiver))
        assert black["key"]
        receiver.end()
        with pytest.raises(SinkError, match=r"cannot publish to rtmp://127.0.0.1:\d+/live/\*\*\*: "):
            write_many(sink, 2000)
    finally:
        sink.__exit__(None, None, None)


def _entered_when_a_receiver_listens(url: str) -> StreamSink:
    for _ in range(100):
        sink = stream_sink(url, INFO, required=True)
        with suppress(SinkUnavailable):
            return sink.__enter__()
    raise AssertionError("no receiver took the stream")


def _all_texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r}"
        error = error.__cause__ or error.__context__


# Playlists


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("live-*.ts"), key=lambda path: int(path.stem.rpartition("-")[2]))


def shown_in(playlist: Path) -> list[int]:
    with av.open(str(playlist)) as container:
        return [read_number(frame) for frame in container.decode(video=0)]


def test_a_playlist_lists_the_last_seconds_only(tmp_path: Path) -> None:
    playlist = tmp_path / "web" / "live.m3u8"
    with stream_sink(str(playlist), INFO) as sink:
        for k in range(400):
            sink.write(shown(k))
    found = segments(playlist.parent)
    assert {path.name for path in playlist.parent.iterdir()} == {playlist.name, *(path.name for path in found)}
    text = playlist.read_text(encoding="ascii")
    listed = [line for line in text.splitlines() if not line.startswith("#")]
    # Dropped segments stay for as long as a player may request them.
    assert listed == [path.name for path in found][-6:]
    assert text.rstrip().endswith("#EXT-X-ENDLIST")
    assert "#EXT-X-TARGETDURATION:1\n" in text
    numbers = shown_in(playlist)
    assert numbers == list(range(400 - len(numbers), 400))
    assert len(numbers) >= 100


def test_old_segments_are_removed_and_other_files_kept(tmp_path: Path) -> None:
    for name in ("live.m3u8", "live-17.ts", "live-18.ts.tmp", "live-x.ts", "other-1.ts", "live-17.mp4"):
        (tmp_path / name).write_text("old")
    with stream_sink(f"hls:{tmp_path}/live.m3u8", INFO) as sink:
        assert {path.name for path in tmp_path.iterdir()} == {"live-x.ts", "other-1.ts", "live-17.mp4"}
        for k in range(30):
            sink.write(shown(k))
    assert shown_in(tmp_path / "live.m3u8") == list(range(30))


def test_segment_numbers_increase_from_run_to_run(tmp_path: Path) -> None:
    first = []
    for _ in range(2):
        with stream_sink(f"hls:{tmp_path}", INFO) as sink:
            for k in range(30):
                sink.write(shown(k))
        text = (tmp_path / "index.m3u8").read_text(encoding="ascii")
        first.append(int(text.partition("#EXT-X-MEDIA-SEQUENCE:")[2].split()[0]))
    assert first[0] + 2 <= first[1]


def test_frames_of_another_size_are_scaled_or_begin_a_new_period(tmp_path: Path) -> None:
    for on_change in ("reopen", "rescale"):
        with stream_sink(str(tmp_path / f"{on_change}.m3u8"), INFO, on_change=on_change) as sink:
            for k in range(100):
                sink.write(shown(k, size=SIZE if k < 50 else (320, 240)))
            assert sink.written == 100
            assert sink.connected
    reopened = (tmp_path / "reopen.m3u8").read_text(encoding="ascii")
    assert reopened.count("#EXT-X-DISCONTINUITY\n") == 1
    assert reopened.count("#EXT-X-ENDLIST") == 1
    # A player counts segments from this number: a listed segment must keep its number.
    sequence = reopened.partition("#EXT-X-MEDIA-SEQUENCE:")[2].split()[0]
    assert f"reopen-{sequence}.ts" == next(line for line in reopened.splitlines() if line.endswith(".ts"))
    with av.open(str(tmp_path / "reopen.m3u8")) as container:
        widths = [frame.width for frame in container.decode(video=0)]
    assert set(widths) == {160, 320}
    assert len([width for width in widths if width == 320]) == 50
    with av.open(str(tmp_path / "rescale.m3u8")) as container:
        assert [frame.width for frame in container.decode(video=0)] == [160] * 100


def test_an_unwritable_playlist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SinkUnavailable, match=r"cannot write .*live\.m3u8: .*; choose another folder"),
        stream_sink(str(tmp_path / "file" / "live.m3u8"), INFO),
    ):
        pytest.fail("the sink opened")


# Invalid settings


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("srt://host:9000", "without SRT"),
        ("http://host/x", "cannot publish there"),
        ("clip.mp4", "cannot publish there"),
        ("rtsp:///x", "host is missing"),
        ("rtsp://host:notaport/x", "check host and port"),
        ("udp://host", "port is missing"),
        ("rtmp://host/key", "application"),
    ],
)
def test_an_invalid_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(SinkUnavailable, match=message) as caught:
        stream_sink(url, INFO)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"codec": "h246"}, "did you mean"),
        ({"codec": "ffv1"}, "cannot carry ffv1 video; set the codec to one of h264, hevc, vp8"),
        ({"preset": "hurried"}, "does not open here"),
        ({"options": {"rc-lookahaed": "1"}}, "did you mean"),
    ],
)
def test_an_invalid_codec_or_option_is_refused_without_a_server(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SinkUnavailable, match=message), stream_sink("rtsp://127.0.0.1:9/x", INFO, **given):
        pytest.fail("the sink opened")


def test_rtsp_transport_is_tcp_or_udp() -> None:
    assert parse_target("rtsp://host/x", "udp").options["rtsp_transport"] == "udp"
    with pytest.raises(SinkUnavailable, match="tcp or udp"):
        parse_target("rtsp://host/x", "carrier pigeon")


def test_writing_to_a_sink_that_is_not_open_is_an_error() -> None:
    with pytest.raises(SinkError, match="not open"):
        stream_sink("rtsp://host/x", INFO).write(shown(0))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=4, max_size=20))
def test_a_target_shows_no_password(password: str) -> None:
    coded = quote(password, safe="")
    target = parse_target(f"rtsp://me:{coded}@host.example:8554/cam?token={coded}")
    assert target.name == "rtsp://host.example:8554/cam"
    other = parse_target("rtsp://me:of-another@host.example:8554/cam?token=of-another")
    assert repr(target) == repr(other)
    scrubbed = target.scrub(f"cannot open {target.url}: {password} {coded} rejected at host")
    shown_text = scrubbed.replace("cannot open", "").replace("rejected at host", "")
    assert not any(one in shown_text for one in (password, coded) if one not in "rtsp://host.example:8554/cam ***:")


def test_a_target_shows_no_stream_key() -> None:
    target = parse_target("rtmp://live.example/app/abcd-efgh")
    assert target.name == "rtmp://live.example/app/***"
    assert "abcd" not in repr(target) + target.scrub("Cannot publish abcd-efgh")


def test_the_address_is_not_in_the_arguments_of_the_process(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtmp")
    receive(url, "rtmp")
    with stream_sink(url, INFO, clock=Clock()) as sink:
        write_until_connected(sink)
        commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
        assert any("publish.process" in command for command in commands)
        assert not any("publish.process" in command and "rtmp:" in command for command in commands)


def test_signals_do_not_end_the_process_of_a_stream(tmp_path: Path) -> None:
    """Signals of Ctrl-C, a service manager or a closed terminal reach the process too; only the program ends it."""
    with stream_sink(str(tmp_path / "live.m3u8"), INFO) as sink:
        sink.write(shown(0))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for child in psutil.Process().children():
                child.send_signal(number)
        for k in range(1, 50):
            sink.write(shown(k))
    assert sink.skipped == 0
    assert shown_in(tmp_path / "live.m3u8") == list(range(50))


def test_failed_attempts_leak_nothing() -> None:
    with stream_sink(f"rtsp://127.0.0.1:{free_port()}/cam", INFO, clock=Clock()) as sink:
        sink.write(shown(0))
        process = psutil.Process()
        files, threads = process.num_fds(), threading.active_count()
        for k in range(1, 6):
            sink.write(shown(k))
        assert process.num_fds() == files
        assert process.children() == []
    assert threading.active_count() == threads


def test_a_killed_run_leaves_no_process(tmp_path: Path) -> None:
    program = """
import psutil, sys
from tests.sinks.publish.test_stream import INFO, shown, stream_sink
with stream_sink(sys.argv[1], INFO) as sink:
    sink.write(shown(0))
    print(psutil.Process().children()[0].pid, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "live.m3u8")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = psutil.Process(int(run.stdout.readline()))
        run.kill()
        run.wait()
        with suppress(psutil.NoSuchProcess):
            left.wait(20)
    assert not left.is_running()
