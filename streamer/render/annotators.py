"""Builds the annotators of a run from its settings, and draws with them. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Sequence

import av

from streamer.config.settings import DrawSettings
from streamer.errors import ConfigError
from streamer.features import Extensions, section_of
from streamer.interfaces import Annotator, Scene
from streamer.registry import ANNOTATORS
from streamer.render.canvas import Canvas
from streamer.system.suggestions import nearest


def build_annotators(settings: DrawSettings, extensions: Extensions) -> list[Annotator]:
    """The annotators that the settings ask for, in drawing order.

    Every registered class whose `accepts` is true draws in the order of the registry, except those that
    `draw.annotators` names; these draw last, in the order of that list.

    Args:
        settings: the section `draw`.
        extensions: settings of other packages' annotators, by name.

    Raises:
        ConfigError: an unknown name, or a setting that does not fit.
    """
    named = dict.fromkeys(settings.annotators)
    for name in named:
        if name not in ANNOTATORS:
            raise ConfigError(f"draw.annotators: no annotator {name!r}{nearest(name, ANNOTATORS)}")
    accepted = ANNOTATORS.accepting(settings, without=named)
    return [_build(name, settings, extensions) for name in (*accepted, *named)]


def _build(name: str, settings: DrawSettings, extensions: Extensions) -> Annotator:
    feature = ANNOTATORS[name]
    annotator: Annotator = feature.from_settings(section_of(feature, name, settings, extensions))
    return annotator


def annotate(scene: Scene, annotators: Sequence[Annotator]) -> av.VideoFrame:
    """A copy of the picture that the scene shows, with the annotators drawn on it in order."""
    canvas = Canvas(scene.shown)
    for annotator in annotators:
        annotator.draw(canvas, scene)
    return canvas.picture
