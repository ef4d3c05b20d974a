"""Logging in and out through the API: sessions, tokens, throttling, and what ends them."""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.accounts.account_store import IDLE_S, Token
from streamer.accounts.passwords import password_hash
from tests.page.sites import ADMIN, PASSWORD, VIEWER, ServedSite, secret_of, served_site, user_of


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ServedSite]:
    with served_site(tmp_path, ADMIN, VIEWER) as site:
        yield site


def seen(site: ServedSite, **headers: str) -> str | None:
    """Whom the site takes the sender of these headers for."""
    name: str | None = user_of(site.client("GET", "/session", None, **headers))
    return name


def until_unknown(site: ServedSite, **headers: str) -> None:
    """Wait until the site does not know the sender any more, as it does within a second."""
    ends_s = time.monotonic() + 10
    while seen(site, **headers) is not None:
        assert time.monotonic() < ends_s, "still logged in"
        time.sleep(0.05)


def test_a_session_lasts_from_login_to_logout(site: ServedSite) -> None:
    assert site.client.get("/session")["login_required"] is True
    cookie = f"{site.cookie_name}={secret_of(site.log_in('anna'))}"
    assert seen(site, Cookie=cookie) == "anna"
    answer = site.client("DELETE", "/session", None, Cookie=cookie)
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert seen(site, Cookie=cookie) is None  # at once, although the browser may still have it


def test_the_cookie_is_for_this_page_only(site: ServedSite) -> None:
    text = site.log_in("anna").headers["Set-Cookie"]
    assert text.startswith(f"{site.cookie_name}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(text.split("; "))
    assert "Secure" not in text


def test_a_proxy_with_https_gets_a_secure_cookie(site: ServedSite) -> None:
    assert "Secure" in site.log_in("anna", X_Forwarded_Proto="https").headers["Set-Cookie"]


def test_a_name_is_found_in_any_case(site: ServedSite) -> None:
    assert user_of(site.log_in("ANNA")) == "anna"


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("", ""), ("anna\0", "x")])
def test_a_wrong_login_tells_nothing(site: ServedSite, name: str, password: str) -> None:
    answer = site.log_in(name, password)
    assert (answer.status, answer.json["detail"]) == (401, "wrong name or password")
    assert "Set-Cookie" not in answer.headers


def until_slowed_down(site: ServedSite, name: str) -> None:
    """Guess until an attempt is refused; each wait is twice as long, so a slow machine needs some attempts more."""
    for _ in range(15):
        if (status := site.log_in(name, "wrong").status) == 429:
            return
        assert status == 401
    raise AssertionError("no guess was refused")


def test_guesses_get_slower(site: ServedSite) -> None:
    until_slowed_down(site, "anna")
    answer = site.log_in("anna")  # the right password waits, too
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert "try again in" in answer.json["detail"]
    assert user_of(site.log_in("otto")) == "otto"


def test_an_unknown_user_is_throttled_alike(site: ServedSite) -> None:
    until_slowed_down(site, "nobody")


def test_a_session_of_the_client_is_never_used_for_a_login(site: ServedSite) -> None:
    """Session fixation: somebody gives the browser a session that is known, and waits for the login."""
    known = site.cookie("otto")
    answer = site.log_in("anna", Cookie=known)
    assert secret_of(answer) not in known
    assert seen(site, Cookie=known) is None
    made_up = f"{site.cookie_name}=chosen-by-somebody"
    assert secret_of(site.log_in("anna", Cookie=made_up)) != "chosen-by-somebody"
    assert seen(site, Cookie=made_up) is None


def test_a_session_that_has_expired_is_told(site: ServedSite) -> None:
    cookie = site.cookie("anna")
    with sqlite3.connect(site.store.path) as db:
        db.execute("UPDATE sessions SET used_s = used_s - ?", (IDLE_S + 60,))
    db.close()
    until_unknown(site, Cookie=cookie)
    assert site.client.get("/session", Cookie=cookie) == {
        "user": None,
        "login_required": True,
        "version": site.client.get("/session")["version"],
    }


def test_a_new_password_ends_the_sessions(site: ServedSite) -> None:
    cookie = site.cookie("anna")
    site.store.set_password("anna", password_hash("another password"))
    until_unknown(site, Cookie=cookie)
    assert site.log_in("anna").status == 401
    assert user_of(site.log_in("anna", "another password")) == "anna"


def test_a_removed_user_is_out(site: ServedSite) -> None:
    cookie = site.cookie("otto")
    site.store.add_token("otto", Token("test", time.time(), None), "secret")
    assert seen(site, Authorization="Bearer secret") == "otto"
    site.store.remove("otto")
    until_unknown(site, Cookie=cookie)
    until_unknown(site, Authorization="Bearer secret")


def test_a_token_is_sent_as_bearer_or_as_a_password(site: ServedSite) -> None:
    site.store.add_token("otto", Token("test", time.time(), None), "secret")
    basic = base64.b64encode(b"otto:secret").decode()
    assert seen(site, Authorization="Bearer secret") == "otto"
    assert seen(site, Authorization="bearer secret") == "otto"
    assert seen(site, Authorization=f"Basic {basic}") == "otto"
    for wrong in ("Bearer other", "Bearer", "secret", "Basic secret", "Digest x", f"Bearer {'x' * 5000}"):
        assert seen(site, Authorization=wrong) is None, wrong
    site.store.revoke("otto", "test")
    until_unknown(site, Authorization="Bearer secret")


def test_a_token_expires(site: ServedSite) -> None:
    site.store.add_token("otto", Token("test", time.time() - 10, time.time() - 1), "secret")
    assert seen(site, Authorization="Bearer secret") is None


def test_a_session_is_no_token(site: ServedSite) -> None:
    secret = site.cookie("anna").partition("=")[2]
    assert seen(site, Authorization=f"Bearer {secret}") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"name": "anna"}',
        b'{"name": 1, "password": 2}',
        b"\xff\xfe",
        b'{"name": "a", "x": 1}',
    ],
)
def test_an_invalid_login_is_a_problem(site: ServedSite, body: bytes) -> None:
    answer = site.client("POST", "/session", body, Content_Type="application/json")
    assert answer.status in (400, 422)
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_no_password_is_in_a_message_or_the_log(site: ServedSite, caplog: pytest.LogCaptureFixture) -> None:
    secret = "hunter22-is-mine"
    with caplog.at_level(logging.DEBUG):
        answers = [
            site.log_in("anna", secret),
            site.log_in("x" * 100, secret),
            site.client.send("POST", "/session", {"name": "anna", "password": [secret]}),
            site.client.send("POST", "/session", {"name": "anna", "password": secret * 100}),
            site.client("POST", "/session", json.dumps({"p": secret}).encode()[:-1], Content_Type="application/json"),
        ]
    assert all(400 <= answer.status < 500 for answer in answers)
    assert secret not in caplog.text
    told = [answer for answer in answers if secret.encode() in answer.content]
    assert not told


def test_without_users_everybody_on_this_machine_is_admin(tmp_path: Path) -> None:
    with served_site(tmp_path) as site:
        assert site.client.get("/session") == {
            "user": {"name": "", "role": "admin"},
            "login_required": False,
            "version": site.client.get("/session")["version"],
        }
        # A reverse proxy on this machine passes on requests of other machines.
        assert seen(site, X_Forwarded_For="192.0.2.7") is None


def test_the_first_user_ends_the_time_without_logins(tmp_path: Path) -> None:
    with served_site(tmp_path) as site:
        assert seen(site) == ""
        site.store.add(ADMIN, password_hash(PASSWORD), time.time())
        until_unknown(site)


@pytest.mark.parametrize("garbage", ["\xff\xfe", "Bearer \xff", "Basic \xff", "=;=;\xff", "x" * 4000, "a b"])
def test_bytes_that_are_no_text_are_nobody(site: ServedSite, garbage: str) -> None:
    name = site.cookie_name
    for headers in ({"Authorization": garbage}, {"Cookie": f"{name}={garbage}"}, {"X_Forwarded_For": garbage}):
        assert seen(site, **headers) is None, headers
    for headers in ({"Host": garbage}, {"Origin": garbage}):
        answer = site.client("DELETE", "/session", None, **headers)
        assert 400 <= answer.status < 500, answer
