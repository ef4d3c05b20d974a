"""The camera's clock: captures a frame when it is due, sends it to all clients that play, and applies the faults of the
stream.

Owned by the camera's event loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable
from typing import Any

from tests.faults.camera.clients import PlayingClient
from tests.faults.camera.encoding import Coded, Encoding, recording
from tests.faults.camera.settings import Settings
from tests.faults.camera.shots import Shot, ShotList
from tests.faults.camera.transports import Loss, Transport

REPORT_EVERY_S = 1.0


class Stream:
    """The content and the clients of the camera.

    Args:
        settings: what to send.
        shots: the log of the frames.
        encode: makes the content for the settings.
    """

    def __init__(self, settings: Settings, shots: ShotList, encode: Callable[[Settings], Encoding] = recording) -> None:
        self.settings = settings
        self._encode = encode
        self.clients: list[PlayingClient] = []
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
        self._held: list[tuple[Shot, Coded, int]] = []  # of a burst: frames that are not sent yet, and their ticks
        self._begin()

    @property
    def description(self) -> list[str]:
        """The stream's part of the session description (SDP)."""
        return self._recording.description

    def change(self, **changes: Any) -> None:
        """Change the settings from the next frame on, which is a keyframe."""
        self.settings = dataclasses.replace(self.settings, **changes)
        if not changes.keys() <= {"login", "key_frame_every_s"}:
            self._begin()

    def add(self, transport: Transport) -> PlayingClient:
        """Add a client."""
        self._viewers_so_far += 1
        clock_hz = self._recording.clock_hz
        first = random.randrange(1 << 31) if self._wrap_in_s is None else (1 << 32) - round(self._wrap_in_s * clock_hz)
        client = PlayingClient(
            transport,
            payload_type=self._recording.payload_type,
            first_timestamp=first,
            started_ticks=self._ticks(time.monotonic()),
            number=self._viewers_so_far,
        )
        client.lose(*self._loss)
        client.insert_garbage(*self._garbage)
        self.clients.append(client)
        if self.settings.key_frame_on_play:
            self._key_due_s = 0.0
        return client

    def remove(self, client: PlayingClient) -> None:
        """Remove a client; calling it twice is fine."""
        if client in self.clients:
            self.clients.remove(client)
            client.transport.close()

    def lose(self, fraction: float, seed: int) -> None:
        """Drop a fraction of the RTP packets of all clients over UDP, present and future."""
        self._loss = fraction, seed
        for client in self.clients:
            client.lose(fraction, seed)

    def insert_garbage(self, fraction: float, seed: int) -> None:
        """Send bytes that are not packets to all clients that play in the RTSP connection, present and future."""
        self._garbage = fraction, seed
        for client in self.clients:
            client.insert_garbage(fraction, seed)

    def skip(self, fraction: float, seed: int) -> None:
        """Drop a fraction of the frames that are not keyframes, before they are numbered."""
        self._skips = Loss(fraction, seed) if fraction > 0 else None

    def jump_pts(self, by_s: float) -> None:
        """Move the clock of the timestamps forwards or backwards."""
        self._jumped_ticks += round(by_s * self._recording.clock_hz)

    def wrap_pts(self, in_s: float | None) -> None:
        """Let the timestamps of new clients pass 2^32 after this time; None ends it."""
        self._wrap_in_s = in_s

    def withhold_key_frames(self, for_s: float) -> None:
        """Make no keyframe for a while."""
        self._withheld_until_s = time.monotonic() + for_s

    def send_report(self, client: PlayingClient) -> None:
        """Send a sender report to one client."""
        if self.sends_reports:
            client.send_report(self._ticks(time.monotonic()))

    async def take_pictures(self) -> None:
        """Capture a frame whenever it is due, without end; after a pause continue from now, without catching up."""
        due_s = time.monotonic()
        while True:
            due_s += self._recording.interval_s
            now_s = time.monotonic()
            if now_s - due_s > max(0.1, self._recording.interval_s):
                due_s = now_s
            await asyncio.sleep(due_s - now_s)
            self._take(due_s)

    async def send_reports(self) -> None:
        """Send a sender report to all clients every second, without end."""
        while True:
            for client in self.clients:
                self.send_report(client)
            await asyncio.sleep(REPORT_EVERY_S)

    def _begin(self) -> None:
        self._recording: Encoding = self._encode(self.settings)
        self._coded_since_s = time.monotonic()
        self._begins = True
        # The session description needs parameter sets, which only an encoded frame has.
        self._take(time.monotonic())

    def _take(self, due_s: float) -> None:
        # A change during a lag of the camera captures a frame between two that were due before.
        due_s = self._taken_s = max(due_s, self._taken_s + 0.001)
        drawn_s = time.monotonic()
        is_key = self._is_key_due(drawn_s)
        number = self._shots.next_number
        coded = self._recording.take(number, self._coding_ticks(due_s), is_key=is_key)
        shot = Shot(number, drawn_s, due_s, None, len(coded.payloads), 0, is_key, False)
        # Logged before it is sent, so that a receiver finds it in the list.
        self._shots.write(shot)
        if self._skips is not None and not is_key and not self._skips.keeps():
            return
        self._held.append((shot, coded, self._ticks(due_s)))
        if len(self._held) >= self.settings.burst:
            for held in self._held:
                self._send(*held)
            self._held.clear()

    def _send(self, shot: Shot, coded: Coded, ticks: int) -> None:
        if self.clients and self.sends_pictures:
            sent = [client.send(coded.payloads, ticks, is_key=shot.is_key) for client in self.clients]
            lost = [index for one in sent for index in one]
            is_hit = any(index >= coded.preamble for index in lost)
            self._shots.write(shot._replace(sent_s=time.monotonic(), lost_packets=len(lost), is_hit=is_hit))

    def _is_key_due(self, now_s: float) -> bool:
        if self.settings.codec in ("mjpeg", "audio"):
            return True
        if not self._begins and now_s < max(self._withheld_until_s, self._key_due_s):
            return False
        self._begins = False
        # Half a frame early; otherwise a rate that does not divide the interval adds one frame each time.
        self._key_due_s = now_s + self.settings.key_frame_every_s - self._recording.interval_s / 2
        return True

    def _ticks(self, at_s: float) -> int:
        return round((at_s - self._epoch_s) * self._recording.clock_hz) + self._jumped_ticks

    def _coding_ticks(self, at_s: float) -> int:
        """For the encoder, which needs increasing timestamps without jumps."""
        return round((at_s - self._coded_since_s) * self._recording.clock_hz)
