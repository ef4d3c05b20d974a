"""Several outputs and the metrics on one web server, asked by a real client."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing

import pytest

from streamer.errors import ConfigError, SinkUnavailable
from streamer.flow.stats import RunStats
from streamer.observe.metrics import MetricsServer, Stream
from tests.sinks.making import mjpeg_sink
from tests.sinks.mjpeg.test_mjpeg import number_of, numbered

TIMEOUT_S = 10.0


@pytest.fixture
def port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, bytes, str]:
    """Status, body and redirection of a page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Location", "")


def test_outputs_with_different_paths_share_an_address(port: int) -> None:
    with mjpeg_sink(f"http://127.0.0.1:{port}/a") as a:
        with mjpeg_sink(f"http://127.0.0.1:{port}/b/") as b:
            assert (a.url, b.url) == (f"http://127.0.0.1:{port}/a/", f"http://127.0.0.1:{port}/b/")
            a.write(numbered(3))
            b.write(numbered(5))
            assert [number_of(get(port, f"/{name}/snapshot.jpg")[1]) for name in "ab"] == [3, 5]
            assert b"<title>Streamer</title>" in get(port, "/a/")[1]
            assert get(port, "/a") == (308, b"308: Permanent Redirect", "/a/")
            assert [get(port, path)[0] for path in ("/b/healthz", "/healthz", "/c/")] == [200, 404, 404]
            assert b'<a href="/a/">/a/</a>' in get(port, "/")[1]
            assert b'<a href="/b/">/b/</a>' in get(port, "/")[1]
        assert [get(port, path)[0] for path in ("/a/healthz", "/b/healthz")] == [200, 404]
    with pytest.raises(ConnectionRefusedError):
        get(port, "/a/")


def test_an_output_with_a_path_may_stand_beside_one_without(port: int) -> None:
    with mjpeg_sink(f"http://127.0.0.1:{port}/") as root, mjpeg_sink(f"http://localhost:{port}/b") as b:
        root.write(numbered(1))
        b.write(numbered(2))
        assert [number_of(get(port, path)[1]) for path in ("/snapshot.jpg", "/b/snapshot.jpg")] == [1, 2]


def test_metrics_and_an_output_share_an_address(port: int) -> None:
    with MetricsServer(f":{port}", lambda: [Stream("clip.mp4", RunStats())]) as metrics:
        assert metrics.url == f"http://127.0.0.1:{port}/metrics"
        with mjpeg_sink(f"http://127.0.0.1:{port}/") as sink:
            sink.write(numbered(1))
            assert b"streamer_frames_entered" in get(port, "/metrics")[1]
            assert get(port, "/healthz")[0] == 200
        assert get(port, "/metrics")[0] == 200


def test_the_same_path_twice_is_refused(port: int) -> None:
    with mjpeg_sink(f"http://127.0.0.1:{port}/a") as a:
        with pytest.raises(ConfigError, match=r"/a of that address is served already; give each output a path"):
            mjpeg_sink(f"http://me:s3cret@127.0.0.1:{port}/a/").__enter__()
        a.write(numbered(4))
        assert number_of(get(port, "/a/snapshot.jpg")[1]) == 4


def test_another_host_with_the_same_port_is_refused_with_a_remedy(port: int) -> None:
    with mjpeg_sink(f"http://127.0.0.1:{port}/a"), pytest.raises(SinkUnavailable, match="give both the same host"):
        mjpeg_sink(f"http://0.0.0.0:{port}/b").__enter__()


def test_each_output_has_its_own_password(port: int) -> None:
    open_to_all, guarded = f"http://127.0.0.1:{port}/a", f"http://me:s3cret@127.0.0.1:{port}/b"
    with mjpeg_sink(open_to_all), mjpeg_sink(guarded):
        assert [get(port, f"/{name}/")[0] for name in "ab"] == [200, 401]


def test_an_address_can_be_used_again(port: int) -> None:
    for _ in range(2):
        with mjpeg_sink(f"http://127.0.0.1:{port}/a") as sink:
            sink.write(numbered(0))
            assert get(port, "/a/healthz")[0] == 200
