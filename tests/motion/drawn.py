"""Drawn scenes: textured objects that move over a textured background, with a camera that may also move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.values.frame import Frame

WIDTH, HEIGHT = 320, 240
FPS = 30
_MARGIN = 240  # extent of the background beyond the frame

Grey = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Places = Callable[[int], tuple[float, float]]
Camera = Callable[[int], Array]


@cache
def texture(width: int, height: int, seed: int) -> Grey:
    """A random texture with coarse and fine detail."""
    random, mixed = np.random.default_rng(seed), np.zeros((height, width))
    for grain_px, weight in ((6, 0.5), (60, 0.5)):
        grains = random.uniform(20, 236, (height // grain_px + 2, width // grain_px + 2))
        mixed += weight * cv2.resize(grains, (width, height), interpolation=cv2.INTER_LINEAR)
    return mixed.astype(np.uint8)


def flat(level: int, width: int = WIDTH, height: int = HEIGHT) -> Grey:
    """A uniform grey."""
    return np.full((height, width), level, np.uint8)


def camera(*, x: float = 0.0, y: float = 0.0, zoom: float = 1.0, roll_degrees: float = 0.0) -> Camera:
    """Camera motion per frame: the map `(2, 3)` from places at index 0 to places on the frame."""

    def at(index: int) -> Array:
        turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), roll_degrees * index, zoom**index)
        turned[:, 2] += np.array([x * index, y * index])
        return np.asarray(turned, np.float64)

    return at


RESTING = camera()


def line(x: float, y: float, dx: float = 0.0, dy: float = 0.0) -> Places:
    """A top left corner at x, y in frame 0 that moves by a constant number of px per frame."""
    return lambda index: (x + dx * index, y + dy * index)


@dataclass(frozen=True)
class Thing:
    """A textured rectangle.

    Attributes:
        places: its top left corner, px, as a camera at rest has it, by the index of the frame.
        width, height: px.
        seed: of its texture; None for one of a single grey.
    """

    places: Places
    width: int = 48
    height: int = 64
    seed: int | None = 100

    def looks(self) -> Grey:
        return flat(250, self.width, self.height) if self.seed is None else texture(self.width, self.height, self.seed)


@dataclass(frozen=True)
class Drawn:
    """A scene.

    Attributes:
        things: the later ones in front.
        camera: how it moves.
        seed: of the background; None for one of a single grey.
    """

    things: Sequence[Thing] = ()
    camera: Camera = RESTING
    seed: int | None = 0

    def picture(self, index: int) -> Grey:
        view, size = self.camera(index), (WIDTH, HEIGHT)
        wide = (WIDTH + 2 * _MARGIN, HEIGHT + 2 * _MARGIN)
        behind = flat(128, *wide) if self.seed is None else texture(*wide, self.seed)
        behind_view = _after(view, -_MARGIN, -_MARGIN)
        shown = np.asarray(cv2.warpAffine(behind, behind_view, size, flags=cv2.INTER_LINEAR), np.uint8)
        for thing in self.things:
            _draw(shown, thing, _after(view, *thing.places(index)))
        return shown

    def frame(self, index: int, *, segment: int = 0, fps: int = FPS) -> Frame:
        return frame_of(self.picture(index), index, segment=segment, fps=fps)

    def box(self, index: int, thing: int = 0) -> Array:
        """The box `(4,)` of an object on the frame: upright, around its centre."""
        one, view = self.things[thing], self.camera(index)
        half = np.array([one.width, one.height]) / 2
        centre = view[:, :2] @ (np.array(one.places(index)) + half) + view[:, 2]
        half *= float(np.hypot(view[0, 0], view[1, 0]))
        return np.concatenate([centre - half, centre + half])

    def boxes(self, index: int) -> Array:
        """The boxes of all objects, `(N, 4)`."""
        return np.array([self.box(index, thing) for thing in range(len(self.things))]).reshape(-1, 4)


def frame_of(picture: Grey, index: int, *, segment: int = 0, fps: int = FPS) -> Frame:
    """A grey image as a frame that was captured at its media time."""
    native = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
    return Frame(native, index, index, Fraction(1, fps), index / fps, segment)


def iou(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    """Intersection over union of two boxes `(4,)`."""
    shared = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0).prod()
    return float(shared / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared))


def _after(view: Array, x: float, y: float) -> Array:
    moved = view.copy()
    moved[:, 2] += view[:, :2] @ (x, y)
    return moved


def _draw(shown: Grey, thing: Thing, there: Array) -> None:
    """Draw an object under a map `(2, 3)`, only into the part of the image that it covers."""
    outline = [(0, 0), (thing.width, 0), (0, thing.height), (thing.width, thing.height)]
    corners = outline @ there[:, :2].T + there[:, 2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, (WIDTH, HEIGHT))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, 0, (WIDTH, HEIGHT))
    if left >= right or top >= bottom:
        return
    window = there.copy()
    window[:, 2] -= (left, top)
    size = int(right - left), int(bottom - top)
    drawn = cv2.warpAffine(thing.looks(), window, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    covers = cv2.warpAffine(flat(255, thing.width, thing.height), window, size, flags=cv2.INTER_LINEAR)
    part = shown[top:bottom, left:right]
    part[covers > 127] = drawn[covers > 127]
