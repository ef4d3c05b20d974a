"""Writes a time span of a recording as one file: the packets of its files one after the other, not encoded again.

Used by the thread of the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av

from streamer.clips.exports.plan import ExportPlan, Part
from streamer.errors import ConfigError, SourceUnavailable
from streamer.sinks.muxing.muxer import Muxer, write_failure
from streamer.sinks.muxing.remux import CopiedStream, add_streams, muxer_options, write_packet
from streamer.system.partial_file import PartialFile

_LATE_S = 2
"""Packets of one time are at most so far from one another in a file."""


@dataclass(slots=True)
class Exported:
    """What an export has written.

    Attributes:
        start_time: of its first frame, seconds since 1970.
        duration_s: of the file.
        frames: of the video.
        notes: what it could not copy, one line each.
    """

    start_time: float = 0.0
    duration_s: float = 0.0
    frames: int = 0
    notes: list[str] = field(default_factory=list)


def export(
    plan: ExportPlan, target: Path, *, overwrite: bool = False, progress: Callable[[float], None] = lambda _: None
) -> Exported:
    """Write the parts of a plan as one file, completely or not at all. Gaps are left out.

    The first frame is the keyframe at or before the begin of the span; the last one is the last frame of the span, or a
    few frames later, where those before it need them to be decoded.

    Args:
        plan: what is copied.
        target: its suffix selects the container.
        overwrite: replace a file that exists.
        progress: called with the share that is done, 0..1.

    Raises:
        SinkUnavailable, SinkError: the target cannot be written.
        SourceUnavailable: no file can be read.
        ConfigError: the video changes within the span, so that one file cannot hold it.
    """
    file = PartialFile(target, overwrite=overwrite)
    try:
        muxer = Muxer(file.path, target)
        try:
            done = _write(plan, muxer, progress)
            muxer.finish()
        except (av.error.FFmpegError, OSError, ValueError, TypeError) as error:
            raise write_failure(target, error) from error
        finally:
            muxer.abandon()
        file.commit()
    except BaseException:
        file.discard()
        raise
    return done


def _write(plan: ExportPlan, muxer: Muxer, progress: Callable[[float], None]) -> Exported:
    done, joined = Exported(), _Joined(muxer)
    for at, part in enumerate(plan.parts):
        try:
            read: Any = av.open(f"file:{part.path}", metadata_errors="replace")
        except (av.error.FFmpegError, OSError) as error:  # deleted meanwhile, or damaged
            done.notes.append(f"{part.path} is left out: {getattr(error, 'strerror', None) or error}")
            continue
        with read:
            if not read.streams.video:
                done.notes.append(f"{part.path} is left out: it has no video")
                continue
            joined.add(read, part, partial(_report, progress, at, len(plan.parts)))
    if not joined.frames:
        raise SourceUnavailable(f"no frame can be read from {plan.parts[0].path}{_more(plan.parts)}")
    done.start_time, done.duration_s, done.frames = joined.start_time, float(joined.end), joined.frames
    done.notes += joined.notes
    return done


def _report(progress: Callable[[float], None], part: int, parts: int, share: float) -> None:
    progress((part + share) / parts)


def _more(parts: Sequence[Part]) -> str:
    return f" and {len(parts) - 1} more" if len(parts) > 1 else ""


class _Joined:
    """The output, which gets the packets of one file after the other.

    Attributes:
        end: of the video so far, seconds.
        frames: of the video.
        start_time: of the first frame, seconds since 1970.
        notes: what is left out, one line each.
    """

    def __init__(self, muxer: Muxer) -> None:
        self.end = Fraction(0)
        self.frames = 0
        self.start_time = 0.0
        self.notes: list[str] = []
        self._muxer = muxer
        self._copies: list[tuple[tuple[Any, ...], Fraction, CopiedStream]] = []

    def add(self, read: Any, part: Part, progress: Callable[[float], None]) -> None:
        """Append a part of an open file.

        Raises:
            ConfigError: its video differs from that of the file before.
        """
        video = read.streams.video[0]
        packets = _from_keyframe(read, video, part)
        first = next(packets, None)
        if first is None:
            self.notes.append(f"{part.path} is left out: it has no keyframe")
            return
        zero = (first.dts if first.pts is None else first.pts) * video.time_base
        skipped_s = float(zero) - _begin_s(read)
        if not self._copies:
            self.start_time = part.start_time + skipped_s
            self._start(read)
        copies = self._matched(read, video, part)
        shift, until = self.end - zero, None if part.to_s is None else Fraction(part.to_s) + Fraction(_begin_s(read))
        lasts_s = max((read.duration or 0) / av.time_base, 1e-6) if until is None else float(until)
        self._copy(first, copies, video, shift)
        for packet in packets:
            time = packet.dts * packet.time_base
            if until is not None and time >= until:
                if time >= until + _LATE_S:
                    break
                continue
            self._copy(packet, copies, video, shift)
            progress(min(float(time) / lasts_s, 1.0))

    def _start(self, read: Any) -> None:
        """Give the output the streams of the first file, and write its header."""
        copies = add_streams(read, self._muxer)
        self._copies = [
            (_key(read.streams[index]), read.streams[index].time_base, copy) for index, copy in copies.items()
        ]
        began = datetime.fromtimestamp(self.start_time, UTC)
        self._muxer.container.metadata["creation_time"] = f"{began:%Y-%m-%dT%H:%M:%S.%f}Z"
        self._muxer.start(muxer_options(read, self._muxer.kind, {}))

    def _matched(self, read: Any, video: Any, part: Part) -> dict[int, tuple[Fraction, CopiedStream]]:
        """The streams of the output for those of a file, by their index: the ones with the same parameters."""
        left, matched = list(self._copies), {}
        for stream in read.streams:
            key = _key(stream)
            found = next((one for one in left if one[0] == key), None)
            if found is not None:
                left.remove(found)
                matched[stream.index] = found[1:]
            elif stream is video:
                size = f"{video.codec_context.width}x{video.codec_context.height}"
                at = f"{datetime.fromtimestamp(part.start_time, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
                raise ConfigError(
                    f"the video changes at {at} (to {size}), and one file cannot hold both; "
                    "export the time before it and the time from then on into two files"
                )
            elif stream.type == "audio":
                line = "the sound changes or begins later: some of it is left out"
                if line not in self.notes:
                    self.notes.append(line)
        return matched

    def _copy(self, packet: Any, copies: dict[int, tuple[Fraction, CopiedStream]], video: Any, shift: Fraction) -> None:
        index, own_base = packet.stream.index, packet.time_base
        if index not in copies:
            return
        base, copy = copies[index]
        is_video, duration = packet.stream is video, packet.duration or 0
        pts = packet.dts if packet.pts is None else packet.pts
        if not is_video and pts * own_base + shift < 0:
            return  # sound before the first frame
        if is_video:
            self.frames += 1
            lasts = duration * own_base or (1 / video.average_rate if video.average_rate else Fraction(0))
            self.end = max(self.end, pts * own_base + lasts + shift)
        packet.pts, packet.dts = round((pts * own_base + shift) / base), round((packet.dts * own_base + shift) / base)
        packet.duration = round(duration * own_base / base)
        packet.time_base = base
        write_packet(self._muxer.container, packet, copy)


def _from_keyframe(read: Any, video: Any, part: Part) -> Iterator[Any]:
    """The packets from the last keyframe at or before the begin of a part on; the first one is that keyframe."""
    begin = None if part.from_s is None else Fraction(part.from_s) + Fraction(_begin_s(read))
    if begin is not None:
        read.seek(int(begin / video.time_base), stream=video, backward=True)
    held: list[Any] = []
    waits = True
    for packet in _timed(read):
        if not waits:
            yield packet
            continue
        time = packet.pts if packet.pts is not None else packet.dts
        is_late = begin is None or time * packet.time_base > begin
        if packet.stream is video and packet.is_keyframe and (not held or not is_late):
            held = [packet]
        elif held:
            held.append(packet)
        if held and packet.stream is video and is_late:
            waits = False
            yield from held
            held = []
    yield from held


def _timed(read: Any) -> Iterator[Any]:
    """The packets with data and a time, up to the end or to the first error: a file may be written meanwhile."""
    try:
        for packet in read.demux():
            if packet.size and packet.dts is not None and not packet.is_corrupt:
                yield packet
    except (av.error.FFmpegError, OSError):
        return


def _begin_s(read: Any) -> float:
    """The time of the first frame of a file, seconds; 0 in a recording of this program."""
    video = read.streams.video[0]
    return float((video.start_time or 0) * video.time_base)


def _key(stream: Any) -> tuple[Any, ...]:
    """What is equal in two streams whose packets one stream of a file can hold."""
    context = stream.codec_context
    if context is None:
        return (stream.type,)
    key = stream.type, context.name, bytes(context.extradata or b"")
    if stream.type == "video":
        return (*key, context.width, context.height, context.pix_fmt)
    if stream.type == "audio":
        return (*key, context.sample_rate, context.layout.name)
    return key
