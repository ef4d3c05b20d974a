"""Passwords: taken out of addresses, put back, and hidden in texts and log records."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamer.system.secrets import (
    HIDDEN,
    SHORTEST_HIDDEN,
    Secrets,
    SecretsFilter,
    is_common,
    redacted,
    split_credentials,
    with_credentials,
)

ADDRESSES = ["rtsp://camera/live", "rtsp://[fe80::1%25eth0]:8554/a/b?channel=1&to=me@home#x", "http://10.0.0.7:8080/"]
# Includes the surrogates with which Python represents bytes of another encoding.
CHARACTERS = st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("@:/?#%[]\\'\" +&=\udcff"))
TEXTS = st.text(CHARACTERS, max_size=20)
PASSWORDS = st.text(CHARACTERS, min_size=SHORTEST_HIDDEN, max_size=20).filter(lambda text: not is_common(text))


@settings(deadline=None)
@given(user=TEXTS, password=TEXTS, address=st.sampled_from(ADDRESSES))
def test_credentials_in_an_address_are_read_back(user: str, password: str, address: str) -> None:
    full = with_credentials(address, user, password)
    assert split_credentials(full) == (address, user, password)
    assert with_credentials(full, "", "") == address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://me:pass@word@camera:554/live", ("rtsp://camera:554/live", "me", "pass@word")),
        ("rtsp://me:a:b::c@camera/live", ("rtsp://camera/live", "me", "a:b::c")),
        ("rtsp://me:pass/word@camera/live", ("rtsp://camera/live", "me", "pass/word")),
        ("rtsp://me:pass#word?@camera/live", ("rtsp://camera/live", "me", "pass#word?")),
        ("rtsp://me:100%@camera/live", ("rtsp://camera/live", "me", "100%")),
        ("rtsp://me:a%40b%2F@[::1]:8554/", ("rtsp://[::1]:8554/", "me", "a@b/")),
        ("rtsp://me@camera/live", ("rtsp://camera/live", "me", "")),
        ("rtsp://:word@camera", ("rtsp://camera", "", "word")),
        ("http://me:word@:8080/", ("http://:8080/", "me", "word")),
        ("rtsp://admin:p@ss:w/o#rd?%@host/cam", ("rtsp://host/cam", "admin", "p@ss:w/o#rd?%")),
        ("rtsp://me:p@/ss@camera/live", ("rtsp://camera/live", "me", "p@/ss")),
        ("rtsp://me:12#34@camera/live", ("rtsp://camera/live", "me", "12#34")),
        ("rtsp://me:p@ss/word@192.0.2.1:554/live", ("rtsp://192.0.2.1:554/live", "me", "p@ss/word")),
        ("rtsp://me:p@ss/word@[::1]/live", ("rtsp://[::1]/live", "me", "p@ss/word")),
        # If both may be the host, it is the first, as in RFC 3986.
        ("rtsp://me:p@ss/word@camera/live", ("rtsp://ss/word@camera/live", "me", "p")),
        (
            "http://me:word@relay/get?src=rtsp://you:p@192.0.2.1/",
            ("http://relay/get?src=rtsp://you:p@192.0.2.1/", "me", "word"),
        ),
    ],
)
def test_credentials_as_users_type_them(address: str, expected: tuple[str, str, str]) -> None:
    assert split_credentials(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://camera/live",
        "http://host:1984/api/stream?src=rtsp://camera@home/",
        "http://host/image@2x.jpg",
        "udp://@239.0.0.1:1234",
        "clip@home:1.mp4",
        "0",
        "",
    ],
)
def test_text_without_credentials_is_unchanged(address: str) -> None:
    assert split_credentials(address) == (address, "", "")


def test_only_addresses_accept_credentials() -> None:
    with pytest.raises(ValueError, match="scheme://"):
        with_credentials("/dev/video0", "me", "word")


def test_a_redacted_address_has_no_credentials_and_no_query() -> None:
    assert redacted("rtsp://me:pa@ss/wo?rd@camera:554/live?token=abc#d") == "rtsp://camera:554/live"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:secret/live", f"rtsp://admin:{HIDDEN}/live"),
        ("rtsp://admin:secret", f"rtsp://admin:{HIDDEN}"),
        ("rtsp://admin:12/secret@", "rtsp://"),
        ("rtsp://me:word@[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
    ],
)
def test_a_password_in_place_of_host_or_port_is_redacted(address: str, shown: str) -> None:
    secrets = Secrets()
    secrets.split(address)
    assert redacted(address) == shown
    assert "secret" not in secrets.hide(f"cannot open {address}")


def written(user: str, password: str) -> dict[str, str]:
    """The notations in which libraries write a password."""
    raw = f"{user}:{password}".encode("utf-8", "surrogateescape")
    return {
        "raw": password,
        "percent": quote(password, safe="", errors="surrogateescape"),
        "lower-case percent": quote(password, safe="", errors="surrogateescape").lower(),
        "partly percent": quote(password, errors="surrogateescape"),
        "form": quote_plus(password, errors="surrogateescape"),
        "repr": repr(password)[1:-1],
        "json": json.dumps(password)[1:-1],
        "json in UTF-8": json.dumps(password, ensure_ascii=False)[1:-1],
        "basic": base64.b64encode(raw).decode(),
    }


@settings(deadline=None)
@given(user=TEXTS, password=PASSWORDS, before=TEXTS, after=TEXTS)
def test_a_hidden_text_contains_no_password(user: str, password: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.remember(password, user)
    for form in written(user, password).values():
        hidden = secrets.hide(f"{before}{form}{after}")
        assert password not in hidden
    for name, form in written(user, password).items():
        if name != "lower-case percent":
            assert form not in secrets.hide(f"{before} {form} {after}")


@pytest.mark.parametrize("password", ['pä"s\ns\\word', "it's \udcff+ 100%"])
def test_every_form_of_a_password_is_hidden(password: str) -> None:
    secrets = Secrets()
    secrets.remember(password, "me")
    for form in written("me", password).values():
        assert secrets.hide(f"<{form}>") == f"<{HIDDEN}>"
    assert secrets.hide(ascii(password)[1:-1]) == HIDDEN


@settings(deadline=None)
@given(password=st.text(CHARACTERS, min_size=1, max_size=20), user=TEXTS, address=st.sampled_from(ADDRESSES))
def test_a_given_address_is_hidden_with_any_password(user: str, password: str, address: str) -> None:
    secrets = Secrets()
    full = with_credentials(address, user, password)
    assert secrets.split(full) == (address, user, password)
    hidden = secrets.hide(f"cannot open {full}: no answer")
    assert f"{HIDDEN}@" in hidden
    assert f":{quote(password, safe='', errors='surrogateescape')}@" not in hidden


def test_a_password_with_a_slash_is_hidden_completely() -> None:
    secrets = Secrets()
    secrets.split("rtsp://me:12/34secret@camera/live")
    assert "secret" not in secrets.hide("cannot open rtsp://me:12/34secret@camera/live")


@pytest.mark.parametrize("password", ["a", "12", "***", "camera", "Admin", "1234", "password"])
def test_a_common_password_leaves_other_text_readable(password: str) -> None:
    secrets = Secrets()
    secrets.remember(password, "me")
    text = "1234 frames at a rate of 12.5 from /rec/camera.mp4: *** a source.password_file"
    assert secrets.hide(text) == text
    assert secrets.hide(f"me:{password}@camera") == f"me:{HIDDEN}@camera"
    assert secrets.hide(f"password={password}, again") == f"password={HIDDEN}, again"


def test_a_password_of_four_characters_is_hidden_everywhere() -> None:
    secrets = Secrets()
    secrets.remember("w0rd")
    assert secrets.hide("a w0rd") == f"a {HIDDEN}"


def test_an_empty_password_hides_nothing() -> None:
    secrets = Secrets()
    secrets.remember("", "me")
    text = f"as it is: {base64.b64encode(b'me:').decode()} me:@camera"
    assert secrets.hide(text) == text


def test_a_log_line_without_secrets_is_unchanged() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(SecretsFilter(Secrets()))
    logger = logging.Logger("apart")
    logger.addHandler(handler)
    logger.warning("%d of %s", 3, "many")
    assert stream.getvalue() == "3 of many\n"


def test_a_password_that_contains_another_is_hidden_completely() -> None:
    secrets = Secrets()
    for password in ("w0rd", "passw0rd", "passw0rds"):
        secrets.remember(password)
    assert secrets.hide("passw0rds") == HIDDEN


@pytest.mark.parametrize("password", ["wrong", "both", "Both", "file", "rong", "refused", "camera", "Garten7"])
def test_the_sentences_of_the_program_and_the_path_stay_readable(password: str) -> None:
    secrets = Secrets()
    address = f"rtsp://admin:{password}@192.0.2.1:554/{password}/file"
    secrets.split(address)
    line = f"{redacted(address)}: wrong user or password; give both in the URL (connection refused)"
    assert secrets.hide(line) == line
    assert f":{password}@" not in secrets.hide(f"cannot open {address}")
    assert f"admin:{password}" not in secrets.hide(f"login admin:{password} failed, password={password}")
    assert f"={password}" not in secrets.hide(f"login admin:{password} failed, password={password}")


def test_a_password_that_is_no_word_of_the_program_is_hidden_outside_its_path() -> None:
    secrets = Secrets()
    secrets.split("rtsp://admin:Garten7@camera/Garten7")
    assert secrets.hide("login Garten7 refused") == f"login {HIDDEN} refused"
    assert secrets.hide("rtsp://camera/Garten7x") == f"rtsp://camera/{HIDDEN}x"
    assert secrets.hide("rtsp://admin:Garten7@camera/Garten7") == f"rtsp://{HIDDEN}@camera/{HIDDEN}"


def test_tokens_in_a_query_are_remembered() -> None:
    secrets = Secrets()
    secrets.split("http://camera/live?channel=main&access_token=abc%2Bdef&passive=true")
    assert secrets.hide("403 for abc+def or abc%2bdef, main, true") == f"403 for {HIDDEN} or {HIDDEN}, main, true"


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("http://camera/live?channel=1&token=abcdef#t=3", "abcdef"),
        ("http://camera/live?token=abcdef#", "abcdef"),
        ("http://camera/live?token=ab#cdef", "ab#cdef"),
        ("http://camera/live?channel=1;token=abcdef;rate=25", "abcdef"),
        ("http://camera/live?token=abcd;ef&rate=25", "abcd;ef"),
        ("http://camera/live?token=abcdef;rate=25#t=3", "abcdef"),
        ("http://camera/live#access_token=abcdef", "abcdef"),
        ("http://camera/live?a=1#token=abcdef&b=2", "abcdef"),
        ("http://camera/live?%74oken=abcdef", "abcdef"),
        ("http://camera/live?API_Key=abcdef", "abcdef"),
        ("http://camera/live?token=abc+def", "abc+def"),
        ("http://camera/live?token=abc+def", "abc def"),
        ("http://camera/live?token=abc+def", "abc%2Bdef"),
        ("http://camera/live?token=abc%2bdef", "abc+def"),
        ("http://camera/live?token=abc%2bdef", "abc%252bdef"),
        ("http://camera/live?token=abcdef==", "abcdef=="),
        ("http://camera/live?password=caf%E9s", "caf\udce9s"),
        ("http://camera/live?channel&token=abcdef", "abcdef"),
        ("http://me:word@camera/live?token=abcdef", "abcdef"),
        ("http://server:1984/api?src=rtsp://me:swordfish@camera/x&y=1", "swordfish"),
        ("http://server/api?src=rtsp%3A%2F%2Fme%3Aswordfish%40camera%2Fx", "swordfish"),
        ("http://server/api?src=http%3A%2F%2Fcamera%2Fx%3Ftoken%3Dabcdef%23t", "abcdef"),
    ],
)
def test_a_token_of_an_address_is_hidden_without_the_address(address: str, token: str) -> None:
    secrets = Secrets()
    secrets.split(address)
    assert secrets.hide(f"403 for {token}, 25 frames") == f"403 for {HIDDEN}, 25 frames"
    assert token not in secrets.hide(f"cannot open {address}: no answer")


@pytest.mark.parametrize(
    "address",
    ["http://camera/live?channel=main1&rate=frames#part", "http://camera/live?tokens=main1&key=", "a?token=b"],
)
def test_other_parameters_stay_readable(address: str) -> None:
    secrets = Secrets()
    secrets.split(address)
    assert secrets.hide("main1: 25 frames of a part") == "main1: 25 frames of a part"


@settings(deadline=None)
@given(password=PASSWORDS)
def test_a_typed_password_of_any_characters_is_hidden(password: str) -> None:
    assume(password not in "cannot open rtsp://me:@camera/stream: no answer" and HIDDEN not in password)
    secrets = Secrets()
    address = f"rtsp://me:{password}@camera/stream"
    secrets.split(address)
    assert password not in secrets.hide(f"cannot open {address}: no answer")
    assert password not in secrets.hide(f"login {password} refused")


def test_credentials_of_unknown_addresses_are_hidden() -> None:
    text = "redirected to 'http://me:word@other/x?api_key=12345&y=1'"
    assert Secrets().hide(text) == f"redirected to 'http://{HIDDEN}@other/x?api_key={HIDDEN}&y=1'"


@settings(deadline=None)
@given(text=TEXTS)
def test_a_text_without_secrets_is_unchanged(text: str) -> None:
    assume("://" not in text and "=" not in text)
    secrets = Secrets()
    secrets.remember("correct horse battery")
    assert secrets.hide(text) == text


def test_all_fields_of_a_log_record_are_hidden() -> None:
    secrets, stream = Secrets(), io.StringIO()
    secrets.remember("s3cret")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(detail)s"))
    handler.addFilter(SecretsFilter(secrets))
    logger = logging.Logger("apart")
    logger.addHandler(handler)
    extra = {"detail": {"url": "rtsp://me:s3cret@camera", "tries": 3, "error": OSError("s3cret")}}
    try:
        raise ValueError("no s3cret here") from OSError("s3cret")
    except ValueError:
        logger.exception("wrong: %s", "s3cret", extra=extra, stack_info=True)
    text = stream.getvalue()
    assert "s3cret" not in text
    assert "wrong: ***" in text
    assert "ValueError: no *** here" in text
    assert "'tries': 3" in text


def test_many_passwords_make_one_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made anew for each of them, it took 12 s at the start of a site with 200 cameras."""
    made: list[str] = []
    secrets, make = Secrets(), re.compile
    monkeypatch.setattr("streamer.system.secrets.re.compile", lambda text: (made.append(text), make(text))[1])
    for number in range(20):
        secrets.split(f"rtsp://me:swordfish{number}@192.0.2.{number}/1")
    assert not made
    assert secrets.hide("swordfish7 swordfish19") == "*** ***"
    assert len(made) == 1
