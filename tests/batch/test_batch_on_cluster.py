"""`batch --cluster`: the files go to the workers of one Ray cluster, and have the outputs of a batch without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.clips import write_video

pytestmark = pytest.mark.slow

CLUSTER = ["--cluster", "local", "--set", "cluster.workers=2", "--set", "cluster.num_cpus=0.5", "--jobs", "2"]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    for number, name in enumerate(("a.mp4", "day/b.avi", "day/c.mp4")):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames=20, options={"g": "5"}, first_number=number)
    (tmp_path / "videos/broken.mp4").write_text("no video")
    return Program(tmp_path)


def outputs(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if "report" not in path.name}


def test_a_batch_on_a_cluster_writes_what_one_machine_writes(program: Program) -> None:
    detector = ["--detector", "nanodet", "--min-score", "0.1"]
    alone = program("batch", "videos", "-o", "alone", *detector)
    cluster = program("batch", "videos", "-o", "cluster", *detector, *CLUSTER)
    assert (alone.code, cluster.code) == (1, 1), cluster.errors
    assert "workers: 2" in cluster.errors
    assert "broken.mp4: not a video" in cluster.errors
    assert "Traceback" not in cluster.errors
    assert outputs(program.folder / "cluster") == outputs(program.folder / "alone")
    assert len(outputs(program.folder / "cluster")) == 6
    again = program("batch", "videos", "-o", "cluster", *detector)
    assert "4 files: 3 done before, 1 failed before" in again.errors


def test_a_cluster_that_is_not_there_is_one_line(program: Program) -> None:
    result = program("batch", "videos", "-o", "out", "--cluster", "nonsense")
    assert result.code == 2
    assert "no cluster 'nonsense'" in result.errors
    assert "Traceback" not in result.errors


def test_a_cluster_without_room_is_one_line(program: Program) -> None:
    room = ["--set", "cluster.num_gpus=64", "--set", "cluster.start_s=1", "--cluster", "local"]
    result = program("batch", "videos/a.mp4", "-o", "out", "--detector", "nanodet", *room)
    assert result.code == 2
    assert (
        "no worker has loaded the detector in 1 s (cluster.start_s); each worker needs 1 CPU and 64 GPU"
        in result.errors
    )
    assert "Traceback" not in result.errors
