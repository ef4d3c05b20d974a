"""The longest time between two detections of a camera: its default, and whether it can be kept. Pure; any thread.

A round is the time in which each of N cameras is detected once on W workers: `ceil(N / W)` detections. A policy that
serves the earliest deadline first keeps a bound of one round for all cameras. A bound of two rounds leaves every second
turn free for the camera that gains most from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from streamer.config.camera import CameraSettings
from streamer.config.site import SharedDetectorSettings
from streamer.errors import ConfigError
from streamer.system.suggestions import counted

DEFAULT_S = 2.0
"""In that time a person walks about 3 m."""
_DEFAULT_ROUNDS = 2
_NAMED = 3


def round_s(cameras: int, detect_s: float, workers: int) -> float:
    """How long it takes to detect each camera once, seconds."""
    return math.ceil(cameras / workers) * detect_s


def max_ages(
    cameras: Mapping[str, CameraSettings], detector: SharedDetectorSettings, *, detect_s: float, workers: int
) -> dict[str, float]:
    """`max_age_s` of each camera: its own, that of the detector, or by default 2 s, or two rounds if they take longer.

    A camera with `detector.fps` has the time between two of its detections besides, by default.

    Args:
        cameras: all that share the detector, by name.
        detector: its settings.
        detect_s: how long a detection takes, seconds.
        workers: how many detections run at the same time.

    Raises:
        ConfigError: the bounds cannot be kept, with the arithmetic.
    """
    default_s = max(DEFAULT_S, _DEFAULT_ROUNDS * round_s(len(cameras), detect_s, workers))
    bounds = {}
    for name, camera in cameras.items():
        fps = camera.settings(detector).detector.fps
        given_s = camera.detector.max_age_s or detector.max_age_s
        bounds[name] = given_s or default_s + (1 / fps if fps else 0.0)
    check_max_age(bounds, detect_s=detect_s, workers=workers)
    return bounds


def check_max_age(bounds: Mapping[str, float], *, detect_s: float, workers: int) -> None:
    """Refuse bounds that cannot be kept.

    Args:
        bounds: `max_age_s` of each camera that shares the detector, by name.
        detect_s, workers: as of `max_ages`.

    Raises:
        ConfigError: with the arithmetic.
    """
    whole_s = round_s(len(bounds), detect_s, workers)
    late = sorted((bound_s, name) for name, bound_s in bounds.items() if bound_s < whole_s)
    if not late:
        return
    least_s, on = late[0][0], f"on {counted(workers, 'worker')}"
    if len(late) == len(bounds):
        raise ConfigError(
            f"{counted(len(bounds), 'camera')} x {detect_s:.2f} s a detection {on} = {whole_s:.2f} s a round; "
            f"detector.max_age_s {least_s:g} cannot be kept; set it to at least {_above(whole_s):g}, or use a "
            "faster detector, more detector.workers or fewer cameras"
        )
    first_s = min(2 * detect_s, whole_s)  # another camera's detection may have begun just before
    if least_s < first_s:
        raise ConfigError(
            f"cameras.{late[0][1]}: {detect_s:.2f} s for its detection + {detect_s:.2f} s for one that has begun = "
            f"{first_s:.2f} s; detector.max_age_s {least_s:g} cannot be kept; set it to at least {_above(first_s):g}"
        )
    needed = sum(detect_s / bound_s for bound_s in bounds.values())
    if needed > workers:
        named = ", ".join(f"{name} every {bound_s:g} s" for bound_s, name in late[:_NAMED])
        raise ConfigError(
            f"{detect_s:.2f} s a detection for {named}, ... takes {needed:.2f} s of detector time a second, and there "
            f"is {counted(workers, 'worker')}; raise detector.max_age_s, or use a faster detector or more "
            "detector.workers"
        )


def _above(bound_s: float) -> float:
    """The next tenth of a second above a time."""
    return (math.floor(round(bound_s * 10, 6)) + 1) / 10
