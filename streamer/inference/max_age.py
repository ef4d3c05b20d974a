"""Whether a bound on the time between two detections of a camera can be kept. Pure; any thread.

A round is the time in which each of N cameras is detected once on W workers: `ceil(N / W)` detections. A policy that
serves the earliest deadline first keeps a bound of one round for all cameras. A bound of two rounds, the default of the
pool, leaves every second turn free for the camera that gains most from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from streamer.errors import ConfigError
from streamer.inference.pool import default_max_age_s
from streamer.system.suggestions import counted

_NAMED = 3


def check_max_age(given: Mapping[str, float | None], *, detect_s: float, workers: int) -> None:
    """Refuse bounds that cannot be kept.

    Args:
        given: `max_age_s` of each camera that shares the detector, by name; None for the default, which can be kept.
        detect_s: how long a detection takes, seconds.
        workers: how many detections run at the same time.

    Raises:
        ConfigError: with the arithmetic.
    """
    default_s = default_max_age_s(len(given), detect_s, workers)
    bounds = {name: default_s if bound_s is None else bound_s for name, bound_s in given.items()}
    round_s = math.ceil(len(bounds) / workers) * detect_s
    late = sorted((bound_s, name) for name, bound_s in bounds.items() if bound_s < round_s)
    if not late:
        return
    least_s, remedy = late[0][0], "use a faster detector, more detector.workers or fewer cameras"
    if len(late) == len(bounds):
        raise ConfigError(
            f"{counted(len(bounds), 'camera')} x {detect_s:.2f} s a detection on {counted(workers, 'worker')} = "
            f"{round_s:.2f} s a round; detector.max_age_s {least_s:g} cannot be kept; set it to at least "
            f"{_above(round_s):g}, or {remedy}"
        )
    first_s = min(2 * detect_s, round_s)  # a detection of another camera may have begun just before
    if least_s < first_s:
        raise ConfigError(
            f"cameras.{late[0][1]}: {detect_s:.2f} s for a detection that has begun + {detect_s:.2f} s for its own = "
            f"{first_s:.2f} s; detector.max_age_s {least_s:g} cannot be kept; set it to at least {_above(first_s):g}"
        )
    needed = sum(detect_s / bound_s for bound_s in bounds.values())
    if needed > workers:
        named = ", ".join(f"{name} every {bound_s:g} s" for bound_s, name in late[:_NAMED])
        raise ConfigError(
            f"{detect_s:.2f} s a detection for {counted(len(bounds), 'camera')} ({named}, ...) = {needed:.2f} s of "
            f"detections a second on {counted(workers, 'worker')}; raise detector.max_age_s, or {remedy}"
        )


def _above(bound_s: float) -> float:
    """The next tenth of a second above a time."""
    return (math.floor(round(bound_s * 10, 6)) + 1) / 10
