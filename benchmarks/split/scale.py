"""1,000 workers and 10,000 hours, by a model with costs that are measured here.

    python -m benchmarks.split.scale [--rounds N] [--loops N] [--costs COSTS.json]

It measures what plan, detect and join take on this machine (`benchmarks.split.costs`), and simulates 1, 10, 100 and
1,000 workers with detectors of 0.1, 0.5, 2 and 10 s a frame: how long it takes, how many drivers are needed, what
limits it, and what goes over the network. A driver plans and joins one file at a time. It has one core here, because
costs are CPU time. `--costs` takes the costs of an earlier run, which prints them as JSON; the tables are then the same
everywhere.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.clips import machine
from benchmarks.split.costs import measure
from benchmarks.split.model import Costs, Job, Simulation, Times, drivers_needed, estimate

FPS = 25
HOURS = 10_000
DETECTORS_S = (0.1, 0.5, 2.0, 10.0)
WORKERS = (1, 10, 100, 1000)
GOP_FRAMES = 250
"""x264's default; a part is at least one."""
PART_S = 600.0
"""A part takes so long to detect, if it is not less than one GOP."""
PARTS_OF_A_WORKER = 4
"""Of one file at least, so that the last parts end at about the same time."""
LIVES_S = {"8 h": 8 * 3600.0, "2 h": 2 * 3600.0, "30 min": 1800.0}


def part_frames(detector_s: float, frames: int, workers: int) -> int:
    """A reasonable length of a part, in whole GOPs."""
    most = min(PART_S / detector_s, frames / (PARTS_OF_A_WORKER * workers))
    return max(1, math.floor(most / GOP_FRAMES)) * GOP_FRAMES


def duration(seconds: float) -> str:
    """A time in the largest unit that gives a number of at least 1."""
    for unit, size_s in (("y", 365.25 * 86400), ("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size_s:
            return f"{seconds / size_s:.3g} {unit}"
    return f"{seconds:.3g} s"


def size(count: float) -> str:
    """A number of bytes in decimal units."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:.3g} {unit}"
    return f"{count:.0f} B"


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table as Markdown."""
    print(f"\n{title}\n")
    names = list(columns)
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def cost_rows(costs: Costs) -> Iterator[tuple[str, str]]:
    """The measured costs."""
    hour = 3600 * FPS
    yield "a worker's start: imports, model, canary", f"{costs.start_s:.2f} s"
    yield "a part: opening, seeking, decoding to its first frame", f"{1e3 * costs.seek_s:.0f} ms"
    yield "a part: one call of the scheduler (Ray)", f"{1e3 * costs.task_s:.1f} ms"
    yield "a frame by a worker, without the detector: decoding, digest", f"{1e3 * costs.decode_s:.2f} ms"
    yield "a frame by the driver: join with an annotated H.264 file", f"{1e3 * costs.join_s:.2f} ms"
    yield "a frame by the driver: join with JSON lines only", f"{1e3 * costs.join_data_s:.2f} ms"
    yield "a file by the driver: start and end of the join", f"{costs.join_start_s:.2f} s"
    yield "the plan of an hour", f"{hour * costs.plan_s:.2f} s, {size(costs.plan_bytes)} a part"
    yield "an hour of the input", size(hour * costs.input_bytes)
    yield "an hour of part files", size(hour * costs.part_bytes)
    yield "an hour of decoded pictures", size(hour * costs.picture_bytes)


def archive(detector_s: float, workers: int, costs: Costs) -> Job:
    """10,000 hours in files of an hour."""
    frames = 3600 * FPS
    job = Job(HOURS, frames, part_frames(detector_s, frames, 1), detector_s, workers)
    return replace(job, drivers=drivers_needed(costs, job))


def long_file(detector_s: float, workers: int) -> Job:
    """One file of 10 hours."""
    frames = 36_000 * FPS
    return Job(1, frames, part_frames(detector_s, frames, workers), detector_s, workers)


def archive_rows(costs: Costs) -> Iterator[tuple[object, ...]]:
    for detector_s in DETECTORS_S:
        for workers in WORKERS:
            job = archive(detector_s, workers, costs)
            result = Simulation(costs, job).run()
            alone = estimate(costs, replace(job, drivers=1))
            off = estimate(costs, job).wall_s / result.wall_s - 1
            yield (
                f"{detector_s:g} s", f"{workers:,}", job.parts, duration(result.wall_s), f"{result.busy:.0%}",
                job.drivers, f"{duration(alone.wall_s)} ({alone.limit})", f"{off:+.1%}",
            )  # fmt: skip


def file_rows(costs: Costs) -> Iterator[tuple[object, ...]]:
    for detector_s in DETECTORS_S:
        for workers in WORKERS:
            job = long_file(detector_s, workers)
            result, formula = Simulation(costs, job).run(), estimate(costs, job)
            useful = [math.ceil((detector_s + costs.decode_s) / join_s) for join_s in (costs.join_s, costs.join_data_s)]
            yield (
                f"{detector_s:g} s", f"{workers:,}", job.parts, duration(result.wall_s), f"{result.busy:.0%}",
                formula.limit, f"{useful[0]}, {useful[1]}", f"{formula.wall_s / result.wall_s - 1:+.1%}",
            )  # fmt: skip


def traffic_rows(costs: Costs, workers: int) -> Iterator[tuple[object, ...]]:
    for detector_s in DETECTORS_S:
        job = archive(detector_s, workers, costs)
        part_s = Times(costs, job).part_s(job.part_frames)
        fps = workers * job.part_frames / part_s
        in_flight = 2 * workers * job.part_frames * costs.input_bytes
        yield (
            f"{detector_s:g} s", f"{fps:,.0f}", f"{size(fps * costs.input_bytes)}/s", f"{workers / part_s:.1f}",
            f"{size(fps * costs.part_bytes)}/s", size(in_flight), f"{size(fps * costs.picture_bytes)}/s",
        )  # fmt: skip


def death_rows(costs: Costs) -> Iterator[tuple[object, ...]]:
    for detector_s in (0.5, 10.0):
        whole = archive(detector_s, 1000, costs)
        least_s = Simulation(costs, whole).run().wall_s
        for life, life_s in LIVES_S.items():
            job = replace(whole, mean_life_s=life_s)
            job = replace(job, drivers=drivers_needed(costs, job))
            result = Simulation(costs, job).run()
            part = duration(Times(costs, job).part_s(job.part_frames))
            yield (
                f"{detector_s:g} s", part, life, f"{result.deaths:,}", f"{result.wall_s / least_s:.2f}", job.drivers,
            )  # fmt: skip


def length_rows(costs: Costs) -> Iterator[tuple[object, ...]]:
    base = replace(archive(0.5, 100, costs), files=100, mean_life_s=LIVES_S["8 h"])
    for gops in (1, 2, 5, 10, 30, 90):
        job = replace(base, part_frames=gops * GOP_FRAMES)
        kept, started = (
            Simulation(costs, replace(one, drivers=drivers_needed(costs, one))).run()
            for one in (job, replace(job, process_per_part=True))
        )
        part = duration(Times(costs, job).part_s(job.part_frames))
        yield (
            duration(gops * GOP_FRAMES / FPS),
            part,
            job.parts,
            f"{kept.busy:.1%}",
            duration(kept.wall_s),
            duration(started.wall_s),
        )


def print_tables(costs: Costs) -> None:
    """All tables that follow from the costs."""
    table("Measured:", ("what", "cost"), cost_rows(costs))
    table(
        f"{HOURS:,} hours at {FPS} fps in files of an hour, with enough drivers:",
        ("detector", "workers", "parts a file", "time", "workers busy", "drivers", "with one driver", "formula"),
        archive_rows(costs),
    )
    table(
        "One file of 10 hours, which has one driver:",
        (
            "detector",
            "workers",
            "parts",
            "time",
            "workers busy",
            "limit",
            "join is the limit from (video, data)",
            "formula",
        ),
        file_rows(costs),
    )
    table(
        "Network and disk with 1,000 workers that are never idle:",
        (
            "detector",
            "frames/s",
            "input read",
            "parts/s",
            "part files",
            "input of two parts a worker",
            "if pictures were sent",
        ),
        traffic_rows(costs, 1000),
    )
    table(
        f"{HOURS:,} hours, 1,000 workers that die after a mean time:",
        ("detector", "a part takes", "life", "deaths", "time against none", "drivers"),
        death_rows(costs),
    )
    table(
        "The length of a part: 100 hours, 0.5 s a frame, 100 workers that die after 8 h:",
        ("part", "takes", "parts a file", "workers busy", "time", "time with a process for each part"),
        length_rows(costs),
    )


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loops", type=int, default=3, help="length of the clip, times 5.3 s")
    parser.add_argument("--costs", type=Path, help="a file with the costs of an earlier run")
    arguments = parser.parse_args()
    if arguments.costs is not None:
        costs = Costs(**json.loads(arguments.costs.read_text(encoding="utf-8")))
    else:
        print(f"{machine()}, load {os.getloadavg()[0]:.1f}")
        with tempfile.TemporaryDirectory() as folder:
            costs = measure(Path(folder), loops=arguments.loops, rounds=arguments.rounds)
        print(f"costs: {json.dumps(asdict(costs))}")
    print_tables(costs)


if __name__ == "__main__":
    main()
