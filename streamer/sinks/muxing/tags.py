"""Tags and chapters of a file: which of them still hold for an output, and which did not arrive in it.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import PassthroughStream

# Tags that describe the old file or its coded video, not the work. The timecode has a place of its own.
_FILE_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "timecode"})
_TIMECODE = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d[:;.]\d{2,3}")  # SMPTE ST 12-1
_NO_TIME = "1970-01-01T00:00:00"  # what FFmpeg makes of a creation time that was never set
_TIMECODE_OF_FILE = frozenset({"avi", "mxf", "mxf_d10", "mxf_opatom"})
_STATISTICS_TAGS = ("bps", "number_of_", "_statistics_")


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that describe the work, without those of the old file or its coded video."""
    return {
        key: value
        for key, value in tags.items()
        if key.casefold() not in _FILE_TAGS
        and not key.casefold().startswith(_STATISTICS_TAGS)
        and not value.startswith(_NO_TIME)
    }


def moved_chapter(chapter: Any, seconds: Fraction) -> Any:
    """A chapter (`av.container.core.Chapter`) that starts and ends so much later."""
    ticks = round(seconds / chapter["time_base"])
    return chapter | {"start": chapter["start"] + ticks, "end": chapter["end"] + ticks}


def attachment_name(stream: PassthroughStream) -> tuple[str, str]:
    """File name and MIME type of the stream of a cover picture."""
    codec = stream.codec or "png"
    suffix, mime = {"mjpeg": ("jpg", "image/jpeg"), "bmp": ("bmp", "image/bmp")}.get(codec, (codec, f"image/{codec}"))
    return stream.tags.get("filename", f"cover.{suffix}"), stream.tags.get("mimetype", mime)


def timecodes_of(passthrough: Passthrough) -> tuple[str, ...]:
    """The timecodes of the first frame that an input tells, such as `10:00:00;02`: the video's own comes first."""
    tagged = [
        passthrough.video_tags,
        passthrough.tags,
        *(one.tags for one in passthrough.streams if one.kind == "data"),
    ]
    found = [value for tags in tagged for key, value in tags.items() if key.casefold() == "timecode"]
    return tuple(dict.fromkeys(one for one in found if _TIMECODE.fullmatch(one)))


def add_timecode(container: Any, video: Any, timecodes: Sequence[str]) -> None:
    """Write the first timecode where muxers look for it: QuickTime's makes a track of the video's tag."""
    if timecodes:
        # Of the whole file, QuickTime's would give one to every cover picture too.
        (container if container.format.name in _TIMECODE_OF_FILE else video).metadata["timecode"] = timecodes[0]


def lost_timecodes(timecodes: Sequence[str], output: Any, kind: str) -> list[str]:
    """One line for each timecode that is not found in a finished output (`av.container.InputContainer`)."""
    tagged = [output.metadata, *(stream.metadata for stream in output.streams)]
    found = {value for tags in tagged for key, value in tags.items() if key.casefold() == "timecode"}
    return [f"{kind} cannot hold the timecode {one}: left out" for one in timecodes if one not in found]


def lost_tags(wanted: Mapping[str, str], found: Mapping[str, str], kind: str) -> list[str]:
    """One line with the tags of `wanted` that are not in `found`, or none; case is ignored."""
    # Matroska writes them in upper case.
    kept = {key.casefold() for key in found}
    lost = sorted(key for key in wanted if key.casefold() not in kept)
    return [f"{kind} cannot hold the tags {', '.join(lost)}: left out"] if lost else []


def lost_chapters(wanted: Sequence[Any], found: Sequence[Any]) -> list[str]:
    """One line if there are fewer chapters than wanted."""
    return [f"{len(wanted) - len(found)} of {len(wanted)} chapters were left out"] if len(found) < len(wanted) else []
