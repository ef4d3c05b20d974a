"""Unpacking valid and invalid archives of modules, without TensorFlow."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.errors import ModelError
from streamer.models import archive
from streamer.models.archive import FileRecord, Unpacked
from tests.models import archives
from tests.models.archives import of_members, snapshot, special

PB = ("saved_model.pb", b"graph")
FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"i" * 700, "assets/a/b.txt": b""}
MEMBERS = {
    "saved_model.pb": b"graph",
    "variables": None,
    "variables/variables.data": bytes(range(256)) * 20,
    "last": b"x" * 3000,
}
GOOD = of_members(*((name, content) for name, content in MEMBERS.items() if content is not None))
HEADER_BYTES, CHECKSUMS_BYTES = 10, 8
"""Sizes in gzip, before and after the deflate stream (RFC 1952, 2.3)."""


def unpack(content: bytes, target: Path, **options: int) -> Unpacked:
    target.mkdir()
    file = target.with_name(f"{target.name}.packed")
    file.write_bytes(content)
    try:
        return archive.unpack(file, target, shown="the archive", **options)
    finally:
        file.unlink()


@pytest.mark.parametrize("compressed", [True, False], ids=["tar.gz", "tar"])
@pytest.mark.parametrize("with_folders", [True, False])
@pytest.mark.parametrize("root", ["", "./", "module/", "./zoo/ssd/saved_model/"])
def test_complete_archives(tmp_path: Path, root: str, with_folders: bool, compressed: bool) -> None:
    for name, content in FILES.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    packed = archives.of_folder(tmp_path / "made", root=root, with_folders=with_folders, compressed=compressed)
    found = unpack(packed, tmp_path / "out")
    assert snapshot(found.directory) == snapshot(tmp_path / "made")
    expected = {name: FileRecord(len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
    assert dict(found.files) == expected


def test_an_archive_of_the_current_folder(tmp_path: Path) -> None:
    """`tar -C module -czf module.tar.gz .` makes the folder itself the first member."""
    for name, content in FILES.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        packed.add(tmp_path / "made", ".")
    assert set(unpack(buffer.getvalue(), tmp_path / "out").files) == set(FILES)
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "made")


def test_files_beside_the_module_are_ignored(tmp_path: Path) -> None:
    packed = of_members(("zoo/pipeline.config", b"x"), ("zoo/saved_model/saved_model.pb", b"graph"), ("README", b"y"))
    found = unpack(packed, tmp_path / "out")
    assert list(found.files) == ["saved_model.pb"]
    assert snapshot(found.directory) == {"saved_model.pb": b"graph"}


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (
            b"<!DOCTYPE html><title>Log in</title>",
            r"web page .*; download the \.tar\.gz in a browser",
        ),
        (b"\n  <html><body>" + b" " * 2000, "web page"),
        (b"", r"the archive is no \.tar\.gz archive; download the \.tar\.gz in a browser and name that file"),
        (b"PK\x03\x04" + b"x" * 600, r"no \.tar\.gz"),
        (b"\x1f\x8bnonsense" + b"x" * 600, "damaged"),
        (gzip.compress(b"no tar inside" * 100, mtime=0), "damaged"),
        (of_members(("other.txt", b"x")), r"no saved_model\.pb"),
        (of_members(("a/saved_model.pb", b"x"), ("b/saved_model.pb", b"x")), "several modules"),
        (of_members(PB, ("../evil", b"x")), r"'\.\./evil' points outside"),
        (of_members(PB, ("variables/../../evil", b"x")), "points outside"),
        (of_members(PB, ("/tmp/evil", b"x")), "'/tmp/evil' points outside"),
        (of_members(PB, special("evil", tarfile.SYMTYPE, "/etc/passwd")), "'evil' is a link"),
        (of_members(PB, special("evil", tarfile.LNKTYPE, "saved_model.pb")), "is a link"),
        (of_members(PB, special("evil", tarfile.CHRTYPE)), "is a link or a device"),
        (of_members(PB, special("evil", tarfile.FIFOTYPE)), "is a link or a device"),
    ],
)
def test_refused_archives(tmp_path: Path, packed: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        unpack(packed, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert not any("evil" in name for name in snapshot(tmp_path))


def test_many_folders_after_a_file_are_accepted(tmp_path: Path) -> None:
    folders = [special(f"assets/{number}", tarfile.DIRTYPE) for number in range(1200)]  # headers of 600 KB
    packed = gzip.decompress(of_members(PB, *folders, ("assets/last", b"x")))
    assert set(unpack(packed, tmp_path / "out").files) == {"saved_model.pb", "assets/last"}


@pytest.mark.skipif(os.sep != "/", reason="a backslash parts folders here")
def test_a_backslash_may_be_part_of_a_name(tmp_path: Path) -> None:
    assert set(unpack(of_members(PB, ("odd\\name", b"x")), tmp_path / "out").files) == {"saved_model.pb", "odd\\name"}


def test_the_size_limit_is_exact(tmp_path: Path) -> None:
    packed = of_members(PB, ("variables/variables.data", bytes(400_000)))
    assert len(unpack(packed, tmp_path / "out", max_bytes=500_000).files) == 2
    with pytest.raises(ModelError, match="is refused"):
        unpack(packed, tmp_path / "less", max_bytes=400_004)


def test_the_limit_of_members_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    members = [(f"{number}", b"x") for number in range(3)]
    assert len(unpack(of_members(PB, *members[:2]), tmp_path / "out").files) == 3
    with pytest.raises(ModelError, match="is refused"):
        unpack(of_members(PB, *members), tmp_path / "more")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    bomb = tarfile.TarInfo("zeros")
    bomb.size = 30 << 20
    packed = of_members(PB, bomb)
    assert len(packed) < 100_000
    with pytest.raises(ModelError, match=r"more than 0\.01 GB"):
        unpack(packed, tmp_path / "out", max_bytes=10**7)
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 10**6


def test_large_headers_are_refused(tmp_path: Path) -> None:
    # tarfile reads the headers of a member into memory.
    header = tarfile.TarInfo("header")
    header.type = tarfile.XHDTYPE
    header.size = 64 << 20
    packed = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(header.size) + bytes(1024), 1)
    with pytest.raises(ModelError, match="refused"):
        unpack(packed, tmp_path / "out")


def test_too_many_empty_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 10)
    with pytest.raises(ModelError, match="refused"):
        unpack(of_members(*((f"{number}", b"") for number in range(11))), tmp_path / "out")


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, len(GOOD) - 1))
def test_no_truncated_archive_is_accepted(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    with pytest.raises(ModelError):
        unpack(GOOD[:length], tmp_path_factory.mktemp("cut") / "out")


@settings(max_examples=60, deadline=None)
@given(blocks=st.integers(1, 18))
def test_no_truncated_plain_tar_is_accepted(tmp_path_factory: pytest.TempPathFactory, blocks: int) -> None:
    plain = gzip.decompress(GOOD).rstrip(b"\0")
    assert len(plain) > 18 * 512
    with pytest.raises(ModelError, match=r"cut short|damaged"):
        unpack(plain[: 512 * blocks], tmp_path_factory.mktemp("cut") / "out")


def is_detected_or_harmless(position: int, bit: int, folder: Path) -> bool:
    """Whether a flipped bit is detected; otherwise the unpacked files are the same.

    Some bits have no effect: the header's time and system (RFC 1952, 2.3.1), the padding in the last byte of the
    deflate stream, and distances into a run of equal bytes (RFC 1951, 3.2.3).
    """
    damaged = bytearray(GOOD)
    damaged[position] ^= 1 << bit
    try:
        unpack(bytes(damaged), folder)
    except ModelError:
        return True
    assert snapshot(folder) == MEMBERS | {"variables": None}
    return False


@settings(max_examples=60)
@given(position=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
@example(position=len(GOOD) - CHECKSUMS_BYTES - 1, bit=7)
def test_a_flipped_bit_is_detected_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    is_detected_or_harmless(position, bit, tmp_path_factory.mktemp("bit") / "out")


@pytest.mark.slow
def test_nearly_every_flipped_bit_is_detected(tmp_path: Path) -> None:
    places = [(position, bit) for position in range(HEADER_BYTES, len(GOOD)) for bit in range(8)]
    passed = sum(not is_detected_or_harmless(*place, tmp_path / f"{place[0]}.{place[1]}") for place in places)
    assert passed < 0.01 * len(places)
