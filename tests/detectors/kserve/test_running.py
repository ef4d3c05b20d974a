"""While a run goes on: deadlines, servers that are away, logins that change, and closing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import build_detector
from streamer.errors import DetectorError, DetectorUnreachable, ModelError
from streamer.features import DetectorContext
from streamer.interfaces import Detector, StreamInfo
from streamer.values.frame import Frame
from tests.detectors.frames import blank, frame_of
from tests.detectors.kserve.server import ModelServer
from tests.detectors.onnx.test_families import write_yolov8

FRAME_OF_A_FILE = frame_of(blank(192, 128))
FRAME = replace(FRAME_OF_A_FILE, arrival_wall_clock_s=1e9)
"""Of a live source."""
LIVE = StreamInfo("camera", 192, 128, "rgb24", Fraction(1, 25), live=True)
FILE = StreamInfo("clip.mp4", 192, 128, "rgb24", Fraction(1, 25))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_yolov8(tmp_path / "model.onnx")


@pytest.fixture
def server(model: Path) -> Iterator[ModelServer]:
    with ModelServer({"yolov8": model}) as running:
        yield running


def detectors_of(server: ModelServer, info: StreamInfo = LIVE, **settings: object) -> list[Detector]:
    given = DetectorSettings.model_validate({"name": server.url("yolov8"), **settings})
    return list(build_detector(given, DetectorContext(info=info)).detectors)


class Held:
    """Answers of a server that come when the test lets them."""

    def __init__(self, server: ModelServer) -> None:
        self.came, self._go = threading.Event(), threading.Event()
        self._server = server

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.came.set()
        while not self._go.is_set():
            await asyncio.sleep(0.01)
        return await self._server.infer(request)

    def let_go(self) -> None:
        self._go.set()


def test_a_late_answer_costs_its_frame_and_not_the_next_one(server: ModelServer) -> None:
    (detector,) = detectors_of(server, remote={"deadline_s": 0.3})
    held = server.instead["/infer"] = Held(server)
    with pytest.raises(DetectorUnreachable, match=r"gave no answer within 0\.[23]\d* s"):
        detector.detect(FRAME)
    held.let_go()
    assert len(detector.detect(FRAME)) == 2
    detector.close()


def test_a_model_that_is_not_ready_is_unreachable(server: ModelServer) -> None:
    (detector,) = detectors_of(server)
    server.is_ready = False
    with pytest.raises(DetectorUnreachable, match="the model is not ready"):
        detector.detect(FRAME)
    server.is_ready = True
    assert len(detector.detect(FRAME)) == 2
    detector.close()


@pytest.mark.parametrize(("status", "kind"), [(400, DetectorError), (500, DetectorError), (503, DetectorUnreachable)])
def test_errors_of_a_ready_model_are_those_of_the_frame(
    server: ModelServer, status: int, kind: type[DetectorError]
) -> None:
    (detector,) = detectors_of(server)

    async def fail(_: web.Request) -> web.Response:
        return web.json_response({"error": "unexpected shape"}, status=status)

    server.instead["/infer"] = fail
    with pytest.raises(DetectorError, match=f"answers {status}: unexpected shape") as caught:
        detector.detect(FRAME)
    assert type(caught.value) is kind or kind is DetectorError
    assert isinstance(caught.value, DetectorUnreachable) == (kind is DetectorUnreachable)
    detector.close()


def test_a_live_run_detects_again_when_the_server_is_back(model: Path) -> None:
    with ModelServer({"yolov8": model}) as before:
        (detector,) = detectors_of(before)
        assert len(detector.detect(FRAME)) == 2
    for _ in range(10):
        with pytest.raises(DetectorUnreachable, match="connection"):
            detector.detect(FRAME)
    with ModelServer({"yolov8": model}, before.port):
        ends_s = time.monotonic() + 20
        while True:
            try:
                assert len(detector.detect(FRAME)) == 2
                break
            except DetectorUnreachable:
                assert time.monotonic() < ends_s
    detector.close()


def test_frames_of_a_file_wait_for_the_server(model: Path) -> None:
    with ModelServer({"yolov8": model}) as before:
        first, second = detectors_of(before, FILE)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(len(one.detect(FRAME_OF_A_FILE))))
        for one in (first, second)
    ]
    for thread in threads:
        thread.start()
    with ModelServer({"yolov8": model}, before.port):
        for thread in threads:
            thread.join(20)
    assert found == [2, 2]
    first.close()
    second.close()


def test_the_connection_is_kept(server: ModelServer) -> None:
    peers = set[object]()

    async def note(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return await server.infer(request)

    (detector,) = detectors_of(server)
    server.instead["/infer"] = note
    for _ in range(5):
        detector.detect(FRAME)
    assert len(peers) == 1
    detector.close()


@pytest.mark.parametrize("frame", [FRAME, FRAME_OF_A_FILE], ids=["live", "file"])
def test_closing_ends_a_call_at_once(server: ModelServer, frame: Frame) -> None:
    detector = detectors_of(server, workers=1, remote={"deadline_s": 3600})[0]
    held = server.instead["/infer"] = Held(server)
    errors: list[str] = []

    def detect() -> None:
        try:
            detector.detect(frame)
        except DetectorError as error:
            errors.append(str(error))

    thread = threading.Thread(target=detect)
    thread.start()
    assert held.came.wait(20)
    detector.close()
    thread.join(20)
    assert errors == ["the detector is closed"]
    held.let_go()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(FRAME)
    detector.close()


def test_a_new_token_is_read_from_its_file(server: ModelServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first-of-mine")
    server.token = "first-of-mine"
    (detector,) = detectors_of(server, remote={"token_file": str(token)})
    server.token = "second-of-mine"
    with pytest.raises(DetectorUnreachable, match="refuses the login"):
        detector.detect(FRAME)
    token.write_text("second-of-mine\n")
    with pytest.raises(DetectorUnreachable, match="refuses the login"):
        detector.detect(FRAME)
    assert len(detector.detect(FRAME)) == 2
    detector.close()


def test_a_login_of_the_address_is_sent(server: ModelServer) -> None:
    seen = set[str | None]()

    async def note(request: web.Request) -> web.StreamResponse:
        seen.add(request.headers.get("Authorization"))
        return await server.infer(request)

    server.instead["/infer"] = note
    given = DetectorSettings(name=server.url("yolov8", login="me:p%40ss-of-mine@"))
    built = build_detector(given, DetectorContext())
    assert seen == {"Basic bWU6cEBzcy1vZi1taW5l"}
    assert built.reason == f"using {server.url('yolov8')}"
    built.detectors[0].close()


def test_a_certificate_is_checked(model: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with ModelServer({"yolov8": model}, certificate=authority.issue_cert("127.0.0.1")) as server:
        with pytest.raises(ModelError, match=r"certificate is not trusted.*detector\.remote\.verify"):
            detectors_of(server)
        for remote in ({"ca_file": str(ca_file)}, {"verify": False}):
            (detector,) = detectors_of(server, remote=remote)
            assert len(detector.detect(FRAME)) == 2
            detector.close()


def test_a_slow_server_is_told_before_a_live_run(server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    (detector,) = detectors_of(server, remote={"deadline_s": 1e-6})
    detector.close()
    assert "frames that take longer than detector.remote.deadline_s (1e-06 s) are lost: set it higher" in caplog.text
