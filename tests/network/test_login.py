"""Logins: the examples of RFC 7616, which challenge is answered, and when a refusal is final."""

from __future__ import annotations

import re
import secrets

import pytest

from streamer.network.login import Challenge, Login, challenges

CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
HEADER = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: CNONCE)
    login = Login("Mufasa", "Circle of Life")
    assert login.accept(challenges([HEADER.format(algorithm)]))
    answer = login.authorization("GET", "/dir/index.html")
    assert answer is not None
    assert f'response="{response}"' in answer
    assert "qop=auth" in answer
    assert "nc=00000001" in answer
    assert "nc=00000002" in (login.authorization("GET", "/") or "")


def test_the_example_of_rfc_2617_and_of_rtsp_without_quality_of_protection() -> None:
    login = Login("me", "word")
    assert login.authorization("DESCRIBE", "rtsp://camera/") is None
    assert login.accept(challenges(['Digest realm="camera", nonce="abc", stale=FALSE']))
    answer = login.authorization("DESCRIBE", "rtsp://camera/") or ""
    # md5(md5("me:camera:word") + ":abc:" + md5("DESCRIBE:rtsp://camera/"))
    assert re.findall(r'(\w+)="([^"]*)"', answer)[:4] == [
        ("username", "me"),
        ("realm", "camera"),
        ("nonce", "abc"),
        ("uri", "rtsp://camera/"),
    ]
    assert "qop" not in answer
    assert "algorithm" not in answer


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        (["Basic realm=x", 'Digest realm="x", nonce="1"'], 'nonce="1"'),
        (['Digest realm="x", nonce="1"', 'Digest realm="x", nonce="2", algorithm=SHA-256'], 'nonce="2"'),
        (['Digest realm="x", nonce="2", algorithm="SHA-256", Digest realm="x", nonce="1", algorithm=MD5'], 'nonce="2"'),
        (['Digest realm="x", nonce="3", algorithm=SHA-999', 'Basic realm="x"'], "Basic "),
        (['Digest realm="x", nonce="3", qop="auth-int"', 'Basic realm="x"'], "Basic "),
        (['Negotiate, Basic realm="x"'], "Basic "),
    ],
)
def test_the_strongest_supported_challenge_is_answered(headers: list[str], chosen: str) -> None:
    login = Login("me", "word")
    assert login.accept(challenges(headers))
    assert chosen in (login.authorization("GET", "/") or "")


def test_unsupported_challenges_are_named() -> None:
    asked = challenges(['Digest realm="x", nonce="1", algorithm=SHA-999', "Negotiate"])
    assert not Login("me", "word").accept(asked)
    assert [str(one) for one in asked] == ["Digest with SHA-999", "Negotiate"]
    assert not Login("", "").accept([Challenge("basic")])


def test_a_refusal_is_final_unless_the_nonce_was_stale() -> None:
    login = Login("me", "word")
    assert login.accept(challenges(['Digest realm="x", nonce="1"']))
    assert login.accept(challenges(['Digest realm="x", nonce="2", stale=true']))
    assert not login.accept(challenges(['Digest realm="x", nonce="3"']))


def test_quotes_and_non_latin_names_and_passwords() -> None:
    login = Login('m"e\\', "pässwort")
    assert login.accept(challenges(['Digest realm="a \\"quoted\\" realm", nonce="1"']))
    answer = login.authorization("GET", "/") or ""
    assert 'username="m\\"e\\\\"' in answer
    assert 'realm="a \\"quoted\\" realm"' in answer
