"""The process behind a live stream: opens, writes and closes one connection; it is killed when it hangs.

It is a separate process because PyAV holds the GIL while it opens an output: a server that accepts the connection and
does not answer would stop the whole program. PyAV's timeouts do not apply to outputs, and no thread may close a
container that another one uses. A process can be killed whatever it waits for.

Input: a line of JSON (`Job`), then packets of video and audio, each `HEADER` and its data; the end of input closes the
stream. Output: `OPENED` once the first packet was accepted, or a line of JSON (`why`, `refused`, `replied`) when the
connection failed. The process has no other sockets, so every socket belongs to the stream.
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
from streamer.sinks.muxing.audio import add_with_parameters
from streamer.sinks.publish.hls import first_playlist
from streamer.sinks.publish.hls_writer import HlsWriter

HEADER = struct.Struct("<BIqqI?")
"""Stream index (0 is the video), length of the data, pts, dts and duration in ticks, keyframe flag."""
OPENED = b"+\n"
STALL_S = 5.0
"""Time limit for a server that accepts no data."""
# A process without a parent that hangs in a call ends after this; a parent gives up earlier.
_LAST_RESORT_S = 3 * STALL_S


@dataclass(frozen=True, slots=True)
class Job:
    """The connection to open.

    Attributes:
        url: with all secrets; must not be printed.
        muxer: FFmpeg's name of the format.
        options: of the muxer.
        codec: FFmpeg's name of the video codec.
        width, height: of the coded frames, pixels.
        time_base: of the video, such as `1/90000`.
        buffer_bytes: size of the socket's send buffer.
        audio: codec parameters (`sound.parameters_of`, base64) and time base of each audio stream.
    """

    url: str
    muxer: str
    options: dict[str, str]
    codec: str
    width: int
    height: int
    time_base: str
    buffer_bytes: int
    audio: list[tuple[str, str]] = field(default_factory=list)

    def line(self) -> bytes:
        """The line that `main` reads."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main() -> int:
    """Publish the packets of standard input until it ends; the exit status."""
    # A terminal or service manager signals every process of the group; this one ends at the end of its input.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Unbuffered, so that `select` reports whether a packet is there.
    source, answers = io.FileIO(sys.stdin.fileno(), closefd=False), sys.stdout.buffer
    job = Job(**json.loads(source.readline()))
    with capture_log(av.logging.ERROR) as lines:
        try:
            (_write_playlist if job.muxer == "hls" else _publish)(job, source, answers)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # Only the user can resolve a refusal such as 401 Unauthorized; other failures may pass.
            refused = isinstance(error, av.error.HTTPClientError)
            replied = isinstance(error, av.error.HTTPError)
            vague = getattr(error, "errno", None) in (None, errno.EIO, errno.EINVAL)
            why = reason(error, lines if vague else ())
            with suppress(OSError):
                answers.write(json.dumps({"why": why, "refused": refused, "replied": replied}).encode() + b"\n")
                answers.flush()
            return 1
    return 0


def _publish(job: Job, source: io.FileIO, answers: BinaryIO) -> None:
    # The muxer would hold each frame until later audio arrives: 10 s when there is none.
    options = job.options | ({"max_interleave_delta": "1"} if job.audio else {})
    container: Any = av.open(job.url, "w", format=job.muxer, container_options=options)
    streams = _add_streams(job, container)
    time_bases = _time_bases(job)
    for stream, time_base in zip(streams, time_bases, strict=True):
        stream.time_base = time_base
    opened = False
    try:
        while (received := _next_packet(source)) is not None:
            number, packet = received
            packet.time_base, packet.stream = time_bases[number], streams[number]
            _limit(_LAST_RESORT_S)
            try:
                container.mux(packet)
                if job.audio and number == 0 and job.muxer == "rtsp":
                    container.mux(_flushing(packet))
            except (av.error.InvalidDataError, av.error.ArgumentError):
                # A damaged audio packet, which the muxer may have held until now: it is dropped, the video continues.
                if not (opened and job.audio):
                    raise
            _limit(0)
            if not opened:
                opened = True
                _tune_sockets(job.buffer_bytes)
                answers.write(OPENED)
                answers.flush()
    finally:
        _limit(_LAST_RESORT_S)
        container.close()


def _write_playlist(job: Job, source: io.FileIO, answers: BinaryIO) -> None:
    """Write a playlist and its segments (`streamer.sinks.publish.hls_writer`)."""
    writer = HlsWriter(Path(job.url), first_playlist(job.options), partial(_add_streams, job), _time_bases(job))
    opened = False
    try:
        while True:
            if not select.select([source], [], [], writer.idle_s)[0]:
                writer.idle()
            received = _next_packet(source)
            if received is None:
                return
            _limit(_LAST_RESORT_S)
            try:
                writer.write(*received)
            except (av.error.InvalidDataError, av.error.ArgumentError):
                if received[0] == 0:
                    raise
            _limit(0)
            if not opened:
                opened = True
                answers.write(OPENED)
                answers.flush()
    finally:
        _limit(_LAST_RESORT_S)
        writer.close()


def _add_streams(job: Job, container: Any) -> list[Any]:
    streams = [container.add_mux_stream(job.codec, width=job.width, height=job.height)]
    return streams + [add_with_parameters(container, base64.b64decode(parameters)) for parameters, _ in job.audio]


def _time_bases(job: Job) -> list[Fraction]:
    return [Fraction(job.time_base), *(Fraction(time_base) for _, time_base in job.audio)]


def _next_packet(source: io.FileIO) -> tuple[int, av.Packet[Any]] | None:
    """A stream index and a packet of that stream; None at the end of input."""
    header = _read_exactly(source, HEADER.size)
    if header is None:
        return None
    number, size, pts, dts, duration, is_key = HEADER.unpack(header)
    data = _read_exactly(source, size)
    if data is None:
        return None
    packet: av.Packet[Any] = av.Packet(data)
    packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, is_key
    return number, packet


def _read_exactly(source: io.FileIO, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            return None
        data += more
    return bytes(data)


def _flushing(packet: av.Packet[Any]) -> av.Packet[Any]:
    """An empty packet that makes the muxer write the frame before it at once instead of with the next one.

    RTP sends nothing for an empty packet; other formats would.
    """
    empty: av.Packet[Any] = av.Packet(0)
    assert packet.pts is not None
    empty.pts = empty.dts = packet.pts + 1
    empty.time_base, empty.stream = packet.time_base, packet.stream
    return empty


def _limit(seconds: float) -> None:
    """Have the kernel end this process after this time; 0 cancels it."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _tune_sockets(buffer_bytes: int) -> None:
    """Set what FFmpeg has no options for: send at once, a small send buffer, a timeout for a server that stalls."""
    folder = Path("/proc/self/fd")
    for entry in list(Path(folder if folder.exists() else "/dev/fd").iterdir()):
        with suppress(OSError), _socket_of(int(entry.name)) as found:
            if found.type != socket.SOCK_STREAM or found.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            # Otherwise small packets wait for the acknowledgement of earlier ones (RFC 896).
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: also for a peer that has disappeared
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(STALL_S * 1000))


def _socket_of(descriptor: int) -> socket.socket:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError("not a socket")
    return socket.socket(fileno=os.dup(descriptor))


if __name__ == "__main__":
    sys.exit(main())
