"""A detector in a pool, over real HTTP and without Ray: same boxes, one deadline a frame, errors in one line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.ray import wire
from streamer.detectors.ray.front import WorkerLost
from streamer.detectors.ray.model import PoolModel
from streamer.detectors.ray.values import Refused
from streamer.detectors.selection import build_detector
from streamer.errors import DetectorError, DetectorUnreachable, InvalidOutput
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.sources.selection import open_source
from tests.detectors.frames import frame_of, street
from tests.detectors.onnx import graphs
from tests.detectors.ray.pool_here import pool_here, pool_of
from tests.detectors.tfhub import tiny_module
from tracking.types import Detections

FRAME = frame_of(street(64, 48, seed=1))
BOXES = Detections(np.array([[1, 2, 3, 4.5]], np.float32), np.array([0.7], np.float32), np.array([0], np.int32))
LOW = 0.02
LIMIT_S = 20.0
SOURCES = (
    "testsrc2=size=322x242:rate=5:duration=1",
    "mandelbrot=size=640x360:rate=5,format=yuv420p10le,trim=duration=1",
    "testsrc2=size=320x240:rate=5:duration=1,setfield=tff,format=yuv422p",
)


def settings_of(name: str, folder: Path) -> DetectorSettings:
    if name == "hub":
        pytest.importorskip("tensorflow")
        return DetectorSettings(name=str(tiny_module.write(folder / "module")), min_score=0.0)
    if name == "onnx":
        boxes, scores = np.array([[8, 4, 40, 36], [48, 16, 88, 60]]), np.array([[0.9, 0.2], [0.1, 0.6]])
        names = graphs.ULTRALYTICS | {"names": "{0: 'Person', 1: 'Car'}"}
        name = str(graphs.constant(folder / "model.onnx", {"output0": graphs.yolov8(boxes, scores)}, metadata=names))
    return DetectorSettings(name=name, min_score=LOW)


@pytest.fixture(params=["starter", "nanodet", "onnx", pytest.param("hub", marks=pytest.mark.slow)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> DetectorSettings:
    if request.param in ("starter", "nanodet"):
        request.getfixturevalue(f"{request.param}_weights")
    return settings_of(request.param, tmp_path)


@pytest.fixture
def local(settings: DetectorSettings) -> Iterator[Detector]:
    built = build_detector(settings, DetectorContext()).detectors
    yield built[0]
    for one in built:
        one.close()


@pytest.mark.parametrize("source", SOURCES)
def test_boxes_are_those_of_a_local_detector(settings: DetectorSettings, local: Detector, source: str) -> None:
    """Exactly, for frames of several formats, and of a size that the pool has not seen."""
    with pool_of(settings) as pool, open_source(f"lavfi:{source}") as frames:
        model = PoolModel(pool.link(), None)
        assert model.labels == local.labels
        for frame in frames:
            here, there = local.detect(frame), model.detect(frame, LIMIT_S)
            assert there.boxes.tobytes() == here.boxes.tobytes()
            assert there.scores.tobytes() == here.scores.tobytes()
            assert there.labels.tobytes() == here.labels.tobytes()
            assert model.top_score == getattr(local, "top_score", None)
        model.close()


def found(*_: Any) -> tuple[bytes, float]:
    return wire.packed(BOXES), 0.7


def test_scores_below_the_bound_of_the_run_are_removed() -> None:
    with pool_here(found) as pool:
        assert len(PoolModel(pool.link(), 0.7).detect(FRAME, LIMIT_S)) == 1
        assert len(PoolModel(pool.link(), 0.8).detect(FRAME, LIMIT_S)) == 0


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Refused("the model failed"), DetectorError, "^the model failed$"),
        (Refused("NaN in the scores", is_output=True), InvalidOutput, "^NaN in the scores$"),
        (WorkerLost("the worker has died"), DetectorUnreachable, "pool: the worker has died"),
        ((b"123", None), DetectorError, "gave no detections: 3 bytes"),
        (wire.Conversion("rgb", 8, 8), DetectorError, "asks for another picture of each frame"),
    ],
)
def test_errors_of_a_worker_arrive_as_they_are(answer: Any, kind: type[Exception], message: str) -> None:
    with pool_here(lambda *_: answer) as pool, pytest.raises(kind, match=message) as caught:
        PoolModel(pool.link(), None).detect(FRAME, LIMIT_S)
    assert type(caught.value) is kind


def test_a_frame_has_one_deadline() -> None:
    """A detector that takes too long costs this frame only."""
    goes_on = threading.Event()

    def slow(*_: Any) -> tuple[bytes, float]:
        goes_on.wait()
        return found()

    with pool_here(slow) as pool:
        model = PoolModel(pool.link(), None)
        with pytest.raises(DetectorUnreachable, match=r"no detections within 0.05 s|were busy for 0.05 s"):
            model.detect(FRAME, 0.05)
        goes_on.set()
        assert len(model.detect(FRAME, LIMIT_S)) == 1


def test_a_pool_without_a_ready_worker_says_so_at_once() -> None:
    with pool_here(found) as pool:
        pool.server.ready = 0
        model = PoolModel(pool.link(), None)
        for call in (lambda: model.detect(FRAME, LIMIT_S), lambda: model.probe(LIMIT_S)):
            with pytest.raises(DetectorUnreachable, match="no worker of the pool is ready"):
                call()
        pool.server.ready = 1
        model.probe(LIMIT_S)
        assert len(model.detect(FRAME, LIMIT_S)) == 1


def test_without_the_token_of_the_pool_nothing_is_detected() -> None:
    with pool_here(found) as pool:
        link = pool.link(token="another")
        with pytest.raises(DetectorUnreachable, match="the token of the pool is missing or wrong"):
            PoolModel(link, None).detect(FRAME, LIMIT_S)
        link.close()
        assert pool.server.detected == 0


def test_a_pool_that_has_gone_is_unreachable() -> None:
    with pool_here(found) as pool:
        link = pool.link()
        model = PoolModel(link, None)
        assert len(model.detect(FRAME, LIMIT_S)) == 1
    for _ in range(2):
        with pytest.raises(DetectorUnreachable, match=r"127.0.0.1:1/pool: "):
            model.detect(FRAME, LIMIT_S)
    model.close()


def test_closing_ends_the_call_in_progress() -> None:
    arrived, goes_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> tuple[bytes, float]:
        arrived.set()
        goes_on.wait()
        return found()

    with pool_here(slow) as pool:
        model = PoolModel(pool.link(), None)

        def close() -> None:
            arrived.wait()
            model.close()

        closer = threading.Thread(target=close)
        closer.start()
        with pytest.raises(DetectorUnreachable):
            model.detect(FRAME, LIMIT_S)
        closer.join()
        goes_on.set()


def test_a_request_that_is_no_frame_is_refused() -> None:
    """The server is reachable by anyone; what it cannot read is answered, and it goes on."""
    with pool_here(found) as pool:
        with socket.create_connection(("127.0.0.1", pool.card.port)) as client:
            client.sendall(
                b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n"
                + f"Authorization: Bearer {pool.card.token}\r\n\r\n".encode()
            )
            assert client.makefile("rb").readline() == b"HTTP/1.1 400 Bad Request\r\n"
        assert len(PoolModel(pool.link(), None).detect(FRAME, LIMIT_S)) == 1


@pytest.mark.parametrize("head", [b"Content-Length: 1000\r\n", b""])
def test_a_server_that_sends_a_byte_now_and_then_costs_one_deadline(head: bytes) -> None:
    """Another program has the port of the pool, and its answer does not end."""
    ended = threading.Event()
    with pool_here(found) as pool, socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with listening.accept()[0] as connected, suppress(OSError):
                connected.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
                while not ended.wait(0.02):
                    connected.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        model = PoolModel(pool.link(port=listening.getsockname()[1]), None)
        reason = "no detections within 0.5 s" if head else "something else answers there"
        with pytest.raises(DetectorUnreachable, match=reason):
            model.detect(FRAME, 0.5)
        ended.set()
        thread.join(20)
        model.close()
