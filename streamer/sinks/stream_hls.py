"""The folder of a live playlist: made, and rid of what an earlier run left there.

Used by the thread that enters the stream sink, and by the one that writes it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from streamer.errors import SinkUnavailable
from streamer.sinks.stream_target import StreamTarget


def prepare(target: StreamTarget) -> None:
    """Make the folder, and remove the playlist and segments of an earlier run.

    A viewer would be shown the old pictures first; nothing but files of the names that this playlist uses is removed.

    Raises:
        SinkUnavailable: it cannot be made or written.
    """
    playlist = Path(target.url)
    own = re.compile(rf"{re.escape(playlist.stem)}-\d+\.ts(\.tmp)?|{re.escape(playlist.name)}(\.tmp)?")
    try:
        playlist.parent.mkdir(parents=True, exist_ok=True)
        for path in playlist.parent.iterdir():
            if own.fullmatch(path.name) and path.is_file():
                path.unlink()
        trial = playlist.with_name(f"{playlist.name}.tmp")  # as FFmpeg calls the playlist that it is writing
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise SinkUnavailable(f"cannot write {playlist}: {error.strerror}; choose another folder") from error


def resumed(target: StreamTarget) -> StreamTarget:
    """The target for a later connection of the same run: a playlist goes on, anything else is as it was."""
    if target.folder is None:
        return target
    flags = f"{target.options['hls_flags']}+append_list"
    # The numbers go on from the last one in the playlist.
    return replace(target, options={**target.options, "hls_flags": flags, "hls_start_number_source": "generic"})
