"""Pictures and scenes for the drawing tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.video import format as pixel_formats
from av.video.reformatter import ColorRange

from streamer.canvas.layout import layout_of
from streamer.canvas.planes import Samples, plane_views
from streamer.frame import Frame
from streamer.labels import LabelTable
from streamer.protocols import Scene
from tracking.types import Origin, Tracks

# PyAV's stubs leave out the set of all names.
_names: set[str] = vars(pixel_formats)["names"]
DRAWABLE = sorted(name for name in _names if layout_of(name) is not None)
LABELS = LabelTable(("Person", "Car", "Traffic light", "Kitchen & dining room table"))

# ITU-T H.273 matrix coefficients.
MATRIX_CODES = {"bt601": 6, "bt709": 1, "bt2020": 9}


def noise(width: int, height: int, pixel_format: str = "yuv420p", seed: int = 0) -> av.VideoFrame:
    """A picture of random legal samples with all its tags set."""
    picture = av.VideoFrame(width, height, pixel_format)
    layout = layout_of(pixel_format)
    assert layout is not None
    generator = np.random.default_rng(seed)
    for samples in plane_views(picture, layout):
        samples[...] = generator.integers(0, layout.max_value + 1, samples.shape) << layout.shift
    return tagged(picture)


def tagged(picture: av.VideoFrame, matrix: str = "bt709", full_range: bool = False) -> av.VideoFrame:
    picture.pts, picture.time_base, picture.duration = 4711, Fraction(1, 90000), 3003
    picture.colorspace = MATRIX_CODES[matrix]
    picture.color_range = int(ColorRange.JPEG if full_range else ColorRange.MPEG)
    picture.color_primaries, picture.color_trc = 1, 1
    return picture


def painted(pixels: np.ndarray, pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A picture made from uint8 RGB pixels."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture.reformat(
        format=pixel_format, dst_colorspace="ITU601", src_color_range="JPEG", dst_color_range="MPEG", threads=1
    )


def planes_of(picture: av.VideoFrame) -> tuple[Samples, ...]:
    """Copies of a picture's planes."""
    layout = layout_of(picture.format.name)
    assert layout is not None
    return tuple(samples.copy() for samples in plane_views(picture, layout))


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
) -> Tracks:
    count = len(boxes)
    return Tracks(
        ids=np.arange(1, count + 1) if ids is None else np.array(ids),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        scores=np.full(count, 0.87) if scores is None else np.array(scores),
        labels=np.zeros(count, np.int32) if labels is None else np.array(labels),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.ones(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        origin=np.full(count, origin),
        confirmed=np.ones(count, np.bool_),
    )


def scene(
    picture: av.VideoFrame, shown: Tracks, *, time_s: float = 0.0, segment: int = 0, fps: float = 25.0, index: int = 0
) -> Scene:
    time_base = Fraction(1, 1000)
    pts = round(time_s / time_base)
    frame = Frame(picture=picture, index=index, pts=pts, time_base=time_base, captured_s=0.0, segment=segment)
    return Scene(frame=frame, tracks=shown, labels=LABELS, state="detected", fps=fps)
