"""The settings of a site: defaults below each camera, and one clear line about each mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config.loading import load_site
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS
from tests.config.test_loading import CANARY, CONFIGS

FRONT = "cameras: {front: {source: {uri: 'rtsp://192.0.2.10/1'}, outputs: [{to: front.jsonl}]}}\n"


def site_of(folder: Path, text: str, *assignments: str) -> SiteSettings:
    """The settings in a file with this text."""
    file = folder / "site.yaml"
    file.write_text(text)
    return load_site(file, assignments)


def problems_of(folder: Path, text: str, *assignments: str) -> list[str]:
    """The problems of a file with this text."""
    with pytest.raises(ConfigError) as caught:
        site_of(folder, text, *assignments)
    assert all("\n" not in problem for problem in caught.value.problems)
    assert str(caught.value) == caught.value.problems[0]
    return list(caught.value.problems)


def test_the_example_of_a_site_is_valid() -> None:
    site = load_site(CONFIGS / "site.yaml")
    assert list(site.cameras) == ["front", "yard", "garage"]
    assert [one.to for one in site.cameras["garage"].outputs] == [
        "recordings/garage/%Y%m%d-%H%M%S.mp4",
    ]
    assert site.detector_of(site.cameras["yard"]).name == "starter"


def test_a_camera_has_its_own_settings_above_the_defaults(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        """
        defaults:
          source: {user: me, transport: udp}
          detector: {classes: [Person], fps: 5}
          draw: {trails: true}
          output: {crf: 30}
          outputs: [{to: "rec/{camera}-%H.mp4"}, {to: "{camera}.jsonl"}]
        cameras:
          front: {source: {uri: rtsp://192.0.2.10/1, transport: tcp}, detector: {fps: 2}}
          yard:
            source: {uri: rtsp://192.0.2.11/1, retry_at_start: false}
            outputs: [{to: "{camera}.mp4", crf: 20}]
        """,
    )
    front, yard = site.cameras.values()
    assert (front.source.user, front.source.transport, yard.source.transport) == ("me", "tcp", "udp")
    assert (front.detector.fps, front.detector.classes, yard.detector.fps) == (2, ("Person",), 5)
    assert front.draw.trails
    assert [(one.to, one.crf) for one in front.outputs] == [("rec/front-%H.mp4", 30), ("front.jsonl", 30)]
    assert [(one.to, one.crf) for one in yard.outputs] == [("yard.mp4", 20)]
    assert front.source.retry_at_start
    assert not yard.source.retry_at_start


def test_a_camera_and_its_detector_have_a_short_form(tmp_path: Path) -> None:
    text = "detectors: {small: {name: starter}}\ncameras: {front: 'rtsp://192.0.2.10/1', 2: 0}\n"
    site = site_of(tmp_path, text, "defaults.detector=small")
    assert {name: camera.source.uri for name, camera in site.cameras.items()} == {
        "front": "rtsp://192.0.2.10/1",
        "2": "0",
    }
    assert site.detectors_in_use() == {"small": site.detectors["small"]}
    assert list(site.cameras_of("small")) == ["front", "2"]


def test_assignments_set_values_of_cameras(tmp_path: Path) -> None:
    site = site_of(
        tmp_path, FRONT, "cameras.front.source.uri=rtsp://192.0.2.9/1", "cameras.yard.source.uri=0", "detector.fps=3"
    )
    assert site.cameras["front"].source.uri == "rtsp://192.0.2.9/1"
    assert site.cameras["yard"].source.uri == "0"
    assert site.detector.fps == 3


@pytest.mark.parametrize(
    ("shared", "own", "effective"),
    [
        ({"fps": 3.0}, {}, {"fps": 3.0, "every": 1}),
        ({"fps": 3.0}, {"every": 4}, {"fps": None, "every": 4}),
        ({"every": 4}, {"fps": 3.0}, {"fps": 3.0, "every": 1}),
        ({"classes": ["Car"], "min_score": 0.5}, {"classes": []}, {"classes": (), "min_score": 0.5}),
        ({"min_scores": {"Car": 0.5}}, {"min_scores": {}, "min_score": 0.1}, {"min_scores": {}, "min_score": 0.1}),
    ],
)
def test_a_camera_without_a_value_has_that_of_its_detector(
    shared: dict[str, Any], own: dict[str, Any], effective: dict[str, Any]
) -> None:
    site = SiteSettings.model_validate(
        {"detector": shared, "cameras": {"a": {"source": {"uri": "0"}, "detector": own}}}
    )
    settings = site.cameras["a"].settings(site.detector)
    assert settings.source.uri == "0"
    assert {name: getattr(settings.detector, name) for name in effective} == effective


@pytest.mark.parametrize(
    ("text", "assignment", "problem"),
    [
        (
            "web: {address: null}",
            None,
            "cameras: there is no camera, and no page to add one; give at least one, such as ",
        ),
        ("cameras: {}", "web.address=null", "cameras: there is no camera, and no page to add one"),
        (
            "cameras: [front]",
            None,
            "cameras: this is a list; give each camera below its name, such as front: {source: ",
        ),
        (FRONT, "cameras.front.source=clip.mp4", "below it, such as {uri: clip.mp4}"),
        (FRONT, f"cameras.front.source='rtsp://me:{CANARY}@192.0.2.1/1'", "such as {uri: rtsp://***@192.0.2.1/1}"),
        (FRONT, "trackr.name=iou", "trackr: no such setting"),
        (FRONT, "detectrs.x.name=iou", "detectrs: no such setting; did you mean detectors?"),
        (FRONT, "cameras.front.trackr.name=iou", "cameras.front.trackr: no such setting; did you mean tracker?"),
        (FRONT, "cameras.front.outputs.0.crv=1", "cameras.front.outputs.0.crv: no such setting; did you mean crf?"),
        (FRONT, "detectors.x.nam=auto", "detectors.x.nam: no such setting; did you mean name?"),
        (FRONT, "source.uri=0", "source is a setting of a camera: give it below cameras: {NAME: ...} or defaults:"),
        (FRONT, "cameras.a b.source.uri=0", "cameras: 'a b' is no name of a camera: give up to 64 letters, digits"),
        (FRONT, "cameras.-a.source.uri=0", "cameras: '-a' is no name of a camera"),
        (FRONT, "cameras.caf\u00e9.source.uri=0", "cameras: 'caf\u00e9' is no name of a camera"),
        (FRONT, f"cameras.{'a' * 65}.source.uri=0", "is no name of a camera"),
        ("cameras: {no: 0}", None, "cameras: a name is read as true or false; put quotes"),
        ("cameras: {front: null}", None, "cameras.front: give the settings of this section below it (source, "),
        ("cameras: {front: {outputs: [{to: a.mp4}]}}", None, "cameras.front.source.uri: no source; give an address"),
        (FRONT, "cameras.front.source.uri='-'", "cameras.front.source.uri: standard input is for one run"),
        (
            FRONT,
            "cameras.front.detector=smal",
            "cameras.front.detector.name: no entry 'smal' in detectors; ",
        ),
        (
            FRONT + "detectors: {small: {name: starter}}",
            "cameras.front.detector.name=smal",
            "cameras.front.detector.name: no entry 'smal' in detectors; did you mean small?",
        ),
        (FRONT, "detector.policy=gian", "detector.policy: no policy 'gian'; did you mean gain?"),
        (FRONT, "detector.devices=[gpu0]", "detector.devices: a device is cpu, or gpu:0, gpu:1, ..., not 'gpu0'"),
        (FRONT, "detector.devices=[cpu, cpu]", "detector.devices: a device is named twice"),
        (FRONT, "detector.latency=0.1", "detector.latency: it simulates one run, not a site; leave it out"),
        (FRONT, "detector.max_age_s=0", "detector.max_age_s: "),
        (FRONT, "cameras.front.detector.max_age_s=-1", "cameras.front.detector.max_age_s: "),
        (FRONT, "cameras.front.detector.latency=1", "cameras.front.detector: latency belongs to a detector"),
        (FRONT, "cameras.front.detector.device=cpu", "cameras.front.detector: device belongs to a detector, which "),
        (FRONT, "cameras.front.detector.every=0", "cameras.front.detector.every: give a whole number from 1 to 300"),
        (FRONT, "cameras.front.outputs={}", "cameras.front.outputs: give a list such as"),
    ],
)
def test_a_mistake_gives_one_line(tmp_path: Path, text: str, assignment: str | None, problem: str) -> None:
    (found,) = problems_of(tmp_path, text, *([] if assignment is None else [assignment]))
    assert problem in found


@pytest.mark.parametrize("text", ["", "cameras: {}", "cameras:\n"])
def test_a_site_with_a_page_may_have_no_cameras(tmp_path: Path, text: str) -> None:
    assert site_of(tmp_path, text).cameras == {}


def test_a_wrong_name_of_a_camera_hides_no_other_mistake(tmp_path: Path) -> None:
    found = problems_of(tmp_path, FRONT, "cameras.a b=0", "cameras.front.source.szie=3")
    assert [problem.partition(";")[0].partition(":")[0] for problem in found] == [
        "cameras.front.source.szie",
        "cameras",
    ]


def test_two_cameras_with_one_name_are_refused(tmp_path: Path) -> None:
    text = "cameras:\n  front: rtsp://192.0.2.10/1\n  front: rtsp://192.0.2.11/1\n"
    with pytest.raises(ConfigError, match=r"site\.yaml .*line 3: 'front' is given twice; the first is in line 2"):
        site_of(tmp_path, text)


def test_all_mistakes_are_found_and_those_of_the_defaults_once(tmp_path: Path) -> None:
    text = "defaults: {tracker: {name: iuo}}\ncameras: {front: 0, yard: {source: {uri: 1, szie: x}}}\n"
    assert problems_of(tmp_path, text, "detector.policy=x") == [
        "defaults.tracker.name: no tracker 'iuo'; did you mean iou?",
        "detector.policy: no policy 'x'; there is gain, round_robin",
        "cameras.yard.source.szie: no such setting; did you mean size?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"cameras: {{front: ['rtsp://me:{CANARY}@camera/']}}",
        f"cameras: {{front: {{source: 'rtsp://me:{CANARY}@camera/'}}}}",
        f"cameras: {{front: 'rtsp://me:{CANARY}@camera/'}}\ntracker: {{}}",
        f"cameras: {{front: {{source: {{uri: 0, password: {CANARY}, szie: 1}}}}}}",
        f"defaults: {{source: {{password: [{CANARY}]}}}}\ncameras: {{front: 0}}",
        f"defaults: 'rtsp://me:{CANARY}@camera/'\ncameras: {{front: 0}}",
    ],
)
def test_messages_about_a_site_contain_no_password(tmp_path: Path, text: str) -> None:
    assert CANARY not in " ".join(problems_of(tmp_path, text))


def test_later_messages_hide_the_passwords_of_a_site(tmp_path: Path) -> None:
    site_of(tmp_path, "cameras: {front: 'rtsp://me:pl0verbill@camera/'}")
    assert "pl0verbill" not in SECRETS.hide("refused: pl0verbill")


def test_a_camera_that_is_added_has_the_defaults(tmp_path: Path) -> None:
    site = site_of(tmp_path, FRONT, "defaults.output.crf=30", "defaults.source.user=me")
    camera = site.camera("yard", {"source": {"uri": "0"}, "outputs": [{"to": "{camera}.mp4"}]})
    changed = site.with_camera("yard", camera)
    assert list(changed.cameras) == ["front", "yard"]
    assert (camera.source.user, camera.source.retry_at_start) == ("me", True)
    assert [(one.to, one.crf) for one in camera.outputs] == [("yard.mp4", 30)]
    assert list(changed.without_camera("front").cameras) == ["yard"]
    assert list(site.cameras) == ["front"]
    with pytest.raises(ConfigError, match=r"cameras\.yard\.source\.sze: no such setting; did you mean size"):
        site.camera("yard", {"source": {"sze": "1x1"}})
    with pytest.raises(ConfigError, match="'a b' is no name of a camera"):
        site.with_camera("a b", camera)
    with pytest.raises(ConfigError, match="no camera 'frnt'; did you mean front"):
        site.without_camera("frnt")
