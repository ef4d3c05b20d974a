"""Scenes of moving boxes for the tests of rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import av
import numpy as np

from streamer.analytics.rules import Rules
from streamer.config.analytics import AnalyticsSettings
from streamer.config.section import validated
from streamer.values.events import Event, Watched
from tests.render.scenes import scene, tracks
from tracking.types import Origin

SIZE = (640, 360)
PICTURE = av.VideoFrame(*SIZE, "yuv420p")
BOX_PX = (40.0, 60.0)

Box = tuple[float, float, float, float]


def box_at(x: float, y: float, size: tuple[float, float] = BOX_PX) -> Box:
    """A box whose lower edge has its middle at x, y."""
    return x - size[0] / 2, y - size[1], x + size[0] / 2, y


def rules(**settings: object) -> Rules:
    return Rules(validated(AnalyticsSettings, settings), "gate.mp4")


class Run:
    """Feeds rules with frames and keeps the events."""

    def __init__(self, under_test: Rules) -> None:
        self._rules = under_test
        self.events: list[Event] = []
        self.watched = Watched()

    def show(
        self,
        time_s: float,
        boxes: Mapping[int, Box],
        *,
        labels: Mapping[int, int] | None = None,
        scores: Mapping[int, float] | None = None,
        velocities: Mapping[int, tuple[float, float]] | None = None,
        predicted: Collection[int] = (),
        segment: int = 0,
        wall_clock_s: float | None = None,
    ) -> None:
        """One frame with boxes by track id; those in `predicted` are not detected on it."""
        rows = [(labels or {}).get(track, 0) for track in boxes]
        sure = [(scores or {}).get(track, 0.87) for track in boxes]
        shown = tracks(list(boxes.values()), ids=list(boxes), labels=rows, scores=sure)
        origin = [Origin.PREDICTED if track in predicted else Origin.DETECTED for track in boxes]
        speeds = np.array([(velocities or {}).get(track, (0, 0)) for track in boxes], np.float32).reshape(-1, 2)
        shown = replace(shown, origin=np.array(origin, np.uint8), velocities=speeds)
        one = scene(PICTURE, shown, time_s=time_s, segment=segment)
        frame = replace(one.frame, arrival_wall_clock_s=wall_clock_s)
        self.watched = self._rules(replace(one, frame=frame)).watched
        self.events += self.watched.events

    def finish(self) -> None:
        """The run ends."""
        last = self._rules.finish()
        if last is not None:
            self.watched = last.watched
            self.events += last.watched.events

    def walk(self, path: Iterable[tuple[float, float] | None], *, fps: float = 25.0, start_s: float = 0.0) -> None:
        """One track along these points; on None it is not shown."""
        for index, point in enumerate(path):
            self.show(start_s + index / fps, {} if point is None else {1: box_at(*point)})

    @property
    def kinds(self) -> Sequence[str]:
        return [str(event.kind) for event in self.events]

    @property
    def directions(self) -> Sequence[str]:
        return [str(event.direction) for event in self.events]
