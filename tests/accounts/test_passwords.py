"""Which names and passwords are accepted, and how passwords are stored."""

from __future__ import annotations

import pytest

from streamer.accounts.passwords import check_name, check_new, is_outdated, matches, password_hash
from streamer.errors import ConfigError


def test_a_hash_is_argon2id_and_says_nothing_of_the_password() -> None:
    stored = password_hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert stored != password_hash("correct horse")
    assert matches(stored, "correct horse")
    assert not matches(stored, "Correct horse")
    assert not is_outdated(stored)


def test_no_password_matches_a_user_that_is_not_there() -> None:
    assert not matches(None, "")
    assert not matches("no hash", "anything")


def test_one_password_on_two_keyboards_is_the_same() -> None:
    assert matches(password_hash("fünf Äpfel"), "fu\u0308nf A\u0308pfel")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "8 to 256 characters, this one has 5"),
        ("x" * 257, "this one has 257"),
        ("Anna1234", "name of the user"),
        ("aaaaaaaaaaaa", "one character"),
    ],
)
def test_a_weak_password_is_refused_without_telling_it(password: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        check_new(password, "anna")
    assert password not in str(caught.value)


@pytest.mark.parametrize("password", ["correct horse", "8letters", "annas long pass phrase", "пароль-12"])
def test_other_passwords_are_accepted(password: str) -> None:
    check_new(password, "anna")


@pytest.mark.parametrize("name", ["anna", "a", "anna.b@example.org", "cam_1-x"])
def test_ordinary_names_are_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "-anna", "anna b", "ännchen", "a" * 65, "a\n", "../x", "\x1b[0m"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="up to 64 letters"):
        check_name(name)
