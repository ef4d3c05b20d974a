"""Frames and scenes for the drawing tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video import format as pixel_formats
from av.video.reformatter import ColorRange

from streamer.interfaces import Scene
from streamer.render.layout import layout_of
from streamer.values.events import NOTHING_WATCHED, Watched
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tests.colours import MATRICES
from tracking.types import Origin, Tracks

# PyAV's stubs leave out the set of all names.
_names: set[str] = vars(pixel_formats)["names"]
DRAWABLE = sorted(name for name in _names if layout_of(name) is not None)
Samples = npt.NDArray[Any]
LABELS = LabelTable(("Person", "Car", "Traffic light", "Kitchen & dining room table"))


def raw_planes(picture: av.VideoFrame) -> tuple[Samples, ...]:
    """The memory of each plane by FFmpeg's description of the format, independent of the code under test.

    uint8 or uint16 `(h, w)`, or `(h, w, channels)` with padding channels; views.
    """
    described, views = picture.format, []
    for index, plane in enumerate(picture.planes):
        inside = [part for part in described.components if part.plane == index]
        depth = 2 if inside[0].bits > 8 else 1
        channels = described.padded_bits_per_pixel // (8 * depth) if len(picture.planes) == 1 else len(inside)
        across, down = steps_of(picture, index)
        height, width = -(-picture.height // down), -(-picture.width // across)
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        samples = lines[:height, : width * channels * depth].view("<u2" if depth == 2 else np.uint8)
        views.append(samples if channels == 1 else samples.reshape(height, width, channels))
    return tuple(views)


def steps_of(picture: av.VideoFrame, plane: int) -> tuple[int, int]:
    """Pixels per sample of a plane, across and down; the second and third plane may be coarser."""
    described = av.VideoFormat(picture.format.name, 64, 64)
    return (64 // described.chroma_width(), 64 // described.chroma_height()) if plane in (1, 2) else (1, 1)


def unused_bits(pixel_format: str) -> int:
    """Number of low bits that are always 0, as in p010."""
    bits = av.VideoFormat(pixel_format).components[0].bits
    return 16 - bits if re.fullmatch(r"p[024]1[026]le", pixel_format) else 0


def noise(width: int, height: int, pixel_format: str = "yuv420p", seed: int = 0) -> av.VideoFrame:
    """A frame of random valid samples with all tags set."""
    picture = av.VideoFrame(width, height, pixel_format)
    generator = np.random.default_rng(seed)
    top, shift = 1 << picture.format.components[0].bits, unused_bits(pixel_format)
    for samples in raw_planes(picture):
        samples[...] = generator.integers(0, top, samples.shape) << shift
    return tagged(picture)


def tagged(picture: av.VideoFrame, matrix: str = "bt709", full_range: bool = False) -> av.VideoFrame:
    picture.pts, picture.time_base, picture.duration = 4711, Fraction(1, 90000), 3003
    picture.colorspace = MATRICES[matrix]
    picture.color_range = int(ColorRange.JPEG if full_range else ColorRange.MPEG)
    picture.color_primaries, picture.color_trc = 1, 1
    return picture


def painted(pixels: np.ndarray, pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A frame made from uint8 RGB pixels."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture.reformat(
        format=pixel_format, dst_colorspace="ITU601", src_color_range="JPEG", dst_color_range="MPEG", threads=1
    )


def planes_of(picture: av.VideoFrame) -> tuple[Samples, ...]:
    """Copies of a frame's planes."""
    return tuple(samples.copy() for samples in raw_planes(picture))


def same_pixels(first: av.VideoFrame, second: av.VideoFrame) -> bool:
    pairs = zip(planes_of(first), planes_of(second), strict=True)
    return first.format.name == second.format.name and all(np.array_equal(one, other) for one, other in pairs)


def tracks(
    boxes: Sequence[Sequence[float]],
    *,
    ids: Sequence[int] | None = None,
    labels: Sequence[int] | None = None,
    scores: Sequence[float] | None = None,
    origin: Origin = Origin.DETECTED,
    unseen_s: float = 0.0,
) -> Tracks:
    count = len(boxes)
    return Tracks(
        ids=np.arange(1, count + 1) if ids is None else np.array(ids),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        scores=np.full(count, 0.87) if scores is None else np.array(scores),
        labels=np.zeros(count, np.int32) if labels is None else np.array(labels),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.ones(count, np.float32),
        unseen_s=np.full(count, unseen_s, np.float32),
        origin=np.full(count, origin),
        confirmed=np.ones(count, np.bool_),
    )


def scene(
    picture: av.VideoFrame,
    shown: Tracks,
    *,
    time_s: float = 0.0,
    segment: int = 0,
    fps: float = 25.0,
    index: int = 0,
    state: FrameState = FrameState.DETECTED,
    found_s: Sequence[float] | None = None,
    watched: Watched = NOTHING_WATCHED,
) -> Scene:
    """A scene; `found_s` are the media times at which the tracks were last detected."""
    time_base = Fraction(1, 1000)
    pts = round(time_s / time_base)
    frame = Frame(picture=picture, index=index, pts=pts, time_base=time_base, captured_s=0.0, segment=segment)
    found = None if found_s is None else np.array([round(one / time_base) for one in found_s], np.int64)
    return Scene(frame=frame, tracks=shown, labels=LABELS, state=state, fps=fps, found_pts=found, watched=watched)
