"""An open output video: its encoder, its container and the copied streams, with synchronized times.

Used by the thread that writes the sink.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamer.config.output import OutputSettings
from streamer.interfaces import Scene, StreamInfo
from streamer.media.side_data import LAYOUTS
from streamer.sinks.encoding.encoder_delay import Delay
from streamer.sinks.encoding.encoders import OpenEncoder, open_encoder
from streamer.sinks.encoding.fit import PictureFit
from streamer.sinks.encoding.side_data import SideDataWatch
from streamer.sinks.muxing.muxer import Muxer, write_failure
from streamer.sinks.muxing.stream_copy import StreamCopy
from streamer.sinks.muxing.timing import Timeline, movie_timescale, video_time_base

_NOTED_START_S = 2
"""Smaller shifts are not noted: transport streams usually begin at 1.4 s."""

_AVI_PAUSE_STEPS = 50_000
"""FFmpeg's muxer refuses more than 60,000 steps without a frame (libavformat/avienc.c, `write_skip_frames`)."""


class VideoWriter:
    """Opens the encoder and writes the header when it is constructed; then takes scenes.

    Args:
        path: of the output, for errors.
        info: of the expected frames.
        settings: of the output.
        muxer: an open container without streams.
        copy: of the other streams, not yet started, or None.
        note: called with each difference from the input.
        delay: what the encoder may hold back.

    Attributes:
        frames: how many were written.

    Raises:
        SinkUnavailable: the encoder does not open, or the container refuses a stream.
    """

    def __init__(
        self,
        path: Path,
        info: StreamInfo,
        settings: OutputSettings,
        muxer: Muxer,
        copy: StreamCopy | None,
        note: Callable[[str], None],
        delay: Delay = Delay.ANY,
    ) -> None:
        self.frames = 0
        self._path = path
        self._info = info
        self._muxer = muxer
        self._copy = copy
        self._note = note
        self._shift = -info.start
        self._time_base = video_time_base(muxer.kind, info.time_base, info.average_fps, constant=info.constant_rate)
        self._encoder: OpenEncoder = open_encoder(muxer.container, info, settings, self._time_base, delay)
        for line in self._encoder.notes:
            note(line)
        if copy is not None:
            copy.add_to(muxer.container, self._encoder.stream, self._shift, fragmented=muxer.is_fragmented)
        self._start(muxer, copy)
        self._grid: Fraction = self._encoder.stream.time_base
        encoder = self._encoder
        self._fit = PictureFit(info, encoder.stream.codec_context.pix_fmt, encoder.padding, encoder.colour, note)
        self._timeline = Timeline(jump=round(1 / self._time_base))
        self._watch = SideDataWatch()
        self._before: tuple[av.VideoFrame, int] | None = None  # of an AVI: the last frame and its time
        self._repeated = 0
        self._first = Fraction(0)
        self._in_encoder: dict[int, tuple[int, int]] = {}
        self._end = Fraction(0)
        self._given = Fraction(-1 << 32)  # decoding time of the encoder's last packet, seconds
        self._latest = 0  # the largest pts of the encoder's packets
        self._reordered = False  # a packet with a smaller pts came after it

    def _start(self, muxer: Muxer, copy: StreamCopy | None) -> None:
        options = dict(self._encoder.muxer_options)
        if muxer.kind in ("mp4", "mov"):
            others = copy.time_bases if copy is not None else []
            options["movie_timescale"] = str(movie_timescale(self._time_base, others))
        if muxer.kind in ("matroska", "webm", "avi"):
            # Otherwise AAC's priming before 0 would shift all streams.
            options["avoid_negative_ts"] = "disabled"
        if muxer.kind in ("mp4", "mov") and not LAYOUTS.isdisjoint(self._info.side_data):
            options["strict"] = "unofficial"  # without it, FFmpeg does not write the boxes st3d and sv3d
        if self._encoder.stream.codec_context.has_b_frames:
            muxer.index_first = False  # it would not have the delay of the first frame
        muxer.start(options)

    @property
    def held_s(self) -> Fraction:
        """Media time of the frames that the encoder holds back, seconds."""
        kept = [ticks for ticks, _ in self._in_encoder.values()]
        return (kept[-1] - kept[0]) * self._time_base if kept else Fraction(0)

    def write(self, scene: Scene) -> None:
        """Encode one scene and copy the other streams up to its time.

        Raises:
            SinkError: the encoder or the disk failed.
        """
        picture = scene.shown
        frame = self._fit(picture, scene.frame.sample_aspect_ratio)
        exact = scene.frame.pts * scene.frame.time_base
        duration = round(scene.frame.duration * scene.frame.time_base / self._time_base)
        if not self.frames:
            self._begin(exact)
        ticks = self._timeline.place(round((exact + self._shift) / self._time_base), duration)
        self._watch.see(scene.frame.picture, ticks * self._time_base)
        if (exact + self._shift) % self._grid:
            self._note(
                f"{self._muxer.kind} stores times in steps of {float(self._grid) * 1000:.4g} ms here: "
                "frame times are rounded to that"
            )
        self._end = exact + duration * self._time_base
        try:
            if self._muxer.kind == "avi":
                self._bridge(frame, ticks)
            self._encode(frame, ticks, duration)
            if self._copy is not None:
                self._copy.copy_until(self._muxer.container, self._copy_until(exact))
        except (av.error.FFmpegError, OSError) as error:
            raise write_failure(self._path, error) from error

    def _copy_until(self, now: Fraction) -> Fraction:
        """The time up to which the other streams are written.

        In a fragmented MP4 it is that of the video: FFmpeg ends the fragments of all streams together, and without the
        time of the next frame it would show that frame too early.
        """
        if not self._muxer.is_fragmented:
            return now
        return min(now, self._given - self._shift)

    def finish(self, *, interrupted: bool) -> None:
        """Write the encoder's last packets, the other streams (up to the last frame if interrupted) and the trailer.

        Raises:
            SinkError: the disk failed.
        """
        try:
            self._mux(self._encoder.stream.encode(None))
            if self._copy is not None:
                self._copy.copy_until(self._muxer.container, self._end if interrupted else None, last=True)
                self._copy.close()
        except (av.error.FFmpegError, OSError) as error:
            raise write_failure(self._path, error) from error
        if self._reordered and self._muxer.is_fragmented and self._muxer.second_pass is None:
            # FFmpeg 8.1 takes the first frame of a fragment for its earliest: the file may end 3 frames too early.
            self._muxer.second_pass = {}
        self._muxer.finish()
        if self._repeated:
            self._note(
                f"avi cannot hold a pause of more than {_AVI_PAUSE_STEPS} steps: {self._repeated} frames are repeated"
            )
        moved = self._timeline.moved + self._timeline.restarts
        if moved:
            self._note(f"{moved} frame times repeated or went back: moved to follow the frame before")

    def missing(self, path: Path) -> list[str]:
        """Lines for the input's tags that the finished file does not have; none for a pipe, which cannot be read."""
        if not path.is_file():
            return []
        try:
            with av.open(f"file:{path}", metadata_errors="replace") as output:
                lines = [] if self._copy is None else self._copy.missing(output, self._muxer.kind)
                return lines + self._missing_video_tags(output) + self._watch.lost(output, self._muxer.kind)
        except (av.error.FFmpegError, OSError, IndexError):
            return []  # FFmpeg cannot read this container

    def _begin(self, first: Fraction) -> None:
        before = -min(first + self._shift, Fraction(0))
        if before:
            self._shift += before
            if self._copy is not None:
                self._copy.move(before)
        self._first = first + self._shift
        if self._shift > 0:
            self._note(f"the video starts {float(self._shift):.3f} s before 0: all streams are moved by that")
        elif self._shift < -_NOTED_START_S:
            self._note(
                f"the clock of the input starts at {float(-self._shift):.3f} s: all streams are moved to start at 0"
            )

    def _encode(self, frame: av.VideoFrame, ticks: int, duration: int) -> None:
        frame.pts = self.frames if self._encoder.counts else ticks
        frame.time_base = self._encoder.stream.codec_context.time_base
        frame.duration = 1 if self._encoder.counts else duration
        self._in_encoder[frame.pts] = ticks, duration
        self.frames += 1
        self._mux(self._encoder.stream.encode(frame))

    def _bridge(self, frame: av.VideoFrame, ticks: int) -> None:
        """Repeat the last frame in a pause that is too long for FFmpeg's AVI muxer."""
        while self._before is not None and ticks - self._before[1] > _AVI_PAUSE_STEPS:
            picture, last = self._before
            self._before = picture, last + _AVI_PAUSE_STEPS
            self._repeated += 1
            self._encode(picture, last + _AVI_PAUSE_STEPS, 0)
        self._before = frame, ticks

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            ticks, duration = self._in_encoder.pop(packet.pts, (packet.pts, 0))
            if self._encoder.counts:
                packet.pts = packet.dts = ticks
                packet.time_base = self._time_base
            if duration:
                packet.duration = duration
            self._reordered = self._reordered or ticks < self._latest
            self._latest = max(self._latest, ticks)
            if packet.dts is not None:
                self._given = packet.dts * packet.time_base
        self._muxer.container.mux(packets)

    def _missing_video_tags(self, output: Any) -> list[str]:
        video = output.streams.video[0]
        context = video.codec_context
        if context.pix_fmt is None:  # FFmpeg could not determine it, as with packets of hours
            return []
        wanted = self._encoder.colour
        found = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        # Players assume limited range for untagged video.
        unset = ((2,), (2,), (2,), (0, 1))
        rows = zip(("primaries", "transfer", "matrix", "range"), wanted, found, unset, strict=True)
        lost = [name for name, want, got, plain in rows if want not in plain and want != int(got)]
        if (video.sample_aspect_ratio or 1) != self._info.sample_aspect_ratio:
            lost.append("aspect ratio")
        lines = [f"{self._muxer.kind} does not store the {', '.join(lost)} of the video"] if lost else []
        if video.start_time is not None:
            moved = video.start_time * video.time_base - self._first
            if abs(moved) > self._grid:
                what = "starts every stream at 0: the video is" if self._muxer.kind == "avi" else "moves all streams:"
                lines.append(f"{self._muxer.kind} {what} moved by {float(moved):.3f} s")
        return lines
