"""Real media for tests: videos that PyAV encodes here, with distinguishable frames, and ways to damage them.

Every frame contains its number as a row of black and white blocks along its upper edge (`read_number` reads it, also
after lossy coding) above a coloured ramp with a bright square at the lower left, so that all eight orientations look
different.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.stream import Disposition

DEFAULT_TIME_BASE = Fraction(1, 12800)
NUMBER_BITS = 10
AUDIO_RATE_HZ = 48000

Flip = Literal["horizontal", "vertical"]
UInt8Array = npt.NDArray[np.uint8]


class Colour(NamedTuple):
    """H.273 codes and FFmpeg's range code (1 limited, 2 full), as in `StreamInfo.colour`."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0


def picture(number: int, size: tuple[int, int]) -> UInt8Array:
    """The upright test image of a frame number: uint8 RGB `(height, width, 3)`."""
    width, height = size
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[..., 0] = np.linspace(40, 120, width, dtype=np.uint8)
    rgb[..., 1] = np.linspace(40, 160, height, dtype=np.uint8)[:, None]
    rgb[..., 2] = 40 + (number * 7) % 120
    edges = np.linspace(0, width, NUMBER_BITS + 1).astype(int)
    for bit in range(NUMBER_BITS):
        lit = number >> (NUMBER_BITS - 1 - bit) & 1
        rgb[: height // 4, edges[bit] : edges[bit + 1]] = 235 if lit else 20
    rgb[height - height // 4 :, : width // 4] = 250
    return rgb


def read_number(frame: av.VideoFrame) -> int:
    """The number that `picture` drew on an upright frame of any size and pixel format."""
    grey = frame.reformat(format="gray").to_ndarray()
    height, width = grey.shape
    edges = np.linspace(0, width, NUMBER_BITS + 1).astype(int)
    row = grey[height // 16 : height // 4 - height // 16]
    number = 0
    for left, right in itertools.pairwise(edges):
        margin = (right - left) // 4
        number = number << 1 | int(row[:, left + margin : right - margin].mean() > 128)
    return number


def turned(rgb: UInt8Array, rotation: int, flip: Flip | None) -> UInt8Array:
    """The stored image that a display matrix of `rotation` degrees anticlockwise and a flip shows as `rgb`."""
    stored = rgb
    if flip is not None:
        stored = stored[:, ::-1] if flip == "horizontal" else stored[::-1]
    return np.ascontiguousarray(np.rot90(stored, -rotation // 90))


def write_video(
    path: Path,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (160, 120),
    frames: int = 25,
    pts: Sequence[int] | None = None,
    start_pts: int = 0,
    time_base: Fraction | None = None,
    rate: Fraction | int = 25,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    container_format: str | None = None,
    rotation: int = 0,
    flip: Flip | None = None,
    audio: bool = False,
    subtitles: bool = False,
    cover: bool = False,
    chapters: Sequence[tuple[str, float, float]] = (),
    metadata: Mapping[str, str] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    colour: Colour | None = None,
    interlaced: bool = False,
    first_number: int = 0,
) -> Path:
    """Encode and mux one video; frame k shows the number `first_number + k`.

    Args:
        path: the suffix selects the container unless `container_format` names it.
        size: of the upright image; `rotation` turns the stored one.
        frames: number of frames if `pts` is None. With 0 the file has a video stream without a frame.
        pts: of each frame in ticks of `time_base`; equally spaced at `rate` from `start_pts` if None.
        start_pts: a negative one is kept in `.ts` and `.wmv`; other muxers shift it or hide those frames.
        time_base: if None, 1/12800 s (mp4 keeps it exactly), or one frame if codec or container requires that.
        rotation: of the display matrix, degrees anticlockwise, a multiple of 90.
        flip: a mirror in the display matrix, after the rotation.
        audio: a 440 Hz tone as long as the video.
        subtitles: one text line per second.
        cover: a PNG attached as cover art (mp4, mkv).
        chapters: `(title, start_s, end_s)`.
        interlaced: encoded as top field first with libx264 or an MPEG codec.
    """
    if time_base is None:
        bound = codec in ("mpeg1video", "mpeg2video") or path.suffix in (".avi", ".y4m", ".gif")
        time_base = 1 / Fraction(rate) if bound else DEFAULT_TIME_BASE
    step = 1 / Fraction(rate) / time_base
    times = list(pts) if pts is not None else [start_pts + math.floor(k * step) for k in range(frames)]
    end_s = float((times[-1] + step) * time_base) if times else 0.0
    muxing = dict(container_options or {})
    if times and times[0] < 0 and path.suffix in (".ts", ".wmv"):
        muxing["avoid_negative_ts"] = "disabled"
    with av.open(str(path), "w", format=container_format, container_options=muxing) as output:
        output.metadata.update(metadata or {})
        _add_chapters(output, chapters)
        quarter = rotation % 180 != 0
        video: Any = output.add_stream(codec, rate=Fraction(rate), options=_encoder_options(codec, options, interlaced))
        video.width, video.height = size[::-1] if quarter else size
        video.pix_fmt = pix_fmt
        video.codec_context.thread_count = 1  # otherwise the number of slices depends on the machine
        video.codec_context.time_base = time_base
        video.time_base = time_base
        _tag(video, sample_aspect_ratio, colour, interlaced)
        if rotation or flip:
            video.set_display_rotation(rotation, hflip=flip == "horizontal", vflip=flip == "vertical")
        sound = _add_audio(output) if audio else None
        text = _add_subtitles(output) if subtitles else None
        art = _add_cover(output) if cover else None
        output.start_encoding()
        if art is not None:
            output.mux(art)
        if text is not None:
            _write_subtitles(output, *text, end_s)
        for number, at in enumerate(times, first_number):
            stored = turned(picture(number, size), rotation, flip)
            output.mux(video.encode(_frame(stored, pix_fmt, at, time_base, colour)))
            if sound is not None and number == first_number:
                _write_audio(output, sound, end_s)
        output.mux(video.encode(None))
    return path


def write_audio(path: Path, *, cover: bool = False, duration_s: float = 1.0) -> Path:
    """A file with a tone and no video; with `cover`, one PNG of cover art that is not a video."""
    with av.open(str(path), "w") as output:
        sound = _add_audio(output)
        art = _add_cover(output) if cover else None
        output.start_encoding()
        if art is not None:
            output.mux(art)
        _write_audio(output, sound, duration_s)
    return path


def write_picture(
    path: Path,
    number: int = 0,
    *,
    size: tuple[int, int] = (160, 120),
    pix_fmt: str | None = None,
    rgb: UInt8Array | None = None,
) -> Path:
    """One image file that shows `number`, or uint8 RGB `(height, width, 3)`; the suffix selects the codec."""
    shown = picture(number, size) if rgb is None else rgb
    codec, default = {
        ".png": ("png", "rgb24"),
        ".jpg": ("mjpeg", "yuvj420p"),
        ".bmp": ("bmp", "bgr24"),
        ".tif": ("tiff", "rgb24"),
        ".webp": ("libwebp", "yuv420p"),
        ".ppm": ("ppm", "rgb24"),
    }[path.suffix]
    context: Any = av.CodecContext.create(codec, "w")
    context.height, context.width = shown.shape[:2]
    context.pix_fmt = pix_fmt or default
    context.time_base = Fraction(1, 25)
    frame = _frame(shown, context.pix_fmt, 0, Fraction(1, 25), None)
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))
    return path


def truncate(source: Path, target: Path, fraction: float) -> Path:
    """A copy with only the first `fraction` of the bytes."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * fraction)])
    return target


def corrupt(source: Path, target: Path, *, start: float, end: float, seed: int = 0) -> Path:
    """A copy with random bytes between two fractions of the length."""
    content = bytearray(source.read_bytes())
    first, last = int(len(content) * start), int(len(content) * end)
    content[first:last] = np.random.default_rng(seed).integers(0, 256, last - first, np.uint8).tobytes()
    target.write_bytes(content)
    return target


def _frame(rgb: UInt8Array, pix_fmt: str, pts: int, time_base: Fraction, colour: Colour | None) -> av.VideoFrame:
    full = pix_fmt.startswith("yuvj") or (colour is not None and colour.range == 2)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
    if pix_fmt != "rgb24":
        frame = frame.reformat(format=pix_fmt, src_color_range=2, dst_color_range=2 if full else 1)
    if colour is not None:
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = colour
    frame.pts = pts
    frame.time_base = time_base
    return frame


def _encoder_options(codec: str, options: Mapping[str, str] | None, interlaced: bool) -> dict[str, str]:
    chosen = {"preset": "ultrafast"} if codec in ("libx264", "libx265") else {}
    if codec == "libx264":
        chosen["mbtree"] = "0"  # it reads uninitialized memory: the same frames gave different files
    if codec == "libx265":
        chosen["x265-params"] = "log-level=none"
    if interlaced and codec != "libx264":
        chosen["flags"] = "+ildct+ilme"
    elif interlaced:
        chosen["x264-params"] = "tff=1"
    return chosen | dict(options or {})


def _tag(video: Any, sample_aspect_ratio: Fraction | None, colour: Colour | None, interlaced: bool) -> None:
    context = video.codec_context
    if sample_aspect_ratio is not None:
        context.sample_aspect_ratio = sample_aspect_ratio
    if colour is not None:
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = colour
    if interlaced:
        context.field_order = 2  # AV_FIELD_TT


def _add_chapters(output: Any, chapters: Sequence[tuple[str, float, float]]) -> None:
    millisecond = Fraction(1, 1000)
    output.set_chapters(
        [
            {
                "id": k,
                "start": int(start * 1000),
                "end": int(end * 1000),
                "time_base": millisecond,
                "metadata": {"title": title},
            }
            for k, (title, start, end) in enumerate(chapters, 1)
        ]
    )


def _add_audio(output: Any) -> Any:
    codec = output.default_audio_codec
    if output.format.name in ("mp4", "mov", "matroska", "mpegts"):
        codec = "aac"
    stream = output.add_stream(codec, rate=AUDIO_RATE_HZ)
    stream.layout = "stereo"
    return stream


def _write_audio(output: Any, stream: Any, duration_s: float) -> None:
    samples = np.arange(round(duration_s * AUDIO_RATE_HZ))
    tone = (np.sin(samples * (2 * np.pi * 440 / AUDIO_RATE_HZ)) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], format="s16", layout="stereo")
    frame.sample_rate = AUDIO_RATE_HZ
    frame.pts = 0
    frame.time_base = Fraction(1, AUDIO_RATE_HZ)
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _add_subtitles(output: Any) -> tuple[Any, bool]:
    """The stream, and whether its packets start with their length (QuickTime text)."""
    framed = output.format.name in ("mp4", "mov")
    stream = output.add_mux_stream("mov_text" if framed else "subrip")
    stream.time_base = Fraction(1, 1000)
    return stream, framed


def _write_subtitles(output: Any, stream: Any, framed: bool, end_s: float) -> None:
    for second in range(math.ceil(end_s)):
        line = f"second {second}".encode()
        packet: Any = av.Packet(len(line).to_bytes(2, "big") + line if framed else line)
        packet.stream = stream
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = second * 1000
        packet.duration = 900
        output.mux(packet)


def _add_cover(output: Any) -> Any:
    """The packet to mux after the header; None if the container stores the image as an attachment."""
    context: Any = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 32, 32, "rgb24", Fraction(1, 25)
    (packet,) = context.encode(_frame(picture(0, (32, 32)), "rgb24", 0, Fraction(1, 25), None))
    if output.format.name == "matroska":
        output.add_attachment("cover.png", "image/png", bytes(packet))
        return None
    stream = output.add_mux_stream("png", width=32, height=32)
    stream.disposition = Disposition.attached_pic
    packet.stream = stream
    packet.pts = packet.dts = 0
    return packet
