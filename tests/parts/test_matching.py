"""Which settings of a run may differ from those of the plan, and which workers from one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.detectors.litert.nanodet import NanoDetDetector
from streamer.errors import ConfigError
from streamer.parts.matching import SameWorkers, check_scores, joined_settings
from streamer.parts.plan import Part, Plan, PlannedInput
from streamer.parts.values import part_names
from tests.parts.parts import WORKER


def plan_of(*assignments: str, **source: Any) -> Plan:
    settings = load_settings(None, ["detector.name=nanodet", *assignments])
    return Plan(
        input=PlannedInput(path="clip.mp4", size_bytes=1, sha256="", edges_sha256=""),
        time_base="1/12800",
        frames=30,
        source=source,
        detector=settings.detector,
        parts=(Part(number=0),),
    )


def settings_of(*assignments: str) -> Settings:
    return load_settings(None, assignments)


def test_what_a_run_leaves_open_is_as_planned() -> None:
    plan = plan_of("detector.min_score=0.3", "detector.every=5", "detector.classes=[Person]", fps="30000/1001")
    joined = joined_settings(plan, settings_of("tracker.name=iou", "draw.trails=true"))
    assert joined.detector.name == "nanodet"
    assert (joined.detector.min_score, joined.detector.every, joined.detector.classes) == (0.3, 5, ("Person",))
    assert str(joined.source.fps) == "30000/1001"
    assert (joined.tracker.name, joined.draw.trails) == ("iou", True)


@pytest.mark.parametrize(
    "given",
    [
        "detector.name=auto",
        "detector.name=nanodet",
        "detector.device=cpu",
        "detector.threads=4",
        "detector.workers=2",
        "detector.timeout_s=5",
        "detector.classes=[Car]",
        "detector.min_score=0.6",
        "detector.min_scores={Car: 0.7}",
        "detector.merge_twins=true",
        "detector.every=5",
        "detector.every=auto",
        "detector.fps=2",
        "source.threads=1",
        "source.audio=false",
        "output.crf=30",
    ],
)
def test_a_run_may_choose(given: str) -> None:
    joined = joined_settings(plan_of(), settings_of(given))
    section, _, field = given.partition("=")[0].partition(".")
    assert field in getattr(joined, section).model_fields_set
    assert joined.detector.name == "nanodet"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "detector.name=starter",
            "name is starter, but the plan was made with nanodet; leave it out, or plan",
        ),
        ("detector.label_map=coco", "detector.label_map is coco, but the plan was made with null"),
        ("detector.precision=bfloat16", "detector.precision is bfloat16, but the plan was made with float32"),
        ("detector.onnx={family: detr}", "detector.onnx"),
        ("source.fps=30", "source.fps is 30, but the plan was made with null"),
        ("source.deinterlace=off", "source.deinterlace is off, but the plan was made with auto"),
        ("source.live=true", "every frame of the file; leave out source.live"),
        ("detector.latency='0.3'", "every frame of the file; leave out detector.latency"),
    ],
)
def test_a_run_may_not_change_what_was_detected(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        joined_settings(plan_of(fps=None, deinterlace="auto"), settings_of(given))


def test_parts_with_some_frames_are_for_that_cadence() -> None:
    plan = plan_of("detector.every=5")
    assert joined_settings(plan, settings_of("detector.every=5")).detector.every == 5
    with pytest.raises(ConfigError, match=r"detector\.every is 1, but the plan was made with 5"):
        joined_settings(plan, settings_of("detector.every=1"))


def test_scores_below_those_of_the_parts_are_refused() -> None:
    labels = NanoDetDetector.labels_of(plan_of().detector)
    assert labels is not None
    plan = plan_of("detector.min_score=0.4")
    for given in ("detector.min_score=0.4", "detector.min_score=0.7", "detector.classes=[Car]"):
        check_scores(plan, joined_settings(plan, settings_of(given)).detector, labels)
    low = joined_settings(plan, settings_of("detector.min_score=0.7", "detector.min_scores={Person: 0.2}"))
    with pytest.raises(ConfigError, match=r"have scores from 0\.4 on, but .* keep 0\.2; raise them, or plan with 0\.2"):
        check_scores(plan, low.detector, labels)


def test_workers_with_one_canary_are_equal() -> None:
    workers = SameWorkers()
    for number, machine in enumerate(("one CPU", "another CPU")):
        workers.add(f"part {number}", replace(WORKER, machine=machine))
    assert not workers.mixed


def test_mixed_workers_are_refused_or_remembered() -> None:
    other = replace(WORKER, canary="00", versions={"av": "17.0"})
    with pytest.raises(ConfigError, match=r"part 1 computes other numbers than part 0 \(av 17.0, 18.1\)"):
        add(SameWorkers(), WORKER, other)
    workers = SameWorkers(allow_mixed=True)
    add(workers, WORKER, other)
    assert "part 1 computes other numbers than part 0" in workers.mixed


def test_another_model_is_always_refused() -> None:
    with pytest.raises(ConfigError, match="part 1 has another model than part 0"):
        add(SameWorkers(allow_mixed=True), WORKER, replace(WORKER, model="ff"))


def add(workers: SameWorkers, *added: Any) -> None:
    for number, worker in enumerate(added):
        workers.add(f"part {number}", worker)


@pytest.mark.parametrize(
    ("numbers", "names"), [([3], "part 3"), ([3, 4], "parts 3, 4"), ([0, 2, 3, 4, 9], "parts 0, 2 to 4, 9")]
)
def test_parts_have_short_names(numbers: list[int], names: str) -> None:
    assert part_names(numbers) == names
