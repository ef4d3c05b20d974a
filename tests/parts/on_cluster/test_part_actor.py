"""A worker detects parts of several files with one detector."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.detector import DetectorSettings
from streamer.config.loading import load_settings
from streamer.detectors import selection
from streamer.parts.detecting import PartDetector
from streamer.parts.on_cluster.part_actor import PartActor, Refused, Unknown, program_version
from streamer.parts.plan import Plan
from streamer.parts.planning import make_plan
from streamer.parts.values import PartDetections
from tests.clips import write_video


def plan_of(path: Path, *settings: str) -> Plan:
    write_video(path, frames=6, options={"g": "3"})
    return make_plan(path, load_settings(None, ["detector.name=nanodet", *settings]), 2)


def detections_of(plan: Plan) -> dict[int, list[list[float]]]:
    with PartDetector(plan) as detector:
        parts = [detector.detect(part) for part in plan.parts]
    return {pts: one.detections.boxes.tolist() for part in parts for pts, one in part.frames.items()}


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the detectors that were loaded."""
    names: list[str] = []
    build = selection.build_detector

    def counted(settings: DetectorSettings, context: object) -> selection.BuiltDetectors:
        names.append(settings.name)
        return build(settings, context)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "build_detector", counted)
    return names


def test_files_with_one_detector_load_it_once(tmp_path: Path, builds: list[str]) -> None:
    plans = [plan_of(tmp_path / "a.mp4"), plan_of(tmp_path / "b.mkv")]
    expected = [detections_of(plan) for plan in plans]
    builds.clear()
    actor = PartActor(1, {})
    for plan in plans:
        assert actor.hello(program_version(), plan.model_dump_json())["has_input"]
        actor.load(plan.digest)
    for number in (1, 0):  # the parts of the files in turns
        for plan, frames in zip(plans, expected, strict=True):
            part = actor.detect(plan.digest, number)
            assert isinstance(part, PartDetections)
            assert {pts: one.detections.boxes.tolist() for pts, one in part.frames.items()} == {
                pts: boxes for pts, boxes in frames.items() if plan.parts[number].has(pts)
            }
    assert builds == ["nanodet"]


def test_a_process_that_ray_started_again_says_that_it_has_no_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "a.mp4")
    actor = PartActor(1, {})
    assert isinstance(actor.detect(plan.digest, 0), Unknown)
    assert isinstance(actor.load(plan.digest), Unknown)
    assert isinstance(actor.receive(plan.digest, []), Unknown)
    actor.hello(program_version(), plan.model_dump_json())
    actor.forget(plan.digest)
    assert isinstance(actor.load(plan.digest), Unknown)


def test_a_plan_with_another_detector_is_refused(tmp_path: Path) -> None:
    first, other = plan_of(tmp_path / "a.mp4"), plan_of(tmp_path / "b.mp4", "detector.min_score=0.9")
    actor = PartActor(1, {})
    for plan in (first, other):
        actor.hello(program_version(), plan.model_dump_json())
    actor.load(first.digest)
    refused = actor.load(other.digest)
    assert isinstance(refused, Refused)
    assert refused.invalid


def test_a_file_that_one_worker_cannot_read_may_be_read_by_another(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "a.mp4")
    actor = PartActor(1, {})
    actor.hello(program_version(), plan.model_dump_json())
    actor.load(plan.digest)
    (tmp_path / "a.mp4").unlink()
    refused = actor.detect(plan.digest, 0)
    assert isinstance(refused, Refused)
    assert not refused.invalid
