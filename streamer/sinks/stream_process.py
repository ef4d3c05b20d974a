"""The process behind a live stream: one connection, which it opens, writes and closes; killed when it hangs.

A process of its own because PyAV holds Python's lock while it opens an output: with a server that takes the connection
and says nothing, the whole program would stand still. No time limit of PyAV's applies to outputs either, and nothing
may close a container while another thread uses it. A process can be killed whatever it waits for.

In: a line of JSON (`Job`), then packets, each `HEADER` and its data; the end of input closes the stream. Out: `OPENED`
once the first packet was taken, or a line of JSON (`why`, `refused`, `replied`) when the connection failed. It owns
nothing else, so every socket that is found here belongs to the stream.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import stat
import struct
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av

from streamer.ffmpeg_log import listening, reason

HEADER = struct.Struct("<Iqq?")
"""Length of the data, pts and dts in ticks of `Job.time_base`, whether it is a key frame."""
OPENED = b"+\n"
STALL_S = 5.0
"""A server that takes no data for so long is given up."""
# An orphan that hangs in a call ends after this; the living parent has given up before.
_LAST_RESORT_S = 3 * STALL_S


@dataclass(frozen=True, slots=True)
class Job:
    """What to open.

    Attributes:
        url: with all secrets: it must not be printed.
        muxer: FFmpeg's name of the format.
        options: of the muxer.
        codec: FFmpeg's name of the codec.
        width, height: of the coded pictures, pixels.
        time_base: seconds per tick, as `1/90000`.
        buffer_bytes: the most that the kernel may hold back for a slow server.
    """

    url: str
    muxer: str
    options: dict[str, str]
    codec: str
    width: int
    height: int
    time_base: str
    buffer_bytes: int

    def line(self) -> bytes:
        """As `main` reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main() -> int:
    """Publish what comes on standard input until it ends; 0 if all went well."""
    # Signals of a terminal and of a service manager reach every process; the end of input is what ends this one.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    source, said = sys.stdin.buffer, sys.stdout.buffer
    job = Job(**json.loads(source.readline()))
    with listening(av.logging.ERROR) as lines:
        try:
            _publish(job, source, said)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # A reply of a server, as 401 Unauthorized, is for the user to mend; all else may mend itself.
            refused = isinstance(error, av.error.HTTPClientError)
            replied = isinstance(error, av.error.HTTPError)
            vague = getattr(error, "errno", None) in (None, errno.EIO, errno.EINVAL)
            why = reason(error, lines if vague else ())
            with suppress(OSError):
                said.write(json.dumps({"why": why, "refused": refused, "replied": replied}).encode() + b"\n")
                said.flush()
            return 1
    return 0


def _publish(job: Job, source: BinaryIO, said: BinaryIO) -> None:
    container: Any = av.open(job.url, "w", format=job.muxer, container_options=job.options)
    stream = container.add_mux_stream(job.codec, width=job.width, height=job.height)
    time_base = stream.time_base = Fraction(job.time_base)
    opened = False
    try:
        while len(header := source.read(HEADER.size)) == HEADER.size:
            size, pts, dts, is_key = HEADER.unpack(header)
            data = source.read(size)
            if len(data) < size:
                break
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.time_base, packet.stream = pts, dts, time_base, stream
            packet.is_keyframe = is_key
            _limit(_LAST_RESORT_S)
            container.mux(packet)
            _limit(0)
            if not opened:
                opened = True
                _tune_sockets(job.buffer_bytes)
                said.write(OPENED)
                said.flush()
    finally:
        _limit(_LAST_RESORT_S)
        container.close()


def _limit(seconds: float) -> None:
    """Let the kernel end this process when it does not come back in time; 0 takes that off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _tune_sockets(buffer_bytes: int) -> None:
    """Send at once, hold little back, and give up a server that takes nothing: FFmpeg has no options for that."""
    folder = Path("/proc/self/fd")
    for entry in list(Path(folder if folder.exists() else "/dev/fd").iterdir()):
        with suppress(OSError), _socket_of(int(entry.name)) as found:
            if found.type != socket.SOCK_STREAM or found.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            # Small packets would wait for the answer to those before them (RFC 896).
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: also ends a connection whose other end has vanished
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(STALL_S * 1000))


def _socket_of(descriptor: int) -> socket.socket:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError("not a socket")
    return socket.socket(fileno=os.dup(descriptor))


if __name__ == "__main__":
    sys.exit(main())
