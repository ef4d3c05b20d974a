"""The classes of a detector by its name, by a label map's name, or from a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.classes import label_maps, open_images
from streamer.config.detector import DetectorSettings
from streamer.detectors import selection
from streamer.detectors.litert.starter import StarterDetector
from streamer.errors import ConfigError, ModelError
from streamer.models import store
from streamer.values.labels import LabelTable

PBTXT = """\
# People and what they drive
item {
  name: "/m/01g317"
  id: 1  # the first
  display_name: "person"
  keypoints { id: 1 label: "nose" }
  keypoints: < id: 2, label: 'eye' >
}
item: { id: 5, name: 'truck'; instance_count: -3.5e4 frequency: FREQUENT tags: ["a", 'b'] }
item {
  display_name: 'Gem\\303\\274se "fresh"'
  id: 3
  name: "NA"
}
item { name: "/m/0k4j" id: 8 }
"""


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refusal(label_map: str) -> str:
    with pytest.raises(ConfigError) as refused:
        label_maps.of_module(label_map)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


class TestChoice:
    def test_hub_modules_have_open_images_classes_by_default(self) -> None:
        assert label_maps.of_module(None) == open_images.label_table()
        assert label_maps.of_module("Open_Images_V4") == open_images.label_table()
        assert label_maps.of_module("coco") == label_maps.coco_table()

    @pytest.mark.usefixtures("starter_weights")
    def test_the_starter_has_its_own_classes(self) -> None:
        table = StarterDetector.labels_of(DetectorSettings(label_map="coco"))
        detector = StarterDetector()
        assert table == detector.labels
        detector.close()
        assert [table.names[row] for row in table.rows(["Vehicle"])] == ["Bicycle", "Vehicle", "Car"]

    def test_detectors_by_name(self, tmp_path: Path) -> None:
        for name in (store.HUB_MODULE, "https://tfhub.dev/google/some/module/1"):
            assert selection.labels_of(DetectorSettings(name=name)) == open_images.label_table()
            assert selection.labels_of(DetectorSettings(name=name, label_map="coco")) == label_maps.coco_table()
        with pytest.raises(ConfigError, match=r"'startr'; did you mean starter\?"):
            selection.labels_of(DetectorSettings(name="startr"))
        with pytest.raises(ModelError, match="is no SavedModel"):
            selection.labels_of(DetectorSettings(name=str(tmp_path)))

    def test_neither_tensorflow_nor_litert_is_imported(self, tmp_path: Path) -> None:
        file = write(tmp_path, "map.pbtxt", PBTXT)
        code = (
            "import sys; from streamer.classes import label_maps\n"
            f"for name in (None, 'coco', {file!r}): label_maps.of_module(name)\n"
            "sys.exit(', '.join({'tensorflow', 'ai_edge_litert', 'cv2'} & sys.modules.keys()))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr.strip() == ""


class TestCoco:
    def test_ids_are_those_of_coco(self) -> None:
        table = label_maps.coco_table()
        assert len(table) == 91
        assert len(list(table.used())) == 80
        gaps = [row for row, name in enumerate(table.names) if not name]
        assert gaps == [0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83]
        assert [table.name(row) for row in (1, 3, 17, 44, 90)] == ["person", "car", "cat", "bottle", "toothbrush"]

    def test_every_mid_is_an_open_images_class(self) -> None:
        table, hierarchy = label_maps.coco_table(), open_images.hierarchy()
        assert [table.names[row] for row in table.used() if table.mid(row) is None] == ["cup"]
        mids = [mid for mid in table.mids if mid]
        assert len(set(mids)) == 79
        assert set(mids) <= hierarchy.names.keys()

    def test_the_computers_mouse_is_no_animal(self) -> None:
        table = label_maps.coco_table()
        animals = {table.names[row] for row in table.rows(["Animal"])}
        assert {"cat", "dog", "bird", "giraffe"} <= animals
        assert "mouse" not in animals


class TestFiles:
    def test_pbtxt(self, tmp_path: Path) -> None:
        table = label_maps.read(write(tmp_path, "map.pbtxt", PBTXT))
        assert table.names == ("", "person", "", 'Gemüse "fresh"', "", "truck", "", "", "Car")
        assert table.mids == ("", "/m/01g317", "", "", "", "/m/07r04", "", "", "/m/0k4j")
        assert table.rows(["Vehicle"]) == (5, 8)

    @pytest.mark.parametrize(
        "text",
        [
            "1,person\n3,car\n",
            "\ufeff1, person\r\n\r\n3, car\r\n",
            "id,name,mid\n3,car,/m/0k4j\n1,person,\n",
            "mid,parents,Label,Name\n/m/0k4j,x,3,car\n,,1,person\n",
            '1,"person",/m/01g317\n3,"car"\n',
        ],
    )
    def test_csv(self, tmp_path: Path, text: str) -> None:
        table = label_maps.read(write(tmp_path, "map.csv", text))
        assert table.names == ("", "person", "", "car")
        assert table.mids == ("", "/m/01g317", "", "/m/0k4j")

    def test_csv_with_commas_in_names(self, tmp_path: Path) -> None:
        assert label_maps.read(write(tmp_path, "map.CSV", '0,"nut, bolt"\n')).names == ("nut, bolt",)

    def test_txt_counts_from_one(self, tmp_path: Path) -> None:
        table = label_maps.read(write(tmp_path, "map.txt", "person\n\n  Car \n\n\n"))
        assert table.names == ("", "person", "", "Car")

    def test_txt_with_a_background_counts_from_zero(self, tmp_path: Path) -> None:
        assert label_maps.read(write(tmp_path, "map.txt", "???\nperson\ncar")).names == ("???", "person", "car")

    def test_names_get_their_place_in_the_hierarchy(self, tmp_path: Path) -> None:
        table = label_maps.read(write(tmp_path, "map.txt", "VAN\ncell phone\nforklift\nmouse\n"))
        assert [open_images.hierarchy().names.get(mid, "") for mid in table.mids] == ["", "Van", "Mobile phone", "", ""]
        assert table.rows(["Vehicle"]) == (1,)
        assert table.rows(["forklift"]) == (3,)
        assert table.rows(["mouse"]) == (4,)  # an animal or a computer's: the name does not tell

    def test_the_home_folder_is_expanded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        write(tmp_path, "map.txt", "thing")
        assert label_maps.read("~/map.txt").names == ("", "thing")


class TestBadFiles:
    @pytest.mark.parametrize(
        ("name", "content", "saying"),
        [
            ("a.csv", "1,person\n2,car\n1,bus\n", "a.csv, line 3: the id 1 appears twice, first in line 1"),
            ("a.csv", "1,person\n-2,car\n", "a.csv, line 2: the id -2 is not in 0..100000"),
            ("a.csv", "1,person\n100001,car\n", "a.csv, line 2: the id 100001 is not in"),
            ("a.csv", "1,person\nx,car\n", "a.csv, line 2: the id 'x' is not a whole number"),
            ("a.csv", "1,person\n2\n", "a.csv, line 2: the id 2 has no name"),
            ("a.csv", "/m/011k07,Tortoise\n", "a.csv, line 1: expected the columns id,name"),
            ("a.csv", "id,name\n", "a.csv has no classes in it"),
            ("a.csv", b"1,\xff\xfe\n", "a.csv is no text in UTF-8"),
            ("a.txt", "\n \n", "a.txt has no classes in it"),
            ("a.pbtxt", "", "a.pbtxt has no classes in it"),
            ("a.pbtxt", 'item {\n  id: 1\n  name: person"\n}', "a.pbtxt, line 3: "),
            ("a.pbtxt", 'item {\n  id: 1\n  name: "person"\n', "a.pbtxt, line 3: "),
            ("a.pbtxt", 'item {\n  id: 3000000000\n  name: "person"\n}', "a.pbtxt, line 2: "),
            ("a.pbtxt", "<!DOCTYPE html>\n<html>", "a.pbtxt, line 1: "),
            ("a.pbtxt", 'item { id: 1 name: "a" } item { name: "b" }', "a.pbtxt, item 2: no id"),
            (
                "a.pbtxt",
                'item { id: 1 name: "a" } item { id: 1 name: "b" }',
                "item 2: the id 1 appears twice, first in item 1",
            ),
            (
                "a.pbtxt",
                'item {\n  id: 1 name: "a"\n# }\n  item { id: 2 name: "}" }\n}',
                "a.pbtxt, line 4: an item inside the block of line 1; close it first",
            ),
            ("a.pbtxt", 'map {\n  item { id: 1 name: "a" }\n}', "a.pbtxt, line 1: expected 'item {', not 'map'"),
            ("a.pbtxt", 'item { id: 1 name: "a" }\nItem { id: 2 name: "b" }', "line 2: expected 'item {', not 'Item'"),
            ("a.pbtxt", 'item { id: 1 name: "a" }\nid: 2', "a.pbtxt, line 2: expected 'item {', not 'id'"),
            ("a.txt", "item {\n id: 1\n name: a\n}", "a.txt, line 3: "),
            ("a.txt", "0 person\n1 car\nbus\n", "a.txt, line 3: 'bus' has no id, but 2 other lines have one"),
            ("a.txt", "0 person\n0 car\n", "a.txt, line 2: the id 0 appears twice"),
            ("a.pbtxt", "item { id: 7 }", "item 1: the id 7 has no name"),
        ],
    )
    def test_errors_are_one_line_with_the_place(
        self, tmp_path: Path, name: str, content: str | bytes, saying: str
    ) -> None:
        message = refusal(write(tmp_path, name, content))
        assert saying in message
        assert str(tmp_path) in message

    def test_no_such_file(self, tmp_path: Path) -> None:
        assert "cannot read the label map" in refusal(str(tmp_path / "none.txt"))
        (tmp_path / "folder.txt").mkdir()
        assert "cannot read the label map" in refusal(str(tmp_path / "folder.txt"))

    def test_no_such_name(self) -> None:
        assert refusal("cocoo") == "no label map 'cocoo'; did you mean coco?"
        assert ".pbtxt, .csv or .txt" in refusal("labels.json")


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.integers(0, 300), st.text(st.characters(categories=["L", "N"], include_characters=" \"'{}#:"), min_size=1)
    )
)
def test_all_formats_give_the_same_table(tmp_path_factory: pytest.TempPathFactory, classes: dict[int, str]) -> None:
    named = {number: name.strip() for number, name in classes.items() if any(c.isalnum() for c in name.strip())}
    if not named:
        return
    folder = tmp_path_factory.mktemp("maps")
    quoted = {number: name.replace("\\", "\\\\").replace('"', '\\"') for number, name in named.items()}
    pbtxt = "\n".join(f'item {{ id: {number} name: "NA" display_name: "{name}" }}' for number, name in quoted.items())
    doubled = {number: name.replace('"', '""') for number, name in named.items()}
    table = "\n".join(f'{number},"{name}"' for number, name in doubled.items())
    tables: list[LabelTable] = [
        label_maps.read(write(folder, "a.pbtxt", pbtxt)),
        label_maps.read(write(folder, "a.csv", table)),
    ]
    for read in tables:
        assert {row: read.names[row] for row in read.used()} == named


@pytest.mark.parametrize(
    "text", ["0  person\n2  car\n", "0: person\n\n2: car", "0\tperson\n2\tcar", "0,person\n2,car\n"]
)
def test_lines_of_ids_and_names_in_a_txt(text: str, tmp_path: Path) -> None:
    assert label_maps.read(write(tmp_path, "labels.txt", text)).names == ("person", "", "car")


@pytest.mark.parametrize("head", ["", "# made by hand\n\n", "\ufeff"])
def test_protobuf_text_in_a_txt_is_read_as_such(head: str, tmp_path: Path) -> None:
    assert label_maps.read(write(tmp_path, "a.txt", head + PBTXT)) == label_maps.read(write(tmp_path, "a.pbtxt", PBTXT))


def test_names_that_begin_with_a_number_stay_names(tmp_path: Path) -> None:
    table = label_maps.read(write(tmp_path, "a.txt", "car\n3 wheeler\nitem\n"))
    assert table.names == ("", "car", "3 wheeler", "item")
