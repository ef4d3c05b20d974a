"""Draws the boxes of a clip on its pictures: `python -m streamer.clips.annotated CLIP BOXES TARGET`.

It runs in a process of its own at the lowest priority (`streamer.clips.annotated.clips`). A thread of low priority
would keep Python's interpreter lock while it waits for a processor, and the pipeline would wait with it. The priority
comes first: the imports alone take a processor for half a second.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_LOWEST_NICE = 19


def give_way() -> None:
    """Run only while no other process needs the processor, as far as the system can do that (Linux: SCHED_IDLE)."""
    os.nice(_LOWEST_NICE)
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> int:
    """Render one clip. Returns the exit code."""
    give_way()
    from streamer.clips.annotated.render import main as render

    return render(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
