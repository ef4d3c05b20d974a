"""Faults of a stream whose camera is there: other sizes, codecs and rates, clocks that jump, no key frame.

Used by the thread of the lab.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack

from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera, Codec
from tests.faults.lab.http_camera import HttpCamera
from tests.faults.lab.rig import Setup
from tests.faults.lab.scenario import CameraScenario, Scenario
from tests.faults.lab.sights import Sight, Sights

_SIZES = ((640, 360), (800, 448))
_WRAP_IN_S = 2.0


class ChangeScenario(CameraScenario):
    """Something changes from one moment to the next: nothing is away, and nothing to be mended."""

    lasts_s = (0.0, 0.0)

    def strike(self) -> None:
        """Everything happens in `mend`."""


class Resolution(ChangeScenario):
    name = "resolution"
    fault = "pictures of another size in the same stream"
    expected = "a new segment: the tracker begins anew, the connection is kept"
    limit_s = 1.0

    def equip(self, stack: ExitStack, sights: Sights) -> None:
        super().equip(stack, sights)
        self._size = _SIZES[0]

    def mend(self) -> float:
        self._size = _SIZES[1 - _SIZES.index(self._size)]
        self.camera.change_size(self._size)
        return time.monotonic()

    def accepts(self, sight: Sight) -> bool:
        return sight.picture is not None and (sight.picture.width, sight.picture.height) == self._size


class CodecChange(ChangeScenario):
    name = "codec"
    fault = "H.264 becomes MJPEG, then H.265, then H.264 again; cameras end all sessions for that"
    expected = "connected anew after 0.5 s; a new segment"
    limit_s = 2.5

    def equip(self, stack: ExitStack, sights: Sights) -> None:
        super().equip(stack, sights)
        order: tuple[Codec, ...] = ("mjpeg", "h265", "h264")
        self._codecs: Iterator[Codec] = itertools.cycle(order)

    def mend(self) -> float:
        self.camera.change_codec(next(self._codecs))
        return time.monotonic()


class PtsForwards(ChangeScenario):
    name = "pts_forwards"
    fault = "time stamps jump an hour forwards"
    expected = "media time goes on with the time of arrival; nothing else happens"
    limit_s = 1.0
    by_s = 3600.0

    def mend(self) -> float:
        self.camera.jump_pts(self.by_s)
        return time.monotonic()


class PtsBackwards(PtsForwards):
    name = "pts_backwards"
    fault = "time stamps jump an hour back"
    by_s = -3600.0


class PtsWrap(CameraScenario):
    name = "pts_wrap"
    fault = "the 32-bit time stamps of RTP wrap around"
    expected = "nothing happens"
    limit_s = 1.0
    lasts_s = (_WRAP_IN_S, _WRAP_IN_S)

    def equip(self, stack: ExitStack, sights: Sights) -> None:
        super().equip(stack, sights)
        self.camera.wrap_pts(_WRAP_IN_S)
        self._played_s = 0.0

    def strike(self) -> None:
        """Whoever connects gets time stamps that wrap soon; the fault is that moment."""
        asked_s = time.monotonic()
        self.camera.disconnect()
        while (played_s := float(self.camera.wait_for("play")["at_s"])) < asked_s:
            pass
        self._played_s = played_s

    def mend(self) -> float:
        return self._played_s + _WRAP_IN_S


class MissingPts(Scenario):
    name = "missing_pts"
    fault = "MJPEG over HTTP, whose pictures have no time stamp; the camera is killed and started again"
    expected = "media time is the time of arrival; connected anew"
    limit_s = 2.5

    def equip(self, stack: ExitStack, sights: Sights) -> None:  # noqa: ARG002
        self.camera = stack.enter_context(HttpCamera())

    def setup(self) -> Setup:
        return Setup(NetworkConnector(self.camera.url))

    def filmed_s(self, number: int) -> float | None:
        return self.camera.filmed_s(number)

    def strike(self) -> None:
        self.camera.kill()

    def mend(self) -> float:
        return self.camera.start()

    def accepts(self, sight: Sight) -> bool:
        return sight.raw_pts is None


class NoKeyFrame(CameraScenario):
    name = "no_key_frame"
    fault = "the camera disconnects, and then sends no key frame for 10 s"
    expected = "waited for, because data come; no picture before the key frame is shown or given to the detector"
    limit_s = 1.0
    lasts_s = (0.0, 0.0)
    quick = False

    def strike(self) -> None:
        self._until_s = time.monotonic() + 10.0
        self.camera.withhold_key_frames(10.0)
        self.camera.disconnect()

    def mend(self) -> float:
        return self._until_s


class AudioOnly(CameraScenario):
    name = "audio_only"
    fault = "the camera sends sound only for a while, then pictures again"
    expected = "told once, and tried again at the longest wait only: a user must mend it"
    longest_wait_s = 4.0
    limit_s = 4.0 + 2.5
    lasts_s = (1.0, 6.0)
    quick = False

    def strike(self) -> None:
        self.camera.change_codec("audio")

    def mend(self) -> float:
        back_s = time.monotonic()
        self.camera.change_codec("h264")
        return back_s


class Rate(ChangeScenario):
    name = "rate"
    fault = "5 frames a second become 60, and 60 become 5"
    expected = "nothing happens; media time follows"
    limit_s = 1.0

    def make_camera(self) -> Camera:
        return Camera(fps=5.0)

    def mend(self) -> float:
        self.camera.change_fps(60.0 if self.camera.settings.fps == 5.0 else 5.0)
        return time.monotonic()
