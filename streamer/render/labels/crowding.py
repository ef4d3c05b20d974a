"""Chooses the font size and the longest text of labels by how many there are. Used by the label annotator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.render.labels.label_boxes import label_box_height
from streamer.render.labels.placement import LARGEST_SHARE
from streamer.render.text import SMALLEST_PX, text_size_px
from streamer.values.drawable import Drawable

_SHRUNK = 0.75
# Mean advance of a character and margins of a label box, relative to the font size; measured on class names.
_CHARACTER, _MARGINS = 0.58, 1.0
# Labels grow again when they would have filled at most this part of their share for this time, seconds of media time.
_CALM_SHARE, _CALM_S = 0.8, 2.0


@dataclass(frozen=True, slots=True)
class Sizing:
    """How labels are written.

    Attributes:
        size_px: font size in rows.
        level: of the longest text that may be used, 0 for the whole one.
    """

    size_px: int
    level: int


class Crowding:
    """First the font shrinks, then texts become shorter; both are taken back when there is room for some time.

    Args:
        text_px: font size in rows that does not shrink; depends on the size of the frame if None.
    """

    def __init__(self, text_px: int | None = None) -> None:
        self._text_px = text_px
        self._kind: tuple[float, ...] = ()
        self._stages: Sequence[Sizing] = ()
        self._stage = 0
        self._crowded_s = 0.0  # the last time with no room for larger labels

    def choose(
        self, canvas: Drawable, count: int, characters: Sequence[int], now_s: float, *, restarted: bool
    ) -> Sizing:
        """The sizing for a frame.

        Args:
            canvas: of the frame.
            count: of labels.
            characters: of all labels together, with the texts of each level.
            now_s: media time.
            restarted: the stage before is not kept.
        """
        kind = (canvas.width, canvas.height, canvas.pixel_aspect, len(characters))
        if kind != self._kind:
            self._kind, self._stages = kind, self._stages_of(canvas, len(characters))
        stages = self._stages
        room = LARGEST_SHARE * canvas.width * canvas.height
        needed = [_area_px(canvas, stage.size_px, count, characters[stage.level]) for stage in stages]
        last = len(stages) - 1
        wanted = next((at for at, pixels in enumerate(needed) if pixels <= room), last)
        if restarted or wanted >= self._stage:
            self._stage, self._crowded_s = wanted, now_s
        calm = next((at for at, pixels in enumerate(needed) if pixels <= _CALM_SHARE * room), last)
        if calm >= self._stage:
            self._crowded_s = now_s
        elif now_s - self._crowded_s >= _CALM_S:
            self._stage, self._crowded_s = calm, now_s
        return stages[min(self._stage, last)]

    def _stages_of(self, canvas: Drawable, levels: int) -> list[Sizing]:
        size = self._text_px or text_size_px(canvas)
        small = size if self._text_px else max(min(size, SMALLEST_PX), round(_SHRUNK * size))
        return [Sizing(size, 0), *(Sizing(small, level) for level in range(levels))]


def _area_px(canvas: Drawable, size_px: int, count: int, characters: int) -> float:
    columns = (_CHARACTER * characters + _MARGINS * count) * size_px / canvas.pixel_aspect
    return columns * label_box_height(size_px, canvas.grid)
