"""Settings of targets: each is checked by the class of its type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config.loading import load_settings, load_site
from streamer.errors import ConfigError
from streamer.network.secret_references import resolved
from streamer.notify.webhook.target import WebhookSettings

OPS: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example/${TOKEN}", "secret": "${file:/run/key}"}


def problems(**target: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, options={"notify.targets.ops": target})
    return "\n".join(caught.value.problems)


def test_a_run_and_a_site_have_targets(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "cameras: {gate: rtsp://192.0.2.1/}\n"
        "notify: {targets: {ops: {type: webhook, url: 'http://127.0.0.1/', quiet: [{start: 22:00, end: 06:00}]}}}\n"
    )
    target = load_site(file).notify.targets["ops"]
    assert isinstance(target, WebhookSettings)
    assert target.quiet[0].start == "22:00"
    assert load_settings(None, options={"notify.targets.ops": OPS}).notify.targets["ops"] == WebhookSettings(**OPS)


def test_settings_of_targets_survive_a_copy_and_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "gehe1m-4711")
    settings = load_settings(None, options={"notify.targets.ops": OPS})
    assert "gehe1m" not in str(settings)
    assert type(settings).model_validate(settings.model_dump(exclude_unset=True)) == settings


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({}, "notify.targets.ops: give its type: "),
        ({"type": "webhok"}, "notify.targets.ops: no type 'webhok'; did you mean webhook?"),
        ({"type": "webhook"}, "notify.targets.ops.url: field required"),
        ({**OPS, "urll": "x"}, "notify.targets.ops.urll: no such setting; did you mean url?"),
        ({**OPS, "url": "ftp://x/"}, "notify.targets.ops.url: give an address that begins with https://"),
        ({**OPS, "url": "http://x/${A-B}"}, "notify.targets.ops.url: an invalid ${...}; give ${NAME}"),
        ({**OPS, "kinds": ["entr"]}, "notify.targets.ops.kinds.0: input should be 'crossing', 'enter'"),
        ({**OPS, "quiet": [{"strt": "8:00"}]}, "notify.targets.ops.quiet.0.strt: no such setting; did you mean start?"),
        ({**OPS, "retry_for_s": 0}, "notify.targets.ops.retry_for_s: input should be greater than 0"),
        ({"type": "command", "command": []}, "notify.targets.ops.command: give a program"),
        ({"type": "command", "command": [None]}, "notify.targets.ops.command: give a program"),
        ({"type": "command", "command": ["a", []]}, "notify.targets.ops.command.1: input should be a valid string"),
    ],
)
def test_a_wrong_target_is_refused_with_its_path(target: dict[str, Any], told: str) -> None:
    assert told in problems(**target)


def test_a_secret_in_the_settings_is_refused_and_not_shown() -> None:
    text = problems(**{**OPS, "secret": "gehe1m-4711"})
    assert "notify.targets.ops.secret: a secret is not written into the settings; give ${NAME}" in text
    assert "gehe1m" not in text


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "x" * 65])
def test_a_name_that_is_unfit_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"notify\.targets.*is no name of a target"):
        load_settings(None, options={"notify.targets": {name: OPS}})


def test_a_list_of_targets_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"notify\.targets: this is a list; give each target below its name"):
        load_settings(None, options={"notify.targets": [OPS]})


def test_references_are_replaced_by_the_environment_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_NAME", "me")
    (tmp_path / "key").write_text("s3cret\r\nmore\n")
    assert resolved(f"${{USER_NAME}}:${{file:{tmp_path}/key}}@", "x") == "me:s3cret@"
    for text, told in (
        ("${NO_SUCH}", "x: the environment has no variable NO_SUCH"),
        ("${file:/no}", "x: cannot read /no"),
    ):
        with pytest.raises(ConfigError, match=told):
            resolved(text, "x")
