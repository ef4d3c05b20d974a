"""This program's end of one connection of a live stream: a process to feed, with a limit on every wait.

Used by the thread that writes the stream sink; `kill` may be called by any thread.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

from streamer.sinks.publish.encoder import TIME_BASE, EncodedPacket, StreamEncoder
from streamer.sinks.publish.process import HEADER, OPENED, STALL_S, Job
from streamer.sinks.publish.sound import SoundTrack
from streamer.sinks.publish.target import StreamTarget

COMMAND = (sys.executable, "-m", "streamer.sinks.publish.process")
CONNECT_S = 5.0
"""A server that has not taken the stream after this long is given up."""
END_S = 0.5
"""How long closing waits for the server before the process is killed."""
_BUFFER_S = 0.5
_LEAST_BUFFER_BYTES = 128 * 1024


class LinkLost(Exception):
    """The connection failed.

    Attributes:
        why: one line without secrets.
        refused: the server said no, which a user must mend.
        replied: the server said something: it is there.
    """

    def __init__(self, why: str, *, refused: bool = False, replied: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.refused = refused
        self.replied = replied


class StreamLink:
    """One connection, not yet open: its process runs as soon as this is made.

    Args:
        target: where to.
    """

    def __init__(self, target: StreamTarget) -> None:
        self._target = target
        self._opened = False
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)

    def open(self, encoder: StreamEncoder, first: Iterable[EncodedPacket], sounds: Sequence[SoundTrack] = ()) -> None:
        """Connect; what came before `LinkLost` is left to `close`.

        Args:
            encoder: of the packets.
            first: what to send at once, with a key frame in front.
            sounds: what is sent besides.

        Raises:
            LinkLost: the server is away, said no, or did not answer within `CONNECT_S`.
        """
        job = Job(
            self._target.url,
            self._target.muxer,
            dict(self._target.options),
            encoder.codec,
            *encoder.size,
            str(TIME_BASE),
            max(round(encoder.rate_bps / 8 * _BUFFER_S), _LEAST_BUFFER_BYTES),
            [(base64.b64encode(sound.parameters).decode(), str(sound.time_base)) for sound in sounds],
        )
        deadline_s = time.monotonic() + CONNECT_S
        # The address goes in by the pipe: arguments can be read by every user of the machine.
        self._feed(job.line(), CONNECT_S)
        for packet in first:
            self.send(packet)
        while not self._opened:
            if not self._ready(self._out, select.POLLIN, deadline_s):
                raise LinkLost(f"no answer within {CONNECT_S:g} s")
            self._take_answer()

    def send(self, packet: EncodedPacket) -> None:
        """Hand over a packet.

        Raises:
            LinkLost: the connection failed, or took nothing for `STALL_S`.
        """
        header = HEADER.pack(packet.stream, len(packet.data), packet.pts, packet.dts, packet.duration, packet.is_key)
        self._feed(header + packet.data, STALL_S)

    def close(self) -> None:
        """End the stream as the protocol wants it, within `END_S`. Fine after a loss."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        deadline_s = time.monotonic() + END_S
        with suppress(LinkLost):
            while self._ready(self._out, select.POLLIN, deadline_s):
                self._take_answer()
        self.kill()
        self._reap()

    def kill(self) -> None:
        """End the connection at once, from any thread: whoever waits in `send` gets LinkLost."""
        self._process.kill()

    def _reap(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _feed(self, data: bytes, limit_s: float) -> None:
        """Write all of `data`; the limit is on waiting without any progress."""
        view = memoryview(data)
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._in, select.POLLOUT)
        while view:
            ready = dict(poll.poll(limit_s * 1000))
            if not ready:
                raise LinkLost(f"it took nothing for {limit_s:g} s")
            if self._out in ready:
                self._take_answer()
            if self._in in ready:
                try:
                    view = view[os.write(self._in, view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    self._explain()

    def _explain(self) -> NoReturn:
        """The process has ended: raise what it said."""
        deadline_s = time.monotonic() + END_S
        while self._ready(self._out, select.POLLIN, deadline_s):
            self._take_answer()
        raise LinkLost("connection closed")

    def _take_answer(self) -> None:
        """Read a line, which the process writes in one go. Raises LinkLost for a failure."""
        line = os.read(self._out, select.PIPE_BUF)
        if not line:
            raise LinkLost("connection closed")
        if line == OPENED:
            self._opened = True
            return
        said = json.loads(line.removeprefix(OPENED))
        raise LinkLost(self._target.scrub(said["why"]), refused=said["refused"], replied=said["replied"])

    @staticmethod
    def _ready(descriptor: int, events: int, deadline_s: float) -> bool:
        poll = select.poll()
        poll.register(descriptor, events)
        return bool(poll.poll(max(deadline_s - time.monotonic(), 0) * 1000))
