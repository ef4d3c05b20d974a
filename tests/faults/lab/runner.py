"""Repeats a fault and judges the reaction of the program. Owned by the thread that calls it.

A series is one long run of the program: the fault begins, lasts, ends, and the time to the first intact frame is
measured. Then it occurs again, and the program is asked to end during the fault.
"""

from __future__ import annotations

import math
import random
import threading
import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from tests.faults.lab.result import Result
from tests.faults.lab.rig import Rig
from tests.faults.lab.scenario import Scenario
from tests.faults.lab.seen_frames import SHOWN, SeenFrame, SeenFrames

DEADLINE_S = 30.0
"""A repetition that takes longer has not recovered."""
HEALTHY_S = 1.0
_LEFT_BEHIND_S = 12.0
"""Opening a connection cannot be interrupted: its thread may live for this time, and must have ended then."""
_IN_FLIGHT_MOST = 12
"""Frames in the detector, before it, and before the display, plus those that are being counted."""
_OF_THE_LAB = ("camera-", "listener-")
_PAUSE_MOST_S = 0.5
_DRIFT_MOST_S = 2.0


class Series:
    """All repetitions of one scenario.

    Args:
        scenario: not equipped yet.
        repetitions: how often the program must recover.
        stops: how often the program must end during the fault.
        healthy_s: the time without a fault between two repetitions.
        lasts_most_s: an upper bound for the duration of the fault.
        seed: of the duration of the fault in each repetition.
    """

    def __init__(
        self,
        scenario: Scenario,
        repetitions: int,
        stops: int,
        *,
        healthy_s: float = HEALTHY_S,
        lasts_most_s: float = math.inf,
        seed: int = 1,
    ) -> None:
        self._scenario = scenario
        self._repetitions = repetitions
        self._stops = 0 if scenario.ends_with else stops
        self._healthy_s = healthy_s
        self._lasts_most_s = lasts_most_s
        self._random = random.Random(seed)
        self._seen = SeenFrames()
        self._recovery_s: list[float] = []
        self._stop_s: list[float] = []
        self._problems: list[str] = []
        self._last: SeenFrame | None = None
        self._flat: tuple[int, int] | None = None  # threads and descriptors after the first repetition
        self._anchor: SeenFrame | None = None  # reference for the drift of media time

    def run(self) -> Result:
        """Do it all."""
        scenario = self._scenario
        with ExitStack() as stack:
            scenario.equip(stack, self._seen)
            threads, descriptors = set(threading.enumerate()), _descriptors()
            rig = self._start()
            try:
                for _ in range(self._repetitions):
                    rig = self._repeat(rig)
                for stop in range(self._stops):
                    if stop:
                        rig = self._start()
                    self._begin_fault()
                    self._end(rig)
                    scenario.end_fault()
                    self._see_nothing_left(threads, descriptors)
                if rig.running:
                    self._end(rig)
                    self._see_nothing_left(threads, descriptors)
            except BaseException:
                rig.ask_to_end()
                raise
        problems = tuple(dict.fromkeys(self._problems))
        times, stops = tuple(self._recovery_s), tuple(self._stop_s)
        return Result(scenario.name, scenario.limit_s, self._repetitions, times, stops, problems, scenario.figures())

    def _repeat(self, rig: Rig) -> Rig:
        if self._scenario.ends_with is not None:
            self._see_end(rig, self._scenario.ends_with)
            return self._start()
        self._begin_fault()
        back_s = self._scenario.end_fault()
        recovered_s = self._await(back_s)
        if recovered_s is None:
            self._problems.append(f"did not recover within {DEADLINE_S:g} s")
        else:
            self._recovery_s.append(recovered_s)
        self._see_balance(rig)
        self._watch(self._healthy_s)
        if not rig.running:
            self._end(rig)
            return self._start()
        self._see_flat()
        return rig

    def _see_end(self, rig: Rig, expected: type[Exception]) -> None:
        self._begin_fault()
        back_s = self._scenario.end_fault()
        try:
            rig.wait_for_end(DEADLINE_S)
            self._problems.append("ended without an error")
        except expected:
            self._recovery_s.append(time.monotonic() - back_s)

    # the program

    def _start(self) -> Rig:
        self._last = self._anchor = None
        self._seen.clear()
        began_s = time.monotonic()
        rig = Rig(self._scenario.setup(), self._seen)
        if self._await(began_s) is None:
            self._problems.append("never showed a frame")
        self._watch(self._healthy_s)
        return rig

    def _end(self, rig: Rig) -> None:
        try:
            took_s = rig.stop()
        except Exception as error:
            self._problems.append(f"ended with {type(error).__name__}: {error}")
            return
        self._stop_s.append(took_s)
        if took_s > self._scenario.stop_limit_s:
            self._problems.append(f"took {took_s:.1f} s to end")
        if rig.stats.ledger.in_flight:
            self._problems.append(f"{rig.stats.ledger.in_flight} frames without a final state")

    # watching

    def _begin_fault(self) -> None:
        self._scenario.begin_fault()
        lasts_s = min(self._random.uniform(*self._scenario.lasts_s), self._lasts_most_s)
        self._watch(lasts_s, faulty=True)

    def _watch(self, duration_s: float, *, faulty: bool = False) -> None:
        for frame in self._seen.until(time.monotonic() + duration_s):
            self._take(frame, faulty=faulty)

    def _await(self, back_s: float) -> float | None:
        """Seconds from `back_s` to the first intact frame captured after it; None if there is none."""
        for frame in self._seen.until(time.monotonic() + DEADLINE_S):
            self._take(frame, faulty=False)
            if frame.place != self._scenario.place or frame.damage or frame.at_s < back_s:
                continue
            number = frame.read_number()
            captured_at_s = None if number is None else self._scenario.captured_at_s(number)
            is_new = captured_at_s is not None and captured_at_s >= back_s
            if is_new and not frame.is_visibly_damaged() and self._scenario.accepts(frame):
                return frame.at_s - back_s
        return None

    def _take(self, frame: SeenFrame, *, faulty: bool) -> None:
        if frame.place == SHOWN:
            self._see_time(frame)
            self._last = frame
        self._scenario.note(frame, faulty=faulty)

    # judging

    def _see_time(self, frame: SeenFrame) -> None:
        last, anchor = self._last, self._anchor
        assert frame.time is not None
        if last is None or anchor is None:
            self._anchor = frame
            return
        if frame.time <= (last.time or Fraction(0)):
            self._problems.append("media time went back")
        drift_s = float(frame.time - (anchor.time or 0)) - (frame.captured_s - anchor.captured_s)
        if abs(drift_s) > _DRIFT_MOST_S:
            self._problems.append("media time is off the time of arrival")
        if self._scenario.goes_on and frame.at_s - last.at_s > _PAUSE_MOST_S:
            self._problems.append(f"no frame was shown for {frame.at_s - last.at_s:.1f} s")

    def _see_balance(self, rig: Rig) -> None:
        in_flight = rig.stats.ledger.in_flight
        if not 0 <= in_flight <= _IN_FLIGHT_MOST:
            self._problems.append(f"ledger: {in_flight} frames in flight")

    def _see_flat(self) -> None:
        """Resources are compared with those after the first repetition, when all permanent ones exist."""
        connections = [thread for thread in threading.enumerate() if thread.name.startswith("streamer-connection")]
        until_s = time.monotonic() + _LEFT_BEHIND_S
        for thread in connections[:-1]:
            thread.join(max(until_s - time.monotonic(), 0.0))
        found = threading.active_count(), _descriptors()
        threads, descriptors = self._flat = self._flat or found
        if found[0] > threads:
            self._problems.append(f"{found[0] - threads} threads more than after the first repetition")
        if found[1] > descriptors:
            self._problems.append(f"{found[1] - descriptors} descriptors more than after the first repetition")

    def _see_nothing_left(self, threads: set[threading.Thread], descriptors: int) -> None:
        until_s = time.monotonic() + _LEFT_BEHIND_S
        for thread in set(threading.enumerate()) - threads:
            if thread.name.startswith(_OF_THE_LAB):
                continue
            thread.join(max(until_s - time.monotonic(), 0.0))
            if thread.is_alive():
                self._problems.append(f"the thread {thread.name} was left over")
        pause = threading.Event()  # never set: threads of libraries close the last of them and cannot be joined
        while _descriptors() > descriptors and time.monotonic() < until_s:
            pause.wait(0.05)
        if _descriptors() > descriptors:
            self._problems.append(f"{_descriptors() - descriptors} descriptors were left open")


def run(scenario: Scenario, repetitions: int, stops: int | None = None) -> Result:
    """A series; if `stops` is None it ends the program during the fault once for every four repetitions."""
    return Series(scenario, repetitions, max(repetitions // 4, 1) if stops is None else stops).run()


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
