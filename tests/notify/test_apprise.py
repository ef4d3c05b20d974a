"""Notifications for persons, against local services."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from apprise.plugins.ntfy import NotifyNtfy

from streamer.config.section import validated
from streamer.errors import ConfigError
from streamer.notify.apprise.sentences import sentence
from streamer.notify.apprise.target import AppriseSettings, AppriseTarget
from streamer.notify.payload import message_of
from streamer.notify.target import DeliveryError, Message, TargetContext
from streamer.store.records import Delivery
from streamer.values.events import EventKind, EventPhase
from tests.notify.messages import TIME, message, record
from tests.notify.receiver import Reply, receiving
from tests.notify.services import mail_server, ntfy

PATH = "notify.targets.phone"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """apprise waits 5.5 s between two messages to an ntfy."""
    monkeypatch.setattr(NotifyNtfy, "request_rate_per_sec", 0)


@contextmanager
def target_at(url: str, **values: Any) -> Iterator[AppriseTarget]:
    settings = validated(AppriseSettings, {"type": "apprise", "url": url, **values}, PATH)
    target = AppriseTarget.from_settings("phone", settings, TargetContext(PATH))
    try:
        yield target
    finally:
        target.cancel()
        target.close()


def refused(url: str, **values: Any) -> str:
    with pytest.raises(ConfigError) as caught, target_at(url, **values):
        pass
    return str(caught.value)


def refusal(target: AppriseTarget, told: Message) -> str:
    with pytest.raises(DeliveryError) as caught:
        target.deliver(told)
    assert "\n" not in str(caught.value)
    assert not caught.value.permanent
    return str(caught.value)


def picture_of(event: Message, folder: Path) -> Message:
    """The message that the picture of an event is complete."""
    (folder / "event.jpg").write_bytes(b"\xff\xd8 picture \xff\xd9")
    with_picture = record(id=event.event.id, snapshot="event.jpg")
    return message_of(Delivery(2, "phone", event.event.id, None, with_picture, files=("snapshot",)), folder)


def test_ntfy_gets_the_event_and_then_its_picture(tmp_path: Path) -> None:
    with ntfy() as server, target_at(f"ntfy://127.0.0.1:{server.port}/home") as target:
        start = message()
        assert target.deliver(start) == "ntfy has accepted it"
        told = server.next()
        assert (told.topic, told.title, told.attachment) == ("home", "gate", b"")
        assert told.message == "Person entered door, 2026-11-26 22:35:03"
        target.deliver(picture_of(start, tmp_path))
        told = server.next()
        assert told.message == "Person entered door, 2026-11-26 22:35:03"
        assert told.attachment == b"\xff\xd8 picture \xff\xd9"
        assert told.filename == "event.jpg"


def test_a_better_picture_and_a_clip_are_not_told_again(tmp_path: Path) -> None:
    with ntfy() as server, target_at(f"ntfy://127.0.0.1:{server.port}/home") as target:
        start = message()
        picture = picture_of(start, tmp_path)
        target.deliver(picture)
        assert target.deliver(picture).startswith("not told")
        clip = message_of(Delivery(3, "phone", start.event.id, None, start.event, files=("clip",)), tmp_path)
        assert target.deliver(clip).startswith("not told")
        target.deliver(message(id="another"))
        assert server.next().attachment
        assert not server.next().attachment
        assert server.got.empty()


def test_an_event_can_wait_for_its_picture(tmp_path: Path) -> None:
    with ntfy() as server, target_at(f"ntfy://127.0.0.1:{server.port}/home", one_message=True) as target:
        start = message()
        target.deliver(start)
        target.deliver(picture_of(start, tmp_path))
        target.deliver(message(kind=EventKind.CAMERA_LOST, track=0, label="", rule="camera"))  # it has no picture
        assert server.next().attachment
        assert server.next().message.startswith("The camera sends no frames")
        assert server.got.empty()


def test_pictures_can_be_left_out(tmp_path: Path) -> None:
    with ntfy() as server, target_at(f"ntfy://127.0.0.1:{server.port}/home", snapshot=False) as target:
        start = message()
        target.deliver(start)
        target.deliver(picture_of(start, tmp_path))
        assert not server.next().attachment
        assert server.got.empty()


def test_texts_can_be_replaced() -> None:
    own = {"title": "{data.rule}", "body": "{data.label} ({data.score}) {type}"}
    with ntfy() as server, target_at(f"ntfy://127.0.0.1:{server.port}/home", **own) as target:
        target.deliver(message())
        told = server.next()
        assert (told.title, told.message) == ("door", "Person (0.91) enter")


def test_an_unknown_field_of_a_text_is_refused() -> None:
    assert "phone.title: no field {data.rul}; did you mean data.rule?" in refused("ntfy://a/b", title="{data.rul}")
    assert "phone.body: no field {name}" in refused("ntfy://a/b", body="{name}")


def test_a_token_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ntfy(token="tk_geheimnis") as server:
        url = f"ntfy://tk_geheimnis@127.0.0.1:{server.port}/home"
        monkeypatch.setenv("NTFY", url)
        (tmp_path / "url").write_text(f"{url}\n")
        for reference in ("${NTFY}", f"${{file:{tmp_path}/url}}"):
            with target_at(reference) as target:
                target.deliver(message())
                assert server.next().topic == "home"


@pytest.mark.parametrize(
    "url",
    [
        "ntfy://tk_geheimnis@127.0.0.1/home",
        "ntfy://me:geheimnis@127.0.0.1/home",
        "tgram://123456789:geheimnisgeheimnisgeheimnisgeheimni/12345",
        "mailtos://me:geheimnis@example.com",
        "discord://4174216298/geheimnisgeheimnis",
    ],
)
def test_a_secret_in_the_settings_is_refused_without_showing_it(url: str) -> None:
    message = refused(url)
    assert f"{PATH}.url: the address has a secret; give it as ${{NAME}}" in message
    assert "geheimnis" not in message


@pytest.mark.parametrize("url", ["nosuch://a/b", "ntfy", "", "tgram://"])
def test_an_address_that_apprise_does_not_know_is_refused(url: str) -> None:
    message = refused(url)
    assert message.startswith(f"{PATH}.url: apprise does not know this address")
    assert "\n" not in message


def test_a_missing_package_is_told_with_the_remedy() -> None:
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from streamer.notify.apprise.target import *\n"
        "settings = AppriseSettings(type='apprise', url='ntfy://a/b')\n"
        "try: AppriseTarget('phone', settings, TargetContext('notify.targets.phone'))\n"
        "except ConfigError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "apprise is not installed: pip install 'streamer-video[notify]'\n"


def test_settings_with_a_target_of_apprise_do_not_import_it() -> None:
    code = (
        "import sys; from streamer.config.notify import NotifySettings\n"
        "NotifySettings.model_validate({'targets': {'phone': {'type': 'apprise', 'url': 'ntfy://a/b'}}})\n"
        "assert 'apprise' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_token_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ntfy(token="tk_richtig") as server:
        monkeypatch.setenv("NTFY", f"ntfy://tk_geheimnis@127.0.0.1:{server.port}/home")
        with caplog.at_level(logging.DEBUG), target_at("${NTFY}") as target:
            told = refusal(target, message())
            assert told.startswith("ntfy: Failed to send ntfy notification to topic 'home': unauthorized")
            server.token = ""
            target.deliver(message())
    assert not [one for one in caplog.records if one.name.startswith("apprise")]  # the notifier says it
    assert "geheimnis" not in caplog.text


def test_errors_of_the_service_and_of_the_network_are_told() -> None:
    with ntfy() as server, target_at(f"ntfy://127.0.0.1:{server.port}/home") as target:
        server.status = 503
        assert "internal server error" in refusal(target, message())
        url = f"ntfy://127.0.0.1:{server.port}/home"
    with target_at(url) as target:
        assert refusal(target, message()).startswith("ntfy: ")


def test_a_slow_service_is_given_up() -> None:
    with (
        receiving(lambda *_: Reply(slow_s=60)) as server,
        target_at(server.url.replace("http://", "ntfy://"), timeout_s=0.2) as target,
    ):
        assert refusal(target, message()).startswith("ntfy: ")


def test_a_delivery_is_cancelled_at_once() -> None:
    asked = threading.Event()

    def answer(*_: Any) -> Reply:
        asked.set()
        return Reply(slow_s=60)

    with receiving(answer) as server, target_at(server.url.replace("http://", "ntfy://"), timeout_s=60) as target:

        def stop() -> None:
            asked.wait(20)
            target.cancel()

        thread = threading.Thread(target=stop)
        thread.start()
        assert refusal(target, message()) == "the program ends"
        assert refusal(target, message()) == "the program ends"
        thread.join()
        server.closing.set()


def test_a_mail_has_the_picture_attached(tmp_path: Path) -> None:
    with mail_server() as server:
        url = f"mailto://127.0.0.1:{server.port}?from=streamer@example.com&to=me@example.com"
        with target_at(url) as target:
            target.deliver(picture_of(message(), tmp_path))
        mail = server.got.get(timeout=20)
        assert mail["To"] == "me@example.com"
        assert mail["Subject"] == "gate"
        (attached,) = mail.iter_attachments()
        assert attached.get_content_type() == "image/jpeg"
        assert attached.get_content() == b"\xff\xd8 picture \xff\xd9"
        body = mail.get_body()
        assert body is not None
        assert "Person entered door, 2026-11-26 22:35:03" in body.get_content()


@pytest.mark.parametrize(
    ("kind", "phase", "values", "told"),
    [
        (EventKind.CROSSING, EventPhase.MOMENT, {"direction": "out"}, "Person crossed door (out)"),
        (EventKind.ENTER, EventPhase.START, {}, "Person entered door"),
        (EventKind.ENTER, EventPhase.UPDATE, {}, "Person stays in door"),
        (EventKind.ENTER, EventPhase.END, {"end_time": TIME + 12}, "Person left door after 12 s"),
        (EventKind.ENTER, EventPhase.END, {"end_time": TIME + 600}, "Person left door after 10 min"),
        (EventKind.ENTER, EventPhase.END, {"end_time": TIME + 5400}, "Person left door after 1.5 h"),
        (EventKind.ENTER, None, {}, "Person entered door"),
        (EventKind.ABOVE, EventPhase.START, {"value": 4, "label": ""}, "door: 4 objects, more than the limit"),
        (EventKind.BELOW, EventPhase.START, {"value": 1, "label": ""}, "door: 1 object, fewer than the limit"),
        (EventKind.CAMERA_LOST, EventPhase.START, {"text": "no route"}, "The camera sends no frames: no route"),
        (EventKind.APPEAR, EventPhase.START, {"label": ""}, "An object appeared (door)"),
    ],
)
def test_messages_are_sentences(kind: EventKind, phase: EventPhase | None, values: dict[str, Any], told: str) -> None:
    assert sentence(message(phase, kind=kind, **values)) == told


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("phase", [*EventPhase, None])
def test_all_events_have_a_sentence(kind: EventKind, phase: EventPhase | None) -> None:
    assert sentence(message(phase, kind=kind))
