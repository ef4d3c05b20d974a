"""The camera's clock: takes a picture when it is due, hands it to whoever plays, and plays the faults of the stream.

Owned by the camera's event loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from typing import Any

from tests.faults.camera.recording import Coded, Recording, recording
from tests.faults.camera.settings import Settings
from tests.faults.camera.shots import Shot, ShotList
from tests.faults.camera.viewers import Viewer
from tests.faults.camera.wires import Loss, Wire

REPORT_EVERY_S = 1.0


class Studio:
    """What the camera sees and sends.

    Args:
        settings: what to film.
        shots: where each picture is noted.
    """

    def __init__(self, settings: Settings, shots: ShotList) -> None:
        self.settings = settings
        self.viewers: list[Viewer] = []
        self.sends_pictures = True
        self.sends_reports = True
        self._shots = shots
        self._epoch_s = time.monotonic()
        self._jumped_ticks = 0
        self._wrap_in_s: float | None = None
        self._loss = self._garbage = 0.0, 0
        self._skips: Loss | None = None
        self._viewers_so_far = 0
        self._withheld_until_s = 0.0
        self._key_due_s = 0.0
        self._taken_s = 0.0
        self._held: list[tuple[Shot, Coded, int]] = []  # of a burst: pictures that are not sent yet, and their ticks
        self._begin()

    @property
    def description(self) -> list[str]:
        """The part of the session description (SDP) that is about the stream."""
        return self._recording.description

    def change(self, **changes: Any) -> None:
        """Film differently from the next picture on, which is a key frame."""
        self.settings = dataclasses.replace(self.settings, **changes)
        if not changes.keys() <= {"login", "key_frame_every_s"}:
            self._begin()

    def add(self, wire: Wire) -> Viewer:
        """Let a client play."""
        self._viewers_so_far += 1
        clock_hz = self._recording.clock_hz
        first = random.randrange(1 << 31) if self._wrap_in_s is None else (1 << 32) - round(self._wrap_in_s * clock_hz)
        viewer = Viewer(
            wire,
            payload_type=self._recording.payload_type,
            first_timestamp=first,
            started_ticks=self._ticks(time.monotonic()),
            number=self._viewers_so_far,
        )
        viewer.lose(*self._loss)
        viewer.litter(*self._garbage)
        self.viewers.append(viewer)
        if self.settings.key_frame_on_play:
            self._key_due_s = 0.0
        return viewer

    def remove(self, viewer: Viewer) -> None:
        """Forget a client; again is fine."""
        if viewer in self.viewers:
            self.viewers.remove(viewer)
            viewer.wire.close()

    def lose(self, fraction: float, seed: int) -> None:
        """Drop a fraction of the RTP packets of everybody who plays over UDP, now or later."""
        self._loss = fraction, seed
        for viewer in self.viewers:
            viewer.lose(fraction, seed)

    def litter(self, fraction: float, seed: int) -> None:
        """Send bytes that are no packets to everybody who plays in the RTSP connection, now or later."""
        self._garbage = fraction, seed
        for viewer in self.viewers:
            viewer.litter(fraction, seed)

    def skip(self, fraction: float, seed: int) -> None:
        """Take a fraction of the pictures that are no key frames and send them to nobody, as if they were none."""
        self._skips = Loss(fraction, seed) if fraction > 0 else None

    def jump_pts(self, by_s: float) -> None:
        """Set the clock of the timestamps forwards, or backwards."""
        self._jumped_ticks += round(by_s * self._recording.clock_hz)

    def wrap_pts(self, in_s: float | None) -> None:
        """Let the timestamps of those that begin to play from now on pass 2^32 that long after; None: no longer."""
        self._wrap_in_s = in_s

    def withhold_key_frames(self, for_s: float) -> None:
        """Make no key frame for a while."""
        self._withheld_until_s = time.monotonic() + for_s

    def send_report(self, viewer: Viewer) -> None:
        """Tell one client what time it is."""
        if self.sends_reports:
            viewer.send_report(self._ticks(time.monotonic()))

    async def take_pictures(self) -> None:
        """Take one whenever it is due, for ever; after a pause go on from now, without catching up."""
        due_s = time.monotonic()
        while True:
            due_s += self._recording.interval_s
            now_s = time.monotonic()
            if now_s - due_s > max(0.1, self._recording.interval_s):
                due_s = now_s
            await asyncio.sleep(due_s - now_s)
            self._take(due_s)

    async def send_reports(self) -> None:
        """Tell everybody what time it is, every second, for ever."""
        while True:
            for viewer in self.viewers:
                self.send_report(viewer)
            await asyncio.sleep(REPORT_EVERY_S)

    def _begin(self) -> None:
        self._recording: Recording = recording(self.settings)
        self._coded_since_s = time.monotonic()
        self._begins = True
        # The session description tells parameter sets, which only a coded picture has.
        self._take(time.monotonic())

    def _take(self, due_s: float) -> None:
        # A change that is obeyed while the camera lags takes a picture between two that were due before.
        due_s = self._taken_s = max(due_s, self._taken_s + 0.001)
        drawn_s = time.monotonic()
        is_key = self._is_key_due(drawn_s)
        number = self._shots.next_number
        coded = self._recording.take(number, self._coding_ticks(due_s), is_key=is_key)
        shot = Shot(number, drawn_s, due_s, None, len(coded.payloads), 0, is_key, False)
        # Noted before it is sent: whoever gets the picture finds it in the list.
        self._shots.write(shot)
        if self._skips is not None and not is_key and not self._skips.spares():
            return
        self._held.append((shot, coded, self._ticks(due_s)))
        if len(self._held) >= self.settings.burst:
            for held in self._held:
                self._send(*held)
            self._held.clear()

    def _send(self, shot: Shot, coded: Coded, ticks: int) -> None:
        if self.viewers and self.sends_pictures:
            sent = [viewer.send(coded.payloads, ticks, is_key=shot.is_key) for viewer in self.viewers]
            lost = [index for one in sent for index in one]
            is_hit = any(index >= coded.preamble for index in lost)
            self._shots.write(shot._replace(sent_s=time.monotonic(), lost_packets=len(lost), is_hit=is_hit))

    def _is_key_due(self, now_s: float) -> bool:
        if self.settings.codec in ("mjpeg", "audio"):
            return True
        if not self._begins and now_s < max(self._withheld_until_s, self._key_due_s):
            return False
        self._begins = False
        # Half a picture early, or a rate that does not divide the distance makes it one picture longer each time.
        self._key_due_s = now_s + self.settings.key_frame_every_s - self._recording.interval_s / 2
        return True

    def _ticks(self, at_s: float) -> int:
        return round((at_s - self._epoch_s) * self._recording.clock_hz) + self._jumped_ticks

    def _coding_ticks(self, at_s: float) -> int:
        """For the encoder, which wants timestamps that rise and do not jump."""
        return round((at_s - self._coded_since_s) * self._recording.clock_hz)
