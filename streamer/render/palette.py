"""Track colours that people with any colour vision can tell apart, and the text colour with the best contrast.

Pure functions, used by the main thread.
"""

from __future__ import annotations

from functools import lru_cache

from streamer.values.drawable import Colour

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/, without its black; ordered so that
# neighbouring ids differ in lightness as well as in hue.
OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (240, 228, 66),  # yellow
    (0, 114, 178),  # blue
    (213, 94, 0),  # vermillion
    (204, 121, 167),  # reddish purple
)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def colour_of(track_id: int) -> Colour:
    """The colour of a track; constant over its lifetime."""
    return OKABE_ITO[(track_id - 1) % len(OKABE_ITO)]


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
