"""Memory layout of the pixel formats that can be drawn on. Pure functions; any thread may call them.

PyAV gives plane and depth of a component but not its position within a plane, so the interleaved formats are listed
here (libavutil/pixfmt.h); the layout of planar formats follows from their names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import av

from streamer.values import colour

_PLANAR = re.compile(
    r"(?P<family>yuvj?|yuva|gbra?p|gray)(?P<sampling>4[1-4][0-4])?p?(?P<bits>9|10|12|14|16)?(?P<little>le)?"
)

# Channels of each plane in memory order; `-` is padding. Y, U, V, R, G, B, and A for alpha.
_INTERLEAVED: dict[str, tuple[tuple[str, ...], int, int]] = {
    # name: (planes, bits, unused low bits)
    "nv12": (("Y", "UV"), 8, 0),
    "nv21": (("Y", "VU"), 8, 0),
    "nv16": (("Y", "UV"), 8, 0),
    "nv24": (("Y", "UV"), 8, 0),
    "nv42": (("Y", "VU"), 8, 0),
    "nv20le": (("Y", "UV"), 10, 0),
    "ya8": (("YA",), 8, 0),
    "ya16le": (("YA",), 16, 0),
    "rgb24": (("RGB",), 8, 0),
    "bgr24": (("BGR",), 8, 0),
    "rgba": (("RGBA",), 8, 0),
    "bgra": (("BGRA",), 8, 0),
    "argb": (("ARGB",), 8, 0),
    "abgr": (("ABGR",), 8, 0),
    "rgb0": (("RGB-",), 8, 0),
    "bgr0": (("BGR-",), 8, 0),
    "0rgb": (("-RGB",), 8, 0),
    "0bgr": (("-BGR",), 8, 0),
    "rgb48le": (("RGB",), 16, 0),
    "bgr48le": (("BGR",), 16, 0),
    "rgba64le": (("RGBA",), 16, 0),
    "bgra64le": (("BGRA",), 16, 0),
    "vyu444": (("VYU",), 8, 0),
    "vuya": (("VUYA",), 8, 0),
    "vuyx": (("VUY-",), 8, 0),
    "ayuv": (("AYUV",), 8, 0),
    "ayuv64le": (("AYUV",), 16, 0),
}
for _family in "024":
    for _bits in (10, 12, 16):
        _INTERLEAVED[f"p{_family}{_bits}le"] = (("Y", "UV"), _bits, 16 - _bits)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A pixel format that can be drawn on.

    Attributes:
        name: FFmpeg's name.
        planes: the channels of each plane in memory order, such as `("Y", "UV")`.
        bits: significant bits of a value.
        shift: unused low bits below them (6 for p010).
        step_x, step_y: pixels per chroma sample, across and down.
    """

    name: str
    planes: tuple[str, ...]
    bits: int
    shift: int
    step_x: int
    step_y: int

    def steps(self, plane: int) -> tuple[int, int]:
        """Pixels per sample of a plane, `(across, down)`."""
        return (self.step_x, self.step_y) if self.planes[plane] in _CHROMA_PLANES else (1, 1)

    @property
    def max_value(self) -> int:
        """The largest code value, before `shift`."""
        return (1 << self.bits) - 1


_CHROMA_PLANES = frozenset(("U", "V", "UV", "VU"))


@lru_cache(maxsize=512)
def layout_of(name: str) -> Layout | None:
    """The layout of a pixel format by FFmpeg's name; None if it cannot be drawn on directly."""
    if name in _INTERLEAVED:
        planes, bits, shift = _INTERLEAVED[name]
        return Layout(name, planes, bits, shift, *_steps(name))
    match = _PLANAR.fullmatch(name)
    if match is None:
        return None
    family, bits = match["family"], int(match["bits"] or 8)
    if (bits > 8) != bool(match["little"]) or family.startswith("yuv") != bool(match["sampling"]):
        return None
    by_family = {"gray": ("Y",), "gbrp": ("G", "B", "R"), "gbrap": ("G", "B", "R", "A")}
    planes = by_family.get(family, ("Y", "U", "V", "A") if family == "yuva" else ("Y", "U", "V"))
    return Layout(name, planes, bits, 0, *_steps(name))


def nearest_drawable(picture_format: av.VideoFormat) -> str:
    """The format that frames of a format without a layout are converted to.

    It has the same kind (RGB, grey, YUV), chroma sampling, depth and alpha, or the next higher ones; a palette becomes
    BGRA. Packed 4:2:2 (`yuyv422`, of most webcams) and big-endian formats lose nothing.
    """
    name = picture_format.name
    little_endian = re.sub(r"(msb)?(be|le)$", "le", name)
    if layout_of(little_endian) is not None:
        return little_endian
    alpha = colour.has_alpha(picture_format)
    bits = max((component.bits for component in picture_format.components), default=8)
    if colour.is_rgb(picture_format):
        return ("rgba64le" if alpha else "rgb48le") if bits > 8 else "bgra" if alpha else "rgb24"
    if colour.is_grey(picture_format):
        return ("ya16le" if alpha else "gray16le") if bits > 8 else "ya8" if alpha else "gray"
    step_x, step_y = _steps(name)
    sampling = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (4, 1): "411"}.get((step_x, step_y), "444")
    for depth, suffix in ((8, "p"), (10, "p10le"), (12, "p12le"), (16, "p16le")):
        candidate = f"yuv{'a' if alpha else ''}{sampling}{suffix}"
        if bits <= depth and layout_of(candidate) is not None:
            return candidate
    return "yuv444p16le"


def _steps(name: str) -> tuple[int, int]:
    probe = av.VideoFormat(name, 64, 64)
    return 64 // probe.chroma_width(), 64 // probe.chroma_height()
