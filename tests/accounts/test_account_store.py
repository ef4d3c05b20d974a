"""The file of accounts: what is in it, how long things last, and two programs that use it at the same time."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamer.accounts.account_store import IDLE_S, MOST_SESSIONS, SESSION_S, AccountStore, Token
from streamer.accounts.errors import AccountsError
from streamer.accounts.roles import Role, User
from streamer.errors import ConfigError

ANNA, OTTO = User("anna", Role.ADMIN), User("otto", Role.VIEWER)
NOW_S = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> AccountStore:
    store = AccountStore(tmp_path / "accounts.db")
    store.add(ANNA, "hash of anna", NOW_S)
    store.add(OTTO, "hash of otto", NOW_S)
    return store


def test_a_file_is_made_with_the_first_user_only(tmp_path: Path) -> None:
    store = AccountStore(tmp_path / "new" / "accounts.db")
    assert store.users() == []
    assert store.session("x", NOW_S) is None
    assert not store.path.parent.exists()
    store.add(ANNA, "hash", NOW_S)
    assert store.users() == [ANNA]


def test_only_its_user_can_read_the_file(store: AccountStore) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert [path.name for path in store.path.parent.iterdir()] == ["accounts.db"]


def test_a_name_is_taken_once_in_any_case(store: AccountStore) -> None:
    with pytest.raises(ConfigError, match="a user 'ANNA' already"):
        store.add(User("ANNA", Role.VIEWER), "hash", NOW_S)
    assert store.password_of("Anna") == (ANNA, "hash of anna")
    assert store.password_of("emil") is None


def test_no_secret_is_in_the_file(store: AccountStore) -> None:
    store.add_session("anna", "secret-of-a-session", NOW_S)
    store.add_token("anna", Token("backup", NOW_S, None), "secret-of-a-token")
    assert b"secret-of" not in store.path.read_bytes()
    assert store.session("secret-of-a-session", NOW_S) == ANNA
    assert store.token("secret-of-a-token", NOW_S) == ANNA


def test_a_session_that_is_not_used_ends(store: AccountStore) -> None:
    store.add_session("anna", "x", NOW_S)
    assert store.session("x", NOW_S + IDLE_S - 1) == ANNA  # this is a use
    assert store.session("x", NOW_S + 2 * IDLE_S - 2) == ANNA
    assert store.session("x", NOW_S + 3 * IDLE_S) is None


def test_a_session_goes_on_while_the_file_cannot_be_written(store: AccountStore) -> None:
    """On a full disk an admin must reach the page that deletes events."""
    store.add_session("anna", "secret", NOW_S)
    with sqlite3.connect(store.path) as db:
        db.execute("CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    assert store.session("secret", NOW_S + IDLE_S - 1) == ANNA
    assert store.session("secret", NOW_S + IDLE_S + 1) is None


def test_a_session_ends_after_a_time_in_any_case(store: AccountStore) -> None:
    store.add_session("anna", "x", NOW_S)
    now_s = NOW_S
    while now_s <= NOW_S + SESSION_S:
        assert store.session("x", now_s) == ANNA
        now_s += IDLE_S / 2
    assert store.session("x", now_s) is None


def test_a_user_has_a_bounded_number_of_sessions(store: AccountStore) -> None:
    for number in range(MOST_SESSIONS + 1):
        store.add_session("anna", f"{number}", NOW_S + number)
    store.add_session("otto", "other", NOW_S)
    assert store.session("0", NOW_S + 100) is None
    assert store.session("1", NOW_S + 100) == ANNA
    assert store.session("other", NOW_S + 100) == OTTO


def test_a_new_password_ends_the_sessions_of_its_user(store: AccountStore) -> None:
    for user in (ANNA, OTTO):
        store.add_session(user.name, user.name, NOW_S)
        store.add_token(user.name, Token("t", NOW_S, None), f"{user.name}-token")
    assert store.set_password("ANNA", "new hash")
    assert store.session("anna", NOW_S) is None
    assert store.token("anna-token", NOW_S) == ANNA
    assert store.session("otto", NOW_S) == OTTO
    assert not store.set_password("emil", "hash")


def test_a_removed_user_leaves_nothing(store: AccountStore) -> None:
    store.add_session("anna", "x", NOW_S)
    store.add_token("anna", Token("t", NOW_S, None), "y")
    assert store.remove("Anna")
    assert not store.remove("anna")
    store.add(ANNA, "another hash", NOW_S)  # somebody else of the same name
    assert store.session("x", NOW_S) is None
    assert store.token("y", NOW_S) is None
    assert store.tokens("anna") == []


def test_tokens_expire_and_are_revoked(store: AccountStore) -> None:
    store.add_token("otto", Token("b", NOW_S, NOW_S + 10), "x")
    store.add_token("otto", Token("a", NOW_S, None), "y")
    assert [token.label for token in store.tokens("otto")] == ["a", "b"]
    assert store.token("x", NOW_S + 9) == OTTO
    assert store.token("x", NOW_S + 10) is None
    assert store.revoke("otto", "a")
    assert store.token("y", NOW_S) is None
    assert not store.revoke("otto", "a")
    with pytest.raises(ConfigError, match="has a token 'b' already"):
        store.add_token("otto", Token("b", NOW_S, None), "z")


def test_another_program_changes_the_file_at_the_same_time(store: AccountStore) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from streamer.accounts.account_store import AccountStore\n"
        "store = AccountStore(Path(sys.argv[1]))\n"
        "for n in range(100): store.add_session('anna', f'theirs {n}', 1.8e9 + n)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(store.path)]) as other:
        for number in range(100):
            store.add_session("otto", f"ours {number}", NOW_S + number)
            assert store.session(f"ours {number}", NOW_S + number) == OTTO
        assert other.wait(60) == 0
    assert store.session("theirs 99", NOW_S + 100) == ANNA


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_damaged_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "accounts.db"
    path.write_bytes(content)
    with pytest.raises(AccountsError, match=r"cannot read the accounts in .*accounts\.db: .*web\.accounts"):
        AccountStore(path).users()
    with pytest.raises(AccountsError):
        AccountStore(path).add(ANNA, "hash", time.time())
    assert path.read_bytes() == content


def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE events (id)")
    db.close()
    with pytest.raises(ConfigError, match="is no file of accounts"):
        AccountStore(path).users()


def test_a_file_of_a_newer_version_is_refused(store: AccountStore) -> None:
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="version 99"):
        store.users()


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(AccountsError, match="cannot read the accounts"):
        AccountStore(tmp_path).users()
    (tmp_path / "file").touch()
    with pytest.raises(AccountsError, match="cannot write the accounts"):
        AccountStore(tmp_path / "file" / "accounts.db").add(ANNA, "hash", NOW_S)
