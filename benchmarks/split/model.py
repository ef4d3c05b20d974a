"""How long many files take on many workers: a formula, and a simulation that checks it. No clock, no files.

A driver makes the plan of a file, then joins its parts in order; it has one file at a time. Workers take parts in the
order in which they were planned, and a part whose worker dies is detected again from its start by the next free
worker. All times are seconds, all sizes bytes.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial


@dataclass(frozen=True, slots=True)
class Costs:
    """What one step takes; `benchmarks.split.costs` measures it.

    Attributes:
        start_s: of a worker: imports, model, canary.
        seek_s: a part: opening, seeking, and decoding the frames before its first.
        task_s: a part: the scheduler's own time.
        decode_s: a frame, by the worker: decoding and the digest.
        join_s: a frame, by the driver: everything after detection, drawing and encoding included.
        join_data_s: the same without a video.
        join_start_s: a file, by the driver: opening, and completing the outputs.
        plan_s: a frame, by the driver.
        input_bytes: a frame in the file.
        part_bytes: a frame in the part file.
        plan_bytes: a part in the plan.
        picture_bytes: a frame, decoded.
    """

    start_s: float
    seek_s: float
    task_s: float
    decode_s: float
    join_s: float
    join_data_s: float
    join_start_s: float
    plan_s: float
    input_bytes: float
    part_bytes: float
    plan_bytes: float
    picture_bytes: float


@dataclass(frozen=True)
class Job:
    """What is to be done, and with what.

    Attributes:
        files: of equal length.
        frames: of each file.
        part_frames: of each part but the last of a file.
        detector_s: a frame.
        workers, drivers: how many.
        process_per_part: the worker starts again for each part, as with a Slurm array; otherwise once.
        mean_life_s: of a worker until it dies; None: forever.
        replace_s: until a dead worker has a successor, without its start.
    """

    files: int
    frames: int
    part_frames: int
    detector_s: float
    workers: int
    drivers: int = 1
    process_per_part: bool = False
    mean_life_s: float | None = None
    replace_s: float = 30.0

    @property
    def parts(self) -> int:
        """Of each file."""
        return math.ceil(self.frames / self.part_frames)

    def frames_of(self, part: int) -> int:
        """The frames of a part, counted from 0."""
        return min(self.part_frames, self.frames - part * self.part_frames)


@dataclass(frozen=True)
class Times:
    """The times that follow from costs and job.

    Attributes:
        costs, job: given.
    """

    costs: Costs
    job: Job

    def part_s(self, frames: int) -> float:
        """A worker with a part of so many frames, if it does not die."""
        each = self.costs.seek_s + self.costs.task_s + (self.costs.start_s if self.job.process_per_part else 0.0)
        return each + frames * (self.costs.decode_s + self.job.detector_s)

    @cached_property
    def first_start_s(self) -> float:
        """Before the first part of a worker."""
        return 0.0 if self.job.process_per_part else self.costs.start_s

    @cached_property
    def replace_s(self) -> float:
        """From the death of a worker until its successor can take a part."""
        return self.job.replace_s + self.first_start_s

    @cached_property
    def plan_s(self) -> float:
        """The plan of a file."""
        return self.job.frames * self.costs.plan_s

    @cached_property
    def join_s(self) -> float:
        """The join of a file whose parts are all there."""
        return self.costs.join_start_s + self.job.frames * self.costs.join_s

    def with_deaths_s(self, part_s: float) -> float:
        """The mean time of a part that is begun anew after each death, the replacements included.

        With deaths at the rate r, exponentially distributed, that is (exp(r t) - 1) (1 / r + replacement).
        """
        life_s = self.job.mean_life_s
        return part_s if life_s is None else math.expm1(part_s / life_s) * (life_s + self.replace_s)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The result of the formula.

    Attributes:
        wall_s: until the last output is complete.
        detect_s: until the last part is there, if joining took no time.
        drive_s: until the last output is complete, if detection took no time.
        limit: `detector`, `plan` or `join`: what would have to become faster.
    """

    wall_s: float
    detect_s: float
    drive_s: float
    limit: str


def estimate(costs: Costs, job: Job) -> Estimate:
    """The formula: workers and drivers work side by side, and the slower side decides.

    It is within 10% of the simulation if there is one file, or at least `drivers_needed` drivers. With deaths it also
    takes ten parts a worker, as it does not know that the last parts may have to be repeated
    (`tests/benchmarks/test_split_model.py`).
    """
    times = Times(costs, job)
    part_s = times.with_deaths_s(times.part_s(job.part_frames))
    rest_s = times.with_deaths_s(times.part_s(job.frames_of(job.parts - 1)))
    work_s = job.files * ((job.parts - 1) * part_s + rest_s)
    begin_s = max(times.plan_s, times.first_start_s)
    if job.files == 1 and job.mean_life_s is None:  # the workers stay in step
        detect_s = begin_s + math.ceil(job.parts / job.workers) * part_s
    else:  # they end half a part apart on average
        detect_s = begin_s + work_s / job.workers + part_s / 2 * (1 - 1 / job.workers)
    rounds = math.ceil(job.files / job.drivers)
    drive_s = begin_s - times.plan_s + rounds * (times.plan_s + times.join_s)
    # The parts of the last file come faster than they are joined, if it has more workers than its driver can follow.
    behind_s = max(job.part_frames * costs.join_s, times.join_s - job.parts * part_s / job.workers)
    wall_s = max(detect_s + costs.join_start_s + behind_s, drive_s + part_s)
    limit = "detector" if detect_s >= drive_s else "plan" if times.plan_s > times.join_s else "join"
    return Estimate(wall_s, detect_s, drive_s, limit)


def drivers_needed(costs: Costs, job: Job) -> int:
    """How many drivers keep all workers supplied with parts.

    A driver has a file from its plan to its last output. In between, it waits for a part, as often as the workers of
    one part die: of n parts whose workers die with probability p, the one that dies most often does it about
    log(n) / log(1 / p) times.
    """
    times = Times(costs, job)
    part_s = times.part_s(job.part_frames)
    dies = 0.0 if job.mean_life_s is None else -math.expm1(-part_s / job.mean_life_s)
    part_s = times.with_deaths_s(part_s)
    waits_s = part_s * (1 + (math.log(job.parts) / -math.log(dies) if dies else 0.0))
    has_file_s = times.plan_s + waits_s + times.join_s
    return min(job.files, 1 + math.ceil(job.workers * has_file_s / (job.parts * part_s)))


@dataclass(slots=True)
class Simulated:
    """The result of the simulation.

    Attributes:
        wall_s: until the last output is complete.
        busy: the fraction of the workers' time in which they detected parts that were completed.
        deaths: of workers.
        most_waiting: most complete parts that waited for a join at a time.
    """

    wall_s: float = 0.0
    busy: float = 0.0
    deaths: int = 0
    most_waiting: int = 0


@dataclass(slots=True)
class _File:
    """The state of a file that a driver has."""

    complete: set[int] = field(default_factory=set)
    next_part: int = 0
    joined_at_s: float = 0.0


class Simulation:
    """Discrete events: a plan is made, a part is complete, a worker dies, its successor starts, an output is complete.

    Args:
        costs, job: what is simulated.
        seed: of the deaths; the same seed gives the same result.
    """

    def __init__(self, costs: Costs, job: Job, seed: int = 1) -> None:
        self._costs, self._job, self._times = costs, job, Times(costs, job)
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._queue: deque[tuple[_File, int]] = deque()
        self._idle, self._unplanned, self._open, self._waiting = 0, job.files, job.files, 0
        self._useful_s = 0.0
        self._result = Simulated()

    def run(self) -> Simulated:
        """Simulate to the last output."""
        for _ in range(self._job.workers):
            self._at(self._times.first_start_s, self._worker_there)
        for _ in range(self._job.drivers):
            self._next_file(0.0)
        now_s = 0.0
        while self._open:
            now_s, _, event = heapq.heappop(self._events)
            event(now_s)
            while self._idle and self._queue:
                self._detect(now_s, *self._queue.popleft())
        self._result.wall_s = now_s
        self._result.busy = self._useful_s / (self._job.workers * now_s)
        return self._result

    def _at(self, time_s: float, event: Callable[[float], None]) -> None:
        # The number puts events of the same time into the order in which they were caused.
        heapq.heappush(self._events, (time_s, next(self._numbers), event))

    def _next_file(self, now_s: float) -> None:
        if self._unplanned:
            self._unplanned -= 1
            self._at(now_s + self._times.plan_s, self._planned)

    def _planned(self, now_s: float) -> None:
        file = _File(joined_at_s=now_s)
        self._queue.extend((file, part) for part in range(self._job.parts))

    def _detect(self, now_s: float, file: _File, part: int) -> None:
        self._idle -= 1
        takes_s = self._times.part_s(self._job.frames_of(part))
        life_s = self._job.mean_life_s
        dies_s = math.inf if life_s is None else self._random.expovariate(1 / life_s)
        if dies_s < takes_s:
            self._at(now_s + dies_s, partial(self._worker_dead, file, part))
        else:
            self._useful_s += takes_s
            self._at(now_s + takes_s, partial(self._complete, file, part))

    def _worker_dead(self, file: _File, part: int, now_s: float) -> None:
        self._result.deaths += 1
        self._queue.appendleft((file, part))
        self._at(now_s + self._times.replace_s, self._worker_there)

    def _worker_there(self, _now_s: float) -> None:
        self._idle += 1

    def _complete(self, file: _File, part: int, now_s: float) -> None:
        self._idle += 1
        self._waiting += 1
        self._result.most_waiting = max(self._result.most_waiting, self._waiting)
        file.complete.add(part)
        while file.next_part in file.complete:
            joins_s = self._job.frames_of(file.next_part) * self._costs.join_s
            file.joined_at_s = max(file.joined_at_s, now_s) + joins_s
            file.next_part += 1
            self._at(file.joined_at_s, self._joined)
        if file.next_part == self._job.parts:
            self._at(file.joined_at_s + self._costs.join_start_s, self._written)

    def _joined(self, _now_s: float) -> None:
        self._waiting -= 1

    def _written(self, now_s: float) -> None:
        self._open -= 1
        self._next_file(now_s)
