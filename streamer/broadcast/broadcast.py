"""The live video of one camera: its newest scene, and the feeds for viewers.

The display thread of the camera hands scenes over and never waits. Feeds have threads of their own, which run only
while someone watches; without viewers a scene costs one assignment.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

from streamer.broadcast.feed import Feed
from streamer.broadcast.h264 import EncodedFrame, H264Encoder
from streamer.broadcast.jpegs import SMALL_FPS, JpegFrame, JpegMaker, Stills
from streamer.broadcast.overlay import Condition, LiveState
from streamer.broadcast.overlay_feed import Moment, OverlayFeed
from streamer.broadcast.shown import ShownClock, ShownFrame
from streamer.config.web import LiveVideoSettings
from streamer.flow.observers import RunObserver
from streamer.interfaces import Scene
from streamer.sinks.mjpeg.rate_limit import RateLimit


class Broadcast:
    """One camera, over all of its runs.

    Args:
        camera: its name.
        settings: of the live video.
        annotated: the video has the boxes drawn on it.

    Attributes:
        video: H.264 frames.
        jpegs: JPEG frames without drawing, by False, and with boxes, by True.
        small: small JPEG frames without drawing, a few per second.
        stills: the newest frame as JPEG, likewise.
        overlay: messages with the boxes of each frame.
    """

    def __init__(self, camera: str, settings: LiveVideoSettings, *, annotated: bool = False) -> None:
        self.camera = camera
        self.settings = settings
        self._clock = ShownClock()
        self._limit = RateLimit(settings.max_fps)  # display thread
        self._lock = threading.Lock()  # guards all below
        self._newest: ShownFrame | None = None
        self._condition = Condition(LiveState.STARTING)
        self.overlay = OverlayFeed(self.moment)
        self.video: Feed[EncodedFrame] = Feed(
            f"live-{camera}", partial(H264Encoder, settings, annotated=annotated), self._again
        )
        self.jpegs: dict[bool, Feed[JpegFrame]] = {
            boxes: Feed(
                f"jpeg-{camera}", partial(JpegMaker, settings.quality, self.overlay.text, boxes=boxes), self._again
            )
            for boxes in (False, True)
        }
        self.small: Feed[JpegFrame] = Feed(
            f"small-{camera}", partial(JpegMaker, settings.quality, self.overlay.text, small=True), self._again
        )
        self._small_limit = RateLimit(SMALL_FPS)  # display thread
        self.stills = {
            boxes: Stills(lambda: self.moment()[0], settings.quality, boxes=boxes) for boxes in (False, True)
        }

    @property
    def newest(self) -> Scene | None:
        """The newest scene; None before the first. Any thread."""
        frame = self.moment()[0]
        return None if frame is None else frame.scene

    def moment(self) -> Moment:
        """The newest frame, and the state of the camera. Any thread."""
        with self._lock:
            return self._newest, self._condition

    def observer(self) -> RunObserver:
        """The observer of one run."""
        return _Observer(self)

    def put(self, scene: Scene) -> None:
        """A scene was shown. Display thread."""
        with self._lock:
            number = 0 if self._newest is None else self._newest.number + 1
            self._newest = frame = ShownFrame(scene, self._clock.next_ticks(), number)
            self._condition = _RUNNING
        now_s = time.monotonic()
        if not self._limit.takes(now_s):
            return
        self.overlay.put((frame, _RUNNING))
        self.video.put(frame)
        for feed in self.jpegs.values():
            feed.put(frame)
        if self._small_limit.takes(now_s):
            self.small.put(frame)

    def set_condition(self, condition: Condition) -> None:
        """The state of the camera has changed. Any thread."""
        with self._lock:
            self._condition = condition
            moment = self._newest, condition
        self.overlay.put(moment)

    def close(self) -> None:
        """End all feeds. Any thread but theirs."""
        self.overlay.close()
        self.video.close()
        for feed in (*self.jpegs.values(), self.small):
            feed.close()

    def _again(self) -> ShownFrame | None:
        """The newest frame as one that is shown now. The event loop."""
        with self._lock:
            if self._newest is None:
                return None
            self._newest = frame = replace(self._newest, ticks=self._clock.next_ticks())
            condition = self._condition
        self.overlay.put((frame, condition))
        return frame


_RUNNING = Condition(LiveState.RUNNING)


class _Observer(RunObserver):
    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._broadcast.set_condition(Condition(LiveState.ENDED))

    def source_changed(self, fault: str, at_s: float) -> None:  # noqa: ARG002
        self._broadcast.set_condition(Condition(LiveState.LOST, fault) if fault else _RUNNING)

    def scene_shown(self, scene: Scene) -> None:
        self._broadcast.put(scene)
