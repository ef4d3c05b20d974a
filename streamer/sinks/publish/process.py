"""The process behind a live stream: one connection, which it opens, writes and closes; killed when it hangs.

A process of its own because PyAV holds Python's lock while it opens an output: with a server that takes the connection
and says nothing, the whole program would stand still. No time limit of PyAV's applies to outputs either, and nothing
may close a container while another thread uses it. A process can be killed whatever it waits for.

In: a line of JSON (`Job`), then packets of video and sound, each `HEADER` and its data; the end of input closes the
stream. Out: `OPENED` once the first packet was taken, or a line of JSON (`why`, `refused`, `replied`) when the
connection failed. It owns nothing else, so every socket that is found here belongs to the stream.
"""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import select
import signal
import socket
import stat
import struct
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import av

from streamer.media.ffmpeg_log import capture_log, reason
from streamer.sinks.muxing.sound import add_with_parameters
from streamer.sinks.publish.hls import begun
from streamer.sinks.publish.hls_writer import HlsWriter

HEADER = struct.Struct("<BIqqI?")
"""Number of the stream (0 is the video), length of the data, pts, dts and duration in its ticks, whether it is a key
frame."""
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
        sounds: of each stream of sound, its parameters (`sound.parameters_of`, base64) and its time base.
    """

    url: str
    muxer: str
    options: dict[str, str]
    codec: str
    width: int
    height: int
    time_base: str
    buffer_bytes: int
    sounds: list[tuple[str, str]] = field(default_factory=list)

    def line(self) -> bytes:
        """As `main` reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main() -> int:
    """Publish what comes on standard input until it ends; 0 if all went well."""
    # Signals of a terminal and of a service manager reach every process; the end of input is what ends this one.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Not buffered, so that a wait for the next packet can have a limit.
    source, said = io.FileIO(sys.stdin.fileno(), closefd=False), sys.stdout.buffer
    job = Job(**json.loads(source.readline()))
    with capture_log(av.logging.ERROR) as lines:
        try:
            (_list if job.muxer == "hls" else _publish)(job, source, said)
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


def _publish(job: Job, source: io.FileIO, said: BinaryIO) -> None:
    # The muxer would hold each picture back until sound comes that is later than it: 10 s when there is none.
    options = job.options | ({"max_interleave_delta": "1"} if job.sounds else {})
    container: Any = av.open(job.url, "w", format=job.muxer, container_options=options)
    streams = _add_streams(job, container)
    time_bases = _time_bases(job)
    for stream, time_base in zip(streams, time_bases, strict=True):
        stream.time_base = time_base
    opened = False
    try:
        while (came := _next_packet(source)) is not None:
            number, packet = came
            packet.time_base, packet.stream = time_bases[number], streams[number]
            _limit(_LAST_RESORT_S)
            try:
                container.mux(packet)
                if job.sounds and number == 0 and job.muxer == "rtsp":
                    container.mux(_behind(packet))
            except (av.error.InvalidDataError, av.error.ArgumentError):
                # A damaged packet of sound, which the muxer may have held until now; it is dropped, the pictures go on.
                if not (opened and job.sounds):
                    raise
            _limit(0)
            if not opened:
                opened = True
                _tune_sockets(job.buffer_bytes)
                said.write(OPENED)
                said.flush()
    finally:
        _limit(_LAST_RESORT_S)
        container.close()


def _list(job: Job, source: io.FileIO, said: BinaryIO) -> None:
    """Write a playlist and its segments (`streamer.sinks.publish.hls_writer`)."""
    writer = HlsWriter(Path(job.url), begun(job.options), partial(_add_streams, job), _time_bases(job))
    opened = False
    try:
        while True:
            if not select.select([source], [], [], writer.idle_s)[0]:
                writer.idle()
            came = _next_packet(source)
            if came is None:
                return
            _limit(_LAST_RESORT_S)
            try:
                writer.write(*came)
            except (av.error.InvalidDataError, av.error.ArgumentError):
                if came[0] == 0:
                    raise
            _limit(0)
            if not opened:
                opened = True
                said.write(OPENED)
                said.flush()
    finally:
        _limit(_LAST_RESORT_S)
        writer.close()


def _add_streams(job: Job, container: Any) -> list[Any]:
    streams = [container.add_mux_stream(job.codec, width=job.width, height=job.height)]
    return streams + [add_with_parameters(container, base64.b64decode(parameters)) for parameters, _ in job.sounds]


def _time_bases(job: Job) -> list[Fraction]:
    return [Fraction(job.time_base), *(Fraction(time_base) for _, time_base in job.sounds)]


def _next_packet(source: io.FileIO) -> tuple[int, av.Packet[Any]] | None:
    """The number of a stream and a packet of it; None at the end of input."""
    header = _exactly(source, HEADER.size)
    if header is None:
        return None
    number, size, pts, dts, duration, is_key = HEADER.unpack(header)
    data = _exactly(source, size)
    if data is None:
        return None
    packet: av.Packet[Any] = av.Packet(data)
    packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, is_key
    return number, packet


def _exactly(source: io.FileIO, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            return None
        data += more
    return bytes(data)


def _behind(packet: av.Packet[Any]) -> av.Packet[Any]:
    """A packet that makes the muxer write the picture before it at once, not with the next one.

    Of a packet without data nothing goes into RTP. Other formats would write something.
    """
    empty: av.Packet[Any] = av.Packet(0)
    assert packet.pts is not None
    empty.pts = empty.dts = packet.pts + 1
    empty.time_base, empty.stream = packet.time_base, packet.stream
    return empty


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
