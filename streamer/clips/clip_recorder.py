"""Makes the clips of one camera's events while it runs.

The thread that reads the camera puts packets into the ring, the capture thread gives the times of their frames, the
display thread starts and ends clips. None of them waits for the disk: a thread of its own writes all clips. If the disk
is slow, packets wait in the ring; if it is full, the clip is dropped with a warning and counted, and the run goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.clips.boxes import RecentBoxes
from streamer.clips.clip import Clip, ClipSource, FinishedClip
from streamer.clips.leftovers import Leftovers
from streamer.clips.packets import RingStream, exact
from streamer.clips.ring import PacketFeed, PacketRing
from streamer.clips.sound import Sound
from streamer.config.events import ClipSettings
from streamer.errors import StreamerError
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.media.passthrough import Passthrough
from streamer.sinks.muxing.compatibility import check_stream
from streamer.system.threads import Thread
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

_LATE_S = 2.0
"""How long a clip waits for frames that do not come, by the clock of this machine."""
_MARGIN_S = 2.0
"""The ring has this much more than rules and settings need."""
_END_S, _LIVE_END_S = 30.0, 2.0
"""How long the end of a run waits for its last clips."""
_IN_BROWSERS = frozenset({"h264", "hevc", "av1", "vp9", "libdav1d"})


class ClipRecorder:
    """Makes the clips of one run. It is created before the source is opened, and closed after the run.

    A clip begins with the keyframe at or before the start of its event minus `before_s`, and ends `after_s` behind its
    end, after `max_s`, where the format of the video changes, or with the run. It has the packets of the camera as they
    are; after a loss the last picture stands until the next one. A camera without packets (a webcam) has no clips.

    Args:
        camera: its name, for paths and the log.
        settings: the section `events.clip`.
        folder: of the store.
        finished: called by the thread of the clips when the files of a clip are complete.
        late_s: how long after its start an event may be reported, seconds.
        stats: gets the memory (`clip_memory_bytes`) and counts clips (`clip` by `written` and `dropped`).
    """

    def __init__(
        self,
        camera: str,
        settings: ClipSettings,
        folder: Path,
        finished: Callable[[FinishedClip], None],
        *,
        late_s: float = 0.0,
        stats: RunStats | None = None,
    ) -> None:
        self._camera, self._settings, self._folder, self._finished = camera, settings, folder, finished
        self._stats = stats or RunStats()
        self._changed = threading.Condition()
        self._boxes = RecentBoxes()
        self._needed_s = settings.before_s + late_s + _MARGIN_S
        self._ring = PacketRing(self._needed_s, round(settings.memory_mb * 1e6), self._changed, self._short)
        # Under the lock of the condition.
        self._orders: list[Callable[[], None]] = []
        self._told: set[str] = set()
        self._closing = False
        # Main thread.
        self._live = True
        self._passthrough: Passthrough | None = None
        # The thread of the clips.
        self._source: ClipSource | None = None
        self._sound = Sound()
        self._clips: dict[str, Clip] = {}
        self._failing = False
        self._thread = Thread("clips", self._run)
        self._thread.start()

    @property
    def peak_bytes(self) -> int:
        """The most memory of its video packets so far. Any thread."""
        return self._ring.peak_bytes

    # the thread that reads the camera

    def stream_opened(self, number: int, stream: VideoStream) -> Callable[[Packet[VideoStream]], None] | None:
        """See `streamer.flow.observers.RunObserver`."""
        opened, codec = RingStream.of(number, stream), stream.codec_context.name
        if codec not in _IN_BROWSERS and all(opened.size) and not check_stream("mp4", opened.description, ()).holds:
            self._tell_once(f"its events have no clips: MP4 cannot hold its video ({codec}); set it to H.264")
            return None
        if codec not in _IN_BROWSERS:
            self._tell_once(f"browsers cannot play clips of its video ({codec}); VLC and FFmpeg can")
        return PacketFeed(self._ring, opened)

    # main thread

    def source_opened(self, info: StreamInfo, *, live: bool) -> None:
        """See `streamer.flow.observers.RunObserver`."""
        self._live = live
        if not info.live:
            self._ring.wait_for_room()
        source = ClipSource(
            self._camera,
            self._folder,
            self._settings,
            self._ring,
            self._boxes,
            info.time_base,
            info.average_fps,
            lambda line: log.info("%s: %s", self._camera, line),
        )
        self._order(lambda: self._use(source))

    def passthrough_opened(self, passthrough: Passthrough) -> None:
        """See `streamer.flow.observers.RunObserver`."""
        self._passthrough = passthrough
        sound = Sound(passthrough)
        self._order(lambda: self._hear(sound))

    # capture thread

    def frame_captured(self, frame: Frame) -> None:
        """See `streamer.flow.observers.RunObserver`."""
        self._ring.place(frame)

    # display thread

    def scene_shown(self, scene: Scene) -> None:
        """See `streamer.flow.observers.RunObserver`."""
        if self._ring.has_packets:
            self._boxes.add(scene)
        self._ring.show(scene.frame.pts * scene.frame.time_base)

    def start(self, event_id: str, time_s: float, start_time: float) -> None:
        """An event starts, on the scene that was shown last.

        Args:
            event_id: its id.
            time_s: media time of its start, seconds.
            start_time: the same, seconds since 1970.
        """
        if not self._ring.has_packets:
            with self._changed:
                told = bool(self._told)
            if not told:
                self._tell_once("its events have no clips: it sends pictures, not encoded video")
            return
        self._ring.pin(event_id)
        self._order(lambda: self._begin(event_id, exact(time_s), start_time))

    def end(self, event_id: str, time_s: float) -> None:
        """An event ends.

        Args:
            event_id: its id; ignored if it has no clip.
            time_s: media time of its end, seconds.
        """
        self._order(lambda: self._end(event_id, exact(time_s)))

    def close(self) -> None:
        """The run ends: complete the clips with the packets that there are. Closing twice is allowed.

        Called while the source is still open; else the last audio is missing.
        """
        with self._changed:
            if self._closing:
                return
        self._ring.close()
        if self._passthrough is not None and (shown := self._ring.shown) is not None:
            self._passthrough.read_to(shown)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_LIVE_END_S if self._live else _END_S)
        if self._thread.is_alive():
            log.warning("%s: the disk did not take the last clips in time; the next start finishes them", self._camera)

    # any thread

    def _order(self, order: Callable[[], None]) -> None:
        with self._changed:
            self._orders.append(order)
            self._changed.notify_all()

    def _tell_once(self, line: str) -> None:
        with self._changed:
            known = line in self._told
            self._told.add(line)
        if not known:
            log.warning("%s: %s", self._camera, line)

    def _short(self, held_s: float) -> None:
        log.warning(
            "%s: events.clip.memory_mb=%g holds %.1f s of its video, and events.clip.before_s with the delay of the "
            "rules needs %.1f s: clips may begin later; raise events.clip.memory_mb",
            self._camera,
            self._settings.memory_mb,
            held_s,
            self._needed_s,
        )

    # the thread of the clips

    def _run(self) -> None:
        leftovers = Leftovers(self._camera, self._folder, self._finished)
        leftovers.begin()
        try:
            self._work_all()
        finally:
            leftovers.close()

    def _work_all(self) -> None:
        while True:
            with self._changed:
                if not self._orders and not self._closing:
                    self._changed.wait(self._wait_s())
                orders, self._orders = self._orders, []
                closing = self._closing
            for order in orders:
                order()
            self._sound.collect()
            for clip in list(self._clips.values()):
                self._work(clip, final=closing)
            self._forget()
            if closing:
                self._sound.close()
                return

    def _wait_s(self) -> float | None:
        """Until the first clip has to end without further frames; None if there is no clip."""
        ends = [float(clip.until) for clip in self._clips.values()]
        return max(min(ends) + _LATE_S - self._ring.now_s, 0.05) if ends else None

    def _work(self, clip: Clip, *, final: bool) -> None:
        late = self._ring.now_s > float(clip.until) + _LATE_S
        try:
            if not clip.write(self._ring.shown or Fraction(0), final=final or late):
                return
            finished = clip.finish()
        except (StreamerError, OSError, ValueError, FFmpegError) as error:
            self._drop(clip, reason(error))
            return
        except Exception as error:  # a bug in one clip must not end the others, nor hold their packets
            log.exception("%s: an error of the program", self._camera)
            self._drop(clip, f"{type(error).__name__}: {error}")
            return
        self._remove(clip)
        if finished is not None:
            self._failing = False
            self._stats.count("clip", "written")
            self._finished(finished)

    def _drop(self, clip: Clip, why: str) -> None:
        self._stats.count("clip", "dropped")
        if not self._failing:
            log.warning("%s: the clip of event %s is dropped: %s", self._camera, clip.event_id, why)
        self._failing = True
        self._remove(clip)

    def _use(self, source: ClipSource) -> None:
        self._source = source

    def _hear(self, sound: Sound) -> None:
        self._sound = sound

    def _begin(self, event_id: str, time: Fraction, start_time: float) -> None:
        assert self._source is not None  # scenes are shown after the source was opened
        self._clips[event_id] = Clip(event_id, time, start_time, self._source, self._sound)

    def _end(self, event_id: str, time: Fraction) -> None:
        if event_id in self._clips:
            self._clips[event_id].end(time)

    def _remove(self, clip: Clip) -> None:
        self._clips.pop(clip.event_id).close()

    def _forget(self) -> None:
        """Drop what no clip needs, and tell the memory."""
        oldest = self._ring.oldest
        if oldest is not None:
            self._sound.forget_before(oldest)
            self._boxes.forget_before(oldest)
        self._stats.gauge("clip_memory_bytes", "", self._ring.bytes + self._sound.bytes)
