"""The folder of a live playlist: created, cleared of an earlier run's files, and ended.

Used by the thread that enters and leaves the stream sink.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

from streamer.errors import SinkUnavailable
from streamer.sinks.publish.hls_playlist import LivePlaylist, exists, read
from streamer.sinks.publish.target import HLS_SEGMENT_S, StreamTarget
from streamer.system.partial_file import replace_file

CONTINUE_S = 60.0
"""An unfinished playlist of an earlier run that is younger is continued, because players still follow it."""
IDLE_S = 1.0
"""After a longer pause the next frame is a keyframe, because the segment may have been closed meanwhile."""
_UNKNOWN_RATE_S = 2
_LONGEST_TARGET_S = 30
_SLACK = 1.2  # a slow camera does not keep its rate exactly


def target_duration_s(average_fps: Fraction | None) -> int:
    """The longest duration of a segment: the time between keyframes, which are requested every `HLS_SEGMENT_S`.

    Args:
        average_fps: frames per second, None if unknown.
    """
    if not average_fps:
        return _UNKNOWN_RATE_S
    step_s = 1 / float(average_fps)
    # Players compare the rounded duration (RFC 8216, 4.3.3.1).
    longest_s = max(step_s * _SLACK, HLS_SEGMENT_S + step_s)
    return min(max(math.ceil(longest_s - 0.4), 1), _LONGEST_TARGET_S)


def prepare(target: StreamTarget, average_fps: Fraction | None) -> StreamTarget:
    """Create the folder and check the files of an earlier run; returns the target with the first playlist numbers.

    An unfinished playlist that is recent is continued. Otherwise its segments are removed, because a player would show
    the old frames first; the numbers continue from it, because an open player must not see them decrease (RFC 8216,
    6.2.2). Only files with names of this playlist are removed.

    Raises:
        SinkUnavailable: the folder cannot be created or written.
    """
    playlist = Path(target.url)
    target_s = target_duration_s(average_fps)
    # Increases from run to run even if the folder was emptied.
    first = LivePlaylist(target_s, time.time_ns() // 1000)
    try:
        playlist.parent.mkdir(parents=True, exist_ok=True)
        found = read(playlist)
        continues = found is not None and _continues(playlist, found, target_s)
        if found is not None and not continues:
            # The new segments do not continue the old ones, which counts as one more discontinuity.
            emptied = found.emptied()
            first = replace(emptied, target_s=target_s, discontinuities=emptied.discontinuities + 1)
        listed = {one.name for one in found.entries} if found is not None and continues else set()
        for path in _own(playlist):
            if path.name not in listed and not (continues and (path == playlist or _is_recent(path))):
                path.unlink()
        replace_file(playlist.with_name(f"{playlist.name}.tmp"), b"")
        playlist.with_name(f"{playlist.name}.tmp").unlink()
    except OSError as error:
        raise SinkUnavailable(f"cannot write {playlist}: {error.strerror}; choose another folder") from error
    numbers = asdict(first)
    return replace(target, options={key: str(numbers[key]) for key in ("target_s", "number", "discontinuities")})


def first_playlist(options: dict[str, str]) -> LivePlaylist:
    """The first playlist, from the options of a prepared target."""
    return LivePlaylist(int(options["target_s"]), int(options["number"]), int(options["discontinuities"]))


def end(target: StreamTarget) -> None:
    """Mark the playlist as ended for players."""
    playlist = Path(target.url)
    found = read(playlist)
    if found is not None and not found.ended:
        with suppress(OSError):
            replace(found, ended=True).write(playlist)


def _own(playlist: Path) -> Iterator[Path]:
    names = re.compile(rf"{re.escape(playlist.stem)}-\d+\.ts(\.tmp)?|{re.escape(playlist.name)}(\.tmp)*")
    for path in list(playlist.parent.iterdir()):
        if names.fullmatch(path.name) and path.is_file():
            yield path


def _continues(playlist: Path, found: LivePlaylist, target_s: int) -> bool:
    whole = all(exists(playlist, one) for one in found.entries)
    return not found.ended and bool(found.entries) and whole and found.target_s >= target_s and _is_recent(playlist)


def _is_recent(path: Path) -> bool:
    return abs(time.time() - path.stat().st_mtime) < CONTINUE_S
