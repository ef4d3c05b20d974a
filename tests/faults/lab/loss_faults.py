"""Lost packets and frames, and how well the program marks the damage. Used by the thread of the lab."""

from __future__ import annotations

import time
from collections import Counter
from typing import ClassVar

from streamer.config.source import Transport
from tests.faults.lab.scenario import CameraScenario
from tests.faults.lab.seen_frames import DETECTED, SHOWN, SeenFrame

DAMAGED = "damaged"
"""Visibly damaged."""
HIT = "hit"
"""Looks intact, though a packet of it, or of a frame since the last keyframe, was lost."""
WHOLE = "whole"


class Loss(CameraScenario):
    """A fraction of the RTP packets is lost, for about 6 s."""

    expected = "marks frames from a gap to the next intact keyframe; the detector does not get them"
    transport: ClassVar[Transport] = "udp"
    limit_s = 2.5
    lasts_s = (5.0, 7.0)
    quick = False
    fraction: ClassVar[float]

    def __init__(self) -> None:
        self._seed = 0
        self._first = 0
        self._seen: list[tuple[int | None, bool, bool]] = []  # number, visibly damaged, marked; during the fault
        self._counts: Counter[str] = Counter()

    def begin_fault(self) -> None:
        self._seed += 1
        self._first = self.camera.next_number
        self.harm(self.fraction, self._seed)

    def harm(self, fraction: float, seed: int) -> None:
        """Damage a fraction of the stream; 0 ends it."""
        self.camera.lose(fraction, seed)

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self.harm(0.0, self._seed)
        hit = set(self.camera.damaged_numbers(self._first))
        for number, looks_damaged, is_flagged in self._seen:
            kind = DAMAGED if looks_damaged else HIT if number in hit else WHOLE
            self._counts[kind] += 1
            self._counts[f"{kind} flagged"] += is_flagged
        self._seen.clear()
        return back_s

    def note(self, frame: SeenFrame, *, faulty: bool) -> None:
        if not faulty:
            return
        looks_damaged = frame.is_visibly_damaged()
        if frame.place == DETECTED:
            self._counts["damaged in the detector"] += looks_damaged
        elif frame.place == SHOWN:
            self._seen.append((frame.read_number(), looks_damaged, bool(frame.damage)))

    def figures(self) -> dict[str, float]:
        """Frames by kind, how many of each kind are marked, and damaged ones that the detector got."""
        counts = {
            name: float(self._counts[name]) for kind in (DAMAGED, HIT, WHOLE) for name in (kind, f"{kind} flagged")
        }
        return counts | {
            "recall": self._counts[f"{DAMAGED} flagged"] / max(self._counts[DAMAGED], 1),
            "false": self._counts[f"{WHOLE} flagged"] / max(self._counts[WHOLE], 1),
            "damaged in the detector": float(self._counts["damaged in the detector"]),
        }


class Loss1(Loss):
    name = "loss_1"
    fault = "1% of the UDP packets are lost"
    fraction = 0.01


class Loss3(Loss):
    name = "loss_3"
    fault = "3% of the UDP packets are lost"
    fraction = 0.03


class Loss10(Loss):
    name = "loss_10"
    fault = "10% of the UDP packets are lost"
    fraction = 0.1


class Loss20(Loss):
    name = "loss_20"
    fault = "20% of the UDP packets are lost"
    fraction = 0.2


class Garbage(Loss):
    name = "garbage"
    fault = "bytes that are not packets before 5% of the packets in the RTSP connection; FFmpeg skips some packets"
    transport = "tcp"
    limit_s = 7.5  # FFmpeg may interpret garbage as the length of a packet, and skips up to 64 KiB
    fraction = 0.05

    def harm(self, fraction: float, seed: int) -> None:
        self.camera.insert_garbage(fraction, seed)


class LeftOut(Loss):
    name = "left_out"
    fault = "the camera drops 3% of its frames before it numbers its packets"
    expected = "marks frames from a missing one to the next keyframe; the detector does not get them"
    transport = "tcp"
    fraction = 0.03

    def harm(self, fraction: float, seed: int) -> None:
        self.camera.skip(fraction, seed)
