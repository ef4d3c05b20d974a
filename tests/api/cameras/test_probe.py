"""A source is opened before it becomes a camera."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.api.cameras.site_files import write_site
from tests.api.sites import Served, served_site
from tests.clips import write_video


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    write_site(tmp_path)
    with served_site(tmp_path) as site:
        yield site


def test_a_file_has_its_facts_and_a_small_still(site: Served, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", size=(1280, 96), frames=3)
    found = site.client.send("POST", "/probe", {"source": {"uri": str(clip)}}).json
    still = found.pop("still")
    assert found == {"reason": "", "width": 1280, "height": 96, "fps": found["fps"], "codec": "h264", "live": False}
    head, _, data = still.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (48, 640, 3)


def test_a_generated_picture_is_live(site: Served) -> None:
    source = {"uri": "lavfi:testsrc2=size=64x48:rate=25", "live": True}
    found = site.client.send("POST", "/probe", {"source": source}).json
    assert (found["width"], found["height"], found["live"], found["reason"]) == (64, 48, True, "")
    assert found["still"]


def test_what_cannot_be_opened_has_a_reason_without_the_password(site: Served) -> None:
    for source, camera in (
        ({"uri": "rtsp://you:barracuda@127.0.0.1:9/1"}, None),
        ({"uri": "rtsp://me:***@127.0.0.1:9/1"}, "yard"),
    ):
        answer = site.client.send("POST", "/probe", {"source": source, "camera": camera})
        assert answer.status == 200
        assert answer.json["reason"].startswith("rtsp://127.0.0.1:9/1: no server listens at that port")
        assert b"barracuda" not in answer.content
        assert b"swordfish" not in answer.content
        assert answer.json["still"] is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({}, "source.uri: no source"),
        ({"uri": "-"}, "source.uri: no source"),
        ({"uri": 0, "siz": "1x1"}, "source.siz: no such setting; did you mean size?"),
        ({"uri": "rtsp://me:***@127.0.0.1:9/1"}, "source.uri: *** stands for a password"),
    ],
)
def test_an_invalid_source_is_refused(site: Served, source: object, problem: str) -> None:
    answer = site.client.send("POST", "/probe", {"source": source})
    assert answer.status == 422
    assert answer.json["detail"].startswith(problem)


def test_a_third_probe_at_a_time_is_refused(site: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(2) as pool:
        source = {"uri": f"rtsp://127.0.0.1:{silent.getsockname()[1]}/1", "open_timeout_s": 3}
        slow = [pool.submit(site.client.send, "POST", "/probe", {"source": source}) for _ in range(2)]
        connected = [silent.accept()[0] for _ in range(2)]
        refused = site.client.send("POST", "/probe", {"source": source})
        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        assert all(one.result().json["reason"] for one in slow)
        for connection in connected:
            connection.close()
    assert site.client.send("POST", "/probe", {"source": {"uri": "lavfi:testsrc2", "live": True}}).json["reason"] == ""
