"""Outputs that two cameras would share, and outputs that a site cannot have, are refused before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.serve.checks.file import check_site

CANARY = "swordfish"


def site(*outputs: str | dict[str, Any], **defaults: Any) -> SiteSettings:
    """A site with a camera for each output: a, b, ..."""
    cameras = {
        name: {"source": {"uri": f"rtsp://192.0.2.10/{name}"}, "outputs": [{"to": to} if isinstance(to, str) else to]}
        for name, to in zip("abcdef", outputs, strict=False)
    }
    return SiteSettings.model_validate({"cameras": cameras, "defaults": defaults})


def problems(settings: SiteSettings) -> list[str]:
    """What is refused."""
    with pytest.raises(ConfigError) as caught:
        check_site(settings)
    return list(caught.value.problems)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.mp4", "a.mp4"),
        ("boxes.jsonl", "./x/../boxes.jsonl"),
        ("tracks.txt", "tracks.txt"),
        ("rec/%Y%m%d-%H%M%S.mp4", "rec/%Y%m%d-%H%M%S.mp4"),
        ("rec/%Y%m%d.mp4", "rec/%Y%m%d-%H.mp4"),
        ("rec/%Y.mp4", "rec/1998.mp4"),
        ({"to": "rec.mp4", "segment_s": 60}, {"to": "rec.mp4", "segment_s": 60}),
        ("shots/", "shots/"),
        ("shots/", "shots/%06d.jpg"),
        ("shots/%04d.jpg", "shots/%06d.jpg"),
        ("hls:live/", "live/index.m3u8"),
        ("http://127.0.0.1:8080/", "http://localhost:8080"),
        ("http://:8080/x", "http://127.0.0.1:8080/x/"),
        ("http://127.0.0.1/x", "HTTP://127.0.0.1:80/x"),
        ("rtsp://192.0.2.1/x", f"rtsp://me:{CANARY}@192.0.2.1:554/x"),
        ("rtmp://192.0.2.1/app/key", "rtmp://192.0.2.1:1935/app/key"),
        ("udp://239.0.0.1:5000", "udp://239.0.0.1:5000?ttl=3"),
        ("{camera}.jsonl", "a.jsonl"),
        ("{name}.mp4", "{name}.mp4"),
    ],
)
def test_two_cameras_cannot_have_one_output(one: str | dict[str, Any], other: str | dict[str, Any]) -> None:
    (found,) = problems(site(one, other))
    assert found.startswith("cameras.b.outputs.0.to: ")
    assert "an output of camera a; put {camera} into the name" in found
    assert CANARY not in found
    assert "app/key" not in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{camera}.mp4", "{camera}.mp4"),
        ("rec/{camera}-%H.mp4", "rec/{camera}-%H.mp4"),
        ("http://127.0.0.1:8080/{camera}", "http://127.0.0.1:8080/{camera}"),
        ("rtsp://192.0.2.1/a", "rtsp://192.0.2.2/a"),
        ("rtsp://192.0.2.1/a", "rtsp://192.0.2.1/A"),
        ("udp://239.0.0.1:5000", "udp://239.0.0.1:5002"),
        ("rec/a-%H.mp4", "rec/a-b-%H.mp4"),
        ("rec/%Y.mp4", "rec/%Y.mkv"),
        ("rec/%Y/%j.mp4", "rec/%Y/%H%M-%j.mp4"),
        ("shots/", "shots/a.mp4"),
        ("window", "window"),
        ("/dev/null", "/dev/null"),
        ("{camera}-{name}.mp4", "{camera}-{name}.mp4"),
    ],
)
def test_different_outputs_are_accepted(one: str, other: str) -> None:
    check_site(site(one, other))


def test_a_link_leads_to_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "rec").symlink_to("disk")
    (found,) = problems(site("disk/%H.mp4", "rec/%H.mp4"))
    assert "rec/%H.mp4 is an output of camera a" in found


def test_one_camera_cannot_have_an_output_twice() -> None:
    settings = SiteSettings.model_validate(
        {"cameras": {"a": {"source": {"uri": "0"}, "outputs": [{"to": "a.mp4"}, {"to": "a.mp4"}]}}}
    )
    (found,) = problems(settings)
    assert found.startswith("cameras.a.outputs.1.to: a.mp4 is an output of the same camera")


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("-", "standard output is for one run; name a file"),
        ("ftp://192.0.2.1/x", "ftp:// is no address of an output; those begin with"),
        ("udp://192.0.2.1", "the port is missing"),
        ("rtmp://192.0.2.1/key", "RTMP needs an application and a key"),
        ("http://127.0.0.1:8080/a b", "the path may contain"),
        ("rec/%Q.mp4", "a name cannot have %Q"),
        ("{cam}.mp4", "{cam} in the name of an output stands for nothing; did you mean {camera}?"),
    ],
)
def test_an_output_that_a_site_cannot_have_is_refused(to: str, problem: str) -> None:
    (found,) = problems(site("fine.mp4", to))
    assert found.startswith("cameras.b.outputs.0.to: ")
    assert problem in found


def test_every_camera_is_checked() -> None:
    found = problems(site("-", "a.jsonl", "a.jsonl", "a.jsonl"))
    assert [one.partition(".outputs")[0] for one in found] == ["cameras.a", "cameras.c", "cameras.d", "cameras.d"]
