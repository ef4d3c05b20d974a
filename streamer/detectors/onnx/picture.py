"""Frames as the input of a model: scaled, padded, normalized. One instance per detector thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.detectors import letterbox
from streamer.values.frame import Frame
from tracking.types import FloatArray

Triple = tuple[float, float, float]
Layout = Literal["nchw", "nhwc"]
Colours = Literal["rgb", "bgr"]
Letterbox = Literal["none", "centre", "top_left"]
GREY = 114
"""The padding of the YOLO family, in each channel."""


@dataclass(frozen=True, slots=True)
class InputFormat:
    """What a model expects as its picture.

    Attributes:
        width, height: pixels.
        dtype: `float32`, `float16` or `uint8`.
        layout: `nchw`: one plane a colour; `nhwc`: the colours of a pixel side by side.
        colours: order of the channels.
        mean, std: a value is `(pixel - mean) / std`, where `pixel` is in 0..255; by channel in the order of `colours`.
        letterbox: `none` stretches the frame; the others keep its aspect ratio and pad with grey, all around or below
            and to the right.
    """

    width: int
    height: int
    dtype: str = "float32"
    layout: Layout = "nchw"
    colours: Colours = "rgb"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (255.0, 255.0, 255.0)
    letterbox: Letterbox = "none"

    def __str__(self) -> str:
        shown = "stretched" if self.letterbox == "none" else f"letterboxed ({self.letterbox})"
        return f"{self.width}x{self.height} {self.colours} {self.dtype} {self.layout}, {shown}"


class Placement(NamedTuple):
    """Where a frame lies in the input: pixels of the input, then the size of the frame."""

    left: int
    top: int
    width: int
    height: int
    frame_width: int
    frame_height: int

    def to_frame(self, boxes: FloatArray) -> FloatArray:
        """Boxes float32 `(N, 4)` in pixels of the input, in pixels of the frame; clipped to it."""
        placed = letterbox.Letterbox(self.left, self.top, self.width, self.height)
        frame = np.array([self.frame_width, self.frame_height] * 2, np.float32)
        return np.clip(placed.in_frame(boxes, self.frame_width, self.frame_height), 0, frame)


def place(form: InputFormat, width: int, height: int) -> Placement:
    """Where a frame of this size in pixels lies in the input."""
    if form.letterbox == "none":
        return Placement(0, 0, form.width, form.height, width, height)
    placed = letterbox.Letterbox.fit(width, height, form.width, form.height)
    if form.letterbox == "top_left":
        placed = placed._replace(left=0, top=0)
    return Placement(*placed, width, height)


class FrameInput:
    """The input tensor of a model, written anew for each frame.

    Attributes:
        tensor: batch 1, in the layout and type of the format.
    """

    def __init__(self, form: InputFormat) -> None:
        self._form = form
        is_nchw = form.layout == "nchw"
        shape = (1, 3, form.height, form.width) if is_nchw else (1, form.height, form.width, 3)
        self.tensor: npt.NDArray[Any] = np.zeros(shape, form.dtype)
        self._planes = [self.tensor[0, channel] if is_nchw else self.tensor[0, ..., channel] for channel in range(3)]
        self._factors = [np.float32(1 / std) for std in form.std]
        self._offsets = [np.float32(-mean / std) for mean, std in zip(form.mean, form.std, strict=True)]
        self._placed: Placement | None = None

    def fill(self, frame: Frame) -> Placement:
        """Write a frame into `tensor`; returns where it lies."""
        placed = place(self._form, frame.width, frame.height)
        if placed != self._placed:
            for channel in range(3):
                self._write(channel, np.full((1, 1), GREY, np.uint8), self._planes[channel])
            self._placed = placed
        pixels = frame.rgb_planes((placed.width, placed.height))
        rows = slice(placed.top, placed.top + placed.height)
        columns = slice(placed.left, placed.left + placed.width)
        for channel, plane in enumerate(pixels if self._form.colours == "rgb" else reversed(pixels)):
            self._write(channel, plane, self._planes[channel][rows, columns])
        return placed

    def _write(self, channel: int, pixels: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        factor, offset = self._factors[channel], self._offsets[channel]
        if out.dtype == np.float32:
            np.multiply(pixels, factor, out=out, dtype=np.float32)
            if offset:
                np.add(out, offset, out=out)
        elif out.dtype == np.uint8:
            out[...] = pixels
        else:
            out[...] = np.multiply(pixels, factor, dtype=np.float32) + offset
