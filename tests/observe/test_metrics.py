"""The metrics of a run as scraped by Prometheus."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streamer.errors import ConfigError, SinkUnavailable
from streamer.flow.stats import DurationHistogram, RunStats
from streamer.observe.metrics import BOUNDS_S, MetricsServer, Stream, buckets
from streamer.observe.scene_figures import SceneFigures
from streamer.values.events import CountState, Event, EventKind, EventPhase, LineState, Watched, ZoneState
from streamer.values.states import FrameState
from tests.render.scenes import noise, scene, tracks

SOURCE = "rtsp://camera/live"


@pytest.fixture
def stats() -> RunStats:
    """The figures of a running run."""
    made = RunStats()
    made.ledger.enter(100)
    made.ledger.settle(FrameState.DETECTED, frames=20)
    made.ledger.settle(FrameState.PREDICTED, frames=60)
    made.ledger.settle(FrameState.DROPPED, "detector busy", 15)
    made.ledger.settle(FrameState.CORRUPT, 'packet "loss"\\', 2)
    for _ in range(4):
        made.add_time("detect", 0.5)
    made.add_age("detector", 0.03)
    made.add_age("detector", 0.045)
    made.count("reconnect", "end of stream", 3)
    made.count("skipped", "mjpeg", 7)
    made.count("flagged corrupt", "", 1)
    made.gauge("queue_depth", "detector", 1)
    made.gauge("source_connected", "", 1)
    made.gauge("sink_connected", "rtsp", 0)
    made.count("clip", "written", 2)
    made.gauge("clip_memory_bytes", "", 5e6)
    return made


@pytest.fixture
def server(stats: RunStats) -> Iterator[MetricsServer]:
    with MetricsServer(":0", lambda: [Stream("rtsp://me:s3cret@camera/live?token=abc", stats)]) as opened:
        yield opened


def scrape(server: MetricsServer) -> dict[str, list[Sample]]:
    """Samples by name."""
    with urllib.request.urlopen(server.url, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def test_frame_counts_add_up(server: MetricsServer, stats: RunStats) -> None:
    def balance() -> tuple[float, float]:
        samples = scrape(server)
        settled = sum(sample.value for sample in samples["streamer_frames_total"])
        (entered,), (in_flight,) = samples["streamer_frames_entered_total"], samples["streamer_frames_in_flight"]
        assert settled + in_flight.value == entered.value
        return entered.value, in_flight.value

    assert balance() == (100, 3)
    stats.ledger.enter(5)
    stats.ledger.settle(FrameState.LOST, "detector hung", 4)
    assert balance() == (105, 4)


def test_metrics_have_their_labels(server: MetricsServer) -> None:
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for samples in scrape(server).values()
        for sample in samples
    }

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset({"stream": SOURCE, "source": SOURCE, **labels}.items())]

    assert value("streamer_frames_total", state="detected", cause="") == 20
    assert value("streamer_frames_total", state="corrupt", cause='packet "loss"\\') == 2
    assert value("streamer_frames_flagged_corrupt_total") == 1
    assert value("streamer_reconnects_total", cause="end of stream") == 3
    assert value("streamer_output_skipped_frames_total", output="mjpeg") == 7
    assert value("streamer_queue_depth", queue="detector") == 1
    assert value("streamer_source_connected") == 1
    assert value("streamer_output_connected", output="rtsp") == 0
    assert value("streamer_clips_total", result="written") == 2
    assert value("streamer_clip_memory_bytes") == 5e6
    assert value("streamer_stage_duration_seconds_count", stage="detect") == 4
    assert value("streamer_stage_duration_seconds_sum", stage="detect") == 2.0
    assert value("streamer_stage_duration_seconds_bucket", stage="detect", le="0.25") == 0
    assert value("streamer_stage_duration_seconds_bucket", stage="detect", le="0.5") == 4
    assert value("streamer_frame_age_seconds_bucket", at="detector", le="0.04") == 1
    assert value("streamer_frame_age_seconds_bucket", at="detector", le="+Inf") == 2


def test_the_counts_of_rules_and_the_objects_are_metrics(server: MetricsServer, stats: RunStats) -> None:
    figures, picture = SceneFigures(stats), noise(64, 48)
    area = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
    covered = Event("camera", EventKind.CAMERA_COVERED, 0, "", 1.0, "gate", phase=EventPhase.START, number=1)
    first = Watched(
        (covered,), (LineState("gate", area[:2], 2, 1),), (ZoneState("door", area, 1, 3),), (CountState("queue", 4),)
    )
    figures.scene_shown(scene(picture, tracks([(0, 0, 9, 9)] * 2, labels=[1, 1]), watched=first))
    for what, rule in (("crossing in", "gate"), ("crossing out", "gate"), ("camera_covered", "camera")):
        stats.count(what, rule)

    def value(name: str, **labels: str) -> float:
        (found,) = (one.value for one in scrape(server)[name] if labels.items() <= one.labels.items())
        return found

    assert value("streamer_line_crossings_total", line="gate", direction="in") == 2
    assert value("streamer_line_crossings_total", line="gate", direction="out") == 1
    assert value("streamer_zone_entries_total", zone="door") == 3
    assert value("streamer_zone_occupancy", zone="door") == 1
    assert value("streamer_rule_objects", rule="queue") == 4
    assert value("streamer_objects", **{"class": "Car"}) == 2
    assert value("streamer_camera_covered") == 1
    assert value("streamer_events_total", rule="gate", kind="crossing") == 2
    assert value("streamer_events_total", rule="camera", kind="camera_covered") == 1
    figures.scene_shown(scene(picture, tracks([]), watched=Watched(zones=(ZoneState("door", area, 0, 3),))))
    assert value("streamer_objects", **{"class": "Car"}) == 0
    assert value("streamer_zone_occupancy", zone="door") == 0


def test_a_named_stream_has_its_name_as_a_label() -> None:
    with MetricsServer(":0", lambda: [Stream(SOURCE, RunStats("gate"))]) as server:
        (entered,) = scrape(server)["streamer_frames_entered_total"]
    assert entered.labels == {"stream": "gate", "source": SOURCE}


def test_process_metrics_and_version_are_exported(server: MetricsServer) -> None:
    samples = scrape(server)
    assert samples["streamer_build_info"][0].labels["version"]
    assert samples["process_resident_memory_bytes"][0].value > 1e6
    assert samples["process_open_fds"][0].value > 1


def test_metrics_contain_no_password(server: MetricsServer) -> None:
    with urllib.request.urlopen(server.url, timeout=10) as answer:
        text = answer.read().decode()
    assert f'source="{SOURCE}"' in text
    assert "s3cret" not in text
    assert "abc" not in text


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=50))
def test_buckets_count_every_duration_up_to_their_bound(durations_s: list[float]) -> None:
    times = DurationHistogram()
    for duration_s in durations_s:
        times.add(duration_s)
    counts = dict(buckets(times))
    assert counts.pop("+Inf") == len(durations_s)
    for bound, count in counts.items():
        within = sum(duration_s <= float(bound) for duration_s in durations_s)
        assert within <= count <= sum(duration_s <= float(bound) * 1.05 for duration_s in durations_s)
    assert list(counts) == [repr(bound_s) for bound_s in BOUNDS_S]


def test_without_a_host_only_this_machine_can_connect(server: MetricsServer) -> None:
    assert server.address[0] == "127.0.0.1"


@pytest.mark.parametrize("address", ["", "somewhere", ":", "host:port", "1:2:3", "127.0.0.1:70000"])
def test_an_invalid_address_is_refused(address: str, stats: RunStats) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        MetricsServer(address, lambda: [Stream(SOURCE, stats)])


def test_a_port_in_use_is_reported(server: MetricsServer, stats: RunStats) -> None:
    again = MetricsServer(f"127.0.0.1:{server.address[1]}", lambda: [Stream(SOURCE, stats)])
    with pytest.raises(SinkUnavailable, match="the port is taken"):
        again.__enter__()


def test_an_address_of_another_machine_is_reported(stats: RunStats) -> None:
    with pytest.raises(SinkUnavailable, match="does not have that address"):
        MetricsServer("192.0.2.1:0", lambda: [Stream(SOURCE, stats)]).__enter__()


def test_it_closes_with_an_idle_client(stats: RunStats) -> None:
    with MetricsServer("127.0.0.1:0", lambda: [Stream(SOURCE, stats)]) as server:
        address = server.address
        silent = socket.create_connection(address)
        kept = http.client.HTTPConnection(*address, timeout=10)
        kept.request("GET", "/metrics")
        assert kept.getresponse().read()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    silent.settimeout(5)
    assert silent.recv(1) == b""
    silent.close()
    kept.close()


@pytest.mark.system
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus is installed")
def test_prometheus_scrapes_them(server: MetricsServer, tmp_path: Path) -> None:
    with Prometheus(tmp_path, server.address) as prometheus:
        assert prometheus.value('sum(streamer_frames_total{source="rtsp://camera/live"})') == 97
        assert prometheus.value("histogram_quantile(0.5, streamer_stage_duration_seconds_bucket)") == 0.375


class Prometheus:
    """A Prometheus server that scrapes one target.

    Args:
        folder: folder for its files.
        target: host and port of the target.
    """

    def __init__(self, folder: Path, target: tuple[str, int]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: streamer, static_configs: [{{targets: ['{target[0]}:{target[1]}']}}]}}]\n"
        )
        self._log = folder / "prometheus.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)

    def value(self, query: str) -> float:
        """The result of a query, repeated until there is one."""
        deadline_s = time.monotonic() + 30
        address = f"http://127.0.0.1:{self._port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        while time.monotonic() < deadline_s and self._process.poll() is None:
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            except OSError:
                result = []  # not up yet
            if result:
                return float(result[0]["value"][1])
            time.sleep(0.1)
        raise AssertionError(f"no answer to {query}: {self._log.read_text()[-2000:]}")
