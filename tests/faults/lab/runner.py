"""Repeats a fault and judges what the program made of it. Owned by the thread that calls it.

A series is one long run of the program: the fault strikes, lasts, is mended, and the time to the first sound picture
is taken. Then it strikes some times more, and the program is told to end while it is on.
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
from tests.faults.lab.sights import SHOWN, Sight, Sights

DEADLINE_S = 30.0
"""A repetition that takes longer has not recovered."""
HEALTHY_S = 1.0
_LEFT_BEHIND_S = 12.0
"""Opening a connection cannot be interrupted: a thread may live on for that long, and must be gone then."""
_IN_FLIGHT_MOST = 12
"""Frames with the detector, waiting for it, and waiting to be shown, with room for those being counted."""
_OF_THE_LAB = ("camera-", "listener-")
_PAUSE_MOST_S = 0.5
_DRIFT_MOST_S = 2.0


class Series:
    """All repetitions of one scenario.

    Args:
        scenario: not equipped yet.
        repetitions: how often it is to recover.
        stops: how often it is to end while the fault is on.
        healthy_s: how long all is well between two repetitions.
        lasts_most_s: the fault lasts no longer than that, whatever it asks for.
        seed: of how long the fault lasts each time.
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
        self._sights = Sights()
        self._recovery_s: list[float] = []
        self._stop_s: list[float] = []
        self._problems: list[str] = []
        self._last: Sight | None = None
        self._flat: tuple[int, int] | None = None  # threads and descriptors after the first repetition
        self._anchor: Sight | None = None  # against which media time is held

    def run(self) -> Result:
        """Do it all."""
        scenario = self._scenario
        with ExitStack() as stack:
            scenario.equip(stack, self._sights)
            threads, descriptors = set(threading.enumerate()), _descriptors()
            rig = self._start()
            try:
                for _ in range(self._repetitions):
                    rig = self._repeat(rig)
                for stop in range(self._stops):
                    if stop:
                        rig = self._start()
                    self._strike()
                    self._end(rig)
                    scenario.mend()
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
        self._strike()
        back_s = self._scenario.mend()
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
        self._strike()
        back_s = self._scenario.mend()
        try:
            rig.wait_for_end(DEADLINE_S)
            self._problems.append("ended without an error")
        except expected:
            self._recovery_s.append(time.monotonic() - back_s)

    # the program

    def _start(self) -> Rig:
        self._last = self._anchor = None
        self._sights.clear()
        began_s = time.monotonic()
        rig = Rig(self._scenario.setup(), self._sights)
        if self._await(began_s) is None:
            self._problems.append("never showed a picture")
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
            self._problems.append(f"{rig.stats.ledger.in_flight} frames without an end")

    # watching

    def _strike(self) -> None:
        self._scenario.strike()
        lasts_s = min(self._random.uniform(*self._scenario.lasts_s), self._lasts_most_s)
        self._watch(lasts_s, faulty=True)

    def _watch(self, duration_s: float, *, faulty: bool = False) -> None:
        for sight in self._sights.until(time.monotonic() + duration_s):
            self._take(sight, faulty=faulty)

    def _await(self, back_s: float) -> float | None:
        """Seconds from `back_s` to the first sound picture filmed after it; None if none comes."""
        for sight in self._sights.until(time.monotonic() + DEADLINE_S):
            self._take(sight, faulty=False)
            if sight.place != self._scenario.place or sight.damage or sight.at_s < back_s:
                continue
            number = sight.read_number()
            filmed_s = None if number is None else self._scenario.filmed_s(number)
            is_new = filmed_s is not None and filmed_s >= back_s
            if is_new and not sight.is_visibly_damaged() and self._scenario.accepts(sight):
                return sight.at_s - back_s
        return None

    def _take(self, sight: Sight, *, faulty: bool) -> None:
        if sight.place == SHOWN:
            self._see_time(sight)
            self._last = sight
        self._scenario.note(sight, faulty=faulty)

    # judging

    def _see_time(self, sight: Sight) -> None:
        last, anchor = self._last, self._anchor
        assert sight.time is not None
        if last is None or anchor is None:
            self._anchor = sight
            return
        if sight.time <= (last.time or Fraction(0)):
            self._problems.append("media time went back")
        drift_s = float(sight.time - (anchor.time or 0)) - (sight.captured_s - anchor.captured_s)
        if abs(drift_s) > _DRIFT_MOST_S:
            self._problems.append("media time left the time of arrival behind")
        if self._scenario.goes_on and sight.at_s - last.at_s > _PAUSE_MOST_S:
            self._problems.append(f"nothing was shown for {sight.at_s - last.at_s:.1f} s")

    def _see_balance(self, rig: Rig) -> None:
        in_flight = rig.stats.ledger.in_flight
        if not 0 <= in_flight <= _IN_FLIGHT_MOST:
            self._problems.append(f"ledger: {in_flight} frames in flight")

    def _see_flat(self) -> None:
        """After a repetition there is what there was after the first: what is made once has been made by then."""
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
        pause = threading.Event()  # never set: what closes the last of them are threads of libraries, not to be joined
        while _descriptors() > descriptors and time.monotonic() < until_s:
            pause.wait(0.05)
        if _descriptors() > descriptors:
            self._problems.append(f"{_descriptors() - descriptors} descriptors were left open")


def run(scenario: Scenario, repetitions: int, stops: int | None = None) -> Result:
    """A series; it ends the program while the fault is on once for every four repetitions if `stops` is None."""
    return Series(scenario, repetitions, max(repetitions // 4, 1) if stops is None else stops).run()


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
