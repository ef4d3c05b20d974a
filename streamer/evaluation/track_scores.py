"""HOTA, MOTA, IDF1 and identity switches of tracks, computed by TrackEval.

HOTA: Luiten et al., 2021, doi:10.1007/s11263-020-01375-2; CLEAR (MOTA): Bernardin and Stiefelhagen, 2008; IDF1: Ristani
et al., 2016. TrackEval preprocesses each benchmark by its own rules: a track that matches a distractor is no false
positive.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.evaluation import sequences
from streamer.system.suggestions import import_extra
from streamer.values.mot import Rows, track_file
from tracking.types import Tracker

ALL = "all"
_TRACKER = "tracker"
_CLASS = "pedestrian"


@dataclass(frozen=True, slots=True)
class TrackScores:
    """Scores of one sequence or of several together; ratios in percent. Names are those of the MOT Challenge.

    Attributes:
        hota, det_a, ass_a: HOTA and its parts for detection and association, means over IoU 0.05 to 0.95.
        mota, idf1: at IoU 0.5.
        id_switches, fragmentations, false_positives, misses: counts at IoU 0.5.
    """

    hota: float
    det_a: float
    ass_a: float
    mota: float
    idf1: float
    id_switches: int
    fragmentations: int
    false_positives: int
    misses: int

    def to_dict(self) -> dict[str, float | int]:
        """The scores by the names that the MOT Challenge prints."""
        return {
            "HOTA": self.hota,
            "DetA": self.det_a,
            "AssA": self.ass_a,
            "MOTA": self.mota,
            "IDF1": self.idf1,
            "IDSW": self.id_switches,
            "Frag": self.fragmentations,
            "FP": self.false_positives,
            "FN": self.misses,
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of an evaluation.

    Attributes:
        by_sequence: scores of each sequence by its name.
        pooled: scores of all sequences that are counted by the rules of one benchmark, by the name of the pool
            (`pool_name`), and of `all` if there are several benchmarks. Counts are summed before ratios are computed,
            as in TrackEval. This also works across benchmarks, because counting follows preprocessing.
    """

    by_sequence: Mapping[str, TrackScores]
    pooled: Mapping[str, TrackScores]


def write_tracks(
    sequence: sequences.Sequence, tracker: Tracker, folder: Path, *, detections: str | None = None
) -> Path:
    """Track the detections of a sequence, write `folder/<sequence>.txt` and return that path.

    Args:
        sequence: its detections are checked first.
        tracker: a new tracker; it gets the detections of every frame.
        folder: an existing folder.
        detections: name of the file in `det/`.

    Raises:
        SourceUnavailable, ConfigError: the detections cannot be used.
        SinkUnavailable, SinkError: the tracks cannot be written.
    """
    sequence.detections(detections)
    out_path = folder / f"{sequence.name}.txt"
    track_file(
        sequence.detections_path(detections),
        fps=sequence.fps,
        size=sequence.size,
        tracker=tracker,
        out_path=out_path,
        overwrite=True,
    )
    return out_path


def score(evaluated: Sequence[sequences.Sequence], tracks: Mapping[str, Path]) -> Scores:
    """Score tracks against the ground truth.

    Args:
        evaluated: at least one sequence.
        tracks: MOT Challenge text of each sequence by its name, written by any program.

    Raises:
        ConfigError: TrackEval is not installed, or ground truth or tracks cannot be used.
        SourceUnavailable: ground truth or tracks do not exist.
    """
    metrics = _metrics()
    results: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory(prefix="streamer-") as temporary, contextlib.redirect_stdout(io.StringIO()):
        for sequence in evaluated:
            data = _data(sequence, tracks[sequence.name], Path(temporary) / sequence.name)
            results[sequence.name] = [metric.eval_sequence(data) for metric in metrics]
    groups: dict[str, list[str]] = {}
    for sequence in evaluated:
        groups.setdefault(sequence.benchmark, []).append(sequence.name)
    if len(groups) > 1:
        groups[ALL] = [sequence.name for sequence in evaluated]
    pooled: dict[str, TrackScores] = {}
    for group, names in groups.items():
        combined = [
            metric.combine_sequences({name: results[name][at] for name in names}) for at, metric in enumerate(metrics)
        ]
        name = f"{ALL} {len(names)} sequences" if group == ALL else pool_name(names)
        pooled[f"{name}, rules of {group}" if name in pooled else name] = _scores(combined)
    return Scores({name: _scores(result) for name, result in results.items()}, pooled)


def pool_name(names: Sequence[str]) -> str:
    """What was pooled: `walk`, `KITTI-trk (4 sequences)` if all names begin with the same words, else `7 sequences`."""
    if len(names) == 1:
        return names[0]
    first, last = min(names), max(names)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = re.match(r"(.*)[-_. ]|", first[:same])
    shared = prefix[1] if prefix else None
    return f"{shared} ({len(names)} sequences)" if shared else f"{len(names)} sequences"


def _metrics() -> list[Any]:
    trackeval = import_extra("trackeval")
    quiet = {"PRINT_CONFIG": False}
    return [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet)]


def _data(sequence: sequences.Sequence, tracks: Path, folder: Path) -> Any:
    """One sequence as the metrics of TrackEval take it.

    TrackEval guesses the dialect of a file, truncates confidences to whole numbers and needs memory in proportion to
    the highest id. So it gets copies in one form.
    """
    trackeval = import_extra("trackeval")
    truth = folder / "gt" / sequence.name / "gt" / "gt.txt"
    truth.parent.mkdir(parents=True)
    truth.write_text(_plain(sequence.ground_truth()), encoding="ascii")
    copy = folder / _TRACKER / "data" / f"{sequence.name}.txt"
    copy.parent.mkdir(parents=True)
    copy.write_text(_plain_tracks(sequence.tracks(tracks)), encoding="ascii")
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder),
            "TRACKERS_TO_EVAL": [_TRACKER],
            "BENCHMARK": sequence.benchmark,
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": {sequence.name: sequence.frames},
            "PRINT_CONFIG": False,
        }
    )
    return dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data(_TRACKER, sequence.name), _CLASS)


def _plain(truth: sequences.GroundTruth) -> str:
    ids = np.unique(truth.ids, return_inverse=True)[1]
    columns = zip(truth.frames, ids, truth.boxes.tolist(), truth.scored, truth.classes, strict=True)
    return "".join(
        f"{frame},{number},{left!r},{top!r},{width!r},{height!r},{scored:d},{kind},1\n"
        for frame, number, (left, top, width, height), scored, kind in columns
    )


def _plain_tracks(rows: Rows) -> str:
    ids = np.unique(rows[:, 1], return_inverse=True)[1]
    columns = zip(rows[:, 0].astype(int), ids, rows[:, 2:].tolist(), strict=True)
    return "".join(f"{frame},{number},{','.join(map(repr, values))},-1,-1,-1\n" for frame, number, values in columns)


def _scores(results: list[Any]) -> TrackScores:
    hota, clear, identity = results
    return TrackScores(
        hota=100 * float(np.mean(hota["HOTA"])),
        det_a=100 * float(np.mean(hota["DetA"])),
        ass_a=100 * float(np.mean(hota["AssA"])),
        mota=100 * float(clear["MOTA"]),
        idf1=100 * float(identity["IDF1"]),
        id_switches=int(clear["IDSW"]),
        fragmentations=int(clear["Frag"]),
        false_positives=int(clear["CLR_FP"]),
        misses=int(clear["CLR_FN"]),
    )
