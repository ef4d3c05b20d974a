"""Faults of a stream of a working camera: other sizes, codecs and rates, clocks that jump, no keyframe.

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
from tests.faults.lab.seen_frames import SeenFrame, SeenFrames

_SIZES = ((640, 360), (800, 448))
_WRAP_IN_S = 2.0


class ChangeScenario(CameraScenario):
    """A change without an outage and without an end."""

    lasts_s = (0.0, 0.0)

    def begin_fault(self) -> None:
        """Does nothing: `end_fault` does it all."""


class Resolution(ChangeScenario):
    name = "resolution"
    fault = "frames of another size in the same stream"
    expected = "a new segment: the tracker resets, the connection stays"
    limit_s = 1.0

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        self._size = _SIZES[0]

    def end_fault(self) -> float:
        self._size = _SIZES[1 - _SIZES.index(self._size)]
        self.camera.change_size(self._size)
        return time.monotonic()

    def accepts(self, frame: SeenFrame) -> bool:
        return frame.picture is not None and (frame.picture.width, frame.picture.height) == self._size


class CodecChange(ChangeScenario):
    name = "codec"
    fault = "H.264 becomes MJPEG, then H.265, then H.264 again; cameras end all sessions for that"
    expected = "reconnects after 0.5 s; a new segment"
    limit_s = 2.5

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        order: tuple[Codec, ...] = ("mjpeg", "h265", "h264")
        self._codecs: Iterator[Codec] = itertools.cycle(order)

    def end_fault(self) -> float:
        self.camera.change_codec(next(self._codecs))
        return time.monotonic()


class PtsForwards(ChangeScenario):
    name = "pts_forwards"
    fault = "time stamps jump an hour forwards"
    expected = "media time follows the time of arrival"
    limit_s = 1.0
    by_s = 3600.0

    def end_fault(self) -> float:
        self.camera.jump_pts(self.by_s)
        return time.monotonic()


class PtsBackwards(PtsForwards):
    name = "pts_backwards"
    fault = "time stamps jump an hour back"
    by_s = -3600.0


class PtsWrap(CameraScenario):
    name = "pts_wrap"
    fault = "the 32-bit time stamps of RTP overflow"
    expected = "no effect"
    limit_s = 1.0
    lasts_s = (_WRAP_IN_S, _WRAP_IN_S)

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        self.camera.wrap_pts(_WRAP_IN_S)
        self._played_s = 0.0

    def begin_fault(self) -> None:
        """New clients get time stamps that overflow soon; the fault is that moment."""
        asked_s = time.monotonic()
        self.camera.disconnect()
        while (played_s := float(self.camera.wait_for("play")["at_s"])) < asked_s:
            pass
        self._played_s = played_s

    def end_fault(self) -> float:
        return self._played_s + _WRAP_IN_S


class MissingPts(Scenario):
    name = "missing_pts"
    fault = "MJPEG over HTTP, whose frames have no time stamp; the camera is killed and restarted"
    expected = "media time is the time of arrival; reconnects"
    limit_s = 2.5

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:  # noqa: ARG002
        self.camera = stack.enter_context(HttpCamera())

    def setup(self) -> Setup:
        return Setup(NetworkConnector(self.camera.url))

    def captured_at_s(self, number: int) -> float | None:
        return self.camera.captured_at_s(number)

    def begin_fault(self) -> None:
        self.camera.kill()

    def end_fault(self) -> float:
        return self.camera.start()

    def accepts(self, frame: SeenFrame) -> bool:
        return frame.raw_pts is None


class NoKeyFrame(CameraScenario):
    name = "no_key_frame"
    fault = "the camera disconnects, and then sends no keyframe for 10 s"
    expected = "waits, because data arrives; frames before the keyframe are neither shown nor detected"
    limit_s = 1.0
    lasts_s = (0.0, 0.0)
    quick = False

    def begin_fault(self) -> None:
        self._until_s = time.monotonic() + 10.0
        self.camera.withhold_key_frames(10.0)
        self.camera.disconnect()

    def end_fault(self) -> float:
        return self._until_s


class AudioOnly(CameraScenario):
    name = "audio_only"
    fault = "the camera sends only audio for a while, then video again"
    expected = "reports once and retries at the longest wait only: a user must repair it"
    longest_wait_s = 4.0
    limit_s = 4.0 + 2.5
    lasts_s = (1.0, 6.0)
    quick = False

    def begin_fault(self) -> None:
        self.camera.change_codec("audio")

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self.camera.change_codec("h264")
        return back_s


class Rate(ChangeScenario):
    name = "rate"
    fault = "5 frames/s become 60, and 60 become 5"
    expected = "no effect; media time follows"
    limit_s = 1.0

    def make_camera(self) -> Camera:
        return Camera(fps=5.0)

    def end_fault(self) -> float:
        self.camera.change_fps(60.0 if self.camera.settings.fps == 5.0 else 5.0)
        return time.monotonic()
