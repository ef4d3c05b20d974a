"""Tags, timecodes and chapters: which of them an output gets, and which are missing in the finished output.

Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import PassthroughStream

# Tags that describe the input file or its coded video, not the work. The timecode is copied separately.
_FILE_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "timecode"})
_TIMECODE = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d[:;.]\d{2,3}")  # SMPTE ST 12-1
_NO_TIME = "1970-01-01T00:00:00"  # FFmpeg's value for an unset creation time
_TIMECODE_OF_FILE = frozenset({"avi", "mxf", "mxf_d10", "mxf_opatom"})
_STATISTICS_TAGS = ("bps", "number_of_", "_statistics_")


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags without those that describe the input file or its coded video."""
    return {
        key: value
        for key, value in tags.items()
        if key.casefold() not in _FILE_TAGS
        and not key.casefold().startswith(_STATISTICS_TAGS)
        and not value.startswith(_NO_TIME)
    }


def moved_chapter(chapter: Any, seconds: Fraction) -> Any:
    """A chapter (`av.container.core.Chapter`), shifted by some seconds."""
    ticks = round(seconds / chapter["time_base"])
    return chapter | {"start": chapter["start"] + ticks, "end": chapter["end"] + ticks}


def attachment_name(stream: PassthroughStream) -> tuple[str, str]:
    """File name and MIME type of a cover picture."""
    codec = stream.codec or "png"
    suffix, mime = {"mjpeg": ("jpg", "image/jpeg"), "bmp": ("bmp", "image/bmp")}.get(codec, (codec, f"image/{codec}"))
    return stream.tags.get("filename", f"cover.{suffix}"), stream.tags.get("mimetype", mime)


def timecodes_of(passthrough: Passthrough) -> tuple[str, ...]:
    """The input's timecodes of the first frame, such as `10:00:00;02`; that of the video comes first."""
    tagged = [
        passthrough.video_tags,
        passthrough.tags,
        *(one.tags for one in passthrough.streams if one.kind == "data"),
    ]
    found = [value for tags in tagged for key, value in tags.items() if key.casefold() == "timecode"]
    return tuple(dict.fromkeys(one for one in found if _TIMECODE.fullmatch(one)))


def add_timecode(container: Any, video: Any, timecodes: Sequence[str]) -> None:
    """Set the first timecode where the muxer looks for it: QuickTime's makes a track from the video's tag."""
    if timecodes:
        # From a tag of the file, QuickTime's muxer makes a track for each cover picture, too.
        (container if container.format.name in _TIMECODE_OF_FILE else video).metadata["timecode"] = timecodes[0]


def lost_timecodes(timecodes: Sequence[str], output: Any, kind: str) -> list[str]:
    """A line for each timecode that a finished output (`av.container.InputContainer`) does not have."""
    tagged = [output.metadata, *(stream.metadata for stream in output.streams)]
    found = {value for tags in tagged for key, value in tags.items() if key.casefold() == "timecode"}
    return [f"{kind} cannot hold the timecode {one}: left out" for one in timecodes if one not in found]


def lost_tags(wanted: Mapping[str, str], found: Mapping[str, str], kind: str) -> list[str]:
    """A line with the tags of `wanted` that are not in `found`, or none; case is ignored."""
    # Matroska writes them in upper case.
    kept = {key.casefold() for key in found}
    lost = sorted(key for key in wanted if key.casefold() not in kept)
    return [f"{kind} cannot hold the tags {', '.join(lost)}: left out"] if lost else []


def lost_chapters(wanted: Sequence[Any], found: Sequence[Any]) -> list[str]:
    """A line if chapters are missing."""
    return [f"{len(wanted) - len(found)} of {len(wanted)} chapters were left out"] if len(found) < len(wanted) else []
