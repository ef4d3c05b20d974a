"""What a reload changes."""

from __future__ import annotations

from typing import Any

from streamer.config.site import SiteSettings
from streamer.serve.changes import Changes, compare

OUTPUTS = [{"to": "{camera}.jsonl"}]


def site(cameras: dict[str, Any], **sections: Any) -> SiteSettings:
    return SiteSettings.model_validate({"cameras": cameras, **sections})


def test_cameras_are_added_changed_and_removed() -> None:
    old = site({"front": 0, "yard": 1, "gate": 2})
    new = site({"garage": 3, "gate": 2, "front": {"source": {"uri": 0}, "overlay": "delayed"}})
    changes = compare(old, new)
    assert changes == Changes(("garage",), ("yard",), ("front",), ("gate",))
    assert str(changes) == "added garage; changed front; removed yard; 1 unchanged"


def test_equal_effective_settings_are_unchanged() -> None:
    old = site({"a": {"source": {"uri": 0, "transport": "udp"}, "outputs": OUTPUTS}})
    new = site({"a": 0}, defaults={"source": {"transport": "udp", "retry_at_start": True}, "outputs": OUTPUTS})
    assert compare(old, new) == Changes(unchanged=("a",))
    assert not compare(old, new)
    assert str(compare(old, new)) == "nothing changed; 1 camera"


def test_a_default_changes_the_cameras_that_have_no_value_of_their_own() -> None:
    cameras = {"a": 0, "b": {"source": {"uri": 1}, "tracker": {"name": "iou"}}}
    changes = compare(site(cameras), site(cameras, defaults={"tracker": {"name": "iou"}}))
    assert (changes.changed, changes.unchanged) == (("a",), ("b",))


def test_a_detector_changes_the_cameras_that_use_it() -> None:
    cameras = {"a": 0, "b": {"source": {"uri": 1}, "detector": "small"}, "c": 2}
    old = site(cameras, detectors={"small": {"name": "starter"}})
    changes = compare(old, site(cameras, detectors={"small": {"name": "starter", "threads": 2}}))
    assert (changes.changed, changes.unchanged, changes.restarts_detectors) == (("b",), ("a", "c"), ("small",))
    changes = compare(old, site(cameras, detector={"policy": "round_robin"}, detectors={"small": {"name": "starter"}}))
    assert (changes.changed, changes.unchanged, changes.restarts_detectors) == (("a", "c"), ("b",), ("",))


def test_a_detector_that_no_camera_uses_changes_nothing() -> None:
    changes = compare(site({"a": 0}), site({"a": 0}, detectors={"small": {"name": "starter"}}))
    assert changes == Changes(unchanged=("a",))


def test_many_names_are_shortened() -> None:
    changes = compare(site({"a": 0}), site({f"c{number}": number for number in range(8)}))
    assert str(changes) == "added c0, c1, c2, c3, c4 and 3 more; removed a"
