"""Changes of a YAML text: what is changed, and that everything else stays as it was written."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.serve.settings_file.yaml_text import YamlText
from tests.config.test_loading import CONFIGS

SITE = """\
# The house
defaults:
    source: {user: 'me',   stall_s: 5}   # of all cameras

cameras:
    front:           # the door
        source:
            uri: "rtsp://192.0.2.10/1"
            transport: udp   # no other works
        outputs:
        -   to: '{camera}.jsonl'

    # behind the house
    yard: rtsp://192.0.2.11/1   # old
    'side': {source: {uri: 0}, detector: small}
"""
ZONE = {"name": "door", "points": [[0.1, 0.4], [0.4, 0.4], [0.4, 0.9]]}


def changes(before: str, after: str) -> list[str]:
    """The lines that were removed and added."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line for line in lines if line[0] in "+-"]


def test_a_new_rule_adds_its_lines_only() -> None:
    text = YamlText(SITE)
    text.set(("cameras", "front", "analytics", "zones"), [ZONE])
    assert changes(SITE, text.text()) == [
        "+         analytics:",
        "+             zones:",
        "+             -   name: door",
        "+                 points: [[0.1, 0.4], [0.4, 0.4], [0.4, 0.9]]",
    ]


def test_a_changed_value_changes_its_line_only() -> None:
    text = YamlText(SITE)
    camera: Any = yaml.safe_load(SITE)["cameras"]["front"]
    camera["source"]["transport"] = "tcp"
    text.set(("cameras", "front"), camera)
    assert changes(SITE, text.text()) == [
        "-             transport: udp   # no other works",
        "+             transport: tcp   # no other works",
    ]


def test_equal_values_change_nothing() -> None:
    text = YamlText(SITE)
    text.set(("cameras",), yaml.safe_load(SITE)["cameras"])
    assert text.text() == SITE


def test_a_removed_camera_leaves_the_comment_of_the_next_one() -> None:
    text = YamlText(SITE)
    text.remove(("cameras", "front"))
    after = text.text()
    assert "    # behind the house\n    yard: rtsp" in after
    assert [line for line in changes(SITE, after) if line[0] == "+"] == []


def test_the_last_camera_leaves_an_empty_section() -> None:
    text = YamlText("cameras:\n  front: 0\n")
    text.remove(("cameras", "front"))
    assert text.text() == "cameras: {}\n"
    text = YamlText("cameras: {}\n")
    text.set(("cameras", "front"), {"source": {"uri": "0"}})
    assert text.text() == 'cameras:\n  front:\n    source:\n      uri: "0"\n'


def test_windows_line_ends_stay() -> None:
    text = YamlText("# one\r\ncameras:\r\n  front: a.mp4\r\n")
    text.set(("cameras", "yard"), "b.mp4")
    assert text.text() == "# one\r\ncameras:\r\n  front: a.mp4\r\n  yard: b.mp4\r\n"


def test_a_file_of_comments_keeps_them() -> None:
    text = YamlText("# only this")
    text.set(("cameras", "front"), "a.mp4")
    assert text.text() == "# only this\ncameras:\n  front: a.mp4\n"


def test_an_alias_becomes_a_section_of_its_own_and_the_anchor_stays() -> None:
    before = "cameras:\n  front: &door {source: {uri: a.mp4}}\n  yard: *door\n"
    text = YamlText(before)
    text.set(("cameras", "yard", "analytics", "lines"), [])
    after = text.text()
    assert "front: &door {source: {uri: a.mp4}}" in after
    assert yaml.safe_load(after)["cameras"]["front"] == {"source": {"uri": "a.mp4"}}
    assert yaml.safe_load(after)["cameras"]["yard"] == {"source": {"uri": "a.mp4"}, "analytics": {"lines": []}}


def test_values_that_others_have_by_a_merge_are_not_changed_for_them() -> None:
    before = "cameras:\n  front: &door\n    source: {uri: a.mp4}\n  yard:\n    <<: *door\n    overlay: now\n"
    text = YamlText(before)
    text.set(("cameras", "yard", "overlay"), "delayed")
    assert changes(before, text.text()) == ["-     overlay: now", "+     overlay: delayed"]
    text = YamlText(before)
    text.set(("cameras", "front", "overlay"), "now")
    text.set(("cameras", "front", "delay_s"), 2)
    with pytest.raises(ConfigError, match="share these settings by an anchor"):
        text.text()


@pytest.mark.parametrize("name", ["yes", "1", "null", "front", "1e3"])
def test_names_that_yaml_reads_as_other_values_are_quoted(name: str) -> None:
    text = YamlText("cameras:\n  7: a.mp4\n")
    text.set(("cameras", name), "b.mp4")
    text.set(("cameras", "7"), "c.mp4")
    assert yaml.safe_load(text.text())["cameras"] == {7: "c.mp4", name: "b.mp4"}


@pytest.mark.parametrize("file", ["site.yaml", "rtsp.yaml", "file.yaml", "webcam.yaml"])
def test_the_examples_are_kept_byte_for_byte(file: str) -> None:
    text = (CONFIGS / file).read_text()
    assert YamlText(text).text() == text


PARTS = [
    "---\n# of the house\n",
    "title: this goes on\n  in the next line\n",
    "folded: >-\n  one\n  two\n\ntext: |\n    deep\n\n  \n    end\n",
    'escaped: "\\u263a \\\n  end"\n',
    "ruled: [[0, 0],\n        [1,  1],   # right\n        [0, 1]]\n",
    "wide:   {a:   1,   b: 2}   # c\r\n",
    "odd:\n   list:\n   -   to: a   # d\n       at: b\n\n   # e\n   more:\n        f: 1\n",
    "numbers: [0o17, 010, 1_000, 1e3, 12:30:45, ~, yes, 1.50]\n",
]
LAST = "   front:\n         source: {uri: 'rtsp://192.0.2.10/1'}   # g\n   # h\n   yard:  a.mp4\n"


@pytest.mark.parametrize("parts", [*([part] for part in PARTS), PARTS], ids=lambda parts: "".join(parts)[:12])
@pytest.mark.parametrize("end", ["", "\n   \n# the end\n", "...\n"])
def test_what_people_write_stays_byte_for_byte(parts: list[str], end: str) -> None:
    """A part that ruamel.yaml writes in other lines must not make it lay out the whole file anew."""
    site = "".join([*parts, "cameras:\n", LAST, end])
    text = YamlText(site)
    text.set(("cameras", "front", "analytics", "zones"), [ZONE])
    new = text.text()
    assert not [line for line in difflib.ndiff(site.splitlines(), new.splitlines()) if line.startswith("-")]
    assert new.startswith(site[: site.index("   # h")])
    assert new.endswith(site[site.index("   # h") :])
    text.remove(("cameras", "front", "analytics"))
    assert text.text() == site


def test_a_comment_that_would_be_lost_refuses_the_change() -> None:
    text = YamlText("cameras: {\n  front: a.mp4,\n  # behind the house\n  yard: b.mp4}\n")
    text.set(("cameras", "side"), "c.mp4")
    with pytest.raises(ConfigError, match="comments inside of these settings would be lost"):
        text.text()


def test_a_list_keeps_the_form_of_what_stays() -> None:
    before = "zones:\n  - {name: a, points: [[0, 0], [1, 0]]}  # kept\n  - name: b\n    points: [[0,0],[1,1],[0,1]]\n"
    text = YamlText(before)
    zones: Any = yaml.safe_load(before)["zones"]
    zones[1]["name"] = "c"
    text.set(("zones",), [*zones, ZONE])
    assert changes(before, text.text()) == [
        "-   - name: b",
        "+   - name: c",
        "+   - name: door",
        "+     points: [[0.1, 0.4], [0.4, 0.4], [0.4, 0.9]]",
    ]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
SECTIONS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(SECTIONS, SECTIONS, st.booleans())
def test_any_values_become_the_wanted_ones_or_are_refused(old: dict[str, Any], new: dict[str, Any], flow: bool) -> None:
    before = yaml.safe_dump({"top": old, "other": 1}, default_flow_style=flow, allow_unicode=True)
    try:
        text = YamlText(before)
        text.set(("top",), new)
        after = text.text()
    except ConfigError:
        return
    assert yaml.safe_load(after) == {"top": new, "other": 1}
