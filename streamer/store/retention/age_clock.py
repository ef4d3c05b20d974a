"""The clock by which events are too old. A clock that leaps ahead must not delete all of them. Used by one thread.

Nobody can tell a wrong clock from a right one that was corrected. So after a leap nothing is deleted by age for a day,
in which a time server or a person corrects the clock. Limits of size and free space go on meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LEAP_S = 3600.0
"""A larger difference between the clock and the time that has passed is a leap; ordinary corrections are smaller."""
GRACE_S = 86_400.0


def running_s() -> float:
    """A clock that nobody sets, seconds. It counts the time in which the machine is suspended, where the system can."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class AgeClock:
    """Compares the clock with one that nobody sets.

    Args:
        keep_s: events are deleted at this age.
        seen_time: when a program last used the store, seconds since 1970; None if never.
        clock: seconds since 1970.
        steady: see `running_s`.
    """

    def __init__(
        self,
        keep_s: float,
        seen_time: float | None,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = running_s,
    ) -> None:
        self._clock, self._steady = clock, steady
        self._last_time, self._last_s = clock(), steady()
        self._trusted_at_s = self._last_s
        # A machine that was off for a weekend is ordinary. After half of the time that events are kept, a wrong clock
        # would delete most of them.
        if seen_time is not None and self._last_time - seen_time > max(keep_s / 2, LEAP_S):
            self._distrust(self._last_time - seen_time, "since the store was last used")

    def now(self) -> float | None:
        """Seconds since 1970; None while nothing is to be deleted by age."""
        now, steady_s = self._clock(), self._steady()
        leap_s = (now - self._last_time) - (steady_s - self._last_s)
        self._last_time, self._last_s = now, steady_s
        if leap_s > LEAP_S:
            self._distrust(leap_s, "ahead")
        elif leap_s < -LEAP_S:
            self._trusted_at_s = steady_s  # it is corrected, or early: then events are too young, not too old
        return now if steady_s >= self._trusted_at_s else None

    def _distrust(self, leap_s: float, how: str) -> None:
        self._trusted_at_s = self._last_s + GRACE_S
        log.warning(
            "store: the clock has moved %.0f h %s; no event is deleted by its age (store.keep_days) for %.0f h. If the "
            "clock is wrong, correct it",
            leap_s / 3600,
            how,
            GRACE_S / 3600,
        )
