"""Selects the encoder, pixel format and size of an output video, and opens the encoder.

Used by the thread that enters the sink. Settings that a container or an encoder refuses raise errors here, before the
first frame is processed.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import av
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags

from streamer.config.output import OutputSettings
from streamer.errors import SinkUnavailable
from streamer.interfaces import StreamInfo
from streamer.media.ffmpeg_log import capture_log, reason
from streamer.sinks.encoding.encoder_delay import Delay, delay_options
from streamer.sinks.encoding.fit import INTERLACED, needed_padding
from streamer.sinks.encoding.pixel_format import coded_format
from streamer.sinks.encoding.side_data import add_side_data, encoder_options

SHORT_NAMES = MappingProxyType(
    {
        "h264": "libx264",
        "hevc": "libx265",
        "h265": "libx265",
        "av1": "libsvtav1",
        "vp9": "libvpx-vp9",
        "vp8": "libvpx",
        "prores": "prores_ks",
    }
)
"""Codec names for which FFmpeg has several encoders, and the selected one."""

# AVI stores no presentation times, so FFmpeg's own reader shifts H.264 in it by a frame; MPEG-4 part 2 comes out exact.
# WebM at 1280x720: AV1 took 24 ms of CPU time a frame and VP9 26 ms, for a fifth fewer bytes, at 0.4 dB less.
_DEFAULTS = MappingProxyType({"webm": "libsvtav1", "avi": "mpeg4"})
_COMMON = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mjpeg", "ffv1", "prores", "gif")
# FFmpeg lists these for QuickTime but refuses them when it writes the header.
_REFUSED = MappingProxyType({"mov": ("libvpx", "libvpx-vp9", "libsvtav1")})
_LAMBDA_PER_QP = 118  # FF_QP2LAMBDA of libavutil
_MAX_FPS = Fraction(240)  # SVT-AV1 refuses more; the rate is only a hint for the encoder; times come from the frames
_MUXER_OPTIONS = ("movflags",)


@dataclass(frozen=True, slots=True)
class _Traits:
    """The names of common settings in one encoder, with the project's defaults.

    Attributes:
        quality: the option that `crf` sets; `qscale` is a fixed quantiser; None if there is no such option.
        preset: the option that `preset` sets.
        options: further options that it needs.
        counts: it needs a constant frame rate: it gets frame numbers as times, and its packets get the real times.
    """

    quality: tuple[str, float] | None = None
    preset: tuple[str, str] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    counts: bool = False


_TRAITS: Mapping[str, _Traits] = MappingProxyType(
    {
        # At 1280x720 this takes 13 ms of CPU time a frame; veryfast takes 24 for a sixth fewer bytes at the same PSNR.
        "libx264": _Traits(("crf", 22), ("preset", "superfast")),
        "libx265": _Traits(("crf", 24), ("preset", "superfast"), {"x265-params": "log-level=error", "a53cc": "1"}),
        "libsvtav1": _Traits(("crf", 30), ("preset", "10")),
        "libvpx-vp9": _Traits(("crf", 32), ("cpu-used", "8"), {"deadline": "realtime", "row-mt": "1"}),
        # VP8 has no pure constant quality; crf works below the ceiling of b.
        "libvpx": _Traits(("crf", 12), ("cpu-used", "8"), {"deadline": "realtime", "b": "20M"}),
        "mpeg4": _Traits(("qscale", 3), counts=True),
        "mpeg2video": _Traits(("qscale", 3), counts=True),
        "mpeg1video": _Traits(("qscale", 3), counts=True),
        # Limited-range JPEG is common in files but not in the standard.
        "mjpeg": _Traits(("qscale", 3), options={"strict": "unofficial"}),
        "h264_nvenc": _Traits(("cq", 22), ("preset", "p4")),
        "hevc_nvenc": _Traits(("cq", 24), ("preset", "p4")),
        "av1_nvenc": _Traits(("cq", 30), ("preset", "p4")),
        "h264_qsv": _Traits(("global_quality", 22), ("preset", "medium")),
        "hevc_qsv": _Traits(("global_quality", 24), ("preset", "medium")),
        "av1_qsv": _Traits(("global_quality", 30), ("preset", "medium")),
    }
)


@dataclass(frozen=True, slots=True)
class OpenEncoder:
    """An open encoder, as a stream of its container.

    Attributes:
        stream: PyAV's video stream.
        counts: it gets frame numbers as times; its time base is one frame.
        padding: columns and rows added at the right and the bottom.
        colour: the tags of its frames, as in `StreamInfo.colour`.
        muxer_options: the user's options for the container.
        notes: differences from the input, one line each.
    """

    stream: Any
    counts: bool
    padding: tuple[int, int]
    colour: tuple[int, int, int, int]
    muxer_options: Mapping[str, str]
    notes: tuple[str, ...]


def open_encoder(
    container: Any, info: StreamInfo, settings: OutputSettings, time_base: Fraction, delay: Delay = Delay.ANY
) -> OpenEncoder:
    """Add a video stream to an output container and open its encoder.

    Args:
        container: `av.container.OutputContainer` without streams.
        info: of the expected frames.
        settings: codec, quality, pixel format and options; null selects the encoder's default.
        time_base: seconds per tick of the frames' pts.
        delay: what the encoder may hold back; the user's options have priority.

    Raises:
        SinkUnavailable: an unknown encoder or option, a codec that the container cannot hold, or an encoder that does
            not open.
    """
    stream = _add_stream(container, settings.codec)
    context = stream.codec_context
    name, codec = context.codec.name, context.codec.canonical_name
    traits = _TRAITS.get(name, _Traits())
    add_side_data(stream, info.side_data)
    options = encoder_options(name, info.side_data, _options(name, traits, settings, delay))
    coded = coded_format(name, codec, container.format.name, info, settings.pixel_format)
    muxing = muxer_options(settings)
    options = {key: value for key, value in options.items() if key not in muxing}
    padding = needed_padding(codec, coded.name, info)
    context.width, context.height = info.width + padding[0], info.height + padding[1]
    context.pix_fmt = coded.name
    context.framerate = min(info.average_fps or Fraction(25), _MAX_FPS).limit_denominator(1001) or Fraction(1)
    context.time_base = 1 / context.framerate if traits.counts else time_base
    stream.time_base = time_base
    context.thread_count = settings.threads
    context.flags |= int(Flags.frame_duration)
    if traits.counts or container.format.name == "avi":
        context.max_b_frames = 0
    if codec == "hevc" and container.format.name in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # Apple's players refuse the muxer's own choice, hev1
    context.sample_aspect_ratio = info.sample_aspect_ratio
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = coded.colour
    notes = [*coded.notes, *_set_field_order(context, info.field_order)]
    if padding != (0, 0):
        notes.append(
            f"{codec} {coded.name} cannot have {info.width}x{info.height}: padded to "
            f"{context.width}x{context.height} at the right and the bottom"
        )
    _open(context, options)
    return OpenEncoder(stream, traits.counts, padding, coded.colour, muxing, tuple(notes))


def muxer_options(settings: OutputSettings) -> dict[str, str]:
    """The user's options for the container."""
    return {key: value for key, value in settings.options.items() if key in _MUXER_OPTIONS}


def _add_stream(container: Any, codec: str | None) -> Any:
    """The stream for the codec in the settings, else for H.264 or the container's default codec."""
    kind = container.format.name
    names = [codec] if codec is not None else [_DEFAULTS.get(kind, "h264"), container.default_video_codec]
    refused = _REFUSED.get(kind, ())
    for name in names:
        encoder = SHORT_NAMES.get(name, name)
        try:
            if av.Codec(encoder, "w").type != "video":
                continue
            if encoder not in refused:
                return container.add_stream(encoder)
        except UnknownCodecError:
            continue
        except ValueError:
            pass  # the container cannot hold the codec
        if name is names[-1]:
            possible = container.supported_codecs.difference(refused)
            held = [one for one in _COMMON if SHORT_NAMES.get(one, one) in possible]
            remedy = f"set output.codec to one of {', '.join(held)}" if held else "choose another container"
            raise SinkUnavailable(f"a {kind} file cannot hold {name} video; {remedy}")
    near = difflib.get_close_matches(names[-1], sorted({*_COMMON, *SHORT_NAMES, *_TRAITS}), n=3)
    remedy = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(_COMMON)} and FFmpeg's encoders"
    raise SinkUnavailable(f"no video encoder {names[-1]!r}; {remedy}")


def _options(name: str, traits: _Traits, settings: OutputSettings, delay: Delay) -> dict[str, str]:
    options = {**traits.options, **delay_options(name, delay)}
    for given, trait, word in ((settings.crf, traits.quality, "crf"), (settings.preset, traits.preset, "preset")):
        if trait is not None:
            value = trait[1] if given is None else given
            if trait[0] == "qscale":
                options |= {"flags": "+qscale", "global_quality": str(round(float(value) * _LAMBDA_PER_QP))}
            else:
                options[trait[0]] = f"{value:g}" if isinstance(value, int | float) else value
        elif given is not None:
            raise SinkUnavailable(f"the encoder {name} has no {word}; leave it out or set output.options")
    # The user's quality replaces the default crf, which x264 would prefer to qp and bit rate.
    if {"qp", "b", "global_quality"} & settings.options.keys() and settings.crf is None and traits.quality is not None:
        for default in ("flags", "global_quality") if traits.quality[0] == "qscale" else (traits.quality[0],):
            options.pop(default, None)
    return options | settings.options


def _set_field_order(context: Any, field_order: int) -> list[str]:
    if field_order not in INTERLACED:
        return []
    context.field_order = field_order
    if context.codec.name not in ("libx264", "mpeg2video", "mpeg4"):
        return [f"{context.codec.name} codes whole frames: at most the container marks them as interlaced"]
    context.flags |= int(Flags.interlaced_dct) | int(Flags.interlaced_me)
    return []


def _open(context: Any, options: Mapping[str, str]) -> None:
    name = context.codec.name
    context.options.update(options)
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; it prints 20 lines otherwise
    with capture_log(av.logging.ERROR) as lines:
        try:
            context.open()
        except av.error.FFmpegError as error:
            remedy = "check output.crf, preset and options, or choose another output.codec"
            raise SinkUnavailable(f"the encoder {name} does not open here: {reason(error, lines)}; {remedy}") from error
    if context.options:
        unknown = next(iter(context.options))
        known = [
            option.name
            for group in (context.supported_options.private, context.supported_options.generic)
            for option in group
        ]
        near = difflib.get_close_matches(unknown, known, n=3)
        remedy = f"; did you mean {', '.join(near)}?" if near else ""
        raise SinkUnavailable(f"output.options.{unknown}: {name} has no such option{remedy}")
