"""`streamer user` as a person uses it, and what `serve` and `check` say without users."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from streamer.accounts.account_store import AccountStore
from streamer.accounts.passwords import matches
from tests.cli.program import DEADLINE_S, MAIN, Program

PASSWORD = "correct horse battery"


def given(program: Program, password: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `streamer user` with a password on standard input."""
    command = [sys.executable, str(MAIN), "user", *arguments, "--password-stdin"]
    return subprocess.run(
        command, input=f"{password}\n", cwd=program.folder, capture_output=True, text=True, timeout=DEADLINE_S
    )


def typed(program: Program, *lines: str, arguments: tuple[str, ...]) -> tuple[int, str]:
    """Run `streamer user` in a terminal, with these answers to its questions; exit code and what it shows."""
    main, terminal = pty.openpty()
    command = [sys.executable, str(MAIN), "user", *arguments]
    with subprocess.Popen(
        command, cwd=program.folder, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        shown, waiting = b"", list(lines)
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the program has ended
                break
            shown += part
            if waiting and shown.endswith(b": "):
                os.write(main, f"{waiting.pop(0)}\n".encode())
                shown += b"\n"
        code = process.wait(DEADLINE_S)
    os.close(main)
    return code, shown.decode()


@pytest.fixture
def store(program: Program) -> AccountStore:
    """The accounts beside a settings file without cameras."""
    (program.folder / "site.yaml").write_text("web: {address: 127.0.0.1:0}\n")
    return AccountStore(program.folder / "accounts.db")


@pytest.mark.slow
def test_users_and_tokens_from_the_first_to_the_last(program: Program, store: AccountStore) -> None:
    site = ("--config", "site.yaml")
    added = given(program, PASSWORD, "add", "anna", *site)
    assert (added.returncode, added.stdout) == (0, "added anna (admin) to accounts.db\n"), added.stderr
    assert given(program, PASSWORD, "add", "otto", *site).stdout == "added otto (viewer) to accounts.db\n"
    found = store.password_of("anna")
    assert found is not None
    assert matches(found[1], PASSWORD)

    token = program("user", "token", "otto", "backup", "--days", "3", *site)
    assert token.output.startswith("streamer_")
    assert "not shown again" in token.errors
    user = store.token(token.output.strip(), 0.0)
    assert user is not None
    assert user.name == "otto"
    listed = json.loads(program("user", "list", "--json", *site).output)
    assert [(one["name"], one["role"], len(one["tokens"])) for one in listed] == [
        ("anna", "admin", 0),
        ("otto", "viewer", 1),
    ]
    assert "backup (until " in program("user", "list", *site).output
    assert program("user", "token", "otto", "backup", "--revoke", *site).code == 0
    assert store.token(token.output.strip(), 0.0) is None

    assert given(program, "another password", "passwd", "anna", *site).returncode == 0
    changed = store.password_of("anna")
    assert changed is not None
    assert matches(changed[1], "another password")
    removed = program("user", "remove", "anna", *site)
    assert "no user is an admin now" in removed.output
    assert "there are no users now" in program("user", "remove", "otto", *site).output


@pytest.mark.slow
def test_a_password_is_typed_twice_and_not_shown(program: Program, store: AccountStore) -> None:
    arguments = ("add", "anna", "--accounts", "accounts.db")
    code, shown = typed(program, PASSWORD, "something else", arguments=arguments)
    assert (code, store.users()) == (2, [])
    assert "the two passwords differ" in shown
    code, shown = typed(program, PASSWORD, PASSWORD, arguments=arguments)
    assert code == 0, shown
    assert [user.name for user in store.users()] == ["anna"]
    assert PASSWORD not in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "anna"), "there is no terminal to type a password; give it with --password-stdin"),
        (("add", "a b"), "is no name"),
        (("passwd", "emil"), "no user 'emil'"),
        (("remove", "emil"), "no user 'emil'"),
        (("token", "emil", "x"), "no user 'emil'"),
        (("list", "--config", "site.yaml"), "give one of them"),
    ],
)
def test_mistakes_are_one_line(program: Program, store: AccountStore, arguments: tuple[str, ...], message: str) -> None:
    result = program("user", *arguments, "--accounts", "accounts.db")
    assert result.code == 2
    assert message in result.errors
    assert result.errors.count("\n") == 1
    assert not store.path.exists()


@pytest.mark.slow
def test_an_address_beyond_loopback_needs_a_user(program: Program, store: AccountStore) -> None:
    (program.folder / "site.yaml").write_text("cameras: {yard: 'lavfi:testsrc2'}\n")
    is_open = ("--config", "site.yaml", "--set", "web.address=0.0.0.0:8080")
    for command in ("serve", "check"):
        result = program(command, *is_open)
        assert result.code == 2, result
        assert "web.address 0.0.0.0:8080 is open to other machines, and there are no users" in result.errors
        assert "streamer user add NAME --accounts accounts.db" in result.errors
        assert result.errors.count("\n") == 1
    assert given(program, PASSWORD, "add", "anna", "--config", "site.yaml").returncode == 0
    assert store.path.stat().st_mode & 0o077 == 0
    assert program("check", *is_open).code == 0


@pytest.mark.slow
def test_a_certificate_that_cannot_be_used_is_told(program: Program, store: AccountStore) -> None:
    settings = "web: {certificate: a.crt, key: a.key}\ncameras: {yard: 'lavfi:testsrc2'}\n"
    (program.folder / "site.yaml").write_text(settings)
    for command in ("serve", "check"):
        result = program(command, "--config", "site.yaml", "--set", "web.address=127.0.0.1:0")
        assert (result.code, result.errors) == (
            2,
            "error: web.certificate: cannot read a.crt: No such file or directory\n",
        )
    assert not store.path.exists()
