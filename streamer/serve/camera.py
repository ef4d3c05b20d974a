"""One camera of a site: a thread that runs it, and starts it again after an error.

The thread is the display thread of the camera's pipeline. Any other thread may read the status, and stop or join it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from streamer.config.camera import CameraSettings
from streamer.config.output import OutputEntry
from streamer.errors import Interrupted, StreamerError
from streamer.events.camera_events import CameraEvents
from streamer.flow.stats import RunStats
from streamer.observe.report import Report, Reporter, SilentReporter
from streamer.observe.run_name import camera_name
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.run.session import NO_VIDEO, Session
from streamer.serve.pools import CameraPool, SitePool
from streamer.serve.report import combined
from streamer.serve.reporter import CameraReporter, NoViewers, SiteViewers
from streamer.serve.status import CameraState, CameraStatus
from streamer.sinks.selection import sink_class
from streamer.system import paths
from streamer.system.backoff import Backoff
from streamer.system.secrets import redacted
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

STEADY_S = 60.0
"""After a run of this length the next wait is short again."""


class Camera:
    """Runs one camera from `start` until `stop`, or until its source ends.

    Args:
        name: of the camera.
        settings: of the camera.
        pool: its detector.
        reporter: gets messages.
        on_change: called by the camera's thread when its state has changed.
        overwrite: replace files that exist at the first start; otherwise, and when the camera starts again, a file gets
            a number: `front-2.jsonl`.
        after: the camera of this name that has ended; its report and its number of starts continue.
        backoff: the waits after errors.
        events: stores its events; closed when the camera has ended.
        viewers: observe its runs.
    """

    def __init__(
        self,
        name: str,
        settings: CameraSettings,
        pool: SitePool,
        reporter: CameraReporter,
        on_change: Callable[[], None] = lambda: None,
        *,
        overwrite: bool = False,
        after: Camera | None = None,
        backoff: Backoff | None = None,
        events: CameraEvents | None = None,
        viewers: SiteViewers | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._pool = pool
        self._reporter = reporter
        self._on_change = on_change
        self._overwrite = overwrite
        self._backoff = backoff or Backoff()
        self._events = events
        self._viewers = viewers or NoViewers()
        self._thread = Thread(f"camera-{name}", self._run)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards all below
        self._session: Session | None = None
        self._share: CameraPool | None = None
        self._report: Report | None = None if after is None else after.report
        self._status = CameraStatus(
            name,
            redacted(settings.source.uri or ""),
            CameraState.STARTING,
            RunStats(name),
            restarts=0 if after is None else after.status.restarts + 1,
            since_s=time.monotonic(),
        )

    @property
    def status(self) -> CameraStatus:
        """The state of the camera now."""
        with self._lock:
            share = self._share
            if share is None:
                return self._status
            return replace(self._status, turns=share.turns, detector=share.detector)

    @property
    def report(self) -> Report | None:
        """The report of all of its runs that have ended; None before that."""
        with self._lock:
            return self._report

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
        with camera_name(self.name), ExitStack() as stack:
            if self._events is not None:
                stack.callback(self._events.close)
            self._run_until_stopped()

    def _run_until_stopped(self) -> None:
        logged = ""
        while not self._stopping.is_set():
            began_s = time.monotonic()
            error = self._run_once()
            if error is None or self._stopping.is_set():
                break
            if time.monotonic() - began_s > STEADY_S:
                self._backoff.reset()
            wait_s = self._backoff.next_s()
            if error != logged or self.status.state is CameraState.RUNNING:  # a camera may be away for days
                log.warning("%s; starting again in %.1f s, then less often", error, wait_s)
            logged = error
            self._set(state=CameraState.WAITING, last_event=error)
            self._stopping.wait(wait_s)
            self._set(restarts=self.status.restarts + 1)
        ended = CameraState.STOPPED if self._stopping.is_set() else CameraState.ENDED
        self._set(state=ended)

    def _run_once(self) -> str | None:
        """One run; returns the error that ended it, None if its source ended or it was stopped."""
        share = CameraPool(self.name, self.settings, self._pool)
        reporter = _RunReporter(self._say, self._shows)
        try:
            session = self._make_session(share, reporter)
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
            log.exception("an error of the program")
            return f"an error of the program: {error!r}"
        finally:
            share.leave()
            with self._lock:
                self._report = combined(self._report, reporter.final)
        return None

    def _say(self, text: str) -> None:
        self._reporter.message(self.name, text)

    def _shows(self) -> None:
        """A frame was shown: tell the first one, and a change of the frame size."""
        with self._lock:
            session, status = self._session, self._status
        if session is None or session.info is None or session.frame_size is None:
            return
        is_first = status.state is not CameraState.RUNNING
        if not is_first and session.frame_size == status.frame_size:
            return
        # Another size is usually another stream, whose rate is not known.
        rate = f", {float(session.info.average_fps):.3g} fps" if is_first and session.info.average_fps else ""
        text = f"{session.frame_size[0]}x{session.frame_size[1]}{rate}"
        self._set(state=CameraState.RUNNING, last_event=text, frame_size=session.frame_size)

    def _make_session(self, share: CameraPool, reporter: Reporter) -> Session:
        settings = self.settings.settings(self._pool.settings)
        source = settings.source.uri or ""
        outputs = Outputs.of(settings, source, overwrite=self._overwrite, may_be_none=True)
        if not self._overwrite or self.status.restarts:
            outputs = numbered(outputs)
        return Session(
            source,
            outputs,
            settings,
            reporter,
            stream=self.name,
            observers=self._viewers.observers(self.name),
            own=OwnParts(detectors=share, events=self._events),
        )

    def _set(self, **changes: object) -> None:
        with self._lock:
            before = self._status
            if "state" in changes and changes["state"] is not before.state:
                changes["since_s"] = time.monotonic()
            self._status = replace(before, **changes)  # type: ignore[arg-type]
            changed = self._status.state is not before.state
        if changed:
            self._on_change()


class _RunReporter(SilentReporter):
    """The reporter of one run of a camera: it keeps the report, and notices each frame."""

    def __init__(self, say: Callable[[str], None], shows: Callable[[], None]) -> None:
        self._say = say
        self._shows = shows

    def started(self, destinations: Sequence[str]) -> None:
        for line in destinations:
            if line != NO_VIDEO:
                self._say(line)

    def update(self, stats: RunStats) -> None:  # noqa: ARG002
        self._shows()


def numbered(outputs: Outputs) -> Outputs:
    """The outputs with a number in the name of each file that exists: `front-2.jsonl`."""
    return replace(outputs, entries=tuple(map(_numbered, outputs.entries)))


def _numbered(entry: OutputEntry) -> OutputEntry:
    file = sink_class(entry).file_of(entry)
    if file is None or not paths.is_file(file):
        return entry
    number = 2
    while paths.exists(file.with_stem(f"{file.stem}-{number}")):
        number += 1
    return entry.model_copy(update={"to": str(file.with_stem(f"{file.stem}-{number}"))})
