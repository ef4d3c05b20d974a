"""Boxes on the screens of streams that share one detector: expected gain against each stream in turn.

    python -m benchmarks.shared_detector FOLDER --busy A,B [--equal] [--streams 8] [--seconds 30] [--quiet held|empty]
        [--latency 0.05,0.1,0.2] [--orders 2] [--max-age S]

FOLDER holds sequences in MOT Challenge layout. The busy streams play those of `--busy` forwards and backwards; the
others are the next sequences of the folder with little motion: one frame is held, and for 3 to 5 s the sequence plays.
With `--quiet empty` nothing is in view while it does not play. With `--equal` all streams are those of `--busy`. Each
run is repeated with the streams in other orders, because a score also depends on which frames happen to be detected.
Goal with 2 busy streams of 8: mean F1 of the busy ones 5 points higher, no quiet one lower by more than 1, no wait
above the bound. With `--equal`: the mean not lower by more than 0.5. The result does not depend on the machine.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence as Many
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from streamer.config.settings import TrackerSettings
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequence_source import SequenceSource
from streamer.evaluation.sequences import Sequence
from streamer.evaluation.streaming.evaluate import Task
from streamer.evaluation.streaming.evaluate_shared import SharedTask, StreamResult, evaluate_shared, read_streams

Pictures = list[npt.NDArray[np.uint8]]
Order = list[int | None]
"""For each frame of a stream, the frame of its sequence, from 0; None for an empty scene."""

NOISE_LEVELS = 3  # held frames of a camera differ


def busy_order(sequence: Sequence, seconds: float) -> Order:
    """Forwards and backwards, over and over."""
    whole = [*range(sequence.frames), *range(sequence.frames - 2, 0, -1)]
    return [whole[at % len(whole)] for at in range(round(seconds * sequence.fps))]


def quiet_order(sequence: Sequence, seconds: float, place: int, *, empty: bool) -> Order:
    """A few seconds of the middle of the sequence, at another time in each stream."""
    count = round(seconds * sequence.fps)
    moving = min(round((3 + place % 3) * sequence.fps), sequence.frames - 1, count)
    first, before = (sequence.frames - moving) // 2, round((count - moving) * (0.2 + 0.1 * (place % 6)))
    last = first + moving - 1
    held: tuple[int | None, int | None] = (None, None) if empty else (first, last)
    return [*[held[0]] * before, *range(first, last + 1), *[held[1]] * (count - moving - before)]


def write(sequence: Sequence, order: Order, folder: Path) -> Path:
    """A sequence whose frames are those of another one in this order."""
    for name in ("gt", "det"):
        (folder / name).mkdir(parents=True)
    truth, found = sequence.folder / "gt" / "gt.txt", sequence.detections_path()
    for source, target in ((truth, folder / "gt" / truth.name), (found, folder / "det" / found.name)):
        rows = defaultdict(list)
        for line in source.read_text().splitlines():
            frame, _, rest = line.partition(",")
            if rest:
                rows[int(float(frame)) - 1].append(rest)
        lines = (
            f"{at},{rest}\n"
            for at, frame in enumerate(order, 1)
            for rest in rows.get(-1 if frame is None else frame, ())
        )
        target.write_text("".join(lines))
    settings = re.sub(r"(?m)^(seqLength=.*|benchmark=.*)$", "", (sequence.folder / "seqinfo.ini").read_text())
    (folder / "seqinfo.ini").write_text(f"{settings}\nseqLength={len(order)}\nbenchmark={sequence.benchmark}\n")
    frames = find_frames(sequence)
    if frames is not None:
        with SequenceSource(sequence, sequence.fps, frames) as source_frames:
            pictures = [frame.rgb() for frame in source_frames]
        write_video(pictures, order, sequence, folder / "video.mp4")
    return folder


def write_video(pictures: Pictures, order: Order, sequence: Sequence, path: Path) -> None:
    """The pictures in this order; the median of all is the empty scene."""
    random, empty = np.random.default_rng(0), np.median(np.stack(pictures[::8]), axis=0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=sequence.fps, options={"crf": "20", "preset": "veryfast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in order:
            picture = empty if frame is None else pictures[frame]
            noisy = picture + random.integers(-NOISE_LEVELS, NOISE_LEVELS + 1, picture.shape)
            native = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(native))
        container.mux(stream.encode())


def build(options: argparse.Namespace, folder: Path) -> list[Path]:
    """The folders of all streams, the busy ones first."""
    busy = [Sequence.read(options.folder / name) for name in options.busy.split(",")]
    if options.equal:
        chosen = [busy[at % len(busy)] for at in range(options.streams)]
        written = {one.name: write(one, busy_order(one, options.seconds), folder / one.name) for one in busy}
        return [written[one.name] for one in chosen]
    names = sorted(path.parent.name for path in options.folder.glob("*/seqinfo.ini"))
    others = [Sequence.read(options.folder / name) for name in names if name not in {one.name for one in busy}]
    built = [write(one, busy_order(one, options.seconds), folder / f"busy {one.name}") for one in busy]
    for place in range(options.streams - len(busy)):
        one = others[place % len(others)]
        order = quiet_order(one, options.seconds, place, empty=options.quiet == "empty")
        built.append(write(one, order, folder / f"quiet {place + 1} {one.name}"))
    return built


def rows(folders: Many[Path], latency: str, order: int, max_age_s: float | None) -> dict[str, list[StreamResult]]:
    """The results of both policies, in the order of the folders."""
    count = len(folders)
    turned = [(at * (1 if order == 0 else 3 if count % 3 else 5) + order) % count for at in range(count)]
    turned = turned if len(set(turned)) == count else list(range(count))
    task = Task((latency,), ("now",), TrackerSettings().name)
    results = evaluate_shared(
        read_streams([folders[at] for at in turned]), SharedTask(task, ("gain", "round_robin"), max_age_s)
    )
    return {result.policy: [result.streams[turned.index(at)] for at in range(count)] for result in results}


def report(folders: Many[Path], busy: int, latency: str, options: argparse.Namespace) -> None:
    """Print the means of all orders, stream by stream."""
    runs = [rows(folders, latency, order, options.max_age) for order in range(options.orders)]
    print(f"\nlatency {latency} s, F1 in percent      round_robin    gain      change  detections  longest wait s")
    changes = []
    for at, folder in enumerate(folders):
        gain, other = ([run[policy][at] for run in runs] for policy in ("gain", "round_robin"))
        one, two = (float(np.mean([each.scores.f1 for each in both])) for both in (other, gain))
        changes.append(two - one)
        found = "/".join(f"{np.mean([each.detections for each in both]):.0f}" for both in (other, gain))
        wait_s = max(each.longest_wait_s for each in gain)
        print(f"{folder.name:36s} {one:11.1f} {two:7.1f} {two - one:+11.1f} {found:>11s} {wait_s:15.2f}")
    if options.equal:
        print(f"all: {np.mean(changes):+.1f}, the worst {min(changes):+.1f}")
    else:
        print(
            f"busy: {np.mean(changes[:busy]):+.1f}; the worst of the quiet ones {min(changes[busy:]):+.1f}", flush=True
        )


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--busy", required=True, help="names of sequences in FOLDER, separated by commas")
    parser.add_argument("--equal", action="store_true")
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--quiet", choices=("held", "empty"), default="held")
    parser.add_argument("--latency", default="0.05,0.1,0.2")
    parser.add_argument("--orders", type=int, default=2)
    parser.add_argument("--max-age", type=float)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        folders = build(options, Path(folder))
        for latency in options.latency.split(","):
            report(folders, len(options.busy.split(",")), latency, options)


if __name__ == "__main__":
    main()
