"""Draws a label box with class, score and id at every track. Used by the display thread; keeps the place of each."""

from __future__ import annotations

from typing import ClassVar, Self

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.labels.crowding import Crowding
from streamer.render.labels.label import Label
from streamer.render.labels.label_boxes import LabelBoxes
from streamer.render.labels.placement import Placement
from streamer.render.labels.positions import Ground
from streamer.render.rectangles import rounded
from streamer.render.track_memory import TrackMemory
from streamer.values.drawable import Drawable


class LabelAnnotator:
    """Label boxes such as `Person #12 87%` in the colour of the track, with black or white text by contrast.

    A label box lies wholly in the frame, outside of what was reserved: above the box of its track, else inside or
    below. It stays where it is, relative to its box, unless it would leave the frame, or the label of an older track
    (lower id) covers it for 1.5 s. It then moves to another side, is shortened (without score, then the id alone) or is
    left out. If there is a free place, it moves after 0.8 s if it is mostly covered, and at once in the first second of
    its track. It moves to a better place when that has been free for 6 s. Scores are smoothed.

    All labels together cover at most a quarter of the frame: with many of them the font shrinks by a quarter, then the
    texts become shorter, then the youngest are left out.

    Args:
        show_score: whether labels contain the score of the last detection, in percent.
        show_id: whether labels contain the track id.
        text_px: font size in rows, at least 6; depends on the size of the frame and the number of labels if None.

    Raises:
        ValueError: a font size below 6.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self, *, show_score: bool = True, show_id: bool = True, text_px: int | None = None) -> None:
        if text_px is not None and text_px < 6:
            raise ValueError(f"text_px must be at least 6, not {text_px}")
        self._show_score, self._show_id = show_score, show_id
        self._crowding = Crowding(text_px)
        self._label_boxes = LabelBoxes()
        self._memory: TrackMemory[Label] = TrackMemory()

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.labels

    @classmethod
    def from_settings(cls, settings: DrawSettings) -> Self:
        return cls(show_score=settings.score, show_id=settings.id)

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Label all tracks of the scene that are in the frame."""
        labels = self._in_frame(canvas, scene)
        characters = [sum(lengths) for lengths in zip(*(label.lengths for label in labels), strict=True)]
        if not characters:
            return
        now_s, restarted = self._memory.now_s, self._memory.restarted
        sizing = self._crowding.choose(canvas, len(labels), characters, now_s, restarted=restarted)
        for label in labels:
            label.prepare(canvas, self._label_boxes, sizing.size_px)
        ground = Ground((canvas.width, canvas.height), canvas.grid)
        reserved = [rounded(box) for box in canvas.reserved]
        areas = Placement(ground, reserved, range(sizing.level, len(characters)), now_s).arrange(labels)
        # Where an older and a younger label box share a corner, the older one is whole.
        for label, area in zip(reversed(labels), reversed(areas), strict=True):
            if area is not None:
                label.draw(area)

    def _in_frame(self, canvas: Drawable, scene: Scene) -> list[Label]:
        """The labels of the tracks in the frame, those of older tracks first."""
        tracks, known = scene.tracks, self._memory.recall(scene)
        now_s = self._memory.now_s
        boxes, ids = tracks.boxes.tolist(), tracks.ids.tolist()
        scores, classes = tracks.scores.tolist(), tracks.labels.tolist()
        labels = []
        for row in sorted(range(len(ids)), key=ids.__getitem__):
            x0, y0, x1, y1 = box = rounded(boxes[row])
            if x1 <= 0 or y1 <= 0 or x0 >= canvas.width or y0 >= canvas.height or x0 >= x1 or y0 >= y1:
                continue
            label = known.get(ids[row])
            if label is None:
                label = Label(ids[row], scores[row], now_s, show_score=self._show_score, show_id=self._show_id)
                known[ids[row]] = label
            label.update(box, scene.labels.name(classes[row]), scores[row], now_s)
            labels.append(label)
        return labels
