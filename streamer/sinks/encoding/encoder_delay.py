"""Encoder delay: how many frames an encoder holds back, which a power failure would lose. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

MOST_S = 1
"""Media time that the encoder of a recording may hold back."""
_SLOW_FPS = 20
"""Below this rate, a lookahead that saves bytes is longer than `MOST_S`."""


class Delay(Enum):
    """What an encoder may hold back: any number of frames, about 20, or none."""

    ANY = "any"
    SHORT = "short"
    NONE = "none"


# "Big Buck Bunny", 1280x720, the project's presets: frames held back, bytes, mean PSNR.
# libx264: default 4, 1439 kB, 43.0 dB; zerolatency 0, 1347 kB, 44.0 dB, a third less CPU time.
# libvpx-vp9: default 24, 1143 kB, 41.7 dB; lag-in-frames=0 0, 1140 kB, 41.7 dB.
# libsvtav1: default 54, 811 kB, 41.9 dB; hierarchical-levels=2 13, 803 kB, 41.4 dB; pred-struct=1 0, 1455 kB, 42.0 dB.
# libx265: default 16, 642 kB, 40.8 dB; zerolatency 0, 1007 kB, 41.8 dB.
_X264 = {"tune": "zerolatency"}
_VPX = {"lag-in-frames": "0"}
_NVENC = {"zerolatency": "1", "delay": "0", "bf": "0"}
_QSV = {"async_depth": "1", "bf": "0"}
_OPTIONS: Mapping[Delay, Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        Delay.SHORT: {
            "libx264": _X264,
            "libvpx": _VPX,
            "libvpx-vp9": _VPX,
            "libsvtav1": {"svtav1-params": "hierarchical-levels=2:lookahead=0"},
        },
        Delay.NONE: {
            "libx264": _X264,
            "libx265": {"tune": "zerolatency"},
            "libvpx": _VPX,
            "libvpx-vp9": _VPX,
            "libsvtav1": {"svtav1-params": "pred-struct=1"},
            **dict.fromkeys(("h264_nvenc", "hevc_nvenc", "av1_nvenc"), _NVENC),
            **dict.fromkeys(("h264_qsv", "hevc_qsv", "av1_qsv"), _QSV),
        },
    }
)


def delay_options(encoder: str, delay: Delay) -> Mapping[str, str]:
    """The options that limit the delay of an encoder; none for an encoder without known options.

    Args:
        encoder: FFmpeg's name.
        delay: what it may hold back.
    """
    return _OPTIONS.get(delay, {}).get(encoder, {})


def delay_for(fps: Fraction | None) -> Delay:
    """The delay for a recording at a frame rate, which is None if unknown."""
    return Delay.NONE if fps is None or fps < _SLOW_FPS else Delay.SHORT
