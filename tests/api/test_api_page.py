"""The examples of docs/api.md, run against a real site in their order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.accounts.account_store import AccountStore, Token, new_token
from streamer.accounts.roles import Role, User
from streamer.values.events import EventPhase
from tests.api.sites import Served, served_site
from tests.store.stores import DEADLINE_S, add_clip, ended, until

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
SHOWN = "http://127.0.0.1:8080"
CURL_SETTINGS = 'fail-with-body\nsilent\nshow-error\nnoproxy = *\nheader = "Authorization: Bearer {}"\n'
FRONT = {"source": {"uri": "lavfi:testsrc2=size=64x48:rate=25", "live": True}}
pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.usefixtures("starter_weights")]


def blocks(language: str) -> list[str]:
    """The examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    sections: dict[str, Any] = {
        "detector": {"name": "starter", "workers": 1},
        "store": {"folder": str(tmp_path / "events"), "keep_days": None, "min_free_gb": 0},
    }
    with served_site(tmp_path, cameras={"front": FRONT}, **sections) as site:
        until(lambda: site.client("GET", "/cameras/front/snapshot.jpg").status == 200)
        yield site


def add_event(site: Served) -> str:
    """An event with a clip; its id."""
    record = ended(camera="front", label="Person", zones=("drive",))
    site.store.save(record, EventPhase.END)
    add_clip(site.store, record)
    assert site.store.flush(DEADLINE_S)
    return record.id


def token_of_an_admin(folder: Path) -> str:
    """From now on a login is needed."""
    accounts, secret = AccountStore(folder / "accounts.db"), new_token()
    accounts.add(User("anna", Role.ADMIN), "a long pass phrase", 0.0)
    accounts.add_token("anna", Token("curl", 0.0, None), secret)
    return secret


def test_every_command_on_the_page_works(site: Served, tmp_path: Path) -> None:
    event_id, token, address = add_event(site), token_of_an_admin(tmp_path), "http://{}:{}".format(*site.client.address)
    (tmp_path / ".curlrc").write_text(CURL_SETTINGS.format(token))
    for block in blocks("bash"):
        commands = "\n".join(line for line in block.splitlines() if not line.startswith("streamer "))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands.replace(SHOWN, address)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "CURL_HOME": str(tmp_path), "ID": event_id, "TOKEN": token},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    downloads = {path.name: path.stat().st_size for path in tmp_path.iterdir() if path.suffix in (".mp4", ".jpg")}
    assert downloads.keys() == {"front_2026-11-26T12-00-00Z_enter_clip.mp4", "begin.mp4", "front.jpg"}


def test_the_program_on_the_page_prints_events(site: Served) -> None:
    (code,) = blocks("python")
    code = code.replace(SHOWN, "http://{}:{}".format(*site.client.address))
    once = code.replace("print(message.json())", "return print(message.json())")
    program = subprocess.Popen([sys.executable, "-c", once], stdout=subprocess.PIPE, text=True)
    until(lambda: bool(add_event(site)) and program.poll() is not None)
    assert program.communicate()[0].startswith("{'change': 'saved', 'event': {'id': '")


def test_the_error_on_the_page_is_what_the_site_answers(site: Served) -> None:
    (shown,) = blocks("console")
    path, answer = re.findall(r"8080/api/v1(.*?)\"\n(.*?), \.\.\.", shown)[0]
    assert json.dumps(site.client("GET", path).json).startswith(answer)
