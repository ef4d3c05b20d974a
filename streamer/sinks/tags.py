"""Tags and chapters of a file: which of them still hold for an output, and which did not arrive in it.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from streamer.passthrough import PassthroughStream

# Tags that describe the old file or its coded video, not the work.
_FILE_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
_NO_TIME = "1970-01-01T00:00:00"  # what FFmpeg makes of a creation time that was never set
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


def lost_tags(wanted: Mapping[str, str], found: Mapping[str, str], kind: str) -> list[str]:
    """One line with the tags of `wanted` that are not in `found`, or none; case is ignored."""
    # Matroska writes them in upper case.
    kept = {key.casefold() for key in found}
    lost = sorted(key for key in wanted if key.casefold() not in kept)
    return [f"{kind} cannot hold the tags {', '.join(lost)}: left out"] if lost else []


def lost_chapters(wanted: Sequence[Any], found: Sequence[Any]) -> list[str]:
    """One line if there are fewer chapters than wanted."""
    return [f"{len(wanted) - len(found)} of {len(wanted)} chapters were left out"] if len(found) < len(wanted) else []
