"""`/healthz` and `/metrics` of a site, asked by a real client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streamer.errors import ConfigError
from streamer.flow.stats import RunStats
from streamer.notify.target_worker import TargetStatus
from streamer.serve import status
from streamer.serve.metrics import SitePages
from streamer.serve.status import CameraState, CameraStatus
from streamer.system.secrets import SECRETS
from tests.serve.statuses import lost, running, waiting
from tests.sinks.making import mjpeg_sink
from tests.sinks.mjpeg.test_mjpeg import number_of, numbered
from tests.web.test_server import get, port

__all__ = ["port"]


@pytest.fixture
def cameras() -> list[CameraStatus]:
    """The cameras of the site; a test may change them."""
    return [running("front"), running("back", restarts=2)]


@pytest.fixture
def pages(cameras: list[CameraStatus]) -> Iterator[SitePages]:
    with SitePages(":0", lambda: list(cameras)) as opened:
        yield opened


def health(pages: SitePages, name: str = "") -> tuple[int, dict[str, Any]]:
    code, body, _ = get(pages.address[1], f"/healthz{name and '/'}{name}")
    answer: dict[str, Any] = json.loads(body)
    return code, answer


def samples(pages: SitePages, name: str) -> list[Sample]:
    families = text_string_to_metric_families(get(pages.address[1], "/metrics")[1].decode())
    return [sample for family in families for sample in family.samples if sample.name == name]


def by_stream(pages: SitePages, name: str) -> dict[str, float]:
    return {sample.labels["stream"]: sample.value for sample in samples(pages, name)}


def test_a_site_is_healthy_while_all_cameras_run_or_have_ended(pages: SitePages, cameras: list[CameraStatus]) -> None:
    cameras.append(running("clip", state=CameraState.ENDED))
    code, answer = health(pages)
    assert (code, answer["status"]) == (200, "ok")
    assert {name: one["state"] for name, one in answer["cameras"].items()} == {
        "front": "running",
        "back": "running",
        "clip": "ended",
    }
    assert answer["cameras"]["back"]["restarts"] == 2
    assert answer["cameras"]["front"]["frames_shown"] == 90


def test_one_camera_that_does_not_run_makes_the_site_unhealthy(pages: SitePages, cameras: list[CameraStatus]) -> None:
    cameras += [waiting("yard"), lost("gate")]
    code, answer = health(pages)
    assert (code, answer["status"]) == (503, "unhealthy")
    reasons = "yard is waiting: rtsp://camera/yard: refused; gate is lost: rtsp://camera/gate: stalled, no data for 5 s"
    assert answer["reason"] == f"2 of 4 cameras: {reasons}"
    assert {name for name, one in answer["cameras"].items() if one["status"] != "ok"} == {"yard", "gate"}


@pytest.mark.parametrize("state", [CameraState.STARTING, CameraState.WAITING, CameraState.STOPPED])
def test_a_camera_in_another_state_is_unhealthy(
    pages: SitePages, cameras: list[CameraStatus], state: CameraState
) -> None:
    cameras[0] = running("front", "", state=state)
    assert health(pages, "front")[0] == 503
    assert health(pages, "front")[1]["reason"] == state
    assert health(pages, "back")[0] == 200


def test_a_camera_that_shows_no_frames_any_more_is_unhealthy(
    pages: SitePages, cameras: list[CameraStatus], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health(pages, "front")[1]["last_frame_age_s"] < status.HUNG_S
    monkeypatch.setattr(status, "HUNG_S", 0.0)
    assert "no frame was shown for" in health(pages, "front")[1]["reason"]
    cameras[0] = running("front", stats=RunStats("front"))
    assert health(pages, "front")[1]["last_frame_age_s"] is None


def test_health_has_the_memory_of_clips(pages: SitePages, cameras: list[CameraStatus]) -> None:
    assert "clip_memory_bytes" not in health(pages, "front")[1]
    cameras[0].stats.gauge("clip_memory_bytes", "", 4.5e6)
    assert health(pages, "front")[1]["clip_memory_bytes"] == 4_500_000


def test_the_time_of_a_lost_camera_begins_with_its_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    front, back = replace(lost("front"), since_s=100.0), replace(running("back"), since_s=100.0)
    front.stats.shown_s = 7000.0
    monkeypatch.setattr("streamer.serve.status.time.monotonic", lambda: 7003.0)
    assert (front.state_s, back.state_s) == (3.0, 6903.0)


def test_a_site_without_a_camera_is_unhealthy(pages: SitePages, cameras: list[CameraStatus]) -> None:
    cameras.clear()
    assert health(pages) == (503, {"status": "unhealthy", "reason": "there is no camera", "cameras": {}})


def test_the_health_tells_of_targets_that_fail_and_stays_healthy(cameras: list[CameraStatus]) -> None:
    target = TargetStatus("ops", "webhook", delivered=5, error="connection refused", failing_since_s=time.monotonic())
    with SitePages(":0", lambda: list(cameras), lambda: [(target, 3)]) as pages:
        code, answer = health(pages)
        assert (code, answer["status"]) == (200, "ok")
        assert (answer["targets"]["ops"]["status"], answer["targets"]["ops"]["waiting"]) == ("failing", 3)
        assert answer["targets"]["ops"]["reason"] == "connection refused"
        (sample,) = samples(pages, "streamer_notify_waiting")
        assert (sample.labels["target"], sample.value) == ("ops", 3.0)


def test_an_unknown_camera_is_answered_with_the_names(pages: SitePages) -> None:
    assert health(pages, "yrad") == (404, {"error": "no camera 'yrad'; cameras: front, back"})


def test_a_reason_contains_no_password(pages: SitePages, cameras: list[CameraStatus]) -> None:
    SECRETS.split("rtsp://me:s3cr3t-of-yard@camera/")
    cameras.append(waiting("yard", "cannot open rtsp://me:s3cr3t-of-yard@camera/: refused"))
    assert "s3cr3t-of-yard" not in json.dumps([health(pages), health(pages, "yard")])


def test_all_cameras_are_in_one_exposition(pages: SitePages) -> None:
    assert by_stream(pages, "streamer_frames_entered_total") == {"front": 100, "back": 100}
    assert by_stream(pages, "streamer_detector_detections_total") == {"front": 20, "back": 20}
    assert by_stream(pages, "streamer_detector_seconds_total")["front"] == pytest.approx(0.4)
    assert by_stream(pages, "streamer_detector_longest_wait_seconds") == {"front": 0.75, "back": 0.75}
    assert by_stream(pages, "streamer_camera_restarts_total") == {"front": 0, "back": 2}
    (one, _) = samples(pages, "streamer_detector_detections_total")
    assert one.labels == {"stream": "front", "source": "rtsp://camera/front", "detector": "starter"}
    text = get(pages.address[1], "/metrics")[1].decode()
    assert text.count("# HELP streamer_frames_entered_total ") == 1


def test_the_state_of_a_camera_is_a_metric(pages: SitePages, cameras: list[CameraStatus]) -> None:
    cameras.append(waiting("yard"))
    ones = {(one.labels["stream"], one.labels["state"]) for one in samples(pages, "streamer_camera_state") if one.value}
    assert ones == {("front", "running"), ("back", "running"), ("yard", "waiting")}
    assert len(samples(pages, "streamer_camera_state")) == 3 * len(CameraState)


def test_the_series_of_a_removed_camera_disappear(pages: SitePages, cameras: list[CameraStatus]) -> None:
    assert b'stream="back"' in get(pages.address[1], "/metrics")[1]
    del cameras[1]
    assert b'stream="back"' not in get(pages.address[1], "/metrics")[1]
    assert health(pages, "back")[0] == 404


def test_outputs_of_cameras_share_the_address(port: int, cameras: list[CameraStatus]) -> None:
    with SitePages(f":{port}", lambda: cameras), mjpeg_sink(f"http://127.0.0.1:{port}/front") as sink:
        sink.write(numbered(3))
        assert number_of(get(port, "/front/snapshot.jpg")[1]) == 3
        assert [get(port, path)[0] for path in ("/metrics", "/healthz", "/healthz/front", "/front/healthz")] == [
            200
        ] * 4
        assert json.loads(get(port, "/front/healthz")[1])["pictures"] == 1


@pytest.mark.parametrize("path", ["/", "/healthz", "/healthz/front", "/metrics"])
def test_an_output_in_place_of_a_page_of_the_site_is_refused(port: int, cameras: list[CameraStatus], path: str) -> None:
    with SitePages(f":{port}", lambda: cameras), pytest.raises(ConfigError, match="is served already"):
        mjpeg_sink(f"http://127.0.0.1:{port}{path}").__enter__()
