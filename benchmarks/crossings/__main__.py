"""Counts of lines and zones on real videos, against what was counted by eye, beside other counters.

    python -m benchmarks.crossings --data DIR [NAME ...] [--paces HZ,...]

DIR has `clips/` and `tracking/<sequence>/`; `truth/*.yaml` here has the lines, the zones and what was counted by eye,
and how. The pipeline runs with its default settings on all frames, with 10, 5, 2 and 1 detections a second. The other
counters get the tracks of every frame that Streamer shows: `LineZone` of the package `supervision`, if it is installed,
as it is by default (four corners) and for the bottom centre (`sv. bottom`), and one that works as Ultralytics describes
its ObjectCounter (`centre step`). A `*` marks a count that is off by more than 1. The exit status is 1 if one of
Streamer is, with the first detector of a video. The result does not depend on the machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.crossings.counting import PACES_FPS, Counted, Counts, count, recorded_detector
from benchmarks.crossings.truth_files import Truth, read_all


def is_off(counts: Counts, true: Counts) -> bool:
    """Whether a direction is wrong by more than 1."""
    return max(abs(one - other) for one, other in zip(counts, true, strict=True)) > 1


def print_lines(truth: Truth, counted: dict[float, Counted]) -> bool:
    """One table row for each line and pace; whether Streamer is within 1 everywhere."""
    others = list(next(iter(counted.values())).others)
    print(f"  {'line':10}{'pace':>6}{'by eye':>9}{'Streamer':>11}" + "".join(f"{name:>14}" for name in others))
    right = True
    for line in truth.lines:
        for pace, run in counted.items():
            ours = run.lines[line.name]
            right &= not is_off(ours, line.counts)
            cells = [_cell(run.others[name][line.name], line.counts) for name in others]
            print(
                f"  {line.name:10}{pace:>3g} Hz{line.counts[0]:>6}/{line.counts[1]:<2}{_cell(ours, line.counts):>11}"
                + "".join(f"{cell:>14}" for cell in cells)
            )
    return right


def print_zones(truth: Truth, counted: dict[float, Counted], fps: float) -> None:
    """The seconds of each stay, by zone and pace."""
    for zone in truth.zones:
        true = [(end - begin) / fps for begin, end in (stay.frames for stay in zone.stays)]
        print(f"  zone {zone.name}: seconds inside")
        print(f"    {'by eye':8}" + "".join(f"{inside_s:7.1f}" for inside_s in true))
        for pace, run in counted.items():
            stays = "".join(f"{stay.inside_s:7.1f}" for stay in run.zones[zone.name])
            print(f"    {pace:>3g} Hz  {stays}")


def _cell(counts: Counts, true: Counts) -> str:
    return f"{counts[0]}/{counts[1]}" + ("*" if is_off(counts, true) else " ")


def main() -> int:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("names", nargs="*", help="videos or sequences; all if empty")
    parser.add_argument("--paces", default=",".join(map(str, PACES_FPS)), help="detections a second")
    options = parser.parse_args()
    paces = [float(pace) for pace in options.paces.split(",")]
    right = True
    for truth in read_all(options.data):
        if options.names and truth.name not in options.names:
            continue
        for at, detecting in enumerate(truth.detectors):
            detector = recorded_detector(truth, detecting, options.data)
            counted = {pace: count(truth, detector, options.data, pace) for pace in paces}
            classes = f" ({', '.join(detecting.classes)})" if detecting.classes else ""
            print(f"\n{truth.name}, {Path(detecting.name).name}{classes}; in/out")
            within_one = print_lines(truth, counted)
            print_zones(truth, counted, truth.fps)
            right &= within_one or at > 0
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
