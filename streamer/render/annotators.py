"""Builds the annotators of a run from its settings, and draws scenes with them. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av

from streamer.config.settings import DrawSettings
from streamer.errors import ConfigError
from streamer.features import Extensions, section_of
from streamer.interfaces import Annotator, Scene
from streamer.registry import ANNOTATORS
from streamer.render.canvas import Canvas
from streamer.render.colours.track_colours import TrackColours
from streamer.system.suggestions import nearest


def build_annotators(settings: DrawSettings, extensions: Extensions) -> list[Annotator]:
    """The annotators that the settings ask for, in drawing order.

    Every registered class whose `accepts` is true draws: the built-in ones in the order of the registry, then those of
    other packages. The ones that `draw.annotators` names draw last, in the order of that list.

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
    accepted = set(ANNOTATORS.accepting(settings, without=named))
    # The registry has those of other packages first; one that replaces a built-in one draws in its place.
    order = dict.fromkeys((*ANNOTATORS.built_in, *ANNOTATORS))
    return [_build(name, settings, extensions) for name in (*(one for one in order if one in accepted), *named)]


def _build(name: str, settings: DrawSettings, extensions: Extensions) -> Annotator:
    feature = ANNOTATORS[name]
    annotator: Annotator = feature.from_settings(section_of(feature, name, settings, extensions))
    return annotator


class Renderer:
    """Draws the scenes of one stream, in order, with its annotators.

    Args:
        annotators: draw in this order.
        sample_aspect_ratio: of frames without their own; as of `StreamInfo`.
    """

    def __init__(self, annotators: Sequence[Annotator], sample_aspect_ratio: Fraction = Fraction(1)) -> None:
        self._annotators = tuple(annotators)
        self._sample_aspect_ratio = sample_aspect_ratio
        self._colours = TrackColours()

    def render(self, scene: Scene) -> av.VideoFrame:
        """A copy of the picture that the scene shows, with the annotators drawn on it."""
        canvas = Canvas(
            scene.shown,
            colours=self._colours.of(scene.tracks, scene.frame.time_s),
            sample_aspect_ratio=scene.frame.sample_aspect_ratio or self._sample_aspect_ratio,
        )
        for annotator in self._annotators:
            annotator.draw(canvas, scene)
        return canvas.picture
