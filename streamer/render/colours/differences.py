"""How different colours look, also to people with red-green colour blindness. Pure functions; any thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamer.values.drawable import Colour

Array = npt.NDArray[np.float64]

# Machado, Oliveira & Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), for
# severity 1.0; applied to linear RGB.
DEUTERANOPIA: Array = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA: Array = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
# sRGB (IEC 61966-2-1) to XYZ, and its white D65.
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colours: Sequence[Colour], vision: Array | None = None) -> Array:
    """CIELAB (D65) of sRGB colours, `(N, 3)`, as seen with a colour vision deficiency; normal vision if None."""
    values = np.array(colours, np.float64).reshape(-1, 3) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    if vision is not None:
        linear = np.clip(linear @ vision.T, 0, 1)
    ratio = linear @ _XYZ.T / _WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116).T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(one: Array, other: Array) -> Array:
    """The CIEDE2000 colour difference of CIELAB colours `(..., 3)`, which are broadcast.

    Sharma, Wu & Dalal, The CIEDE2000 Color-Difference Formula (2005), with kL = kC = kH = 1; names are theirs.
    """
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    c_mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    dh = np.where(c1 * c2 == 0, 0, (h2 - h1 + 180) % 360 - 180)
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_mean = np.where(c1 * c2 == 0, h1 + h2, h1 + dh / 2)
    t = 1 - 0.17 * _cos(h_mean - 30) + 0.24 * _cos(2 * h_mean)
    t = t + 0.32 * _cos(3 * h_mean + 6) - 0.2 * _cos(4 * h_mean - 63)
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    turn = 30 * np.exp(-((((h_mean % 360) - 275) / 25) ** 2))
    r_t = -2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)) * np.sin(np.radians(2 * turn))
    d_l, d_c, d_h = (l2 - l1) / s_l, (c2 - c1) / s_c, d_hue / s_h
    difference: Array = np.sqrt(np.maximum(d_l**2 + d_c**2 + d_h**2 + r_t * d_c * d_h, 0))
    return difference


def differences(colours: Sequence[Colour], vision: Array | None = None) -> Array:
    """The CIEDE2000 difference of each pair of sRGB colours, `(N, N)`, under a colour vision as for `lab`."""
    seen = lab(colours, vision)
    return ciede2000(seen[:, np.newaxis], seen[np.newaxis])


def _cos(degrees: Array) -> Array:
    return np.asarray(np.cos(np.radians(degrees)), np.float64)
