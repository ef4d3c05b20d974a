"""The report of a site: all runs of each camera, as JSON that fits its schema and as a table."""

from __future__ import annotations

import io
import json
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from rich.console import Console

from streamer.cli.serve import report_table
from streamer.config.analytics import AnalyticsSettings, LineSettings, ZoneSettings
from streamer.flow.stats import RunStats
from streamer.observe.report import Report
from streamer.serve.report import SiteReport, combined, site_report
from streamer.serve.status import CameraState
from streamer.values.states import FrameState
from tests.serve.statuses import running, some_stats, waiting


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("streamer.observe").joinpath(name).read_text(encoding="utf-8"))
    return found


def validator() -> Draft202012Validator:
    """The validator of the report of a site, which contains reports of runs."""
    Draft202012Validator.check_schema(schema("site_report.schema.json"))
    one = Resource.from_contents(schema("report.schema.json"))
    registry: Registry[Any] = Registry().with_resource("report.schema.json", one)
    return Draft202012Validator(schema("site_report.schema.json"), registry=registry)


def report_of(name: str, state: str = "interrupted", **changes: Any) -> Report:
    return Report(f"rtsp://camera/{name}", "using starter", state, some_stats(name), **changes)


def some_report() -> SiteReport:
    """Two cameras that ran, one that was never connected."""
    cameras = [
        running("front", state=CameraState.STOPPED),
        running("the-yard-behind-the-old-house", state=CameraState.STOPPED, restarts=2),
        waiting("gate", "rtsp://camera/gate: refused"),
    ]
    reports = {one.name: report_of(one.name, outputs=[f"{one.name}.jsonl"]) for one in cameras[:2]}
    return site_report("interrupted", 12.5, cameras, reports)


def text_of(report: SiteReport, width: int = 80) -> list[str]:
    written = io.StringIO()
    console = Console(file=written, width=width, color_system=None)
    console.print(report_table.table(report))
    return written.getvalue().splitlines()


def test_the_json_fits_its_schema() -> None:
    values = some_report().to_dict()
    validator().validate(json.loads(json.dumps(values)))
    assert list(values["cameras"]) == ["front", "the-yard-behind-the-old-house", "gate"]
    assert values["cameras"]["front"]["frames"]["entered"] == 100
    assert values["cameras"]["the-yard-behind-the-old-house"]["counts"]["restart"] == 2
    assert values["cameras"]["gate"]["state"] == "failed"
    assert values["cameras"]["gate"]["notes"] == ["it was never connected: rtsp://camera/gate: refused"]
    assert not validator().is_valid(values | {"speed": 3})
    assert not validator().is_valid({**values, "cameras": {"front": {}}})


def test_the_table_fits_80_columns() -> None:
    head, front, yard, gate = text_of(some_report())
    assert len(head) <= 80
    assert " ".join(head.split()) == "camera in shown detected dropped lost age p50/p95 restarts objects"
    assert front.split() == ["front", "100", "90", "20", "7", "0", "51/51", "ms", "0", "0"]
    assert yard.split()[0] == "the-yar…ld-house"
    assert yard.split()[-2] == "2"
    assert gate.split() == ["gate", "0", "0", "0", "0", "0", "-", "3", "0"]


def test_large_figures_fit_80_columns() -> None:
    cameras = [running("the-yard-behind-the-old-house", restarts=99_999)]
    report = report_of(cameras[0].name)
    report.stats.ledger.enter(250_000_000)
    report.stats.ledger.settle(FrameState.PREDICTED, frames=200_000_000)
    report.stats.ledger.settle(FrameState.CORRUPT, "packet loss", 1_000_000)
    report.stats.shown = 200_000_000
    for _ in range(1000):
        report.stats.add_age("shown", 98.7)
    lines = text_of(site_report("failed", 1e7, cameras, {cameras[0].name: report}))
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert "250M" in lines[1]


def test_the_notes_name_the_camera_and_are_few() -> None:
    cameras = [running(f"camera-{number}") for number in range(20)]
    reports = {one.name: report_of(one.name, notes=["it was black", f"lost {one.name}"]) for one in cameras}
    lines = list(report_table.notes(site_report("complete", 1.0, cameras, reports)))
    assert lines[:2] == ["20 cameras: it was black", "camera-0: lost camera-0"]
    assert lines[-1] == "9 more notes; --report FILE has all of them"
    both = list(report_table.notes(site_report("complete", 1.0, cameras[:2], reports)))
    assert both[0] == "camera-0, camera-1: it was black"
    assert list(report_table.notes(some_report())) == ["gate: failed: rtsp://camera/gate: refused"]


def test_the_counts_of_rules_and_the_stored_events_are_those_of_each_camera() -> None:
    rules = AnalyticsSettings(
        lines=(LineSettings(name="gate", points=((0, 0.5), (1, 0.5))),),
        zones=(ZoneSettings(name="door", points=((0, 0), (1, 0), (1, 1))),),
    )
    cameras = [running(f"camera-{number}") for number in range(9)]
    reports = {one.name: report_of(one.name, rules=rules) for one in cameras}
    reports["camera-0"].stats.count("crossing in", "gate", 5)
    reports["camera-0"].stats.count("event", "stored", 6)
    reports["camera-0"].stats.count("clip", "written", 6)
    lines = list(report_table.found(site_report("complete", 1.0, cameras, reports)))
    assert lines[:4] == [
        "camera-0: events: 6 stored, 6 clips",
        "camera-0: line gate: 5 in, 0 out",
        "camera-0: zone door: 0 entered, 0 left",
        "camera-1: line gate: 0 in, 0 out",
    ]
    assert lines[-1] == "7 more counts; --report FILE has all of them"
    assert list(report_table.found(some_report())) == []


def test_the_report_of_a_camera_has_the_sums_of_its_runs() -> None:
    first = report_of("front", "failed", outputs=["a.jsonl"], notes=["a note"], first_frame_s=1.5)
    second = report_of("front", outputs=["a-2.jsonl"], notes=["a note", "another"], first_frame_s=0.2)
    first.stats.wall_s, second.stats.wall_s = 10.0, 20.0
    first.stats.threads["detect"] = second.stats.threads["detect"] = 1
    first.stats.count("reconnect", "stalled", 2)
    both = combined(first, second)
    assert both is not None
    values = both.to_dict()
    assert values["state"] == "interrupted"
    assert (values["frames"]["entered"], values["frames"]["detected"]) == (200, 40)
    assert values["frames"]["dropped"] == {"detector busy": 14}
    assert values["stages"]["detect"]["count"] == 40
    assert values["ages"]["shown"]["count"] == both.stats.shown == 180
    assert values["counts"] == {"reconnect: stalled": 2}
    assert (values["wall_s"], values["throughput_fps"], values["first_frame_s"]) == (30.0, 6.0, 1.5)
    assert (values["outputs"], values["notes"]) == (["a.jsonl", "a-2.jsonl"], ["a note", "another"])


def test_a_run_without_a_report_changes_nothing() -> None:
    report = report_of("front")
    assert combined(None, None) is None
    assert combined(report, None) is report
    assert combined(None, report) is report


def test_the_objects_of_all_runs_are_counted() -> None:
    both, one = RunStats(), RunStats()
    one.tracks._all.update({"Person": 3, "Car": 1})
    both.merge(one)
    both.merge(one)
    assert both.tracks.by_class == {"Person": 6, "Car": 2}
