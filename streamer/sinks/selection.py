"""From what a user types after -o to the sink that writes it. Main thread only."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from streamer.config.output import OutputEntry
from streamer.errors import ConfigError
from streamer.interfaces import Sink, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.registry import SINKS
from streamer.system.secrets import SECRETS, redacted, split_credentials

_STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt", "hls")
_WEB_SCHEMES = ("http", "https")
_PART_S = 600.0
_GB = 1_000_000_000
_DAY_S = 86_400.0
_ONE_FILE_OF_MANY = re.compile(r"%[a-zA-Z]")


def kind_of(entry: OutputEntry) -> str:
    """What an output is: `stream`, `web`, `recording` or `file`.

    Raises:
        ConfigError: an address of a kind that nothing can be sent to.
    """
    scheme = _scheme_of(entry.to)
    if scheme in _STREAM_SCHEMES or _is_playlist(entry):
        return "stream"
    if scheme in _WEB_SCHEMES:
        return "web"
    if "://" in entry.to:
        known = ", ".join((*_STREAM_SCHEMES, *_WEB_SCHEMES))
        raise ConfigError(f"-o {scheme}://: nothing can be sent there; addresses begin with {known}")
    return "recording" if entry.segment_s is not None or _ONE_FILE_OF_MANY.search(entry.to) else "file"


def _is_playlist(entry: OutputEntry) -> bool:
    """Whether it is HLS, in a folder."""
    scheme = _scheme_of(entry.to)
    return scheme == "hls" or (not scheme and entry.to.lower().endswith(".m3u8"))


def _scheme_of(address: str) -> str:
    """What stands before its colon, in small letters; empty for a path."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", address):
        return ""
    try:
        parts = urlsplit(split_credentials(address)[0])
        if "://" in address:
            _ = parts.port  # which raises if it is none
    except ValueError as error:
        raise ConfigError(f"-o {redacted(address)}: is no address: {error}") from error
    return parts.scheme.lower()


def file_of(entry: OutputEntry) -> Path | None:
    """The one file that an output writes; None if it is something else."""
    return Path(entry.to) if kind_of(entry) == "file" else None


def is_optional(entry: OutputEntry) -> bool:
    """Whether a live run goes on when this output fails: what can be tried again, unless it is required."""
    return kind_of(entry) != "file" if entry.required is None else not entry.required


def keeps_all(entry: OutputEntry) -> bool:
    """Whether an output gets every picture of a live source, if a little late: what is kept in files does."""
    if entry.keep is not None:
        return entry.keep == "all"
    return _is_playlist(entry) or kind_of(entry) in ("file", "recording")


def build_sink(
    entry: OutputEntry, info: StreamInfo, *, overwrite: bool, passthrough: Passthrough | None = None
) -> Sink:
    """The sink for an output, not yet entered.

    Args:
        entry: what is wanted.
        info: of the pictures that will come.
        overwrite: replace a file that exists.
        passthrough: the other streams of the input.

    Raises:
        SinkUnavailable: what it is to write cannot work.
        ConfigError: an address that nothing can be sent to.
    """
    kind = kind_of(entry)
    SECRETS.split(entry.to)
    sink: Sink
    if kind == "web":
        sink = SINKS["mjpeg"](entry.to, quality=entry.quality, max_fps=entry.max_fps)
        return sink
    passthrough = passthrough if entry.copy_streams else None
    coding = {
        "codec": entry.codec,
        "preset": entry.preset,
        "options": entry.options,
        "pixel_format": entry.pixel_format,
    }
    required = not is_optional(entry)
    if kind == "stream":
        change = entry.on_change or "rescale"
        rate, transport = entry.bit_rate_kbps, entry.transport
        sink = SINKS["stream"](
            entry.to,
            info,
            passthrough=passthrough,
            bit_rate_kbps=rate,
            transport=transport,
            required=required,
            on_change=change,
            **coding,
        )
    elif kind == "recording":
        sink = SINKS["recording"](
            entry.to,
            info,
            passthrough=passthrough,
            segment_s=entry.segment_s or _PART_S,
            keep_bytes=None if entry.keep_gb is None else round(entry.keep_gb * _GB),
            keep_s=None if entry.keep_days is None else entry.keep_days * _DAY_S,
            crf=entry.crf,
            threads=entry.threads,
            required=required,
            on_change=entry.on_change or "reopen",
            **coding,
        )
    else:
        sink = SINKS["video"](
            Path(entry.to),
            info,
            crf=entry.crf,
            threads=entry.threads,
            passthrough=passthrough,
            overwrite=overwrite,
            **coding,
        )
    return sink
