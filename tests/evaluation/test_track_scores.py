"""Track scores: known scores of known errors."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.evaluation.sequences import Sequence
from streamer.evaluation.track_scores import pool_name, score, write_tracks
from tests.evaluation.made import FRAMES, STEP_PX, truth_rows, write_sequence
from tracking.iou import IouTracker

pytest.importorskip("trackeval", reason="needs the extra eval")


def track_rows(ids: Iterable[tuple[int, int, int]]) -> str:
    """Exact boxes of people as tracks, for each (person, first frame, id) from that frame to the next entry."""
    changes = sorted(ids)
    rows = []
    for frame in range(1, FRAMES + 1):
        current = {person: track_id for person, first, track_id in changes if first <= frame}
        rows += [
            f"{frame},{track_id},{50 + STEP_PX * frame},{120 * person - 110},40,80,0.9,-1,-1,-1\n"
            for person, track_id in current.items()
            if track_id
        ]
    return "".join(rows)


def scores_of(folder: Path, tracks: str) -> dict[str, float | int]:
    (folder / "tracks.txt").write_text(tracks)
    sequence = Sequence.read(folder)
    return score([sequence], {sequence.name: folder / "tracks.txt"}).by_sequence[sequence.name].to_dict()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sequence(tmp_path / "walk")


def test_perfect_tracks_have_full_scores(folder: Path) -> None:
    scores = scores_of(folder, track_rows([(1, 1, 5), (2, 1, 9)]))
    assert {name: scores[name] for name in ("HOTA", "DetA", "AssA", "MOTA", "IDF1")} == pytest.approx(
        {"HOTA": 100, "DetA": 100, "AssA": 100, "MOTA": 100, "IDF1": 100}
    )
    assert (scores["IDSW"], scores["FP"], scores["FN"]) == (0, 0, 0)


def test_an_id_switch_lowers_association_only(folder: Path) -> None:
    scores = scores_of(folder, track_rows([(1, 1, 5), (2, 1, 9), (2, FRAMES // 2 + 1, 10)]))
    assert scores["IDSW"] == 1
    assert scores["DetA"] == pytest.approx(100)
    assert scores["MOTA"] == pytest.approx(100 * (1 - 1 / (2 * FRAMES)))
    assert scores["IDF1"] == pytest.approx(75)
    assert scores["AssA"] == pytest.approx(75)  # one person completely, one by halves
    assert scores["HOTA"] == pytest.approx(100 * 0.75**0.5)


def test_missing_tracks_have_a_score(folder: Path) -> None:
    scores = scores_of(folder, "")
    assert scores["FN"] == 2 * FRAMES
    assert scores["HOTA"] == scores["MOTA"] == scores["IDF1"] == 0


def test_large_ids_need_no_memory(tmp_path: Path) -> None:
    rows = [row.replace(",1,", ",4000000000,", 1) for row in truth_rows([1])]
    folder = write_sequence(tmp_path / "large", truth=rows)
    assert scores_of(folder, track_rows([(1, 1, 5)]))["HOTA"] == pytest.approx(100)


def test_a_match_with_a_distractor_is_no_false_positive(tmp_path: Path) -> None:
    tracks = track_rows([(1, 1, 5), (2, 1, 9)])
    person, distractor = truth_rows([1], kind=1), truth_rows([2], kind=8)
    both = write_sequence(tmp_path / "both", truth=[*person, *distractor], benchmark="MOT17")
    alone = write_sequence(tmp_path / "alone", truth=person, benchmark="MOT17")
    assert (scores_of(both, tracks)["FP"], scores_of(both, tracks)["FN"]) == (0, 0)
    assert (scores_of(alone, tracks)["FP"], scores_of(alone, tracks)["FN"]) == (FRAMES, 0)


def test_sequences_of_several_folders_and_benchmarks_are_pooled(tmp_path: Path) -> None:
    sequences, tracks = [], {}
    for place, name, benchmark, rows in (
        ("a", "one", "MOT15", track_rows([(1, 1, 5), (2, 1, 9)])),
        ("b", "two", "MOT15", track_rows([(1, 1, 5), (2, 1, 9), (2, 11, 10)])),
        ("c", "three", "MOT17", track_rows([(1, 1, 5)])),
    ):
        folder = write_sequence(tmp_path / place / name, truth=truth_rows(kind=1), benchmark=benchmark)
        sequences.append(Sequence.read(folder))
        tracks[name] = tmp_path / f"{name}.txt"
        tracks[name].write_text(rows)
    scores = score(sequences, tracks)
    assert list(scores.by_sequence) == ["one", "two", "three"]
    pooled = {name: one.to_dict() for name, one in scores.pooled.items()}
    assert list(pooled) == ["2 sequences", "three", "all 3 sequences"]
    objects = 2 * FRAMES
    assert [pooled[name]["IDSW"] for name in pooled] == [1, 0, 1]
    assert pooled["2 sequences"]["MOTA"] == pytest.approx(100 * (1 - 1 / (2 * objects)))
    assert pooled["three"]["MOTA"] == pytest.approx(50)
    assert pooled["all 3 sequences"]["MOTA"] == pytest.approx(100 * (1 - (1 + FRAMES) / (3 * objects)))
    assert pooled["all 3 sequences"]["FN"] == FRAMES


def test_one_benchmark_has_one_pool(folder: Path) -> None:
    sequence = Sequence.read(folder)
    (folder / "tracks.txt").write_text(track_rows([(1, 1, 5)]))
    assert list(score([sequence], {"walk": folder / "tracks.txt"}).pooled) == ["walk"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["KITTI-trk-0001", "KITTI-trk-0006", "KITTI-trk-0018"], "KITTI-trk (3 sequences)"),
        (["MOT17-05", "MOT17-09"], "MOT17 (2 sequences)"),
        (["TUD-Campus", "ADL-Rundle-6", "KITTI-17"], "3 sequences"),
        (["walk", "walker"], "2 sequences"),
        (["walk", "walk-2"], "2 sequences"),
        (["TUD-Campus"], "TUD-Campus"),
    ],
)
def test_a_pool_is_named_after_its_sequences(names: list[str], expected: str) -> None:
    assert pool_name(names) == expected


def test_a_tracker_follows_the_detections_of_a_sequence(folder: Path, tmp_path: Path) -> None:
    sequence = Sequence.read(folder)
    written = write_tracks(sequence, IouTracker(), tmp_path)
    assert written == tmp_path / "walk.txt"
    scores = score([sequence], {"walk": written}).by_sequence["walk"]
    assert (scores.id_switches, scores.false_positives, scores.misses) == (0, 0, 0)
    assert scores.hota > 95


def test_trackeval_prints_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scores_of(folder, track_rows([(1, 1, 5)]))
    assert capfd.readouterr() == ("", "")


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(ConfigError, match=r"pip install 'streamer-video\[eval\]'"):
        scores_of(folder, "")
