"""Class expressions on the tables of real detectors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.classes import label_maps, open_images
from streamer.errors import ConfigError
from streamer.values.labels import Hierarchy, LabelTable

DATA = Path(os.environ.get("STREAMER_TEST_DATA", "test-data"))
V4 = open_images.label_table()
COCO = label_maps.coco_table()
PETS = LabelTable(("", "Cat", "Dog", "Hat", "???", "Unheard of"), ("", "/m/01yrx", "/m/0bt9lr", "", "", ""))
PETS_BELOW = LabelTable(PETS.names, PETS.mids, open_images.hierarchy())
CLASSES = st.sampled_from([item.name for item in open_images.classes()])


def names(table: LabelTable, *wanted: str) -> set[str]:
    return {table.names[row] for row in table.rows(wanted)}


def refusal(table: LabelTable, wanted: str) -> str:
    with pytest.raises(ConfigError) as refused:
        table.rows([wanted])
    message = str(refused.value)
    assert "\n" not in message
    return message


class TestHierarchy:
    def test_the_table_is_complete(self) -> None:
        classes = open_images.classes()
        mids = {item.mid for item in classes}
        assert len(mids) == 601
        assert all(parent in mids and parent != item.mid for item in classes for parent in item.parent_mids)
        assert len({item.name.casefold() for item in classes}) == 601

    def test_it_has_no_cycles(self) -> None:
        hierarchy = open_images.hierarchy()
        for mid in hierarchy.names:
            assert all(mid not in hierarchy.above(parent) for parent in hierarchy.parents.get(mid, ()))

    def test_several_parents_and_the_shortest_way_up(self) -> None:
        hierarchy = Hierarchy(
            "letters", dict(zip("abcd", "abcd", strict=True)), {"d": ("c", "a"), "c": ("b",), "b": ("a",)}
        )
        assert hierarchy.above("d") == {"d": 0, "c": 1, "a": 1, "b": 2}

    def test_parts_are_not_subclasses(self) -> None:
        assert names(V4, "Person") == {"Person", "Man", "Woman", "Boy", "Girl"}

    @pytest.mark.elsewhere
    def test_the_hierarchy_agrees_with_the_published_table(self) -> None:
        published = DATA / "openimages" / "classes.csv"
        if not published.is_file():
            pytest.skip("the optional folder of tracking data is not there")
        own = Path(open_images.__file__).with_name("open_images_v4.csv")
        assert own.read_text(encoding="utf-8") == published.read_text(encoding="utf-8")


class TestExpressions:
    def test_a_class_selects_its_subclasses(self) -> None:
        found = names(V4, "Vehicle")
        assert {"Vehicle", "Car", "Limousine", "Bus", "Boat", "Airplane", "Bicycle"} <= found
        assert not found & {"Person", "Wheel", "Vehicle registration plate"}

    def test_exactly_one(self) -> None:
        assert names(V4, "=Vehicle") == names(V4, "= /m/07yv9") == {"Vehicle"}

    @pytest.mark.parametrize("spelling", ["Land vehicle", " land VEHICLE ", "/m/01prls", "/M/01PRLS"])
    def test_names_and_mids_in_any_case(self, spelling: str) -> None:
        assert V4.rows([spelling]) == V4.rows(["Land vehicle"])

    def test_every_row_is_found_by_its_name_and_mid(self) -> None:
        for table in (V4, COCO):
            for row in table.used():
                assert table.rows([f"={table.names[row]}"]) == (row,)
                assert row in table.rows([table.mid(row) or table.names[row]])

    def test_the_class_itself_need_not_be_in_the_table(self) -> None:
        assert names(PETS_BELOW, "Carnivore") == names(PETS_BELOW, "animal", "Cat") == {"Cat", "Dog"}
        assert names(COCO, "Land vehicle") == {"bicycle", "car", "motorcycle", "bus", "train", "truck"}

    def test_a_class_by_its_name_in_open_images(self) -> None:
        assert names(COCO, "Mobile phone") == names(COCO, "=/m/050k8") == {"cell phone"}

    def test_a_name_of_the_table_takes_precedence(self) -> None:
        table = LabelTable(("", "mouse", "cat"), ("", "/m/020lf", "/m/01yrx"), open_images.hierarchy())
        assert names(table, "Mouse") == {"mouse"}  # the computer mouse; the animal is another class

    def test_without_a_hierarchy_a_class_is_itself(self) -> None:
        assert names(PETS, "Cat", "/m/0bt9lr", "hat") == {"Cat", "Dog", "Hat"}
        refusal(PETS, "Animal")

    def test_one_name_on_two_rows(self) -> None:
        assert LabelTable(("cat", "dog", "Cat")).rows(["=cat"]) == (0, 2)

    def test_no_expression_selects_no_row(self) -> None:
        assert V4.rows([]) == ()


class TestRefusals:
    def test_a_misspelled_class_gets_the_nearest_names(self) -> None:
        assert refusal(V4, "Persn") == "no class 'Persn' in this detector; did you mean Person, Pen, Pear?"
        assert "did you mean Car" in refusal(V4, "=Carr")

    def test_superclasses_are_suggested(self) -> None:
        assert "Carnivore" in refusal(PETS_BELOW, "Carnivor")
        assert "Vehicle" not in refusal(PETS_BELOW, "Vehicl")  # it would be refused too

    def test_a_class_of_the_hierarchy_without_rows(self) -> None:
        message = refusal(PETS_BELOW, "vehicle")
        assert "no 'Vehicle'" in message
        assert "Open Images V4 has that class" in message
        assert message.endswith("it knows Cat, Dog, Hat, Unheard of")

    def test_exactly_a_class_with_rows_for_subclasses_only(self) -> None:
        message = refusal(PETS_BELOW, "=Animal")
        assert "'Animal' itself" in message
        assert message.endswith("Cat, Dog")

    @pytest.mark.parametrize("nothing", ["", "  ", "=", "???", "/m/"])
    def test_no_class_at_all(self, nothing: str) -> None:
        message = refusal(PETS_BELOW, nothing)
        assert message.startswith(f"no class {nothing.strip()!r} in this detector; it knows Cat, Dog")


def test_a_row_without_a_name_is_shown_by_its_number() -> None:
    assert [COCO.name(row) for row in (11, 12, 200)] == ["fire hydrant", "class 12", "class 200"]
    assert COCO.mid(12) is None


def test_the_numbers_of_mids_and_names_must_agree() -> None:
    with pytest.raises(ValueError, match="as many MIDs"):
        LabelTable(("a", "b"), ("/m/1",))


def chains(name: str) -> Iterator[str]:
    """The names of the parents of a class."""
    hierarchy = open_images.hierarchy()
    mid = hierarchy.find(name)
    assert mid is not None
    return (hierarchy.names[parent] for parent in hierarchy.parents.get(mid, ()))


@settings(max_examples=50)
@given(CLASSES)
def test_a_class_selects_all_rows_of_its_subclasses(name: str) -> None:
    own = set(V4.rows([name]))
    (alone,) = V4.rows([f"={name}"])
    assert alone in own
    for parent in chains(name):
        assert own < set(V4.rows([parent]))


@settings(max_examples=40)
@given(st.lists(CLASSES, min_size=1, max_size=6).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_the_order_does_not_matter(orders: tuple[Sequence[str], Sequence[str]]) -> None:
    given_order, other = orders
    assert V4.rows(given_order) == V4.rows(other) == tuple(sorted({row for one in other for row in V4.rows([one])}))


@given(st.text(max_size=20))
def test_any_text_is_a_class_or_a_clear_error(text: str) -> None:
    try:
        found, message = V4.rows([text]), ""
    except ConfigError as error:
        found, message = (), str(error)
    assert bool(found) != message.startswith("no class ")
    assert len(message.splitlines()) <= 1


def test_a_number_is_no_class_of_a_large_detector() -> None:
    labels = LabelTable(tuple(f"kind {number}" for number in range(99)))
    with pytest.raises(ConfigError, match="classes by name, which 'streamer models labels' lists"):
        labels.rows(["2"])
