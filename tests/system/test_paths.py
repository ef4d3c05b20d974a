"""Names of files: lookup, display and shortening."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.system import paths

# Arguments of a program are any bytes except the null byte.
NAMES = st.binary(min_size=1, max_size=400).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"x")))
LETTERS = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=200)


@pytest.mark.parametrize("name", ["b" * 300, "null\0byte", "lone \ud800", "missing", "file/below"])
def test_an_invalid_name_does_not_exist(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    assert not paths.exists(path)
    assert not paths.is_file(str(path))
    assert not paths.is_dir(path)


def test_existing_paths_are_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert paths.exists(tmp_path)
    assert paths.is_dir(tmp_path)
    assert not paths.is_dir(tmp_path / "file")
    assert paths.is_file(tmp_path / "file")
    assert not paths.is_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name, ü 語 हिन्दी.mp4", "plain name, ü 語 हिन्दी.mp4"),
        ("two\nlines\r\ttab", r"two\nlines\r\ttab"),
        ("\x1b[31mred\x1b[0m \x9b2J \x7f", r"\x1b[31mred\x1b[0m \x9b2J \x7f"),
        ("gpj.\u202eexe\u202c \u2066 \u200f", r"gpj.\u202eexe\u202c \u2066 \u200f"),
        ("caf\udce9 \ud800", r"caf\xe9 \ud800"),
        ("\udc80\udcff\udc7f\udd00", r"\x80\xff\udc7f\udd00"),
        ("a\u200bb\ufeff\u2028\u2029\u00ad", r"a\u200bb\ufeff\u2028\u2029\xad"),
        ("tag \U000e0041", r"tag \U000e0041"),
        # Hindi needs one joiner, many emoji the other.
        ("कर्\u200cम 👩\u200d💻", "कर्\u200cम 👩\u200d💻"),
    ],
)
def test_a_name_is_shown_on_one_line(name: str, shown: str) -> None:
    assert paths.readable(name) == shown


@settings(deadline=None)
@given(name=NAMES)
def test_every_shown_name_can_be_written(name: str) -> None:
    shown = paths.readable(name)
    shown.encode()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}


def test_kept_line_ends_are_unchanged() -> None:
    assert paths.readable("one\ntwo\x1b", keep="\n") == "one\ntwo\\x1b"


def test_json_of_any_name_is_utf_8() -> None:
    value = {"caf\udce9": ["\x1b\u202e", ("a\udcff", 1, None, 2.5, True)]}
    found = json.loads(json.dumps(paths.encodable(value)))
    assert found == {r"caf\xe9": ["\x1b\u202e", [r"a\xff", 1, None, 2.5, True]]}
    json.dumps(found, ensure_ascii=False).encode()


def test_a_name_that_fits_is_not_shortened() -> None:
    assert paths.shortened("a" * 251, ".mp4") == "a" * 251 + ".mp4"
    assert paths.shortened("ü" * 125, ".mp4x") == "ü" * 125 + ".mp4x"


def test_a_long_name_keeps_its_beginning() -> None:
    assert paths.shortened("a" * 252, ".mp4") == "a" * 251 + ".mp4"
    assert paths.shortened("a" + "ü" * 200, ".mp4") == "a" + "ü" * 125 + ".mp4"
    assert paths.shortened("\udce9" * 300, ".mp4") == "\udce9" * 251 + ".mp4"
    assert paths.shortened("abcdef", ".mp4", 6) == "ab.mp4"


def test_an_accent_stays_with_its_letter() -> None:
    assert paths.shortened("abe\u0301", ".x", 6) == "ab.x"
    assert paths.shortened("abe\u0301", ".x", 7) == "abe\u0301.x"
    assert paths.shortened("abe\u0301\u0323c", ".x", 7) == "ab.x"


@settings(deadline=None)
@given(stem=LETTERS | NAMES.map(lambda name: name.replace("/", "")), most_bytes=st.integers(30, 255))
def test_a_shortened_name_fits_and_keeps_its_beginning(stem: str, most_bytes: int) -> None:
    name = paths.shortened(stem, ".annotated.mp4", most_bytes)
    assert len(os.fsencode(name)) <= most_bytes
    assert name.endswith(".annotated.mp4")
    assert stem.startswith(name.removesuffix(".annotated.mp4"))


def test_a_missing_folder_has_the_default_limit(tmp_path: Path) -> None:
    assert paths.most_bytes_in(tmp_path / "missing") == 255
    assert 0 < paths.most_bytes_in(tmp_path) <= 255


@pytest.mark.parametrize(("limit", "most"), [(143, 143), (255, 255), (1530, 255)])
def test_a_folder_may_have_a_lower_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, most: int
) -> None:
    monkeypatch.setattr(os, "pathconf", lambda *_: limit)  # values of eCryptfs and vfat
    assert paths.most_bytes_in(tmp_path) == most
