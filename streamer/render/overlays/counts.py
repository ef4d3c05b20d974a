"""Draws a table with the counts of classes, zones and lines. Used by one thread; caches words and the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.flow.stats import TrackCounts
from streamer.interfaces import Scene
from streamer.render.colours.palette import BLACK, WHITE
from streamer.render.text import REGULAR, TextRenderer, emphasis, text_size_px
from streamer.values.drawable import Drawable, Mask

_PANEL_OPACITY = 0.7
_HEADING_OPACITY = 0.8
_TALLEST = 0.9
"""Largest height of the table relative to the frame; the rows below are left out."""
_WIDEST = 0.5
"""Width of the table relative to the frame, up to which names are not cut any more."""
_LONGEST_NAMES = (24, 16, 10, 6)


class _Row(NamedTuple):
    """One row of the table: a name and two numbers, or the heading of such rows."""

    name: str
    left: str
    right: str
    is_heading: bool = False


class CountsAnnotator:
    """A table in the upper right corner: classes and zones with the objects now and so far, lines with `in` and `out`.

    Classes have the same counts as the report: an object counts once its track is a second old. The largest come first.
    The table reserves its place, so that labels avoid it. Nothing is drawn before there is anything to count.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self) -> None:
        self._text = TextRenderer(capacity=256)
        self._counted = TrackCounts()
        self._shown: tuple[object, ...] = ()
        self._table = np.zeros((0, 0), np.uint8)

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.counts

    @classmethod
    def from_settings(cls, _settings: DrawSettings) -> Self:
        return cls()

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw the table for the scene."""
        self._counted.add(scene.tracks, scene.labels, scene.frame)
        size, aspect = text_size_px(canvas), canvas.pixel_aspect
        height = round(1.5 * size)
        most = max(int(_TALLEST * canvas.height / height) - 1, 0)
        rows = _without_last_heading([*_classes(self._counted, scene), *_rules(scene)][:most])
        if not rows:
            return
        shown = rows, size, aspect, canvas.width
        if shown != self._shown:
            self._shown, self._table = shown, self._fitting(rows, size, height, canvas)
        pad, pad_y = round(0.6 * size / aspect), round(0.4 * size)
        table_height, table_width = self._table.shape
        # On the chroma grid, so that the panel has the same edge in every plane.
        left = (canvas.width - table_width - 2 * pad) // 4 * 4
        bottom = -(-(table_height + 2 * pad_y) // 4) * 4
        if left < 0 or bottom > canvas.height:
            return
        panel = left, 0, canvas.width, bottom
        canvas.reserve(panel)
        canvas.fill(panel, BLACK, _PANEL_OPACITY)
        canvas.blend_mask(self._table, left + pad, pad_y, WHITE)

    def _fitting(self, rows: Sequence[_Row], size: int, height: int, canvas: Drawable) -> Mask:
        for longest in _LONGEST_NAMES:
            cut = [row._replace(name=_cut(row.name, longest)) for row in rows]
            table = self._rendered(cut, size, height, canvas.pixel_aspect)
            if table.shape[1] <= _WIDEST * canvas.width:
                break
        return table

    def _rendered(self, rows: Sequence[_Row], size: int, height: int, aspect: float) -> Mask:
        cells = [[self._cell(text, row, size, height, aspect) for text in row[:3]] for row in rows]
        widths = [max(row[column].shape[1] for row in cells) for column in range(3)]
        gap = round(0.9 * size / aspect)
        table = np.zeros((height * len(rows), sum(widths) + 2 * gap), np.uint8)
        for at, (name, *numbers) in enumerate(cells):
            line, right = table[at * height : (at + 1) * height], widths[0]
            line[:, : name.shape[1]] = name
            for number, width in zip(numbers, widths[1:], strict=True):
                right += gap + width
                line[:, right - number.shape[1] : right] = number
        return table

    def _cell(self, text: str, row: _Row, size: int, height: int, aspect: float) -> Mask:
        mask = self._text.mask(text, size, REGULAR if row.is_heading else emphasis(size), height, aspect)
        return (mask * _HEADING_OPACITY).astype(np.uint8) if row.is_heading else mask


def _classes(counted: TrackCounts, scene: Scene) -> Iterator[_Row]:
    now = Counter(scene.labels.name(label) for label in scene.tracks.labels.tolist())
    so_far = counted.by_class
    names = sorted({*now, *so_far}, key=lambda name: (-so_far.get(name, 0), -now[name], name))
    if names:
        yield _Row("objects", "now", "total", is_heading=True)
    for name in names:
        yield _Row(name, str(now[name]), str(so_far.get(name, 0)))


def _rules(scene: Scene) -> Iterator[_Row]:
    if scene.watched.zones:
        yield _Row("zones", "now", "total", is_heading=True)
    for zone in scene.watched.zones:
        yield _Row(zone.name, str(zone.inside), str(zone.entered))
    if scene.watched.lines:
        yield _Row("lines", "in", "out", is_heading=True)
    for line in scene.watched.lines:
        yield _Row(line.name, str(line.entered), str(line.left))


def _without_last_heading(rows: list[_Row]) -> list[_Row]:
    return rows[:-1] if rows and rows[-1].is_heading else rows


def _cut(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
