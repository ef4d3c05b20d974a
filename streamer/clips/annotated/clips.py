"""Makes annotated clips beside the clips of events: one at a time over all cameras, while the machine has time.

A thread of its own starts a process of the lowest priority for each clip and waits for it. The process writes a hidden
file in the folder of the store, which gets the name of the clip when it is complete. The next start removes the hidden
files of a killed program.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from streamer.errors import SinkError
from streamer.flow.queues import BoundedQueue, Closed
from streamer.sinks.video.segment_names import partials_of
from streamer.system.suggestions import counted
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

COMMAND = [sys.executable, "-m", "streamer.clips.annotated"]
MOST_WAITING = 50
"""Clips that wait. The oldest are left out beyond that: the machine is too slow for all."""
_HIDDEN = ".annotated-"
_END_S = 5.0
_TOLD_S = 2.0
"""A longer wait at the end of a run is told to the user."""


@dataclass(frozen=True, slots=True)
class Order:
    """A clip to annotate.

    Attributes:
        event_id: of its event.
        clip, boxes, target: paths relative to the folder of the store, with /.
    """

    event_id: str
    clip: str
    boxes: str
    target: str


class AnnotatedClips:
    """The annotated clips of a program. A context manager: entering starts the thread, leaving ends it.

    Leaving drops the clip in progress and those that wait; `wait` waits for them.

    Args:
        folder: of the store.
        finished: called by the thread with the order and the size of each file that is complete, in bytes.
    """

    def __init__(self, folder: Path, finished: Callable[[Order, int], None]) -> None:
        self._folder, self._finished = folder, finished
        self._queue: BoundedQueue[Order] = BoundedQueue(MOST_WAITING, newest=True)
        self._changed = threading.Condition()  # guards the four below
        self._unfinished = 0
        self._process: subprocess.Popen[str] | None = None
        self._ending = False
        self._left_out = 0
        self._thread = Thread("annotated", self._run, shared=True)

    def __enter__(self) -> Self:
        for left in (*self._folder.glob(f"{_HIDDEN}*.mp4"), *self._folder.glob(f".{_HIDDEN}*.mp4")):
            left.unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        with self._changed:
            self._ending = True
            waiting = self._unfinished
            if self._process is not None:
                self._process.kill()
            self._changed.notify_all()
        self._queue.close()
        self._thread.join(_END_S)
        if waiting:
            log.warning("%s not made: the program ends; the next start makes them", counted(waiting, "annotated clip"))

    @property
    def left_out(self) -> int:
        """Clips that were left out because too many waited. Any thread."""
        with self._changed:
            return self._left_out

    def put(self, order: Order) -> None:
        """Any thread: annotate a clip when there is time. Never waits; does nothing after the end."""
        with suppress(Closed):
            self._count(1)
            if self._queue.put(order) is None:
                return
            with self._changed:
                self._unfinished -= 1
                self._left_out += 1
                first = self._left_out == 1
            if first:
                log.warning("annotated clips take too long: %d wait, older ones are left out from now on", MOST_WAITING)

    def wait(self, stopped: threading.Event) -> None:
        """Wait until all clips are made: at the end of a run that is not live. Any thread.

        Args:
            stopped: if it is set, the rest is left out. Call `wake` afterwards.
        """
        with self._changed:

            def done() -> bool:
                return self._ending or not self._unfinished or stopped.is_set()

            if not self._changed.wait_for(done, _TOLD_S):
                number = counted(self._unfinished, "annotated clip")
                log.warning("waiting for %s; stop the run to leave them out", number)
                self._changed.wait_for(done)

    def wake(self) -> None:
        """See `wait`. Any thread."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        with suppress(Closed):
            for order in self._queue:
                try:
                    self._render(order)
                except OSError as error:  # no process can be started, or the disk fails
                    log.warning("no annotated clip of event %s: %s", order.event_id, error)
                except Exception:  # a bug in one clip must not end the others, nor hold who waits for them
                    log.exception("no annotated clip of event %s: an error of the program", order.event_id)
                finally:
                    self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            self._unfinished += change
            self._changed.notify_all()

    def _render(self, order: Order) -> None:
        made = self._folder / f"{_HIDDEN}{order.event_id}.mp4"
        arguments = [str(self._folder / order.clip), str(self._folder / order.boxes), str(made)]
        with self._changed:
            if self._ending:
                return
            # No shell is involved: the arguments are constants and paths.
            self._process = process = subprocess.Popen(
                [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True,
            )  # fmt: skip
        _, errors = process.communicate()
        with self._changed:
            self._process = None
            ending = self._ending
        try:
            if process.returncode:
                raise SinkError(errors.strip().rpartition("\n")[2] or f"exit code {process.returncode}")
            size = made.stat().st_size
            made.replace(self._folder / order.target)
        except (SinkError, OSError) as error:
            for partial in (made, *partials_of(made)):
                partial.unlink(missing_ok=True)
            if not ending and (self._folder / order.clip).exists():  # else its event was deleted meanwhile
                log.warning("no annotated clip of event %s: %s", order.event_id, error)
            return
        self._finished(order, size)
