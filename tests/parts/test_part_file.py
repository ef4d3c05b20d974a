"""Files of parts: exact, checked, and never half-written."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.classes import open_images
from streamer.errors import ConfigError, SinkError, SinkUnavailable, SourceUnavailable
from streamer.parts.part_file import _arrays, _checksum, labels_to_dict, part_path, read_part, write_part
from streamer.values.labels import Hierarchy, LabelTable
from tests.disks import mounted_disk
from tests.parts.parts import WORKER, detections, equal, part


@pytest.mark.parametrize("counts", [(3, 0, 2), (), (0,), (100,) * 50])
def test_a_part_comes_back_bit_by_bit(tmp_path: Path, counts: tuple[int, ...]) -> None:
    written = part(counts)
    write_part(written, tmp_path / "part-7.npz")
    read = read_part(tmp_path / "part-7.npz")
    assert (read.plan_digest, read.number, read.worker) == (written.plan_digest, 7, written.worker)
    assert list(read.frames) == list(written.frames)
    for pts, frame in written.frames.items():
        assert read.frames[pts].picture_digest == frame.picture_digest
        assert equal(read.frames[pts].detections, frame.detections)


def test_classes_keep_their_names_mids_aliases_and_hierarchy(tmp_path: Path) -> None:
    write_part(part(), tmp_path / "a.npz")
    classes = read_part(tmp_path / "a.npz").labels
    assert classes == part().labels
    assert classes.rows(["Vehicle"]) == part().labels.rows(["Vehicle"])
    assert classes.hierarchy is open_images.hierarchy()
    assert (tmp_path / "a.npz").stat().st_size < 25_000
    tree = Hierarchy("pets", {"/p": "pet", "/c": "cat"}, {"/c": ("/p",)})
    write_part(part(labels=LabelTable(("cat",), ("/c",), tree)), tmp_path / "pets.npz")
    assert read_part(tmp_path / "pets.npz").labels.rows(["pet"]) == (0,)
    own = LabelTable(("cat", "", "dog"), aliases=("kitten", "", "puppy"))
    write_part(part(labels=own), tmp_path / "b.npz")
    classes = read_part(tmp_path / "b.npz").labels
    assert classes == own
    assert classes.rows(["puppy"]) == (2,)
    assert classes.hierarchy is None


def test_equal_parts_are_equal_files(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_part(part(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_truncated_part_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "part-7.npz"
    write_part(part(labels=LabelTable(("cat", "dog", "bird"))), file)
    content = file.read_bytes()
    for end in range(0, len(content), 7):
        file.write_bytes(content[:end])
        with pytest.raises(ConfigError, match=r"part-7\.npz is (no part|truncated or damaged); "):
            read_part(file)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    file = tmp_path / "part-7.npz"
    first, second = part((1,)), part((1,))
    write_part(first, file)
    old = first.frames[-512].detections.scores.tobytes()
    write_part(replace(second, frames={-512: replace(second.frames[-512], detections=detections(1, seed=9))}), file)
    content = bytearray(file.read_bytes())
    at = content.index(second.plan_digest.encode())
    content[at] ^= 1
    file.write_bytes(content)
    assert old not in content
    with pytest.raises(ConfigError, match="is truncated or damaged; delete it"):
        read_part(file)


def test_other_files_are_no_parts(tmp_path: Path) -> None:
    (tmp_path / "clip.npz").write_bytes(b"something else, longer than a header of zip files")
    with pytest.raises(ConfigError, match=r"clip\.npz is no part; 'streamer detect' makes parts"):
        read_part(tmp_path / "clip.npz")
    with pytest.raises(SourceUnavailable, match=r"cannot read .*absent\.npz: No such file"):
        read_part(tmp_path / "absent.npz")


def test_a_part_of_another_version_is_refused(tmp_path: Path) -> None:
    header = np.frombuffer(b'{"format": 2}', np.uint8)
    np.savez(tmp_path / "part-7.npz", streamer_part=header)
    with pytest.raises(ConfigError, match=r"has version 2 of the format of parts, this program reads version 1"):
        read_part(tmp_path / "part-7.npz")


def test_compressed_entries_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    """They may be a thousand times as large as the file."""
    file = tmp_path / "part-7.npz"
    write_part(part(), file)
    with np.load(file) as entries:
        np.savez_compressed(tmp_path / "small.npz", **entries)
    with pytest.raises(ConfigError, match="is truncated or damaged"):
        read_part(tmp_path / "small.npz")


@pytest.mark.parametrize(
    "change",
    [{"part": [7]}, {"plan": {}}, {"worker": {}}, {"worker": {**asdict(WORKER), "versions": [1]}}, {"classes": []}],
    ids=["number", "plan", "no worker", "versions", "classes"],
)
def test_a_header_of_another_form_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    header = {
        "format": 1,
        "plan": "",
        "part": 7,
        "worker": asdict(WORKER),
        "classes": labels_to_dict(LabelTable(("a",))),
    }
    arrays = _arrays(part()) | {"streamer_part": np.frombuffer(json.dumps(header | change).encode(), np.uint8)}
    np.savez(tmp_path / "part-7.npz", **arrays, sha256=np.frombuffer(_checksum(arrays), np.uint8))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is truncated or damaged"):
        read_part(tmp_path / "part-7.npz")


def test_counts_must_be_those_of_the_boxes(tmp_path: Path) -> None:
    arrays = _arrays(part((3, 0, 2)))
    for counts in ([3, 0, 1], [6, -1, 0], [3, -1, 3]):
        arrays["counts"] = np.array(counts, "<i4")
        np.savez(tmp_path / "part-7.npz", **arrays, sha256=np.frombuffer(_checksum(arrays), np.uint8))  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="is truncated or damaged"):
            read_part(tmp_path / "part-7.npz")


def test_an_output_is_a_folder_or_a_file(tmp_path: Path) -> None:
    assert part_path(tmp_path, 7) == tmp_path / "part-7.npz"
    assert part_path(tmp_path / "part-7", 7) == tmp_path / "part-7.npz"
    assert part_path(tmp_path / "mine.npz", 7) == tmp_path / "mine.npz"
    assert part_path(tmp_path / "v1.2", 7) == tmp_path / "v1.2.npz"


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SinkUnavailable, match=r"no folder .*create it first"):
        write_part(part(), tmp_path / "absent" / "part-7.npz")


@pytest.mark.system
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with mounted_disk(tmp_path, "64k") as disk:
        with pytest.raises(SinkError, match="No space left on device; free some space"):
            write_part(part((100,) * 200), disk / "part-7.npz")
        assert not list(disk.iterdir())
