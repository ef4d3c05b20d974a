"""The folder of a live playlist: made, rid of what an earlier run left there, and ended.

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
from streamer.sinks.publish.hls_playlist import LivePlaylist, is_there, read
from streamer.sinks.publish.target import HLS_SEGMENT_S, StreamTarget
from streamer.system.partial_file import replace_file

GOES_ON_S = 60.0
"""A list that an earlier run left without an end less long ago is gone on with: players still follow it."""
IDLE_S = 1.0
"""After a longer pause, by the clock, a key frame is sent: what was there may have been listed meanwhile."""
_UNKNOWN_RATE_S = 2
_LONGEST_TARGET_S = 30
_SLACK = 1.2  # a slow camera does not keep its rate exactly


def target_duration_s(average_fps: Fraction | None) -> int:
    """How long a segment may be: from one key frame, asked for every `HLS_SEGMENT_S`, to the next.

    Args:
        average_fps: pictures a second, None where unknown.
    """
    if not average_fps:
        return _UNKNOWN_RATE_S
    step_s = 1 / float(average_fps)
    # A duration counts rounded (RFC 8216, 4.3.3.1).
    longest_s = max(step_s * _SLACK, HLS_SEGMENT_S + step_s)
    return min(max(math.ceil(longest_s - 0.4), 1), _LONGEST_TARGET_S)


def prepare(target: StreamTarget, average_fps: Fraction | None) -> StreamTarget:
    """Make the folder, and see what an earlier run left there: the target with what its list begins with.

    A list without an end that is not old is gone on with. Else its segments are removed, because a viewer would be
    shown the old pictures first, but its numbers are gone on from: a player that stays open must not see them go back
    (RFC 8216, 6.2.2). Nothing but files of the names that this playlist uses is removed.

    Raises:
        SinkUnavailable: it cannot be made or written.
    """
    playlist = Path(target.url)
    target_s = target_duration_s(average_fps)
    # Rising from one run to the next also where the folder was emptied.
    begun = LivePlaylist(target_s, time.time_ns() // 1000)
    try:
        playlist.parent.mkdir(parents=True, exist_ok=True)
        found = read(playlist)
        keeps = found is not None and _goes_on(playlist, found, target_s)
        if found is not None and not keeps:
            # What comes does not continue it, so that a number more has gone by.
            emptied = found.emptied()
            begun = replace(emptied, target_s=target_s, discontinuities=emptied.discontinuities + 1)
        listed = {one.name for one in found.entries} if found is not None and keeps else set()
        for path in _own(playlist):
            if path.name not in listed and not (keeps and (path == playlist or _is_young(path))):
                path.unlink()
        replace_file(playlist.with_name(f"{playlist.name}.tmp"), b"")
        playlist.with_name(f"{playlist.name}.tmp").unlink()
    except OSError as error:
        raise SinkUnavailable(f"cannot write {playlist}: {error.strerror}; choose another folder") from error
    numbers = asdict(begun)
    return replace(target, options={key: str(numbers[key]) for key in ("target_s", "number", "discontinuities")})


def begun(options: dict[str, str]) -> LivePlaylist:
    """What the list begins with, of the options of a target that was prepared."""
    return LivePlaylist(int(options["target_s"]), int(options["number"]), int(options["discontinuities"]))


def end(target: StreamTarget) -> None:
    """Tell players that nothing will follow."""
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


def _goes_on(playlist: Path, found: LivePlaylist, target_s: int) -> bool:
    whole = all(is_there(playlist, one) for one in found.entries)
    return not found.ended and bool(found.entries) and whole and found.target_s >= target_s and _is_young(playlist)


def _is_young(path: Path) -> bool:
    return abs(time.time() - path.stat().st_mtime) < GOES_ON_S
