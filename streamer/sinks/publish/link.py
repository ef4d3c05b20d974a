"""One connection of a live stream: starts the process that publishes and feeds it, with a limit on every wait.

Used by the thread that writes the stream sink; any thread may call `kill`.
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

from streamer.sinks.publish.audio import AudioTrack
from streamer.sinks.publish.encoder import TIME_BASE, EncodedPacket, StreamEncoder
from streamer.sinks.publish.process import HEADER, OPENED, STALL_S, Job
from streamer.sinks.publish.target import StreamTarget

COMMAND = (sys.executable, "-m", "streamer.sinks.publish.process")
CONNECT_S = 5.0
"""Time limit for a server to accept the stream."""
END_S = 0.5
"""Time limit for an orderly end before the process is killed."""
_BUFFER_S = 0.5
_LEAST_BUFFER_BYTES = 128 * 1024


class LinkLost(Exception):
    """The connection failed.

    Attributes:
        why: one line without secrets.
        refused: the server refused the stream; trying again does not help until the user changes something.
        replied: the server answered, so it can be reached.
    """

    def __init__(self, why: str, *, refused: bool = False, replied: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.refused = refused
        self.replied = replied


class StreamLink:
    """A connection; its process starts when this is constructed, `open` connects it.

    Args:
        target: of the stream.
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

    def open(self, encoder: StreamEncoder, first: Iterable[EncodedPacket], audio: Sequence[AudioTrack] = ()) -> None:
        """Connect. The caller calls `close` also after `LinkLost`.

        Args:
            encoder: of the packets.
            first: packets to send at once; the first is a keyframe.
            audio: tracks besides the video.

        Raises:
            LinkLost: the server cannot be reached, refused, or did not answer within `CONNECT_S`.
        """
        job = Job(
            self._target.url,
            self._target.muxer,
            dict(self._target.options),
            encoder.codec,
            *encoder.size,
            str(TIME_BASE),
            max(round(encoder.rate_bps / 8 * _BUFFER_S), _LEAST_BUFFER_BYTES),
            [(base64.b64encode(track.parameters).decode(), str(track.time_base)) for track in audio],
        )
        deadline_s = time.monotonic() + CONNECT_S
        # The address is sent through the pipe: every user of the machine can read the arguments of a process.
        self._feed(job.line(), CONNECT_S)
        for packet in first:
            self.send(packet)
        while not self._opened:
            if not self._ready(self._out, select.POLLIN, deadline_s):
                raise LinkLost(f"no answer within {CONNECT_S:g} s")
            self._read_answer()

    def send(self, packet: EncodedPacket) -> None:
        """Send a packet.

        Raises:
            LinkLost: the connection failed, or accepted no data for `STALL_S`.
        """
        header = HEADER.pack(packet.stream, len(packet.data), packet.pts, packet.dts, packet.duration, packet.is_key)
        self._feed(header + packet.data, STALL_S)

    def close(self) -> None:
        """End the stream in an orderly way within `END_S`; may be called after a loss."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        deadline_s = time.monotonic() + END_S
        with suppress(LinkLost):
            while self._ready(self._out, select.POLLIN, deadline_s):
                self._read_answer()
        self.kill()
        self._reap()

    def kill(self) -> None:
        """End the connection at once, from any thread; a `send` that waits raises LinkLost."""
        self._process.kill()

    def _reap(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _feed(self, data: bytes, limit_s: float) -> None:
        """Write all of `data`; `limit_s` is the longest wait without progress."""
        view = memoryview(data)
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._in, select.POLLOUT)
        while view:
            ready = dict(poll.poll(limit_s * 1000))
            if not ready:
                raise LinkLost(f"it took no data for {limit_s:g} s")
            if self._out in ready:
                self._read_answer()
            if self._in in ready:
                try:
                    view = view[os.write(self._in, view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    self._raise_cause()

    def _raise_cause(self) -> NoReturn:
        """The process has ended: raise LinkLost with the reason that it reported."""
        deadline_s = time.monotonic() + END_S
        while self._ready(self._out, select.POLLIN, deadline_s):
            self._read_answer()
        raise LinkLost("connection closed")

    def _read_answer(self) -> None:
        """Read a line, which the process writes at once; raises LinkLost for a failure."""
        line = os.read(self._out, select.PIPE_BUF)
        if not line:
            raise LinkLost("connection closed")
        if line == OPENED:
            self._opened = True
            return
        failure = json.loads(line.removeprefix(OPENED))
        why = self._target.scrub(failure["why"])
        raise LinkLost(why, refused=failure["refused"], replied=failure["replied"])

    @staticmethod
    def _ready(descriptor: int, events: int, deadline_s: float) -> bool:
        poll = select.poll()
        poll.register(descriptor, events)
        return bool(poll.poll(max(deadline_s - time.monotonic(), 0) * 1000))
