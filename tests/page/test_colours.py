"""The page draws with the colours of the renderer, so that a live view and a clip look the same."""

from __future__ import annotations

import re

from streamer.page.files import FOLDER
from streamer.render.colours.palette import PALETTE
from streamer.render.overlays.rules import LINE_COLOUR, ZONE_COLOUR
from streamer.values.drawable import Colour

OVERLAY = (FOLDER / "overlay.js").read_text(encoding="utf-8")


def test_tracks_have_the_colours_of_the_renderer() -> None:
    found = re.search(r"PALETTE = \[(.*?)\]", OVERLAY, re.DOTALL)
    assert found
    assert re.findall(r'"(#\w{6})"', found[1]) == [hexadecimal(colour) for colour in PALETTE]


def test_lines_and_zones_have_the_colours_of_the_renderer() -> None:
    assert f'LINE_COLOUR = "{hexadecimal(LINE_COLOUR)}"' in OVERLAY
    assert f'ZONE_COLOUR = "{hexadecimal(ZONE_COLOUR)}"' in OVERLAY


def hexadecimal(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
