"""One camera of a site: a thread that runs it, and starts it again after an error.

The thread is the display thread of the camera's pipeline. Any other thread may read the status, and stop or join it.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from streamer.config.output import OutputEntry
from streamer.config.site import CameraSettings
from streamer.errors import Interrupted, StreamerError
from streamer.flow.stats import RunStats
from streamer.observe.report import Progress, Report
from streamer.run.build import OwnParts
from streamer.run.outputs import Outputs
from streamer.run.session import Session
from streamer.serve.pools import CameraPool, SitePool
from streamer.serve.status import CameraState, CameraStatus
from streamer.sinks.selection import sink_class
from streamer.system.backoff import Backoff
from streamer.system.secrets import redacted

log = logging.getLogger(__name__)

STEADY_S = 60.0
"""After a run of this length the next wait is short again."""


class CameraReporter(Protocol):
    """Receives what happens with the cameras of a site. Each camera's thread calls it."""

    def message(self, name: str, text: str) -> None:
        """One line about a camera."""
        ...

    def changed(self, name: str) -> None:
        """The state of a camera has changed."""
        ...


class Camera:
    """Runs one camera from `start` until `stop`, or until its source ends.

    Args:
        name: of the camera.
        settings: of the camera.
        pool: its detector.
        reporter: gets messages.
        overwrite: replace files that exist at the first start; otherwise, and when the camera starts again, a file gets
            a number: `front-2.jsonl`.
        backoff: the waits after errors.
    """

    def __init__(
        self,
        name: str,
        settings: CameraSettings,
        pool: SitePool,
        reporter: CameraReporter,
        *,
        overwrite: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._pool = pool
        self._reporter = reporter
        self._overwrite = overwrite
        self._backoff = backoff or Backoff()
        self._thread = threading.Thread(target=self._run, name=f"streamer-camera-{name}", daemon=True)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards all below
        self._session: Session | None = None
        self._share: CameraPool | None = None
        self._reports: list[Report] = []
        self._status = CameraStatus(
            name, redacted(settings.source.uri or ""), CameraState.STARTING, RunStats(name), since_s=time.monotonic()
        )

    @property
    def status(self) -> CameraStatus:
        """The state of the camera now."""
        with self._lock:
            return replace(self._status, turns=None if self._share is None else self._share.turns)

    @property
    def reports(self) -> Sequence[Report]:
        """The reports of its runs, oldest first."""
        with self._lock:
            return tuple(self._reports)

    def start(self) -> None:
        """Start its thread."""
        self._thread.start()

    def stop(self) -> None:
        """End its run, and do not start again. Does not wait. Any thread, but no signal handler."""
        self._stopping.set()
        with self._lock:
            session = self._session
        if session is not None:
            session.stop()

    def join(self, deadline_s: float) -> bool:
        """Wait for the end of its thread; False if it did not end in time."""
        self._thread.join(max(deadline_s, 0.0))
        return not self._thread.is_alive()

    # the camera's thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            began_s = time.monotonic()
            error = self._run_once()
            if error is None or self._stopping.is_set():
                break
            if time.monotonic() - began_s > STEADY_S:
                self._backoff.reset()
            wait_s = self._backoff.next_s()
            self._reporter.message(self.name, f"{error}; starting again in {wait_s:.1f} s")
            self._set(state=CameraState.WAITING, last_event=error)
            self._stopping.wait(wait_s)
            self._set(restarts=self.status.restarts + 1)
        ended = CameraState.STOPPED if self._stopping.is_set() else CameraState.ENDED
        self._set(state=ended)

    def _run_once(self) -> str | None:
        """One run; returns the error that ended it, None if its source ended or it was stopped."""
        share = CameraPool(self.name, self.settings, self._pool)
        try:
            session = self._make_session(share)
            with self._lock:
                self._session, self._share = session, share
            self._set(state=CameraState.STARTING, stats=session.stats)
            if not self._stopping.is_set():
                session.run()
        except Interrupted:
            self._stopping.set()  # by `stop`, or the user closed a window
        except StreamerError as error:
            return str(error)
        except Exception as error:  # a bug in one camera does not end the others
            log.error("%s", "".join(traceback.format_exception(error)))
            return f"an error of the program: {error!r}"
        finally:
            share.leave()
        return None

    def _make_session(self, share: CameraPool) -> Session:
        settings = self.settings.settings(self._pool.settings)
        outputs = Outputs.of(settings, settings.source.uri or "", overwrite=self._overwrite)
        if not self._overwrite or self.status.restarts:
            outputs = numbered(outputs)
        return Session(
            settings.source.uri or "",
            outputs,
            settings,
            _RunReporter(self._reporter.message, self),
            stream=self.name,
            own=OwnParts(detectors=share),
        )

    def first_shown(self) -> None:
        """The camera's run has shown a frame."""
        if self.status.state is not CameraState.RUNNING:
            self._set(state=CameraState.RUNNING)

    def add_report(self, report: Report) -> None:
        """A run of the camera has ended."""
        with self._lock:
            self._reports.append(report)

    def _set(self, **changes: object) -> None:
        with self._lock:
            before = self._status
            if "state" in changes and changes["state"] is not before.state:
                changes["since_s"] = time.monotonic()
            self._status = replace(before, **changes)  # type: ignore[arg-type]
        if self._status.state is not before.state:
            self._reporter.changed(self.name)
