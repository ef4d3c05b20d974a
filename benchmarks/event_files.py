"""What snapshots and annotated clips cost a run.

    python -m benchmarks.event_files [--seconds S] [--rounds N]

First the time that the display thread spends on snapshots for a frame of 1280x720, with 1, 5 and 20 events: once with
boxes that stay, once with boxes that grow on every frame, so that each is a new best picture. Then a live run with the
starter model at 25 frames/s, alternately alone and while a clip is annotated all the time: age of the shown frames, and
frames that were dropped. The two are measured side by side, round by round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np

import streamer
from benchmarks.clips import HD_CLIP, looped, machine
from benchmarks.lines import scene_of
from streamer.cli.commands import packaged_clip
from streamer.clips.annotated.clips import AnnotatedClips, Order
from streamer.clips.snapshots import Snapshots
from streamer.config.events import SnapshotSettings
from streamer.store.ids import new_id
from streamer.store.records import EventRecord
from streamer.values.events import EventKind
from streamer.values.states import FrameState

FRAMES, FPS = 200, 25
FOLDER = "gate"


def snapshot_ms(pictures: list[av.VideoFrame], events: int, *, grow: bool) -> list[float]:
    """The time of each frame on the display thread, ms."""
    took_ms = []
    with tempfile.TemporaryDirectory() as folder:
        snapshots = Snapshots("gate", SnapshotSettings(), Path(folder), lambda _: None)
        for number in range(FRAMES):
            side = 100 + (number if grow else 0)
            left = np.linspace(10, 1280 - 320, events)
            boxes = np.stack((left, left * 0 + 200, left + side, left * 0 + 200 + 1.5 * side), axis=1)
            scene = scene_of(boxes.astype(np.float32), number)
            scene = replace(scene, frame=replace(scene.frame, picture=pictures[number % len(pictures)]))
            began_s = time.perf_counter()
            snapshots.scene_shown(scene)
            took_ms.append((time.perf_counter() - began_s) * 1e3)
            if number == 0:
                for track in range(1, events + 1):
                    snapshots.start(EventRecord(new_id(), "gate", "zone", EventKind.ENTER, 0.0, 0.0, track))
        snapshots.close()
    return took_ms[1:]


def live_run(clip: Path, seconds: float) -> dict[str, float]:
    """Age of the shown frames in ms, and the dropped frames."""
    scenes = streamer.open(clip, detector="starter", settings={"source.live": True}, draw=True)
    with scenes:
        began_s = time.monotonic()
        for _ in scenes:
            if time.monotonic() - began_s > seconds:
                break
    stats = scenes.stats
    shown = stats.ages["shown"]
    return {
        "p50_ms": shown.percentile_s(50) * 1e3,
        "p95_ms": shown.percentile_s(95) * 1e3,
        "detections": stats.ledger.count(FrameState.DETECTED),
        "dropped": stats.ledger.count(FrameState.DROPPED),
    }


def annotated_runs(seconds: float, rounds: int) -> dict[str, Any]:
    """A live run alone, and beside clips that are annotated one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder, alone, beside = Path(name), [], []
        clip, made = looped(folder / "run.mp4", 1 + round(seconds * FPS / 132)), []
        (folder / "clip.mp4").write_bytes(packaged_clip(HD_CLIP).read_bytes())
        track = {"id": 1, "label": "Car", "score": 0.9, "box": [0.3, 0.3, 0.6, 0.7]}
        rows = [{"time_s": number / FPS, "tracks": [track]} for number in range(132)]
        (folder / "clip.boxes.json").write_text(json.dumps({"frames": rows}))
        for number in range(rounds):
            alone.append(live_run(clip, seconds))
            with AnnotatedClips(folder, lambda order, _: made.append(order)) as annotated:
                for copy in range(50):
                    annotated.put(Order(f"{number}-{copy}", "clip.mp4", "clip.boxes.json", f"{number}-{copy}.mp4"))
                beside.append(live_run(clip, seconds))
    medians = [{key: statistics.median(run[key] for run in runs) for key in alone[0]} for runs in (alone, beside)]
    return {"alone": medians[0], "beside": medians[1], "clip_s_per_s": len(made) * 132 / FPS / (rounds * seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each live run")
    parser.add_argument("--rounds", type=int, default=3, help="live runs of each kind")
    options = parser.parse_args()
    print(machine())
    with av.open(str(packaged_clip(HD_CLIP))) as source:
        pictures = [frame for frame, _ in zip(source.decode(video=0), range(50), strict=False)]
    print("snapshots, display thread, ms a frame: p50 / p95")
    for events in (1, 5, 20):
        for grow in (False, True):
            p50, p95 = np.percentile(snapshot_ms(pictures, events, grow=grow), (50, 95))
            print(f"  {events:2} events, boxes {'grow' if grow else 'stay'}: {p50:.3f} / {p95:.3f}")
    found = annotated_runs(options.seconds, options.rounds)
    print("a live run at 25 frames/s, age of shown frames p50 / p95, detections, dropped frames")
    for name, text in (("alone", "alone"), ("beside", "while clips are annotated")):
        run = found[name]
        figures = f"{run['p50_ms']:.1f} / {run['p95_ms']:.1f} ms, {run['detections']:.0f}, {run['dropped']:.0f}"
        print(f"  {text:26} {figures}")
    print(f"  annotated in that time: {found['clip_s_per_s']:.2f} s of clips a second")


if __name__ == "__main__":
    main()
