"""Which annotators the settings give, and in which order they draw."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Self

import pytest

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.errors import ConfigError
from streamer.interfaces import Scene
from streamer.registry import ANNOTATORS
from streamer.render.annotators import Renderer, build_annotators
from streamer.render.boxes import BoxAnnotator
from streamer.values.drawable import Colour, Drawable
from tests.render.scenes import noise, tracks
from tests.render.scenes import scene as shown_scene


class CrossSettings(Section):
    thickness_px: int = 1


class CrossAnnotator:
    """An annotator of another package, which has settings of its own."""

    section: ClassVar[type[Section]] = CrossSettings

    def __init__(self, thickness_px: int) -> None:
        self.thickness_px = thickness_px

    @classmethod
    def accepts(cls, _settings: DrawSettings) -> bool:
        return False

    @classmethod
    def from_settings(cls, settings: CrossSettings) -> Self:
        return cls(settings.thickness_px)

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw nothing."""


@pytest.fixture
def cross(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANNOTATORS._registered, "cross", CrossAnnotator)


def built(settings: DrawSettings) -> Sequence[str]:
    return [type(annotator).__name__ for annotator in build_annotators(settings, {})]


def test_settings_select_the_annotators_in_drawing_order() -> None:
    every = DrawSettings(trails=True, hud=True, lines=False, zones=False)
    assert built(every) == ["TrailAnnotator", "BoxAnnotator", "HudAnnotator", "LabelAnnotator"]
    assert built(DrawSettings()) == ["BoxAnnotator", "ZoneAnnotator", "LineAnnotator", "LabelAnnotator"]
    assert built(DrawSettings(boxes=False, labels=False, lines=False, zones=False)) == []


@pytest.mark.usefixtures("cross")
def test_annotators_that_are_named_draw_last() -> None:
    named = DrawSettings(annotators=("cross", "boxes"), lines=False, zones=False)
    assert built(named) == ["LabelAnnotator", "CrossAnnotator", "BoxAnnotator"]


@pytest.mark.usefixtures("cross")
def test_an_annotator_of_another_package_gets_its_own_settings() -> None:
    settings = DrawSettings(boxes=False, labels=False, lines=False, zones=False, annotators=("cross",))
    (found,) = build_annotators(settings, {"cross": {"thickness_px": 3}})
    assert isinstance(found, CrossAnnotator)
    assert found.thickness_px == 3
    with pytest.raises(ConfigError, match=r"extensions\.cross\.thickness_px"):
        build_annotators(settings, {"cross": {"thickness_px": "thick"}})


def test_an_unknown_annotator_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no annotator 'label'; did you mean labels\?"):
        built(DrawSettings(annotators=("label",)))


def test_annotators_of_other_packages_draw_after_the_built_in_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unasked(CrossAnnotator):
        @classmethod
        def accepts(cls, _settings: DrawSettings) -> bool:
            return True

    class OtherBoxes(BoxAnnotator):
        """Replaces the built-in annotator."""

    monkeypatch.setitem(ANNOTATORS._registered, "aaa", Unasked)
    monkeypatch.setitem(ANNOTATORS._registered, "boxes", OtherBoxes)
    assert built(DrawSettings(trails=True, lines=False, zones=False)) == [
        "TrailAnnotator",
        "OtherBoxes",
        "LabelAnnotator",
        "Unasked",
    ]
    named = DrawSettings(annotators=("labels", "boxes"), lines=False, zones=False)
    assert built(named) == ["Unasked", "LabelAnnotator", "OtherBoxes"]


def test_all_annotators_of_a_run_draw_a_track_in_one_colour() -> None:
    class Asks(CrossAnnotator):
        def draw(self, canvas: Drawable, scene: Scene) -> None:
            seen.append([canvas.colour_of(track_id) for track_id in scene.tracks.ids.tolist()])

    seen: list[list[Colour]] = []
    renderer = Renderer([Asks(1), Asks(1)], Fraction(1))
    renderer.render(shown_scene(noise(64, 48), tracks([(0, 0, 9, 9), (9, 9, 20, 20)], ids=[1, 17])))
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]
