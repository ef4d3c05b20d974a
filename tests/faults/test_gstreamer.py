"""The GStreamer server of the fault lab, checked with PyAV alone; skipped if it is not installed."""

from __future__ import annotations

import threading

import av
import pytest

from tests.faults import gstreamer
from tests.faults.camera import Camera
from tests.faults.reading import assert_consecutive, numbers, opened, watch

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True, scope="module")
def gstreamer_is_there() -> None:
    if why := gstreamer.missing():
        pytest.skip(f"no GStreamer server: {why}")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_the_gstreamer_server_is_read_like_the_camera(transport: str) -> None:
    with gstreamer.GStreamerServer(auth=("digest", "user", "secret")) as server:
        seen = watch(server.url("/h264"), 5, transport)
        assert {(each.picture.width, each.picture.height) for each in seen} == {(640, 360)}
        with pytest.raises(av.error.HTTPUnauthorizedError):
            opened(server.url_with("user", "wrong"))
        server.kill()
        server.start()
        assert len(watch(server.url("/mjpeg"), 1, transport)) == 1


def test_a_stream_published_to_gstreamer_can_be_read_there() -> None:
    with gstreamer.GStreamerServer() as server, Camera() as camera:
        publisher = threading.Thread(target=publish, args=(camera.url, server.url("/publish")))
        publisher.start()
        camera.wait_for("play")
        assert_consecutive(numbers(watch(server.url("/relay"), 5)))
        camera.kill()
        publisher.join(10)
        assert not publisher.is_alive()


def publish(source_url: str, target_url: str) -> None:
    """Pass packets on until the source ends."""
    options = {"rtsp_transport": "tcp"}
    with opened(source_url) as source, av.open(target_url, "w", "rtsp", options=options, timeout=(5, 5)) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
