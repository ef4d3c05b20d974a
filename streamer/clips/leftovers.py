"""Finishes the clips that the program before was writing when it ended or was killed.

The thread of the clips begins it, another one does it.

A hidden clip can be read up to its last half second (`streamer.sinks.muxing.crash_safe`), and its boxes up to their
last whole line.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av

from streamer.clips.clip import FinishedClip
from streamer.clips.clip_file import MUXER_OPTIONS, measured
from streamer.clips.event_files import BOXES, CLIP, camera_folder, event_file
from streamer.errors import StreamerError
from streamer.sinks.video.recovery import Recovery
from streamer.sinks.video.segment_names import partial_stem
from streamer.system.partial_file import PartialFile

log = logging.getLogger(__name__)

NOTE = "the next start of the program has finished it"
_FORGOTTEN_S = 3600.0
"""Boxes without a clip are removed when they are older."""


class Leftovers:
    """The unfinished clips of one camera.

    Args:
        camera: its name.
        folder: of the store.
        finished: called by the recovering thread for each clip.
    """

    def __init__(self, camera: str, folder: Path, finished: Callable[[FinishedClip], None]) -> None:
        self._camera, self._folder, self._finished = camera, folder, finished
        self._recovery = Recovery(f"{camera}: clips", self._partials, MUXER_OPTIONS, recovered=self._recovered)

    def begin(self) -> None:
        """Look for unfinished clips, and begin to finish them."""
        self._recovery.begin()
        for path in self._hidden(".json"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                    path.unlink()

    def close(self) -> None:
        """Wait a short time for the current clip; the next start finishes the others."""
        self._recovery.close()

    def _partials(self) -> Iterator[Path]:
        return self._hidden(CLIP)

    def _hidden(self, suffix: str) -> Iterator[Path]:
        for path in (self._folder / camera_folder(self._camera)).glob(f"*/.*.partial{suffix}"):
            if partial_stem(path) is not None:
                yield path

    def _recovered(self, path: Path, lasted_s: float) -> None:
        event_id = path.stem
        try:
            written = measured(path)
            start_time = path.stat().st_mtime - lasted_s
        except (OSError, av.error.FFmpegError) as error:
            log.warning("%s: cannot read the recovered clip %s: %s", self._camera, path, error)
            return
        boxes, size = "", written.bytes
        facts = self._finish_boxes(path, written.duration_s)
        if facts:
            start_time = float(facts["start_time"])
            boxes = event_file(self._camera, event_id, BOXES)
            size += (self._folder / boxes).stat().st_size
        clip = path.relative_to(self._folder).as_posix()
        self._finished(FinishedClip(event_id, clip, boxes, start_time, written.duration_s, size, NOTE))

    def _finish_boxes(self, clip: Path, duration_s: float) -> dict[str, Any]:
        """Complete the boxes beside a clip. Returns what they say about it; empty if there are none."""
        final = clip.with_name(clip.stem + BOXES)
        try:
            if final.exists():
                return dict(json.loads(final.read_text(encoding="utf-8")))
            found = [path for path in clip.parent.glob(f".{clip.stem}.boxes.*.partial.json") if partial_stem(path)]
            if not found:
                return {}
            whole = found[0].read_text(encoding="utf-8").rpartition("\n")[0].removesuffix(",")
            text = f'{whole}\n],"duration_s":{duration_s}}}\n'
            facts = dict(json.loads(text))
            PartialFile(final).complete(text)
            found[0].unlink()
        except (OSError, ValueError, StreamerError) as error:
            log.warning("%s: cannot recover the boxes of %s: %s", self._camera, clip, error)
            return {}
        return facts
