"""Cameras are listed, added, changed, removed and restarted through the API of a running site."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.cameras.site_files import FRONT, YARD, write_site
from tests.api.served import Answer
from tests.api.sites import Served, served_site

ANY = {"If_Match": "*"}
RULES = {"lines": [{"name": "gate", "points": [[0.123456, 0.5], [0.9, 0.5]]}], "zones": []}
SIDE: dict[str, Any] = {"source": {"uri": "lavfi:testsrc2=size=32x24:rate=10", "live": True}, "detector": {"fps": 2}}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    write_site(tmp_path)
    with served_site(tmp_path) as site:
        yield site


def wait_for(site: Served, name: str, wanted: Callable[[Any], object]) -> Any:
    """The camera, once it is as wanted."""
    until_s = time.monotonic() + 40
    while time.monotonic() < until_s:
        camera = site.client.get(f"/cameras/{name}")
        if wanted(camera):
            return camera
        time.sleep(0.05)
    raise AssertionError(camera)


def etag(answer: Answer) -> str:
    return answer.headers["ETag"]


def text(folder: Path) -> str:
    return (folder / "site.yaml").read_text()


def test_cameras_are_listed_with_their_figures(site: Served) -> None:
    front = wait_for(site, "front", lambda one: one["state"] == "running" and one["fps"])
    assert (front["width"], front["height"], Path(front["detector"]).name) == (64, 48, "det.txt")
    assert front["frames"]["shown"] > 0
    assert front["reason"] == ""
    listed = site.client.get("/cameras")
    assert [one["name"] for one in listed["cameras"]] == ["front", "yard"]
    yard = wait_for(site, "yard", lambda one: one["reason"])
    assert (yard["state"], yard["source"], yard["fps"]) == ("starting", "rtsp://127.0.0.1:9/1", None)
    assert yard["reason"].startswith("no server listens at that port")
    assert yard["settings"] == {"source": {"uri": "rtsp://me:***@127.0.0.1:9/1"}}
    assert yard["revision"] == listed["revision"]


def test_an_unknown_camera_is_not_found(site: Served) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/restart"), ("GET", "/rules")):
        answer = site.client(method, f"/cameras/frnt{path}")
        assert (answer.status, answer.json["detail"]) == (404, "no camera 'frnt'; did you mean front?")


def test_a_camera_is_added_changed_and_removed(site: Served, tmp_path: Path) -> None:
    before = text(tmp_path)
    answer = site.client.send("POST", "/cameras", {"name": "side", "settings": SIDE}, **ANY)
    assert (answer.status, answer.json["name"], answer.json["in_file"]) == (201, "side", True)
    assert text(tmp_path).startswith(before)
    assert yaml.safe_load(text(tmp_path))["cameras"]["side"] == SIDE
    wait_for(site, "side", lambda one: one["width"] == 32)
    changed = {**SIDE, "source": {**SIDE["source"], "uri": "lavfi:testsrc2=size=48x32:rate=10"}}
    answer = site.client.send("PUT", "/cameras/side", {"settings": changed}, If_Match=etag(answer))
    assert (answer.status, answer.json["settings"]) == (200, changed)
    wait_for(site, "side", lambda one: one["width"] == 48)
    removed = site.client("DELETE", "/cameras/side", If_Match=etag(answer))
    assert (removed.status, removed.content) == (204, b"")
    assert text(tmp_path) == before
    assert [one["name"] for one in site.client.get("/cameras")["cameras"]] == ["front", "yard"]


def test_other_cameras_go_on_during_a_change(site: Served) -> None:
    wait_for(site, "front", lambda one: one["state"] == "running")
    assert site.client.send("PUT", "/cameras/yard/rules", RULES, **ANY).status == 200
    assert site.client.get("/cameras/front")["restarts"] == 0
    assert site.client("POST", "/cameras/front/restart").status == 204
    wait_for(site, "front", lambda one: one["restarts"] == 1 and one["state"] == "running")


def test_a_password_stays_when_an_address_changes(site: Served, tmp_path: Path) -> None:
    settings = site.client.get("/cameras/yard")["settings"]
    settings["source"]["uri"] = settings["source"]["uri"].replace("/1", "/2")
    answer = site.client.send("PUT", "/cameras/yard", {"settings": settings}, **ANY)
    assert answer.json["settings"] == settings
    assert text(tmp_path).endswith(FRONT + YARD.replace("/1", "/2"))


def test_rules_and_their_revision_are_of_the_same_file(site: Served, tmp_path: Path) -> None:
    """Else a client would save the rules that are in use above those that a person has written since."""
    own = "    analytics: {lines: [{name: gate, points: [[0, 0], [1, 1]]}]}\n"
    by_hand = text(tmp_path).replace("  yard:", f"{own}  yard:")
    (tmp_path / "site.yaml").write_text(by_hand)
    answer = site.client("GET", "/cameras/front/rules")
    assert [one["name"] for one in answer.json["lines"]] == ["gate"]
    (tmp_path / "site.yaml").write_text("cameras: [")
    assert site.client("GET", "/cameras/front/rules").json["lines"] == []
    (tmp_path / "site.yaml").write_text(by_hand)
    assert site.client.send("PUT", "/cameras/front/rules", RULES, If_Match=etag(answer)).status == 200


def test_rules_are_written_as_lines_of_the_camera_only(site: Served, tmp_path: Path) -> None:
    before = site.client.get("/cameras/front/rules")
    assert (before["lines"], before["zones"]) == ([], [])
    answer = site.client.send("PUT", "/cameras/front/rules", RULES, If_Match=f'"{before["revision"]}"')
    assert answer.json["lines"] == [{"name": "gate", "points": [[0.1235, 0.5], [0.9, 0.5]]}]
    wanted = "    analytics:\n      lines:\n        - name: gate\n          points: [[0.1235, 0.5], [0.9, 0.5]]\n"
    assert text(tmp_path).endswith(FRONT + wanted + YARD)
    assert site.site.settings.cameras["front"].analytics.lines[0].name == "gate"
    empty = site.client.send("PUT", "/cameras/front/rules", {"lines": [], "zones": []}, If_Match=etag(answer))
    assert empty.json["lines"] == []
    assert text(tmp_path).endswith(FRONT + YARD)


def test_a_zone_of_two_points_is_refused(site: Served, tmp_path: Path) -> None:
    before = text(tmp_path)
    zones = [{"name": "bed", "points": [[0, 0], [1, 1]]}]
    answer = site.client.send("PUT", "/cameras/front/rules", {"lines": [], "zones": zones}, **ANY)
    assert (answer.status, answer.json["problems"]) == (
        422, ["body.zones.0.points: a zone has at least three points, not 2"],
    )  # fmt: skip
    assert text(tmp_path) == before


def test_the_second_of_two_admins_is_told(site: Served, tmp_path: Path) -> None:
    read = site.client("GET", "/cameras/front")
    assert site.client.send("PUT", "/cameras/front/rules", RULES, If_Match=etag(read)).status == 200
    saved = text(tmp_path)
    for method, path, body in (
        ("PUT", "/cameras/front/rules", RULES),
        ("PUT", "/cameras/front", {"settings": {}}),
        ("POST", "/cameras", {"name": "side", "settings": SIDE}),
        ("DELETE", "/cameras/front", None),
    ):
        send = (
            site.client.send
            if body is not None
            else lambda method, path, _, **headers: site.client(method, path, **headers)
        )
        late, missing = send(method, path, body, If_Match=etag(read)), send(method, path, body)
        assert (late.status, missing.status) == (412, 428)
        assert "somebody else has changed" in late.json["detail"]
    assert text(tmp_path) == saved


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        (
            "side",
            {"source": {"uri": "a.mp4", "liv": True}},
            "cameras.side.source.liv: no such setting; did you mean live?",
        ),
        ("side", {"source": {"uri": "missing.mp4"}}, "cameras.side.source.uri: missing.mp4: no such file"),
        ("side", {}, "cameras.side.source.uri: no source"),
        ("a b", SIDE, "cameras: 'a b' is no name of a camera"),
        ("front", SIDE, "there is a camera 'front' already"),
        ("side", {"source": {"uri": "rtsp://me:***@127.0.0.1:9/1"}}, "*** stands for a password that is not known"),
    ],
)
def test_invalid_settings_change_nothing(site: Served, tmp_path: Path, name: str, settings: Any, problem: str) -> None:
    before = text(tmp_path)
    answer = site.client.send("POST", "/cameras", {"name": name, "settings": settings}, **ANY)
    assert answer.status == 422
    assert problem in answer.json["detail"]
    assert text(tmp_path) == before
    assert len(site.client.get("/cameras")["cameras"]) == 2


def test_a_camera_of_a_command_is_shown_and_cannot_be_saved(site: Served, tmp_path: Path) -> None:
    before = text(tmp_path)
    site.site.add("side", SIDE)
    assert site.client.get("/cameras/side")["in_file"] is False
    answer = site.client.send("PUT", "/cameras/side/rules", RULES, **ANY)
    assert (answer.status, text(tmp_path)) == (422, before)
    assert "was added by a command" in answer.json["detail"]


def test_a_file_that_a_person_broke_is_named_and_the_list_goes_on(site: Served, tmp_path: Path) -> None:
    revision = site.client.get("/cameras")["revision"]
    (tmp_path / "site.yaml").write_text("cameras: [\n")
    assert site.client.get("/cameras")["revision"] != revision
    answer = site.client.send("PUT", "/cameras/front/rules", RULES, **ANY)
    assert "site.yaml is not valid YAML (line" in answer.json["detail"]
    (tmp_path / "site.yaml").unlink()
    assert site.client.get("/cameras")["revision"] == ""
    answer = site.client.send("PUT", "/cameras/front/rules", RULES, **ANY)
    assert (answer.status, "cannot read the configuration" in answer.json["detail"]) == (422, True)
    assert not (tmp_path / "site.yaml").exists()
