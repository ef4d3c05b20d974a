"""Recovery of the text files of killed runs: what was written gets a name, as recordings do.

Used by the main thread, when it enters a sink.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from streamer.sinks.video.recovery import Partial, claimed, named
from streamer.sinks.video.segment_names import partials_of

log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 16


def recover(final: Path, heading: str) -> None:
    """Give the partial files for a path the next free names (`boxes-2.csv`), and say so; those without a row go.

    A file that another process writes is left alone, because that process has locked it.

    Args:
        final: of the run that begins. It stays free.
        heading: the first line of a complete file, or empty.
    """
    taken = [final]
    with suppress(OSError):  # making the file reports a folder that cannot be read
        for path in list(partials_of(final)):
            partial = claimed(path, taken)
            if partial is None:
                continue
            try:
                taken.append(_recovered(partial, final, heading))
            except OSError as error:
                why = error.strerror
                log.warning("%s: cannot recover %s of a killed run: %s; the file is kept", final, path, why)
            finally:
                os.close(partial.lock)


def _recovered(partial: Partial, final: Path, heading: str) -> Path:
    with partial.path.open("rb+") as file:
        ends, lines = 0, 0
        while line := file.readline(_BLOCK_BYTES):
            if line.endswith(b"\n"):
                ends, lines = file.tell(), lines + 1
        file.truncate(ends)  # the last line may be incomplete
    rows = lines - heading.count("\n")
    if rows <= 0:
        partial.path.unlink()
        log.warning("%s: removed %s of a killed run: it has no row", final, partial.path)
        return partial.final
    path = named(partial.path, partial.final)
    log.warning("%s: recovered %s of a killed run: %d row%s", final, path, rows, "s" * (rows != 1))
    return path
