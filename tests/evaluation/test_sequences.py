"""Sequences are read correctly or refused with file and line."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.sequence_frames import find_frames
from streamer.evaluation.sequences import Sequence, read_all
from tests.clips import write_picture, write_video
from tests.evaluation.made import FRAMES, SIZE, detection_rows, truth_rows, write_sequence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sequence(tmp_path / "walk")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_seqinfo_is_read(tmp_path: Path) -> None:
    sequence = Sequence.read(write_sequence(tmp_path / "walk", fps="30000/1001"))
    assert (sequence.name, sequence.fps, sequence.frames) == ("walk", Fraction(30000, 1001), FRAMES)
    assert (sequence.size, sequence.benchmark) == (SIZE, "MOT15")


def test_a_sequence_has_the_name_of_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "gt")
    for given in (Path(".."), Path("../../walk"), Path("../../walk/")):
        assert Sequence.read(given).name == "walk"
    monkeypatch.chdir(folder)
    assert Sequence.read(Path()).name == "walk"


@pytest.mark.parametrize(
    ("name", "benchmark"), [("MOT17-05-FRCNN", "MOT17"), ("MOT20-01", "MOT20"), ("TUD-Campus", "MOT15")]
)
def test_original_files_do_not_name_their_benchmark(tmp_path: Path, name: str, benchmark: str) -> None:
    assert Sequence.read(write_sequence(tmp_path / name, benchmark=None)).benchmark == benchmark


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frameRate=10\n", "", "the key frameRate is missing"),
        ("seqLength=20\n", "", "the key seqLength is missing"),
        ("imWidth=640\n", "imWidth=\n", "the key imWidth is missing"),
        ("frameRate=10", "frameRate=0", "above 0"),
        ("frameRate=10", "frameRate=fast", "not a frame rate"),
        ("frameRate=10", "frameRate=nan", "not a frame rate"),
        ("seqLength=20", "seqLength=-3", "not a whole number"),
        ("seqLength=20", "seqLength=19.5", "not a whole number"),
        ("imHeight=480", "imHeight=tall", "not a whole number"),
        ("[Sequence]", "[Other]", r"no section \[Sequence\]"),
        ("[Sequence]\n", "", "must begin with"),
        ("imDir=img1", "imDir=img1\nimDir=img2", "line 4: not an ini file"),
    ],
)
def test_invalid_seqinfo_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    replace(folder / "seqinfo.ini", old, new)
    with pytest.raises(ConfigError, match=message) as caught:
        Sequence.read(folder)
    assert str(folder / "seqinfo.ini") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_refused(folder: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"no folder .*nowhere"):
        Sequence.read(folder / "nowhere")
    with pytest.raises(SourceUnavailable, match=r"no folder .*seqinfo.ini"):
        Sequence.read(folder / "seqinfo.ini")
    with pytest.raises(SourceUnavailable, match=r"cannot read .*seqinfo.ini"):
        Sequence.read(folder / "gt")
    (folder / "gt" / "gt.txt").unlink()
    with pytest.raises(SourceUnavailable, match=r"cannot read .*gt.txt"):
        Sequence.read(folder).ground_truth()


def test_two_sequences_with_one_name_are_refused(tmp_path: Path) -> None:
    folders = [write_sequence(tmp_path / where / "walk") for where in ("a", "b")]
    with pytest.raises(ConfigError, match="same name"):
        read_all(folders)


def test_default_detections_are_found(tmp_path: Path) -> None:
    simulated = Sequence.read(write_sequence(tmp_path / "sim", detection_file="det_sim.txt"))
    assert simulated.detections_path().name == "det_sim.txt"
    both = Sequence.read(write_sequence(tmp_path / "sim", detections=[]))
    assert both.detections_path().name == "det.txt"
    assert both.detections_path("det_sim").name == both.detections_path("det_sim.txt").name == "det_sim.txt"
    with pytest.raises(SourceUnavailable, match=r"no other; there is det.txt, det_sim.txt: choose with --det"):
        both.detections_path("other")


def test_missing_detections_are_refused(folder: Path) -> None:
    (folder / "det" / "det.txt").unlink()
    with pytest.raises(SourceUnavailable, match=r"no det.txt or det_sim.txt; there is no detections"):
        Sequence.read(folder).detections()


def test_every_frame_has_detections(tmp_path: Path) -> None:
    rows = [row for row in reversed(detection_rows()) if int(row.split(",")[0]) in (2, 5)]
    rows.insert(1, "  \n")
    detections = Sequence.read(write_sequence(tmp_path / "gaps", detections=rows)).detections()
    assert [len(seen) for seen in detections] == [2 if frame in (2, 5) else 0 for frame in range(1, FRAMES + 1)]
    assert Sequence.read(write_sequence(tmp_path / "none", detections=[])).detections()[-1].boxes.shape == (0, 4)


def test_detections_may_reach_beyond_the_frame(tmp_path: Path) -> None:
    rows = ["1,-1,-30,-20,60,60,0.9\n", "2,-1,2000,10,60,60,0.9\n"]
    detections = Sequence.read(write_sequence(tmp_path / "beyond", detections=rows)).detections()
    assert detections[0].boxes.tolist() == [[-30, -20, 30, 40]]
    assert detections[1].boxes.tolist() == [[2000, 10, 2060, 70]]


def test_ground_truth_may_have_any_order_and_notation(tmp_path: Path) -> None:
    in_order = Sequence.read(write_sequence(tmp_path / "a")).ground_truth()
    rows = [row.replace(",", ".0, ", 1).replace("\n", ",\n") for row in reversed(truth_rows())]
    other = Sequence.read(write_sequence(tmp_path / "b", truth=["\ufeff\n", *rows])).ground_truth()
    for one, two in zip(in_order.by_frame(FRAMES), other.by_frame(FRAMES), strict=True):
        assert one.shape == (2, 4)
        assert one.tolist() == two[::-1].tolist()


def test_frames_without_objects_are_empty(tmp_path: Path) -> None:
    rows = [row for row in truth_rows() if 4 <= int(row.split(",")[0]) <= 6]
    truth = Sequence.read(write_sequence(tmp_path / "gaps", truth=rows)).ground_truth()
    assert [len(boxes) for boxes in truth.by_frame(FRAMES)] == [0] * 3 + [2] * 3 + [0] * (FRAMES - 6)


def test_scored_rows_depend_on_the_benchmark(tmp_path: Path) -> None:
    rows = ["1,1,0,0,9,9,1,1,1\n", "1,2,0,0,9,9,0,1,1\n", "1,3,0,0,9,9,1,8,1\n", "1,4,0,0,9,9,0.4,1.0,1\n"]
    for benchmark, scored in (("MOT15", [True, False, True, True]), ("MOT17", [True, False, False, True])):
        folder = write_sequence(tmp_path / benchmark, truth=rows, benchmark=benchmark)
        assert Sequence.read(folder).ground_truth().scored.tolist() == scored


BAD_TRUTH: dict[str, tuple[str, str]] = {
    "comment": ("# made by hand\n", "line 3: '# made by hand'"),
    "half frame": ("1.5,7,10,10,40,80,1,1\n", "line 3: .* whole frame number"),
    "frame 0": ("0,7,10,10,40,80,1,1\n", "line 3: .* frame number from 1"),
    "words": ("1,seven,10,10,40,80,1,1\n", "line 3: '1,seven"),
    "few values": ("1,7,10,10,40,80\n", "line 3: 6 values"),
    "negative width": ("1,7,10,10,-40,80,1,1\n", "line 3: .* width and height from 0"),
    "behind the end": ("21,7,10,10,40,80,1,1\n", "line 3: .* seqLength=20"),
    "negative id": ("1,-1,10,10,40,80,1,1\n", "line 3: .* whole number from 0"),
    "half an id": ("1,1.5,10,10,40,80,1,1\n", "line 3: .* whole number from 0"),
    "same id twice": ("1,1.0,10,10,40,80,1,1\n", "line 3: .* the frame has this id already"),
    "class missing": ("1,7,10,10,40,80,1\n", "line 3: the class in column 8 must be 1 to 13, not missing"),
    "class 14": ("1,7,10,10,40,80,1,14\n", "line 3: the class in column 8 must be 1 to 13, not 14"),
    "class -1": ("1,7,10,10,40,80,1,-1\n", "line 3: the class in column 8 must be 1 to 13, not -1"),
}


@pytest.mark.parametrize(("line", "message"), BAD_TRUTH.values(), ids=list(BAD_TRUTH))
def test_bad_ground_truth_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    rows = truth_rows(kind=1)
    rows[1:1] = ["\n", line]
    sequence = Sequence.read(write_sequence(tmp_path / "bad", truth=rows, benchmark="MOT17"))
    with pytest.raises(ConfigError, match=message) as caught:
        sequence.ground_truth()
    assert str(tmp_path / "bad" / "gt" / "gt.txt") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [[], ["1,1,10,10,40,80,0,1,1\n"]], ids=["empty", "nothing counts"])
def test_ground_truth_without_scored_rows_is_refused(tmp_path: Path, rows: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"gt.txt: no row to score against"):
        Sequence.read(write_sequence(tmp_path / "empty", truth=rows)).ground_truth()


def test_detections_after_the_last_frame_are_refused_with_their_line(tmp_path: Path) -> None:
    rows = [*detection_rows(), "\n", "21,-1,10,10,40,80,0.9\n"]
    with pytest.raises(ConfigError, match=r"det.txt line 42: '21,-1.*seqLength=20"):
        Sequence.read(write_sequence(tmp_path / "long", detections=rows)).detections()


def write_images(folder: Path, count: int) -> Path:
    (folder / "img1").mkdir()
    for number in range(count):
        write_picture(folder / "img1" / f"{number + 1:06d}.png")
    return folder / "img1"


@pytest.mark.parametrize(
    "add",
    [
        lambda folder, count: write_video(folder / "video_160x120.mp4", frames=count),
        lambda folder, count: write_video(folder / "video.avi", codec="mpeg4", frames=count),
        write_images,
    ],
    ids=["mp4", "avi", "pictures"],
)
def test_a_sequence_has_one_image_per_frame(folder: Path, add: Callable[[Path, int], Path]) -> None:
    assert find_frames(Sequence.read(folder)) is None
    given = add(folder, FRAMES)
    assert find_frames(Sequence.read(folder)) == given
    for length in (FRAMES - 1, FRAMES + 1):
        replace(folder / "seqinfo.ini", "seqLength=", f"seqLength={length}\n;")
        with pytest.raises(ConfigError, match=f"has {FRAMES} frames, but seqinfo.ini has seqLength={length}"):
            find_frames(Sequence.read(folder))
        replace(folder / "seqinfo.ini", f"seqLength={length}\n;", "seqLength=")


def test_an_unreadable_video_is_refused(folder: Path) -> None:
    (folder / "video.mp4").write_bytes(b"")
    with pytest.raises(SourceUnavailable, match=r"video.mp4: the file is empty"):
        find_frames(Sequence.read(folder))
    (folder / "video.avi").touch()
    with pytest.raises(ConfigError, match=r"several videos \(video.avi, video.mp4\)"):
        find_frames(Sequence.read(folder))


def test_boxes_are_as_exact_as_the_file(tmp_path: Path) -> None:
    rows = ["1,1,10.123456789,20.2,30.3,40.4,1,-1\n"]
    truth = Sequence.read(write_sequence(tmp_path / "exact", truth=rows)).ground_truth()
    assert np.array_equal(truth.boxes, [[10.123456789, 20.2, 30.3, 40.4]])
