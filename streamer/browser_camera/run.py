"""The run of one browser's webcam: a session with its own source and a share of a detector of the site.

The thread of the run is the display thread of its pipeline. Any thread may stop it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.overlay import scene_content
from streamer.browser_camera.messages import Messages
from streamer.browser_camera.source import BrowserSource
from streamer.config.analytics import AnalyticsSettings
from streamer.config.camera import CameraSettings
from streamer.errors import Interrupted, StreamerError
from streamer.flow.observers import RunObserver
from streamer.interfaces import Scene
from streamer.observe.report import SilentReporter
from streamer.observe.run_name import camera_name
from streamer.render.colours.track_colours import TrackColours
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.run.session import Session
from streamer.serve.site import Site
from streamer.system.threads import Thread
from streamer.values.delivery import Delivery, Detected

log = logging.getLogger(__name__)


class BrowserRun:
    """Runs from `start` until `stop`, until its source ends, or until an error.

    Args:
        name: of the session, in log lines.
        site: has the detector.
        priority: at the detector.
        messages: get the boxes of each frame, and what the browser should know.
        ended: called by its thread at the end, with the reason; empty if it was stopped.
        broadcast: gets each frame, with the boxes drawn on it.
    """

    def __init__(
        self,
        name: str,
        site: Site,
        priority: float,
        messages: Messages,
        ended: Callable[[str], None],
        *,
        broadcast: Broadcast | None = None,
    ) -> None:
        self._name = name
        self._ended = ended
        self.source = BrowserSource(name)
        camera = browser_settings(site.settings.defaults, priority)
        self._guest = site.guest(name, camera, self.stop)
        self._session = Session(
            name,
            Outputs(),
            camera.settings(site.settings.detector_of(camera)),
            _Notices(messages),
            observers=(_Answers(self.source, messages), *([] if broadcast is None else [broadcast.observer()])),
            stream=name,
            own=OwnParts(source=self.source, detectors=self._guest, draw=broadcast is not None),
        )
        self.stats = self._session.stats
        self._thread = Thread(name, self._run, shared=True)

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """Width and height of the newest frame, pixels; None before the first. Any thread."""
        return self._session.frame_size

    def start(self) -> None:
        """Start its thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it. Does not wait. Any thread."""
        self._session.stop()

    def join(self, deadline_s: float) -> bool:
        """Wait for its thread; False if it did not end in time."""
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        reason = ""
        with camera_name(self._name):
            try:
                self._session.run()
            except Interrupted:
                pass
            except StreamerError as error:
                reason = str(error)
            except Exception as error:  # a bug in one session does not end the program
                log.exception("an error of the program")
                reason = f"an error of the program: {error!r}"
            finally:
                self._guest.leave()
                self._ended(reason)


def browser_settings(defaults: CameraSettings, priority: float) -> CameraSettings:
    """The settings of a browser's webcam: those of the site's cameras, without rules and outputs.

    Args:
        defaults: of the site.
        priority: at the detector.
    """
    # A browser sends frames at once; waiting for their time would only add latency.
    source = defaults.source.model_copy(update={"jitter_ms": 0.0})
    detector = defaults.detector.model_copy(update={"priority": priority})
    changed = {
        "source": source,
        "detector": detector,
        "overlay": "now",
        "analytics": AnalyticsSettings(),
        "outputs": (),
    }
    return defaults.model_copy(update=changed)


class _Answers(RunObserver):
    """Sends the boxes of each shown frame, with the time stamp that the browser gave it. Display thread."""

    def __init__(self, source: BrowserSource, messages: Messages) -> None:
        self._source = source
        self._messages = messages
        self._colours = TrackColours()
        self._detected = 0

    def delivered(self, delivery: Delivery) -> None:
        """See `RunObserver`."""
        self._detected += isinstance(delivery, Detected)

    def scene_shown(self, scene: Scene) -> None:
        """See `RunObserver`."""
        numbers = {"rtp": self._source.rtp(scene.frame), "detected": self._detected}
        self._messages.put_frame({**numbers, **scene_content(scene, self._colours)})


class _Notices(SilentReporter):
    """Passes what takes time on to the browser, such as the loading of a model."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def message(self, text: str) -> None:
        """See `streamer.observe.report.Reporter`."""
        if not text.startswith("source: "):  # the browser knows its own picture
            self._messages.put(notice=text)
