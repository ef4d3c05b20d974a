"""The contract of `streamer.features`, for every registered class and for the classes of examples/extension."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from streamer import registry
from streamer.config.detector import DetectorSettings
from streamer.config.output import OutputEntry
from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError
from streamer.features import DetectorChooser, section_of
from streamer.interfaces import Detector, Source
from tracking.types import Tracker

EXTENSION = Path(__file__).parents[2] / "examples" / "extension"


def extension() -> Mapping[str, Mapping[str, Any]]:
    """The entry points of the extension: group to name to class."""
    project = tomllib.loads((EXTENSION / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        group: {name: load(f"examples.extension.{target}") for name, target in points.items()}
        for group, points in project["entry-points"].items()
    }


def load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


EXTENSIONS = extension()


def features(kind: registry.Registry) -> list[Any]:
    """Parameters `(name, class)` of all classes of a kind."""
    named = {**kind, **EXTENSIONS[kind.group]}
    return [pytest.param(name, feature, id=name) for name, feature in named.items()]


def members(protocol: type) -> set[str]:
    """What a class must have to fit a protocol."""
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_the_extension_adds_one_feature_of_each_kind() -> None:
    kinds = (registry.SOURCES, registry.DETECTORS, registry.TRACKERS, registry.ANNOTATORS, registry.SINKS)
    assert {kind.group for kind in kinds} == set(EXTENSIONS)
    assert all(len(EXTENSIONS[kind.group]) == 1 for kind in kinds)


@pytest.mark.parametrize(("name", "feature"), features(registry.SOURCES))
def test_a_source_has_what_the_opener_needs(name: str, feature: Any) -> None:
    assert members(Source) <= set(dir(feature))
    assert issubclass(feature.section, Section)
    assert feature.accepts(f"no-{name}-at-all://", SourceSettings()) is False
    assert list(inspect.signature(feature.from_settings).parameters)[:3] == ["uri", "settings", "context"]
    assert feature.__doc__


@pytest.mark.parametrize(("name", "feature"), features(registry.DETECTORS))
def test_a_detector_has_what_the_builder_needs(name: str, feature: Any) -> None:
    assert feature.accepts("no such detector") is False
    assert feature.__doc__
    if isinstance(feature, DetectorChooser):
        return
    assert members(Detector) <= set(dir(feature)), name
    assert issubclass(feature.section, Section)
    assert 0 <= feature.default_min_score <= 1
    labels = feature.labels_of(DetectorSettings(name="no such detector"))
    assert labels is None or len(labels) > 0
    assert list(inspect.signature(feature.from_settings).parameters) == ["settings", "context"]


@pytest.mark.parametrize(("name", "feature"), features(registry.TRACKERS))
def test_a_tracker_is_built_from_keyword_options_with_defaults(name: str, feature: Any) -> None:
    assert members(Tracker) <= set(dir(feature)), name
    options = inspect.signature(feature).parameters.values()
    assert all(option.kind is option.KEYWORD_ONLY and option.default is not option.empty for option in options)
    assert feature.__doc__


@pytest.mark.parametrize(("name", "feature"), features(registry.ANNOTATORS))
def test_an_annotator_has_what_the_builder_needs(name: str, feature: Any) -> None:
    assert feature.accepts(DrawSettings()) in (True, False)
    assert issubclass(feature.section, Section)
    settings = DrawSettings() if feature.section is DrawSettings else feature.section()
    assert callable(feature.from_settings(settings).draw), name
    assert feature.__doc__


@pytest.mark.parametrize(("name", "feature"), features(registry.SINKS))
def test_a_sink_has_what_the_opener_needs(name: str, feature: Any) -> None:
    assert {"stage", "write"} <= set(dir(feature)), name
    assert issubclass(feature.section, OutputEntry)
    entry = OutputEntry(to="nowhere://at all")
    assert feature.accepts(entry) is False
    assert feature.is_required(entry) in (True, False)
    assert feature.keeps_all(entry) in (True, False)
    assert list(inspect.signature(feature.from_settings).parameters) == ["entry", "context"]
    assert feature.__doc__


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, name) for group, named in EXTENSIONS.items() for name in named if "trackers" not in group],
)
def test_a_wrong_key_of_an_own_section_is_refused_with_its_path(group: str, name: str) -> None:
    feature = EXTENSIONS[group][name]
    given = {"to": "x.csv", "nonsense": 1} if "sinks" in group else {"nonsense": 1}
    with pytest.raises(ConfigError, match=rf"^extensions\.{name}\.nonsense: ") as caught:
        section_of(feature, name, DrawSettings(), {name: given})
    assert "\n" not in str(caught.value)


class Accepting:
    """The least that a class of a registry has."""

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name == "good"

    @classmethod
    def from_settings(cls) -> Accepting:
        return cls()


class Failing(Accepting):
    @classmethod
    def accepts(cls, name: str) -> bool:  # noqa: ARG003
        raise ZeroDivisionError("a mistake")


def test_a_class_can_be_registered_for_this_process() -> None:
    kind = registry.Registry("streamer.nothing", {"built in": "builtins:int"})
    kind.register("mine", Accepting)
    assert list(kind) == ["mine", "built in"]
    assert repr(kind) == "<streamer.nothing: mine, built in>"
    assert (kind["mine"], kind["built in"], len(kind)) == (Accepting, int, 2)
    kind.register("built in", Failing)
    assert kind["built in"].__name__ == "Failing"
    kind.unregister("built in")
    assert kind["built in"].__name__ == "int"
    assert "absent" not in kind
    with pytest.raises(KeyError, match=r"streamer\.nothing has no 'mein'; did you mean mine"):
        _ = kind["mein"]


@pytest.mark.parametrize(
    ("feature", "reason"), [(str, "has no accepts and no from_settings"), (Accepting(), "no class")]
)
def test_a_class_without_the_methods_of_a_feature_is_refused(feature: Any, reason: str) -> None:
    kind = registry.Registry("streamer.nothing", {})
    with pytest.raises(TypeError, match=reason):
        kind.register("mine", feature)
    assert not list(kind)


def test_a_class_of_another_package_that_fails_is_reported_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    kind = registry.Registry("streamer.nothing", {"good": "tests.contracts.test_registry:Accepting"})
    kind.register("bad", Failing)
    for _ in range(2):
        assert list(kind.accepting("good")) == ["good"]
    assert [record.getMessage() for record in caplog.records] == ["streamer.nothing 'bad' is not used: a mistake"]
    assert list(kind.accepting("other", named="bad")) == ["bad"]


def test_a_mistake_of_a_built_in_class_is_not_hidden() -> None:
    kind = registry.Registry("streamer.nothing", {"bad": "tests.contracts.test_registry:Failing"})
    with pytest.raises(ZeroDivisionError):
        list(kind.accepting("good"))


def test_a_class_of_another_package_that_cannot_be_imported_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = metadata.EntryPoint("broken", "no_such_module:Thing", "streamer.sinks")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [broken] if group == "streamer.sinks" else [])
    kind = registry.Registry("streamer.sinks", {})
    assert list(kind) == ["broken"]
    with pytest.raises(ConfigError, match=r"^a package cannot provide no_such_module:Thing \(streamer"):
        _ = kind["broken"]
