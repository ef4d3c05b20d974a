"""Clips of 200 events on an RTSP camera: do they hold the moment, where do they begin, and were they copied exactly?

    python -m benchmarks.event_clips [--events N] [--json FILE]

The scripted RTSP camera of the fault lab sends H.264 whose pictures have their numbers burned in. Each round is one run
of the real source and pipeline with 20 events: five within a second of its start, five later, five that last while the
camera is killed (SIGKILL) and started again, and five in the second after its return. An event is a moment or lasts up
to 2.5 s, so that up to ten clips overlap. Then each clip is decoded:

* moment: the picture that was shown when the event started is in the clip, at the time that clip and event say.
* start: the pictures before the asked time, which is the start of the event minus `before_s`. More than one group of
  pictures is too many; none is right only if the run has no earlier picture.
* length: the reported one is that of the file to a millisecond, and the end of its last picture to one interval.
* copied: every NAL unit of the clip is one that the camera sent, byte by byte.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clips import machine
from streamer.clips.clip import FinishedClip
from streamer.clips.clip_recorder import ClipRecorder
from streamer.config.events import ClipSettings
from streamer.config.source import SourceSettings
from streamer.interfaces import Scene
from tests.event_clips.clip_runs import CLOCK, ClipRun, Moment, begin, duration_s, payloads, pictures
from tests.event_clips.nal_units import annex_b_units, length_prefixed_units
from tests.faults import counter
from tests.faults.camera import Camera

EACH_ROUND = 20
GROUP = 25
"""Pictures from one keyframe to the next."""
SETTINGS = ClipSettings(before_s=2, after_s=1, memory_mb=8)
INTERVAL_S = 0.04
_TOLERANCE_S = 0.001
_ROUNDING_S = 1e-5
"""Of seconds since 1970 as a float, with room."""


@dataclass
class Round:
    """The events of one run, and what they last for: number of shown frames.

    Attributes:
        moments: events so far, with their kind.
        lasting: events that are open, by the index of the frame on which they end.
        back: index of the first frame after the reconnection; None before it.
    """

    camera: Camera
    moments: list[tuple[str, Moment]] = field(default_factory=list)
    lasting: list[tuple[int, str]] = field(default_factory=list)
    back: int | None = None
    shown: int = 0

    def __call__(self, scene: Scene, clips: ClipRecorder) -> bool:
        """Start and end events on a scene; returns whether the round is over."""
        at, self.shown = self.shown, self.shown + 1
        if self.back is None and scene.frame.segment > 0:
            self.back = at
        if at in (2, 6, 11, 15, 20):
            self._start("within 1 s of the start", scene, clips, lasts=at * 3)
        elif at in (60, 61, 62, 75, 76):
            self._start("later", scene, clips, lasts=at % 3 * 20)
        elif at in (90, 91, 95, 99, 104):
            self._start("across a reconnection", scene, clips, lasts=40)
        elif at == 106:
            self.camera.kill()
            self.camera.start()
        elif self.back is not None and at - self.back in (1, 2, 7, 13, 22):
            self._start("after a reconnection", scene, clips, lasts=at % 2 * 20)
        for end, event_id in [one for one in self.lasting if one[0] <= at]:
            clips.end(event_id, scene.frame.time_s)
            self.lasting.remove((end, event_id))
        return self.back is not None and at - self.back > 90

    def _start(self, kind: str, scene: Scene, clips: ClipRecorder, lasts: int) -> None:
        moment = begin(clips, scene, counter.read_number(scene.frame.picture))
        self.moments.append((kind, moment))
        self.lasting.append((self.shown - 1 + lasts, moment.id))


def judge(kind: str, moment: Moment, clip: FinishedClip | None, folder: Path, sent: set[bytes]) -> dict[str, Any]:
    """What is true of the clip of an event."""
    if clip is None:
        return {"kind": kind, "clip": False, "moment": False, "start": False, "length": False, "foreign_units": 0}
    path = folder / clip.clip
    shown = pictures(path)
    numbers = {counter.read_number(one.picture): one.time_s for one in shown}
    at_s = moment.time_s + CLOCK - clip.start_time
    found = numbers.get(moment.number)
    asked_s = at_s - SETTINGS.before_s
    early = sum(one.time_s <= asked_s + _ROUNDING_S for one in shown)
    first = clip.start_time - CLOCK
    end_s = shown[-1].time_s + INTERVAL_S
    units = [unit for packet in payloads(path) for unit in length_prefixed_units(packet)]
    return {
        "kind": kind,
        "clip": True,
        "moment": found is not None and abs(found - at_s) <= _TOLERANCE_S,
        "early": early,
        "start": 1 <= early <= GROUP or (early == 0 and abs(first) <= _TOLERANCE_S),
        "length": abs(clip.duration_s - duration_s(path)) <= _TOLERANCE_S
        and abs(clip.duration_s - end_s) <= INTERVAL_S,
        "duration_s": clip.duration_s,
        "pictures": len(shown),
        "foreign_units": sum(unit not in sent for unit in units),
        "units": len(units),
    }


def play(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """One round: the judgements, and the most memory of the ring, bytes."""
    with Camera() as camera:
        run = ClipRun(camera.url, folder, SETTINGS, SourceSettings(first_wait_s=0.2))
        events = Round(camera)
        run.run(events)
    assert run.observer is not None
    made = {clip.event_id: clip for clip in run.clips_made}
    sent = {unit for packet in run.observer.payloads for unit in annex_b_units(packet)}
    sizes = [judge(kind, moment, made.get(moment.id), folder, sent) for kind, moment in events.moments]
    return sizes, run.clips.peak_bytes


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    began_s, load = time.monotonic(), os.getloadavg()[0]
    rows: list[dict[str, Any]] = []
    peak = 0
    with tempfile.TemporaryDirectory(prefix="event-clips-") as folder:
        while len(rows) < options.events:
            judged, most = play(Path(folder) / str(len(rows)))
            rows, peak = rows + judged, max(peak, most)
            print(f"{len(rows)} events, {time.monotonic() - began_s:.0f} s", flush=True)
    show(rows, peak)
    if options.json is not None:
        facts = {"events": rows, "peak_bytes": peak, "load_average": load, "machine": machine()}
        options.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def show(rows: list[dict[str, Any]], peak: int) -> None:
    """Print the result."""
    print(f"\n{'event':26}{'events':>8}{'moment':>8}{'start':>8}{'length':>8}")
    for kind, count in Counter(row["kind"] for row in rows).items():
        good = [sum(row[what] for row in rows if row["kind"] == kind) for what in ("moment", "start", "length")]
        print(f"{kind:26}{count:8}" + "".join(f"{number:8}" for number in good))
    clips = [row for row in rows if row["clip"]]
    early = [row["early"] for row in clips]
    units, foreign = (sum(row[what] for row in clips) for what in ("units", "foreign_units"))
    print(f"pictures up to the asked start: {min(early)} to {max(early)}, of {GROUP} in a group")
    print(f"NAL units in the clips: {units}, of which the camera did not send: {foreign}")
    print(f"memory of the ring: at most {peak / 1e6:.2f} MB, limit {SETTINGS.memory_mb:g} MB")


if __name__ == "__main__":
    main()
