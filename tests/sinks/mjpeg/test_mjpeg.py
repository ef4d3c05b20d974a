"""MJPEG over HTTP with real clients."""

from __future__ import annotations

import base64
import gc
import http.client
import json
import re
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest
from pydantic import ValidationError

from streamer.errors import ConfigError, SinkError, SinkUnavailable
from streamer.interfaces import Scene
from streamer.sinks.mjpeg import viewers
from streamer.sinks.mjpeg.jpeg import Jpeg
from streamer.sinks.mjpeg.mjpeg import MjpegSink
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.clips import read_number
from tests.sinks.making import mjpeg_sink
from tests.sinks.scenes import LABELS, scene, tracks

SIZE = (320, 240)
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Part:
    """A frame as a viewer receives it."""

    headers: dict[str, str]
    data: bytes

    @property
    def number(self) -> int:
        """The number shown in the frame."""
        return number_of(self.data)


class RawViewer:
    """A client of `/stream.mjpg` on a plain socket (HTTP/1.0, so that the answer is not chunked).

    Args:
        sink: to watch.
        receive_bytes: size of the receive buffer, for a client that reads slowly.
    """

    def __init__(self, sink: MjpegSink, *, receive_bytes: int = 0, authorization: str = "") -> None:
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT_S)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(sink.address)
        field = f"Authorization: {authorization}\r\n" if authorization else ""
        self.socket.sendall(f"GET /stream.mjpg HTTP/1.0\r\nHost: localhost\r\n{field}\r\n".encode())
        self._received = b""
        self.head = self.until(b"\r\n\r\n").decode()

    def until(self, mark: bytes) -> bytes:
        """The data up to a mark; does not wait for data after the mark."""
        while mark not in self._received:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self._received += more
        found, _, self._received = self._received.partition(mark)
        return found

    def part(self) -> Part:
        """The next frame, with the boundary after it, which a browser waits for."""
        if not self.head.endswith("\n"):
            assert self.until(b"--frame\r\n") == b""
            self.head += "\n"
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        data = self.until(b"\r\n--frame\r\n")
        assert len(data) == int(headers["Content-Length"])
        return Part(headers, data)

    def __enter__(self) -> RawViewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def numbered(index: int) -> Scene:
    """A scene that shows its index, captured at this time in seconds."""
    made = scene(index, index * 512, size=SIZE)
    return replace(made, frame=replace(made.frame, captured_s=float(index)))


def noise(index: int) -> Scene:
    """A scene whose JPEG is as large as possible."""
    rgb = np.random.default_rng(index).integers(0, 256, (480, 640, 3), np.uint8)
    frame = Frame(av.VideoFrame.from_ndarray(rgb, "rgb24"), index, index, Fraction(1, 25), float(index))
    return Scene(frame, tracks(0), LABELS, FrameState.DETECTED)


def rgb_of(data: bytes) -> npt.NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def number_of(data: bytes) -> int:
    return read_number(av.VideoFrame.from_ndarray(rgb_of(data), "rgb24"))


def ask(sink: MjpegSink, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    with closing(http.client.HTTPConnection(*sink.address, timeout=TIMEOUT_S)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def health(sink: MjpegSink) -> tuple[int, dict[str, Any]]:
    status, _, body = ask(sink, "/healthz")
    return status, json.loads(body)


def until_watched_by(sink: MjpegSink, viewers: int) -> None:
    """Wait for a number of viewers."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while health(sink)[1]["viewers"] != viewers:
        assert time.monotonic() < deadline_s


@pytest.fixture
def sink() -> Iterator[MjpegSink]:
    with mjpeg_sink("http://127.0.0.1:0/") as opened:
        yield opened


def test_every_frame_arrives_at_once_with_its_times(sink: MjpegSink) -> None:
    with RawViewer(sink) as viewer:
        assert "multipart/x-mixed-replace; boundary=frame" in viewer.head
        until_watched_by(sink, 1)
        for index in range(5):
            sink.write(numbered(index))
            part = viewer.part()
            assert part.number == index
            assert part.headers["Content-Type"] == "image/jpeg"
            assert float(part.headers["X-Timestamp"]) == pytest.approx(index * 0.04)
            assert float(part.headers["X-Captured"]) == index


def test_ffmpeg_reads_it_without_a_frame_of_delay(sink: MjpegSink) -> None:
    sink.write(numbered(0))
    opened = threading.Event()
    written = [0]

    def feed() -> None:  # frames that FFmpeg analyses while it opens
        while not opened.wait(0.01):
            written[0] += 1
            sink.write(numbered(written[0]))

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        container = av.open(f"{sink.url}stream.mjpg", format="mpjpeg", timeout=TIMEOUT_S)
    finally:
        opened.set()
        feeder.join()
    with container:
        frames = container.decode(video=0)
        last = written[0]
        while read_number(next(frames)) != last:
            pass
        for index in range(last + 1, last + 6):
            sink.write(numbered(index))  # the next one only after this was read
            assert read_number(next(frames)) == index


def test_a_new_viewer_gets_the_newest_frame_at_once(sink: MjpegSink) -> None:
    for index in range(3):
        sink.write(numbered(index))
    with RawViewer(sink) as viewer:
        assert viewer.part().number == 2


def test_the_first_frame_is_repeated_if_no_other_follows(sink: MjpegSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "_REPEATED_AFTER_S", 0.01)
    sink.write(numbered(0))
    with RawViewer(sink) as viewer:
        assert [viewer.part().number for _ in range(2)] == [0, 0], "Chromium shows a frame when a second one arrives"
        sink.write(numbered(1))
        assert viewer.part().number == 1


def test_a_viewer_that_has_gone_is_not_kept(sink: MjpegSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of quick visits kept their connections until the first frame was to be repeated."""
    monkeypatch.setattr(viewers, "_REPEATED_AFTER_S", 3600.0)
    made: list[weakref.ref[viewers.Viewer]] = []
    put = viewers.Viewer.put

    def noted(viewer: viewers.Viewer, jpeg: Jpeg) -> None:
        made.append(weakref.ref(viewer))
        put(viewer, jpeg)

    monkeypatch.setattr(viewers.Viewer, "put", noted)
    sink.write(numbered(0))
    with RawViewer(sink) as viewer:
        assert viewer.part().number == 0
    until_watched_by(sink, 0)
    gc.collect()
    assert [one() for one in made] == [None]


def test_the_last_frame_reaches_all_viewers() -> None:
    with ExitStack() as stack:
        with mjpeg_sink("http://127.0.0.1:0/") as sink:
            viewer = stack.enter_context(RawViewer(sink))
            until_watched_by(sink, 1)
            sink.write(numbered(7))
        assert viewer.part().number == 7
        with pytest.raises(EOFError):
            viewer.part()


def test_a_slow_viewer_delays_nobody_and_gets_the_newest_frame() -> None:
    pictures = 400
    with mjpeg_sink("http://127.0.0.1:0/", viewer_timeout_s=60) as sink, RawViewer(sink, receive_bytes=65536) as slow:
        with RawViewer(sink) as quick:
            until_watched_by(sink, 2)
            scenes = [noise(index) for index in range(4)]
            memory_bytes = []
            for index in range(pictures):
                made = scenes[index % 4]
                sink.write(replace(made, frame=replace(made.frame, captured_s=float(index))))
                part = quick.part()
                assert float(part.headers["X-Captured"]) == index
                memory_bytes.append(psutil.Process().memory_info().rss)
        sent_bytes = pictures * len(part.data)
        assert sent_bytes > 60_000_000
        assert memory_bytes[-1] - memory_bytes[pictures // 4] < 8_000_000
        seen: list[int] = []
        while not seen or seen[-1] < pictures - 1:
            seen.append(int(float(slow.part().headers["X-Captured"])))
        assert len(seen) < pictures // 4  # it did not get the frames that it had missed
        assert seen == sorted(set(seen))


def test_a_viewer_that_reads_nothing_is_disconnected() -> None:
    with mjpeg_sink("http://127.0.0.1:0/", viewer_timeout_s=0.2) as sink, RawViewer(sink, receive_bytes=65536):
        until_watched_by(sink, 1)
        scenes = [noise(index) for index in range(4)]
        deadline_s = time.monotonic() + TIMEOUT_S
        index = 0
        while health(sink)[1]["viewers"]:
            sink.write(scenes[index % 4])
            index += 1
            assert time.monotonic() < deadline_s


def test_a_viewer_that_leaves_is_removed_also_without_frames(sink: MjpegSink) -> None:
    with RawViewer(sink):
        until_watched_by(sink, 1)
    until_watched_by(sink, 0)


@pytest.mark.parametrize("reads", [True, False])
def test_the_server_ends_quickly_with_viewers(reads: bool) -> None:
    with ExitStack() as stack:
        with mjpeg_sink("http://127.0.0.1:0/") as sink:
            viewers = [stack.enter_context(RawViewer(sink, receive_bytes=65536)) for _ in range(3)]
            until_watched_by(sink, 3)
            for index in range(50):
                sink.write(noise(index % 4))
                if reads:
                    for viewer in viewers:
                        viewer.part()
            address = sink.address
        names = [thread.name for thread in threading.enumerate()]
        assert "streamer-web" not in names
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=TIMEOUT_S)


def test_nothing_is_encoded_without_viewers(sink: MjpegSink, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[threading.Thread] = []
    imencode = cv2.imencode

    def counting(*arguments: Any) -> Any:
        encoded.append(threading.current_thread())
        return imencode(*arguments)

    monkeypatch.setattr(cv2, "imencode", counting)
    for index in range(3):
        sink.write(numbered(index))
    assert not encoded
    assert [number_of(ask(sink, "/snapshot.jpg")[2]) for _ in range(3)] == [2, 2, 2]
    assert len(encoded) == 1
    with RawViewer(sink) as one, RawViewer(sink) as other:
        until_watched_by(sink, 2)
        assert (one.part().number, other.part().number) == (2, 2)
        sink.write(numbered(3))
        assert (one.part().number, other.part().number) == (3, 3)
    assert len(encoded) == 2


def test_the_snapshot_is_the_newest_frame(sink: MjpegSink) -> None:
    assert ask(sink, "/snapshot.jpg")[0] == 503
    for index in (4, 9):
        sink.write(numbered(index))
        status, headers, data = ask(sink, "/snapshot.jpg")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert float(headers["X-Captured"]) == index
        assert "no-store" in headers["Cache-Control"]
        assert number_of(data) == index


def test_annotated_frames_are_shown(sink: MjpegSink) -> None:
    made = numbered(1)
    sink.write(replace(made, picture=numbered(600).frame.picture))
    assert number_of(ask(sink, "/snapshot.jpg")[2]) == 600


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "nv12", "bgr24"])
@pytest.mark.parametrize("size", [(640, 480), (1280, 720)], ids=["bt601", "bt709"])
def test_colours_are_right(sink: MjpegSink, pix_fmt: str, size: tuple[int, int]) -> None:
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255), (200, 120, 40)], np.uint8)
    rgb = np.repeat(np.repeat(colours[None], size[1], 0), -(-size[0] // len(colours)), 1)[:, : size[0]]
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24").reformat(
        format=pix_fmt,
        dst_colorspace="ITU709" if size[0] == 1280 else "ITU601",
        src_color_range="JPEG",
        dst_color_range="JPEG" if pix_fmt in ("yuvj420p", "bgr24") else "MPEG",
    )
    sink.write(replace(numbered(0), picture=picture))
    shown = rgb_of(ask(sink, "/snapshot.jpg")[2])
    middles = (np.arange(len(colours)) + 0.5) * size[0] / len(colours)
    found = shown[size[1] // 2, middles.astype(int)].astype(int)
    assert np.abs(found - colours).max() <= 4


def test_no_more_than_max_fps_are_sent() -> None:
    with mjpeg_sink("http://127.0.0.1:0/", max_fps=10) as sink, RawViewer(sink) as viewer:
        until_watched_by(sink, 1)
        sent = []
        for index in range(300):
            made = numbered(index % 1000)
            sink.write(replace(made, frame=replace(made.frame, captured_s=100 + index / 25)))
            if index % 5 in (0, 2):  # of 25 frames per second every second or third
                sent.append(viewer.part().number)
        assert sent == [index for index in range(300) if index % 5 in (0, 2)]
        assert number_of(ask(sink, "/snapshot.jpg")[2]) == 299


def test_health_reports_frames() -> None:
    with mjpeg_sink("http://127.0.0.1:0/", health_timeout_s=60) as sink:
        status, state = health(sink)
        assert (status, state["reason"], state["age_s"]) == (503, "no frame yet", None)
        sink.write(numbered(0))
        status, state = health(sink)
        assert (status, state["status"], state["pictures"]) == (200, "ok", 1)
        assert 0 <= state["age_s"] < 60


def test_health_reports_that_frames_stopped() -> None:
    with mjpeg_sink("http://127.0.0.1:0/", health_timeout_s=0.05) as sink:
        sink.write(numbered(0))
        deadline_s = time.monotonic() + TIMEOUT_S
        while (answer := health(sink))[0] == 200:
            assert time.monotonic() < deadline_s
        status, state = answer
        assert (status, state["status"]) == (503, "unhealthy")
        assert state["age_s"] >= 0.05
        assert re.fullmatch(r"no frame for \d+\.\d s \(limit 0\.05 s\)", state["reason"])


def test_the_page_loads_nothing_from_other_hosts(sink: MjpegSink) -> None:
    status, headers, body = ask(sink, "/")
    page = body.decode()
    assert (status, headers.get_content_type()) == (200, "text/html")
    assert 'src="stream.mjpg"' in page
    assert "//" not in re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert ask(sink, "/other")[0] == 404
    assert ask(sink, "/", "POST")[0] == 405


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_viewers_must_give_the_password() -> None:
    with mjpeg_sink("http://me:p%40ss:wörd@127.0.0.1:0/") as sink:
        sink.write(numbered(3))
        for path in ("/", "/stream.mjpg", "/snapshot.jpg"):
            status, headers, body = ask(sink, path)
            assert (status, headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
            assert b"image" not in body
        for wrong in (basic("me", "p@ss"), basic("you", "p@ss:wörd"), "Basic !", "Bearer x", "Basic"):
            assert ask(sink, "/snapshot.jpg", Authorization=wrong)[0] == 401
        status, _, data = ask(sink, "/snapshot.jpg", Authorization=basic("me", "p@ss:wörd"))
        assert (status, number_of(data)) == (200, 3)
        assert ask(sink, "/healthz")[0] == 200
        with RawViewer(sink, authorization=basic("me", "p@ss:wörd")) as viewer:
            assert viewer.part().number == 3
        assert "@" not in sink.url


def test_requests_with_a_foreign_host_name_are_refused(sink: MjpegSink) -> None:
    sink.write(numbered(0))
    port = sink.address[1]
    assert ask(sink, "/snapshot.jpg", Host=f"evil.example:{port}")[0] == 421
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "[::1]"):
        assert ask(sink, "/snapshot.jpg", Host=host)[0] == 200


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\x16\x03\x01" * 50, b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA\r\n\r\n"]
)
def test_invalid_requests_are_not_logged(sink: MjpegSink, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(sink.address, timeout=TIMEOUT_S) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(4096)
    assert b" 400 " in answer or answer == b""
    assert health(sink)[1]["viewers"] == 0
    assert not caplog.records


def test_a_viewer_that_leaves_is_not_logged(sink: MjpegSink, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(5):
        with RawViewer(sink) as viewer:
            until_watched_by(sink, 1)
            sink.write(noise(index))
            viewer.until(b"image/jpeg")
        while health(sink)[1]["viewers"]:
            sink.write(noise(index))
    assert not caplog.records


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1"])
def test_without_a_host_only_this_machine_can_watch(host: str) -> None:
    with mjpeg_sink(f"http://{host}:0") as sink:
        assert sink.address[0] == "127.0.0.1"
        assert sink.url == f"http://127.0.0.1:{sink.address[1]}/"


def test_a_taken_port_is_an_error(sink: MjpegSink) -> None:
    again = mjpeg_sink(f"http://me:s3cret@127.0.0.1:{sink.address[1]}/")
    with pytest.raises(SinkUnavailable, match="the port is taken; choose another one") as caught:
        again.__enter__()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://127.0.0.1:8443/", "reverse proxy"),
        ("http://127.0.0.1:80800/", "no port"),
        ("http://127.0.0.1:x/", "no port"),
        ("http://127.0.0.1:8080/live?x=1", "such as"),
        ("http://127.0.0.1:8080/{live}", "the path may contain"),
        ("http://127.0.0.1:8080//", "the path may contain"),
        ("ftp://127.0.0.1/", "such as"),
        ("http://me@127.0.0.1:8080/", "user and password"),
    ],
)
def test_invalid_addresses_are_refused(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        mjpeg_sink(url)


@pytest.mark.parametrize("wrong", [{"quality": 0}, {"quality": 101}, {"max_fps": 0}])
def test_invalid_numbers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        mjpeg_sink("http://127.0.0.1:0/", **wrong)


def test_writing_before_entering_or_after_leaving_is_an_error() -> None:
    sink = mjpeg_sink("http://127.0.0.1:0/")
    with pytest.raises(SinkError, match="not open"):
        sink.write(numbered(0))
    with sink:
        sink.write(numbered(0))
    with pytest.raises(SinkError, match="not open"):
        sink.write(numbered(0))
