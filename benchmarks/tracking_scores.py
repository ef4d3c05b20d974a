"""How well the tracker keeps identities: HOTA, MOTA, IDF1 and switches on MOT Challenge sequences, by TrackEval.

    python -m benchmarks.tracking_scores --data DIR [--det NAME] [--tracker NAME] [--tracks OUT_DIR] [SEQUENCE ...]

DIR holds `<sequence>/seqinfo.ini`, `<sequence>/gt/gt.txt` and `<sequence>/det/*.txt`. Detections are read from `--det`,
or `det.txt`, or else `det_sim.txt`; the tracker has its defaults. Needs the extra `eval`.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import io
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from streamer.catalog import TRACKERS, load
from streamer.mot import track_file

DETECTION_FILES = ("det.txt", "det_sim.txt")
TRACKER_FOLDER = "tracker"


@dataclass(frozen=True, slots=True)
class Sequence:
    """What `seqinfo.ini` says of a sequence."""

    folder: Path
    fps: Fraction
    frames: int
    size: tuple[int, int]
    benchmark: str

    @classmethod
    def read(cls, folder: Path) -> Sequence:
        parser = configparser.ConfigParser()
        parser.read(folder / "seqinfo.ini")
        info = parser["Sequence"]
        size = (int(info["imWidth"]), int(info["imHeight"]))
        return cls(folder, Fraction(info["frameRate"]), int(info["seqLength"]), size, info.get("benchmark", "MOT15"))

    def detections(self, name: str | None) -> Path:
        """The file `name`, or the first of the usual ones that is there."""
        names = (name, *DETECTION_FILES) if name else DETECTION_FILES
        found = [self.folder / "det" / each for each in names if (self.folder / "det" / each).exists()]
        if not found:
            raise SystemExit(f"{self.folder.name}: none of {', '.join(names)} in det/")
        return found[0]


def evaluate(sequences: list[Sequence], tracks: Path, data: Path) -> dict[str, dict[str, float]]:
    """Scores of each sequence of one benchmark, and of all together under `pooled`; tracks are `<sequence>.txt`."""
    for name, kind in (("float", float), ("int", int), ("bool", bool)):
        if name not in vars(np):  # TrackEval 1.3 uses names that NumPy 1.24 removed
            setattr(np, name, kind)
    import trackeval

    benchmark = sequences[0].benchmark
    with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(temporary) / TRACKER_FOLDER / "data"
        folder.mkdir(parents=True)
        for sequence in sequences:
            shutil.copy(tracks / f"{sequence.folder.name}.txt", folder)
        dataset = trackeval.datasets.MotChallenge2DBox(
            {
                "GT_FOLDER": str(data),
                "TRACKERS_FOLDER": temporary,
                "OUTPUT_FOLDER": temporary,
                "TRACKERS_TO_EVAL": [TRACKER_FOLDER],
                "BENCHMARK": benchmark,
                "SKIP_SPLIT_FOL": True,
                "SEQ_INFO": {sequence.folder.name: sequence.frames for sequence in sequences},
                "PRINT_CONFIG": False,
            }
        )
        evaluator = trackeval.Evaluator(
            {"PRINT_RESULTS": False, "PRINT_CONFIG": False, "TIME_PROGRESS": False, "OUTPUT_SUMMARY": False}
            | {"OUTPUT_DETAILED": False, "PLOT_CURVES": False, "LOG_ON_ERROR": None}
        )
        quiet = {"PRINT_CONFIG": False}
        metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet)]
        results, _ = evaluator.evaluate([dataset], metrics)
    by_name = results["MotChallenge2DBox"][TRACKER_FOLDER]
    return {name if name != "COMBINED_SEQ" else "pooled": summary(by_name[name]["pedestrian"]) for name in by_name}


def summary(metrics: dict[str, Any]) -> dict[str, float]:
    """The four figures that are printed, in percent and counts."""
    return {
        "HOTA": 100 * float(np.mean(metrics["HOTA"]["HOTA"])),
        "MOTA": 100 * float(metrics["CLEAR"]["MOTA"]),
        "IDF1": 100 * float(metrics["Identity"]["IDF1"]),
        "IDSW": float(metrics["CLEAR"]["IDSW"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", nargs="*", help="names of sequences; all if none is given")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--det")
    parser.add_argument("--tracker", choices=list(TRACKERS), default="iou")
    parser.add_argument("--tracks", type=Path, help="keep the tracks in this folder")
    arguments = parser.parse_args()
    names = arguments.sequences or sorted(path.parent.name for path in arguments.data.glob("*/seqinfo.ini"))
    by_benchmark: dict[str, list[Sequence]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as temporary:
        tracks = arguments.tracks or Path(temporary)
        tracks.mkdir(parents=True, exist_ok=True)
        for name in names:
            sequence = Sequence.read(arguments.data / name)
            track_file(
                sequence.detections(arguments.det),
                fps=sequence.fps,
                size=sequence.size,
                tracker=load(TRACKERS, arguments.tracker)(),
                out_path=tracks / f"{name}.txt",
                overwrite=True,
            )
            by_benchmark[sequence.benchmark].append(sequence)
        print(f"{'':24}{'HOTA':>7}{'MOTA':>7}{'IDF1':>7}{'IDSW':>7}")
        for benchmark, sequences in by_benchmark.items():
            for name, score in evaluate(sequences, tracks, arguments.data).items():
                label = f"{benchmark} {name}" if name == "pooled" else name
                print(f"{label:24}{score['HOTA']:7.2f}{score['MOTA']:7.2f}{score['IDF1']:7.2f}{score['IDSW']:7.0f}")


if __name__ == "__main__":
    main()
