"""Brokers that are away, hang, refuse and lie; wrong settings."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.section import validated
from streamer.errors import ConfigError
from streamer.notify.mqtt.target import MqttTarget
from streamer.notify.notifier import Notifier
from streamer.notify.target import DeliveryError, TargetContext
from streamer.store.event_store import EventStore
from streamer.store.ids import new_id
from streamer.values.events import EventPhase
from tests.notify.mqtt.broker import DEADLINE_S, Listener, Mosquitto, free_port
from tests.notify.mqtt.made import PATH, message, readings, settings, target_at

EVENTS = "streamer/events/"
GATE = "streamer/cameras/gate"
DEVICE = "homeassistant/device/streamer/camera_gate/config"
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


def refusal(target: MqttTarget, number: int = 1) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        target.deliver(message(number))
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def broker_with(folder: Path, *lines: str, **logins: str) -> Iterator[Mosquitto]:
    """A broker with these logins."""
    passwords = folder / "passwords"
    passwords.touch()
    for user, password in logins.items():
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, password], check=True)
    with Mosquitto(folder, ("allow_anonymous false", f"password_file {passwords}", *lines)) as broker:
        yield broker


@VERSIONS
@pytest.mark.usefixtures("mosquitto")
def test_a_wrong_login_is_refused_with_the_path_of_its_settings(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "sword-of-wrong")
    login: dict[str, Any] = {"user": "camera", "password": "${BROKER_PASSWORD}", "version": version}
    with broker_with(tmp_path, camera="right") as broker:
        with target_at(broker.url, **login) as target:
            error = refusal(target)
            assert f"check {PATH}.user and {PATH}.password" in str(error)
            assert "sword-of-wrong" not in str(error)
            assert not error.permanent
        monkeypatch.setenv("BROKER_PASSWORD", "right")
        with target_at(broker.url, **login) as target:
            target.deliver(message())


@pytest.mark.usefixtures("mosquitto")
def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("right\n")
    password = f"${{file:{tmp_path}/password}}"
    with (
        broker_with(tmp_path, camera="right") as broker,
        target_at(broker.url, user="camera", password=password) as target,
    ):
        target.deliver(message())


@pytest.mark.usefixtures("mosquitto")
def test_a_topic_that_the_user_may_not_write_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    access = tmp_path / "access"
    access.write_text("user camera\ntopic readwrite streamer/#\nuser other\ntopic readwrite #\n")
    access.chmod(0o600)
    (tmp_path / "password").write_text("word\n")
    login: dict[str, Any] = {"user": "camera", "password": f"${{file:{tmp_path}/password}}"}
    with (
        broker_with(tmp_path, f"acl_file {access}", camera="word", other="word") as broker,
        Listener(broker.port, user="other", password="word") as listener,
    ):
        with target_at(broker.url, topic="home", **login) as target:
            error = refusal(target)
            assert "may not publish to home/events/gate/driveway/crossing; change the access list" in str(error)
            assert not error.permanent
        caplog.clear()
        with caplog.at_level(logging.WARNING), target_at(broker.url, **login) as target:
            target.publish(readings())  # the discovery is refused, which does not stop events
            target.deliver(message())
            listener.wait_for_topic(f"{EVENTS}gate/driveway/crossing")
            target.publish(readings(lines={"drive": (1, 0)}))
            target.publish(readings(lines={"drive": (2, 0)}))
            listener.wait_for_topic(f"{GATE}/lines/drive", b'{"in":2,"out":0}')
    refused = [one.getMessage() for one in caplog.records if "may not publish to homeassistant/" in one.getMessage()]
    assert len(refused) == 1


@pytest.mark.usefixtures("mosquitto")
def test_a_refused_message_ends_those_that_are_delivered_together(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text("user camera\ntopic readwrite streamer/events/gate/#\n")
    access.chmod(0o600)
    (tmp_path / "password").write_text("word\n")
    login: dict[str, Any] = {"user": "camera", "password": f"${{file:{tmp_path}/password}}"}
    with broker_with(tmp_path, f"acl_file {access}", camera="word") as broker, target_at(broker.url, **login) as target:
        assert target.deliver_all([message(1), message(2), message(3, camera="yard"), message(4)]) == 2
        target.cancel()
        assert target.deliver_all([message(5), message(6)]) == 0


def test_an_address_without_a_broker_is_refused() -> None:
    with target_at(f"mqtt://127.0.0.1:{free_port()}") as target:
        assert "no broker listens there (connection refused); start it, or check the port" in str(refusal(target))


def test_an_unknown_host_is_refused() -> None:
    with target_at("mqtt://broker.invalid") as target:
        assert "the host name is unknown; check the address" in str(refusal(target))


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Answers each connection with these bytes, or with nothing and keeps it open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                kept.append(connection)
                if answer is not None:
                    connection.recv(4096)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE_S)
            for connection in kept:
                connection.close()


@pytest.mark.parametrize(
    ("answer", "saying"),
    [
        (b"", "no MQTT broker answers there"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no MQTT broker answers there"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no MQTT broker answers there"),
        (b"\x20\x02\x00\x01", f"does not support MQTT 5; set {PATH}.version: 3.1.1"),
        (b"\x20\x03\x00\x84\x00", f"does not support MQTT 5; set {PATH}.version: 3.1.1"),
        (b"\x20\x03\x00\x89\x00", "the broker is busy"),
        (b"\x20\x03\x00\x8a\x00", "banned"),
        (b"\x20\x03\x00\x80\x00", "refuses the connection: Unspecified error; see the broker's log"),
        (b"\x20\x03\x00\x00\x00\xe0\x01\x8e", "another client has connected with the same client id"),
    ],
)
def test_what_answers_in_another_way_is_told(answer: bytes, saying: str) -> None:
    with server(answer) as port, target_at(f"mqtt://127.0.0.1:{port}") as target:
        assert saying in str(refusal(target))


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with server(None) as port, target_at(f"mqtt://127.0.0.1:{port}", timeout_s=0.2) as target:
        assert "no answer within 0.2 s" in str(refusal(target))


def test_a_delivery_is_cancelled_at_once() -> None:
    with server(None) as port, target_at(f"mqtt://127.0.0.1:{port}", timeout_s=5 * DEADLINE_S) as target:
        timer = threading.Timer(0.1, target.cancel)
        timer.start()
        assert "the program ends" in str(refusal(target))
        assert "the program ends" in str(refusal(target))
        timer.join()


def test_messages_that_a_broker_did_not_acknowledge_fail(mosquitto: Mosquitto) -> None:
    with target_at(mosquitto.url, timeout_s=0.5) as target:
        target.deliver(message(1))
        mosquitto.hang()
        assert "no acknowledgement within 0.5 s" in str(refusal(target, 2))
        mosquitto.go_on()
        target.deliver(message(2))


@VERSIONS
@pytest.mark.usefixtures("mosquitto")
def test_a_picture_that_is_too_large_does_not_hold_its_message(tmp_path: Path, version: str) -> None:
    picture = tmp_path / "event.jpg"
    picture.write_bytes(bytes(100_000))
    told = message(phase=None, snapshot=picture)
    with (
        Mosquitto(tmp_path, ("allow_anonymous true", "max_packet_size 20000")) as broker,
        Listener(broker.port) as listener,
        target_at(broker.url, version=version) as target,
    ):
        for attempt in range(4):
            try:
                target.deliver(replace(told, attempts=attempt))
                break
            except DeliveryError:
                assert version == "3.1.1"  # the broker does not say why it closes the connection
        listener.wait_for_topic(f"{EVENTS}gate/driveway/file")
        assert not listener.of(f"{GATE}/snapshot")


@VERSIONS
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_comes_back_gets_all_messages_and_readings(
    mosquitto: Mosquitto, version: str, by: int, tmp_path: Path
) -> None:
    picture = tmp_path / "event.jpg"
    picture.write_bytes(b"picture")
    with target_at(mosquitto.url, version=version) as target:
        target.publish(readings(lines={"drive": (1, 2)}, zones={"yard": (1, 1)}))
        target.deliver(message(1))
        target.deliver(message(1, phase=None, snapshot=picture))
        mosquitto.stop(by)
        refusal(target, 2)
        target.publish(readings(lines={"drive": (5, 2)}, zones={"yard": (0, 1)}))  # while it is away
        mosquitto.start()  # without anything that was retained
        with Listener(mosquitto.port) as listener:
            target.deliver(message(2))
            listener.wait_for_topic("streamer/status", b"online")
            listener.wait_for_topic(f"{GATE}/state", b"running")
            listener.wait_for_topic(f"{GATE}/lines/drive", b'{"in":5,"out":2}')
            listener.wait_for_topic(f"{GATE}/zones/yard", b'{"inside":0,"entered":1,"level":"normal"}')
            listener.wait_for_topic(f"{GATE}/snapshot", b"picture")
            listener.wait_for_topic(DEVICE)
            listener.wait_for_topic("homeassistant/device/streamer/program/config")
            last = listener.wait_for_topic(f"{GATE}/last_event")
            assert json.loads(last.payload)["id"] == message(2).key


def test_readings_come_back_without_a_message(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), target_at(mosquitto.url) as target, Listener(mosquitto.port) as listener:
        target.publish(readings())
        listener.wait_for_topic(DEVICE)
        mosquitto.stop()
        mosquitto.start()
        listener.clear()
        listener.wait_for_topic(DEVICE)
        listener.wait_for_topic(f"{GATE}/state", b"running")
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert any(one == f"notify: target home: {mosquitto.url}: the broker closed the connection" for one in warnings)
    assert f"notify: target home: connected to {mosquitto.url}" in caplog.messages


@pytest.mark.usefixtures("mosquitto")
def test_tls_checks_the_broker_and_shows_a_certificate(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    own = authority.issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "server.key")
    own.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    client = authority.issue_cert("camera@example.com")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    lines = ["allow_anonymous true", "require_certificate true"]
    files = {"cafile": "authority.pem", "certfile": "server.pem", "keyfile": "server.key"}
    lines += [f"{name} {tmp_path / file}" for name, file in files.items()]
    certificate = {"certificate": str(tmp_path / "client.pem")}
    with Mosquitto(tmp_path, lines) as broker:
        url = broker.url.replace("mqtt://", "mqtts://")
        with target_at(url, tls={"ca_file": str(tmp_path / "authority.pem"), **certificate}) as target:
            target.deliver(message())
        with target_at(url, tls={"verify": False, **certificate}) as target:
            target.deliver(message())
        with target_at(url, tls={"ca_file": str(tmp_path / "other.pem"), **certificate}) as target:
            error = str(refusal(target))
            assert "its certificate is not trusted" in error
            assert error.endswith(f"set {PATH}.tls.ca_file")
        with target_at(url, tls={"ca_file": str(tmp_path / "authority.pem")}) as target:  # it shows no certificate
            refusal(target)
        with target_at(broker.url, timeout_s=2) as target:  # without TLS
            refusal(target)


def test_a_target_that_is_only_built_leaves_nothing_open() -> None:
    """As by `streamer check`."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with target_at("mqtt://127.0.0.1:1") as target:
            pass
        target.publish(readings())  # of a camera that ends late
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.parametrize("setting", ["ca_file", "certificate"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unusable_certificates_are_refused(tmp_path: Path, setting: str, content: str | None) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=rf"{PATH}\.tls\.{setting}: cannot use {file}: "):
        MqttTarget(settings("mqtts://127.0.0.1", tls={setting: str(file)}), TargetContext(PATH))


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ({"url": "127.0.0.1"}, "url: give a scheme, such as mqtt://192.168.1.2"),
        ({"url": "http://127.0.0.1"}, "url: this is no address of a broker"),
        ({"url": "mqtt://"}, "url: this is no address of a broker"),
        ({"url": "mqtt://broker:99999"}, "url: the port is a number from 1 to 65535"),
        ({"url": "mqtt://broker/home"}, "url: a broker has no path; set topic"),
        ({"url": "mqtt://me:hunter2@broker"}, "url: the address has a login; give it in user and password"),
        ({"password": "hunter2"}, "password: a secret is not written into the settings"),
        ({"password": "${NO_SUCH_VARIABLE}"}, "password: the environment has no variable NO_SUCH_VARIABLE"),
        ({"version": 4}, "version: input should be '5' or '3.1.1'"),
        ({"topic": "home/#"}, "topic: a topic has no +"),
        ({"topic": ""}, "topic: a topic has no +"),
        ({"tls": {"verify": False}}, "tls has no effect with mqtt://; write mqtts:// in url"),
        ({"url": "mqtts://broker", "tls": {"key": "a.pem"}}, "tls: a key needs its certificate"),
        ({"home_assistant": {"prefix": "/"}}, "home_assistant.prefix: a topic has no +"),
    ],
)
def test_invalid_settings_are_refused(values: dict[str, Any], saying: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MqttTarget(settings(**{"url": "mqtt://127.0.0.1", **values}), TargetContext(PATH))
    assert f"{PATH}.{saying}" in str(caught.value) or f"{PATH}: {saying}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_broker_that_is_away_is_reported_once_for_a_backlog(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = {"type": "mqtt", "url": f"mqtt://127.0.0.1:{free_port()}", "first_wait_s": 0.01, "longest_wait_s": 0.5}
    chosen = NotifySettings.model_validate({"targets": {"home": target}})
    with EventStore(StoreSettings(folder=tmp_path)) as store:
        for number in range(3):
            store.save(replace(message(number).event, id=new_id()), EventPhase.MOMENT, ["home"])
        store.flush()
        with Notifier(chosen, store, tmp_path) as notifier:
            while notifier.statuses()[0][0].failed_attempts < 4:
                time.sleep(0.01)
    assert len([line for line in caplog.messages if "no broker listens there" in line]) == 1


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ({"host": "broker", "port": 1884}, "no settings host and port; give url: mqtt://broker:1884"),
        ({"host": "broker"}, "no settings host and port; give url: mqtt://broker:1883"),
        ({"url": "mqtt://a", "password_file": "b"}, "no setting password_file; give password: ${file:PATH}"),
    ],
)
def test_settings_of_other_programs_are_refused_with_those_of_this_one(values: dict[str, Any], saying: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validated(NotifySettings, {"targets": {"home": {"type": "mqtt", **values}}}, "notify")
    assert str(caught.value) == f"{PATH}: {saying}"


@pytest.mark.slow
@pytest.mark.usefixtures("mosquitto")
def test_a_broker_that_is_away_loses_no_message_of_the_store(tmp_path: Path) -> None:
    """1,000 events. The broker is stopped while half of them happen, hangs, and is stopped while it gets the rest."""
    folder = tmp_path / "store"
    saved = [replace(message(number).event, id=new_id()) for number in range(1000)]
    with Mosquitto(tmp_path, persistent=True) as broker, Listener(broker.port, f"{EVENTS}#") as listener:
        target = {"type": "mqtt", "url": broker.url, "timeout_s": 0.5, "first_wait_s": 0.05, "longest_wait_s": 0.5}
        chosen = NotifySettings.model_validate({"targets": {"home": target}})
        with (
            EventStore(StoreSettings(folder=folder)) as store,
            Notifier(chosen, store, folder) as notifier,
        ):
            for number, event in enumerate(saved):
                store.save(event, EventPhase.MOMENT, notifier.targets_for(event, EventPhase.MOMENT))
                if number == 250:
                    broker.stop(signal.SIGTERM)
                if number == 750:
                    broker.start()
                    broker.hang()
            while not any(
                "no acknowledgement" in one.error or "no answer" in one.error for one, _ in notifier.statuses()
            ):
                time.sleep(0.01)
            broker.go_on()
            listener.wait_for(lambda messages: len(messages) > 300)
            broker.stop(signal.SIGTERM)
            broker.start()
            listener.wait_for(lambda messages: json.loads(messages[-1].payload)["data"]["id"] == saved[-1].id)
        told = [json.loads(one.payload) for one in listener.messages]
        assert store.waiting("home") == 0
    once = dict.fromkeys(one["id"] for one in told)
    assert [one.partition("-")[0] for one in once] == [event.id for event in saved]  # in their order, without repeats
