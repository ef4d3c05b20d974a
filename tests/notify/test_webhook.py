"""Webhooks, with a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamer.errors import ConfigError
from streamer.notify.target import DeliveryError, TargetContext
from streamer.notify.webhook.target import WebhookSettings, WebhookTarget
from streamer.system.secrets import SECRETS
from streamer.values.events import EventPhase
from tests.notify.messages import message
from tests.notify.receiver import Receiver, Reply, receiving

CONTEXT = TargetContext("notify.targets.ops")
PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"


@contextmanager
def webhook(url: str, **settings: Any) -> Iterator[WebhookTarget]:
    target = WebhookTarget(WebhookSettings(type="webhook", url=url, **settings), CONTEXT)
    try:
        yield target
    finally:
        target.close()


def failure(receiver_or_url: Receiver | str, **settings: Any) -> DeliveryError:
    url = receiver_or_url if isinstance(receiver_or_url, str) else receiver_or_url.url
    with webhook(url, **settings) as target, pytest.raises(DeliveryError) as caught:
        target.deliver(message())
    return caught.value


def test_a_message_is_posted_as_json_with_its_key() -> None:
    sent = message(EventPhase.UPDATE, revision=2)
    with receiving() as receiver, webhook(receiver.url, headers={"X-Site": "north"}) as target:
        assert target.deliver(sent) == "200 OK"
        got = receiver.next()
    assert (got.method, got.headers["content-type"], got.headers["x-site"]) == ("POST", "application/json", "north")
    assert got.headers["idempotency-key"] == got.json["id"] == f"{sent.event.id}-2"
    assert (got.json["version"], got.json["type"], got.json["phase"]) == (1, "dwell", "update")
    assert got.json["timestamp"] == got.json["data"]["start_time"] == "2026-11-26T22:35:03.120Z"
    assert (got.json["data"]["camera"], got.json["data"]["label"], got.json["data"]["zones"]) == (
        "gate",
        "Person",
        ["door"],
    )


@pytest.mark.parametrize("secret", ["a plain secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_receiver_verifies_the_signature(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    with receiving() as receiver, webhook(receiver.url, secret="${HOOK_SECRET}") as target:
        target.deliver(message())
        got = receiver.next()
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert got.headers["webhook-id"] == got.headers["idempotency-key"]
    page: dict[str, Any] = {}
    exec(re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1], page)  # type: ignore[index]
    assert page["is_genuine"](got.headers, got.body, secret)
    assert not page["is_genuine"](got.headers, got.body + b" ", secret)
    assert not page["is_genuine"](got.headers, got.body, secret[:-4] + "AAAA")


def test_the_picture_is_in_the_json_or_a_part_of_a_form(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8picture")
    sent = message(folder=tmp_path, snapshot="a.jpg")
    with receiving() as receiver:
        for attach in ("base64", "multipart"):
            with webhook(receiver.url, attach=attach) as target:
                target.deliver(sent)
        with webhook(receiver.url, snapshot=False) as target:
            target.deliver(sent)
        inside, form, without = receiver.all(3)
    assert base64.b64decode(inside.json["picture"]["base64"]) == b"\xff\xd8picture"
    head = f"Content-Type: {form.headers['content-type']}\r\n\r\n".encode()
    parts = [part.get_payload(decode=True) for part in BytesParser().parsebytes(head + form.body).walk()][1:]
    assert json.loads(bytes(parts[0])) == sent.payload
    assert parts[1] == b"\xff\xd8picture"
    assert without.json == sent.payload


def test_a_receiver_with_a_limit_gets_the_message_without_its_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(bytes(1000))
    with (
        receiving(lambda request, _: Reply(413 if len(request.body) > 1000 else 200)) as receiver,
        webhook(receiver.url) as target,
    ):
        target.deliver(message(folder=tmp_path, snapshot="a.jpg"))
        receiver.next()
        assert "picture" not in receiver.next().json


def test_an_own_body_is_filled_in() -> None:
    body = {
        "text": 'a "{data.label}" at {data.camera}: {data.zones}',
        "score": "{data.score}",
        "n": [1, "{data.value}"],
    }
    with receiving() as receiver:
        with webhook(receiver.url, body=body) as target:
            target.deliver(message())
        with webhook(receiver.url, body="{type}: {data.label} { x } }{") as target:
            target.deliver(message())
        structure, text = receiver.all(2)
    assert structure.json == {"text": 'a "Person" at gate: door', "score": 0.91, "n": [1, None]}
    assert (text.body, text.headers["content-type"]) == (b"enter: Person { x } }{", "text/plain; charset=utf-8")


def test_one_connection_is_kept_for_all_messages() -> None:
    with receiving(lambda *_: Reply(body=b"x" * 50_000)) as receiver, webhook(receiver.url) as target:
        for _ in range(5):
            target.deliver(message())
        assert receiver.connections == 1


@pytest.mark.parametrize(
    ("status", "permanent", "told"),
    [
        (400, True, "400"),
        (422, True, "422"),
        (401, False, "check the login"),
        (404, False, "404"),
        (410, False, "410"),
        (429, False, "429"),
        (500, False, "500"),
    ],
)
def test_only_a_refused_message_is_given_up(status: int, permanent: bool, told: str) -> None:
    with receiving(lambda *_: Reply(status, body=b"because\nof this")) as receiver:
        error = failure(receiver)
    assert error.permanent is permanent
    assert told in str(error)
    assert "because of this" in str(error)


def test_retry_after_is_seconds_or_a_date() -> None:
    with receiving(lambda *_: Reply(429, {"Retry-After": "17"})) as receiver:
        assert failure(receiver).retry_after_s == 17
    in_a_day = formatdate(2_000_000_000, usegmt=True)
    with receiving(lambda *_: Reply(503, {"Retry-After": in_a_day})) as receiver:
        assert (failure(receiver).retry_after_s or 0) > 1000
    with receiving(lambda *_: Reply(503, {"Retry-After": "soon"})) as receiver:
        assert failure(receiver).retry_after_s is None


def test_a_redirect_is_not_followed() -> None:
    with receiving() as other, receiving(lambda *_: Reply(307, {"Location": other.url + "?token=abc"})) as receiver:
        text = str(failure(receiver, headers={"Authorization": "Bearer x"}))
        assert other.got.empty()
    assert f"redirects to {other.url}; requests are not redirected" in text
    assert "abc" not in text


def test_a_receiver_that_is_slow_resets_or_is_absent_is_told() -> None:
    with receiving(lambda *_: Reply(slow_s=30)) as receiver:
        assert "does not answer within 0.2 s" in str(failure(receiver, timeout_s=0.2))
    with receiving(lambda *_: Reply(reset=True)) as receiver:
        assert "closed the connection" in str(failure(receiver))
    assert "no answer from http://127.0.0.1:" in str(failure(receiver))  # its port is closed now
    assert "no answer from http://nowhere.invalid/" in str(failure("http://nowhere.invalid/"))


def test_a_delivery_in_progress_is_cancelled() -> None:
    with receiving(lambda *_: Reply(slow_s=60)) as receiver, webhook(receiver.url, timeout_s=100) as target:
        canceller = threading.Thread(target=lambda: [step() for step in (receiver.next, target.cancel)])
        canceller.start()
        with pytest.raises(DeliveryError, match="stopped"):
            target.deliver(message())
        with pytest.raises(DeliveryError, match="stopped"):
            target.deliver(message())
        canceller.join()


def test_a_certificate_is_checked_against_the_file_of_authorities(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    with receiving(tls=server) as receiver:
        text = str(failure(receiver))
        assert "certificate is not trusted" in text
        assert "notify.targets.ops.verify" in text
        for accepted in ({"ca_file": tmp_path / "ca.pem"}, {"verify": False}):
            with webhook(receiver.url, **accepted) as target:
                assert target.deliver(message()) == "200 OK"


def test_wrong_settings_are_refused_with_their_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "whsec_not base64")
    (tmp_path / "ca.pem").write_text("no certificate")
    for settings, told in (
        ({"secret": "${NO_SUCH}"}, "ops.secret: the environment has no variable NO_SUCH"),
        ({"secret": "${KEY}"}, "ops.secret: a key that begins with whsec_ is base64"),
        ({"headers": {"A": "${file:/no/such}"}}, "ops.headers.A: cannot read /no/such: No such file"),
        ({"body": {"text": "{data.lable}"}}, r"ops.body: no field \{data.lable\}; did you mean data.label\?"),
        ({"ca_file": tmp_path / "ca.pem"}, "ops.ca_file: cannot use .*: it has no certificate"),
    ):
        with pytest.raises(ConfigError, match=told):
            WebhookTarget(WebhookSettings(type="webhook", url="http://127.0.0.1/", **settings), CONTEXT)


@pytest.mark.parametrize("reply", [Reply(500), Reply(reset=True), Reply(slow_s=30), Reply(302)])
def test_a_token_of_the_address_is_in_no_error(monkeypatch: pytest.MonkeyPatch, reply: Reply) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "gehe1mes-token")
    with receiving(lambda *_: reply) as receiver:
        monkeypatch.setenv("HOOK_URL", f"{receiver.url}/gehe1mes-token")
        for end in ("?key=${HOOK_TOKEN}", "/${HOOK_TOKEN}"):
            error = failure(receiver.url + end, timeout_s=0.2)
            assert receiver.next().path == f"/hook{end.replace('${HOOK_TOKEN}', 'gehe1mes-token')}"
            assert receiver.url in str(error)
            assert "gehe1mes" not in SECRETS.hide(str(error))
        error = failure("${HOOK_URL}", timeout_s=0.2)
        assert receiver.next().path == "/hook/gehe1mes-token"
        assert "${HOOK_URL}" in str(error)
        assert "gehe1mes" not in str(error)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_connection_that_the_receiver_closed_is_no_failure(encrypted: bool) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server)
    tls = server if encrypted else None
    with receiving(lambda *_: Reply(close=True), tls=tls) as receiver, webhook(receiver.url, verify=False) as target:
        for number in range(3):
            target.deliver(message())
            assert receiver.connections == number + 1
            receiver.closed.acquire(timeout=20)


def test_a_message_has_the_keys_that_the_page_shows() -> None:
    example = json.loads(re.search(r"^```json\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1])  # type: ignore[index]
    payload = message().payload
    assert [*example] == [*payload, "picture"]
    assert [*example["data"]] == [*payload["data"]]
