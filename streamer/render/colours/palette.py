"""Track colours that people with any colour vision can tell apart, and the text colour with the best contrast.

Pure functions, used by the display thread.
"""

from __future__ import annotations

from functools import lru_cache

from streamer.values.drawable import Colour

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/, without its black; ordered so that
# neighbouring ids differ in lightness as well as in hue.
_OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (240, 228, 66),  # yellow
    (0, 114, 178),  # blue
    (213, 94, 0),  # vermillion
    (204, 121, 167),  # reddish purple
)
# Nine more, found by a greedy search over sRGB in steps of 15 (lightness L* 36 to 93, chroma above 28) for the largest
# smallest CIEDE2000 difference from all others, that under simulated deuteranopia and protanopia weighted by 1.6, and
# then replaced one by one until no replacement is better. Each comes where it differs most from the ones before it.
_SEARCHED: tuple[Colour, ...] = (
    (165, 0, 105),  # plum
    (180, 240, 165),  # pale green
    (0, 240, 255),  # cyan
    (180, 0, 0),  # dark red
    (45, 105, 60),  # dark green
    (120, 120, 255),  # periwinkle
    (90, 0, 255),  # violet
    (255, 75, 105),  # coral
    (255, 180, 195),  # pink
)
PALETTE: tuple[Colour, ...] = (*_OKABE_ITO, *_SEARCHED)
"""16 colours. The smallest CIEDE2000 difference of two of them is 17.3, under simulated deuteranopia 11.3 and under
protanopia 10.4; among the seven of Okabe and Ito it is 21.7, 11.6 and 12.2 (`tests/render/test_palette.py`)."""
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def colour_by_id(track_id: int) -> Colour:
    """The colour of a track by its id alone."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


@lru_cache(maxsize=256)
def text_colour_on(background: Colour) -> Colour:
    """Black or white, whichever has the higher contrast ratio (WCAG 2.2, 1.4.3) on a background."""
    luminance = relative_luminance(background)
    return BLACK if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else WHITE


def relative_luminance(rgb: Colour) -> float:
    """Relative luminance of an sRGB colour, 0 for black to 1 for white (WCAG 2.2)."""
    red, green, blue = (
        value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in rgb
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
