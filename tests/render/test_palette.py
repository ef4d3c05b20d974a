"""The colours of tracks: how different they look, text on them, and which track gets which."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from streamer.render.colours.differences import DEUTERANOPIA, PROTANOPIA, ciede2000, differences, lab
from streamer.render.colours.palette import PALETTE, relative_luminance, text_colour_on
from streamer.render.colours.track_colours import TrackColours, distinctness
from streamer.values.drawable import Colour
from tests.render.scenes import tracks


# Pairs 1, 7, 9, 17, 25 and 34 of the test data by Sharma, Wu & Dalal (2005).
@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000_has_the_published_values(
    one: tuple[float, ...], other: tuple[float, ...], difference: float
) -> None:
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(difference, abs=5e-5)


def test_lab_has_the_published_values() -> None:
    assert lab([(255, 0, 0)])[0] == pytest.approx((53.24, 80.09, 67.20), abs=0.02)
    assert lab([(255, 255, 255)])[0] == pytest.approx((100, 0, 0), abs=0.02)


def test_the_colours_of_the_palette_look_different_to_everyone() -> None:
    assert len(set(PALETTE)) == 16
    for vision, least in ((None, 17.3), (DEUTERANOPIA, 11.3), (PROTANOPIA, 10.4)):
        apart = differences(PALETTE, vision)[np.triu_indices(len(PALETTE), 1)]
        assert apart.min() == pytest.approx(least, abs=0.05)


def test_text_on_every_track_colour_has_the_contrast_of_wcag() -> None:
    for colour in PALETTE:
        light, dark = sorted((relative_luminance(colour), relative_luminance(text_colour_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA


def look_alike(one: Colour, other: Colour) -> bool:
    return bool(distinctness()[PALETTE.index(one), PALETTE.index(other)] < 1)


def test_the_first_tracks_have_colours_that_look_different() -> None:
    colours = list(TrackColours().of(tracks([(0, 0, 9, 9)] * 8, ids=[8, 15, 16, 23, 42, 44, 45, 46]), 0.0).values())
    assert not any(look_alike(one, other) for one, other in combinations(colours, 2))


def test_a_track_keeps_its_colour() -> None:
    colours = TrackColours()
    first = colours.of(tracks([(0, 0, 9, 9), (20, 0, 29, 9)]), 0.0)
    assert colours.of(tracks([(20, 0, 29, 9)], ids=[1]), 60.0) == {1: first[1]}
    assert colours.of(tracks([], ids=[]), 61.0) == {}
    crowd = colours.of(tracks([(20 * row, 0, 20 * row + 9, 9) for row in range(40)]), 62.0)
    assert {1: crowd[1], 2: crowd[2]} == first


def test_the_colour_of_a_track_that_is_hidden_for_a_moment_stays_taken() -> None:
    colours = TrackColours()
    first = colours.of(tracks([(0, 0, 9, 9)], ids=[1]), 0.0)
    other = colours.of(tracks([(0, 0, 9, 9)], ids=[2]), 2.0)
    assert not look_alike(first[1], other[2])
    assert colours.of(tracks([(0, 0, 9, 9)], ids=[3]), 9.0)[3] == first[1]


def test_colours_depend_on_the_scenes_alone() -> None:
    shown = tracks([(9.0 * row, 5, 9.0 * row + 7, 20) for row in range(30)])
    shuffled = shown.select(np.random.default_rng(1).permutation(30))
    assert TrackColours().of(shown, 0.0) == TrackColours().of(shuffled, 0.0)


@pytest.mark.parametrize("count", [8, 16, 26, 100])
def test_neighbours_do_not_look_alike(count: int) -> None:
    pairs = []
    for seed in range(10):
        corners = np.random.default_rng(seed).uniform(0, 1000, (count, 2))
        boxes = np.hstack([corners, corners + np.array((40, 90))])
        colours = TrackColours().of(tracks(boxes.tolist()), 0.0)
        assert len(set(colours.values())) >= min(count, 12)
        for row, (x, y) in enumerate(corners.tolist()):
            far = np.maximum(np.abs(corners - np.array((x, y))) - np.array((40, 90)), 0)
            nearest = np.argsort(np.hypot(far[:, 0], far[:, 1]) + (np.arange(count) == row) * 1e9)[:3].tolist()
            pairs += [(colours[row + 1], colours[other + 1]) for other in nearest]
    assert sum(one == other for one, other in pairs) <= 0.003 * len(pairs)
    assert sum(look_alike(one, other) for one, other in pairs) <= 0.02 * len(pairs)


def test_colours_of_a_bounded_number_of_tracks_are_kept() -> None:
    colours = TrackColours()
    for first in range(1, 5000, 50):
        colours.of(tracks([(0, 0, 9, 9)] * 50, ids=range(first, first + 50)), first / 50)
    assert len(colours._colours) <= 1000
    assert len(colours._seen) <= 250
