"""The model of many workers: the formula against the simulation, and both against cases that are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.split.model import Costs, Job, Simulation, Times, drivers_needed, estimate

COSTS = Costs(
    start_s=3.0,
    seek_s=0.3,
    task_s=0.01,
    decode_s=0.003,
    join_s=0.012,
    join_data_s=0.004,
    join_start_s=1.0,
    plan_s=2e-4,
    input_bytes=20_000,
    part_bytes=1_500,
    plan_bytes=150,
    picture_bytes=1.4e6,
)
FREE = Costs(*[0.0] * 12)
HOUR_FRAMES = 108_000
WITHIN = 0.1
LIFE_S = 14_400.0


def test_one_worker_and_no_other_cost_take_the_time_of_all_detections() -> None:
    job = Job(files=3, frames=1000, part_frames=300, detector_s=0.5, workers=1)
    assert Simulation(FREE, job).run().wall_s == pytest.approx(1500.0)
    assert estimate(FREE, job).wall_s == pytest.approx(1500.0)


def test_four_workers_take_a_quarter_if_the_parts_fill_them() -> None:
    job = Job(files=1, frames=1600, part_frames=100, detector_s=0.5, workers=4)
    result = Simulation(FREE, job).run()
    assert result.wall_s == pytest.approx(200.0)
    assert result.busy == pytest.approx(1.0)
    assert Simulation(FREE, replace(job, workers=5)).run().wall_s == pytest.approx(200.0), "16 parts, 5 at a time"


def test_one_file_is_never_faster_than_its_join() -> None:
    job = Job(files=1, frames=10 * HOUR_FRAMES, part_frames=300, detector_s=0.1, workers=10_000)
    result = Simulation(COSTS, job).run()
    assert result.wall_s >= job.frames * COSTS.join_s
    assert result.wall_s == pytest.approx(job.frames * COSTS.join_s, rel=0.03)
    assert estimate(COSTS, job).limit == "join"


def test_a_second_driver_halves_the_time_if_joins_are_the_limit() -> None:
    job = Job(files=100, frames=HOUR_FRAMES, part_frames=3000, detector_s=0.1, workers=1000)
    one, two = (Simulation(COSTS, replace(job, drivers=drivers)).run().wall_s for drivers in (1, 2))
    assert one / two == pytest.approx(2.0, rel=0.02)


def test_all_parts_are_detected_and_joined_although_workers_die() -> None:
    job = Job(files=20, frames=9_100, part_frames=1000, detector_s=2.0, workers=7, drivers=3, mean_life_s=3000.0)
    result, times = Simulation(COSTS, job).run(), Times(COSTS, job)
    assert result.deaths > 20
    useful_s = job.files * (9 * times.part_s(1000) + times.part_s(100))
    assert result.busy * job.workers * result.wall_s == pytest.approx(useful_s)
    assert Simulation(COSTS, job).run() == result, "the same seed gives the same result"
    assert Simulation(COSTS, job, seed=2).run() != result


def test_deaths_take_as_long_as_the_formula_says_on_average() -> None:
    job = Job(files=1, frames=2_000_000, part_frames=1000, detector_s=2.0, workers=1, mean_life_s=4000.0)
    alone = replace(FREE, start_s=60.0)
    expected_s = job.parts * Times(alone, job).with_deaths_s(2000.0)
    assert Simulation(alone, job).run().wall_s == pytest.approx(expected_s, rel=0.03)


@pytest.mark.parametrize("life_s", [None, LIFE_S], ids=["no deaths", "deaths"])
@pytest.mark.parametrize("workers", [1, 10, 100, 1000])
@pytest.mark.parametrize("detector_s", [0.1, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("files", [1, 200])
def test_the_formula_agrees_with_the_simulation(
    files: int, detector_s: float, workers: int, life_s: float | None
) -> None:
    frames = 10 * HOUR_FRAMES if files == 1 else HOUR_FRAMES
    job = Job(files, frames, max(300, round(600 / detector_s)), detector_s, workers, mean_life_s=life_s)
    job = replace(job, drivers=drivers_needed(COSTS, job))
    if life_s is not None and files * job.parts < 10 * workers:
        return  # the formula does not know that the last parts may have to be repeated
    assert estimate(COSTS, job).wall_s == pytest.approx(Simulation(COSTS, job).run().wall_s, rel=WITHIN)


@pytest.mark.parametrize("detector_s", [0.1, 0.5, 2.0, 10.0])
def test_the_drivers_of_the_formula_keep_the_workers_busy(detector_s: float) -> None:
    job = Job(1000, HOUR_FRAMES, max(300, round(600 / detector_s)), detector_s, workers=100)
    enough = drivers_needed(COSTS, job)
    assert Simulation(COSTS, replace(job, drivers=enough)).run().busy > 0.97
    if enough > 3:
        assert Simulation(COSTS, replace(job, drivers=enough // 2)).run().busy < 0.8
