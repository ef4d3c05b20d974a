"""Which changes of a picture are reported as a covered or moved camera, and the cost.

    python -m benchmarks.camera_watch [--clips FILE ...]

A made street, and each clip of a fixed camera, is watched for 25 s, then for 25 s with a change, then without it. Of
each change: how many of the clips have the event that is right, how many have another one. A clip that is shorter than
75 s goes back and forth. Then the time of the processor to look at one frame, and per frame at 25 fps.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

import av
import cv2
import numpy as np

from benchmarks.clips import machine
from streamer.analytics.camera.watch import CameraWatch
from streamer.config.analytics.camera_watch import CameraWatchSettings
from streamer.motion.thumbnail import luma_of
from streamer.values.frame import Frame
from tests.analytics import views
from tests.analytics.views import EVERY_S, SIZE, Effect, Grey, frame, street, view

LOOKS = 50
COST_SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
FPS = 25


def shifted(share: float) -> Effect:
    """The camera is turned by a share of the width."""
    matrix = np.array([[1, 0, share * SIZE[0]], [0, 1, 0]], np.float32)
    return lambda picture, _: np.asarray(cv2.warpAffine(picture, matrix, SIZE, borderMode=cv2.BORDER_REFLECT_101))


def blurred(share: float, picture: Grey, _: int) -> Grey:
    """Out of focus: a blur with this standard deviation, as a share of the width."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), share * SIZE[0]), np.float64)


CHANGES: dict[str, tuple[str, Effect]] = {
    "nothing": ("", lambda picture, _: picture),
    "light off": ("", views.dark),
    "exposure up": ("", views.exposed),
    "exposure down": ("", views.dimmed),
    "fog": ("", views.foggy),
    "infrared": ("", views.infrared),
    "lorry on 3/4 of the view": ("", views.lorry),
    "shift of 1% of the width": ("", shifted(0.01)),
    "shift of 3%": ("camera_moved", shifted(0.03)),
    "shift of 10%": ("camera_moved", shifted(0.1)),
    "shift of 30%": ("camera_moved", shifted(0.3)),
    "shift of 60%": ("camera_moved", shifted(0.6)),
    "cloth": ("camera_covered", views.cloth),
    "hand": ("camera_covered", views.hand),
    "black": ("camera_covered", views.black),
    "blinded": ("camera_covered", views.blinded),
    "blur of 0.2%": ("", partial(blurred, 0.002)),
    "blur of 0.4%": ("camera_covered", partial(blurred, 0.004)),
    "blur of 0.8%": ("camera_covered", partial(blurred, 0.008)),
    "blur of 1.6%": ("camera_covered", partial(blurred, 0.016)),
}
"""What should be reported, and the change."""


def pictures(path: str) -> list[Grey]:
    """Two pictures a second of a clip, at most 75 s, in the size of the made street."""
    found: list[Grey] = []
    with av.open(path) as container:
        for one in container.decode(video=0):
            if (one.time or 0.0) >= len(found) * EVERY_S and len(found) < 3 * LOOKS:
                grey = one.reformat(*SIZE, format="gray").to_ndarray()
                found.append(np.asarray(grey, np.float64))
    return list(itertools.islice(itertools.cycle([*found, *found[::-1]]), 3 * LOOKS))


def reported(shown: Sequence[Grey], effect: Effect) -> Iterator[str]:
    """The events while the change lasts."""
    watch = CameraWatch(CameraWatchSettings(when="always"))
    for number, picture in enumerate(shown):
        changed = effect(picture, number) if LOOKS <= number < 2 * LOOKS else picture
        for change in watch.update(frame(changed, number, time_s=number * EVERY_S)):
            if number < 2 * LOOKS:
                yield str(change.kind)


def cost_ms(size: tuple[int, int], looks: int = 60) -> float:
    """The time of the processor to look at one frame, milliseconds; the median."""
    watch, times = CameraWatch(CameraWatchSettings(when="always")), []
    for number in range(looks):
        grey = np.asarray(cv2.resize(view(street(number)).astype(np.uint8), size), np.uint8)
        picture = av.VideoFrame.from_ndarray(grey, "gray").reformat(format="yuv420p")
        one = Frame(picture, index=number, pts=number, time_base=Fraction(1, 2), captured_s=0.0)
        luma_of(picture)
        began_s = time.thread_time()
        list(watch.update(one))
        times.append(time.thread_time() - began_s)
    return 1e3 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="*", default=[], help="clips of fixed cameras")
    clips = [[view(street(number)) for number in range(3 * LOOKS)]]
    clips += [pictures(path) for path in parser.parse_args().clips]
    print(machine())
    print(f"\n{'change':28}{'should be':18}right  others   of {len(clips)}")
    for name, (wanted, effect) in CHANGES.items():
        found = [list(reported(clip, effect)) for clip in clips]
        right = sum(events == ([wanted] if wanted else []) for events in found)
        others = sum(any(event != wanted for event in events) for events in found)
        print(f"{name:28}{wanted or 'no event':18}{right:5}{others:8}")
    print("\nsize         a look    a frame at 25 fps")
    for size in COST_SIZES:
        one_ms = cost_ms(size)
        print(f"{size[0]}x{size[1]:<7} {one_ms:5.2f} ms  {one_ms / EVERY_S / FPS:5.3f} ms")


if __name__ == "__main__":
    main()
