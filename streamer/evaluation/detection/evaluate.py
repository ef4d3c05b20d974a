"""The evaluation of a detector on pictures with ground truth, from the files to the scores. Main thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.config.settings import Settings
from streamer.detectors import selection
from streamer.errors import ConfigError
from streamer.evaluation.detection.challenge import ChallengeMetric
from streamer.evaluation.detection.class_map import ClassMap
from streamer.evaluation.detection.coco import CocoMetric
from streamer.evaluation.detection.detecting import detect
from streamer.evaluation.detection.detection_file import DetectionFile, Found, Header
from streamer.evaluation.detection.pictures import Picture, Pictures, find_pictures
from streamer.evaluation.detection.reading import read_truth
from streamer.evaluation.detection.scores import ClassScores, DetectionScores
from streamer.evaluation.detection.truth import Boxes, Expansion, Metric, Truth, TruthImage
from streamer.features import DetectorContext
from streamer.system.partial_file import PartialFile
from streamer.system.secrets import redacted
from streamer.system.suggestions import did_you_mean, import_extra
from tracking.types import IdArray

LOWEST_SCORE = 0.001
"""Detections below this score change an average precision by nothing that is worth their number."""
_AUTO = "auto"


class Progress(Protocol):
    """Shows how many pictures are done."""

    def show(self, shown: int, lost: int = 0) -> None:
        """Called after each picture."""
        ...


ShowProgress = Callable[[int], AbstractContextManager[Progress]]


class NoProgress:
    """A `Progress` that shows nothing."""

    def show(self, shown: int, lost: int = 0) -> None:
        """Do nothing."""


def no_progress(total: int) -> AbstractContextManager[Progress]:
    """A display of `total` pictures that shows nothing."""
    del total
    return nullcontext(NoProgress())


@dataclass(frozen=True, slots=True)
class Request:
    """What is evaluated.

    Attributes:
        images: a folder, a pattern, one picture or a video.
        truth: files of ground truth.
        metric: None for that of the files.
        classes: evaluate only these classes and those below them; all if empty.
        detections: keep the detections in this file, or take them from it.
        score: tell precision, recall and F1 at this score; None for the detector's default.
        partial: leave out images without a picture.
        expansion: to what the class hierarchy is applied.
    """

    images: str
    truth: Sequence[Path]
    metric: Metric | None = None
    classes: tuple[str, ...] = ()
    detections: Path | None = None
    score: float | None = None
    partial: bool = False
    expansion: Expansion = Expansion.BOTH


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A request whose files were read and can be used.

    Attributes:
        request: as given.
        truth: with the hierarchy applied, if it is asked for, and boxes of the selected classes only.
        rows: the selected classes, rows of the truth's classes.
        pictures: of its images.
        file: the detections that are there already.
        missing: the pictures that must be detected.
        metric: how they are scored.
    """

    request: Request
    truth: Truth
    rows: IdArray
    pictures: Pictures
    file: DetectionFile
    missing: Sequence[Picture]
    metric: Metric


def prepare(request: Request) -> Prepared:
    """Read the truth, find the pictures and the detections that are there already.

    Raises:
        ConfigError, SourceUnavailable: a file cannot be used.
        SinkUnavailable: the detections cannot be kept there.
    """
    truth = read_truth(request.truth)
    metric = request.metric or truth.metric
    if metric is Metric.COCO:
        import_extra("pycocotools")
    if truth.metric is Metric.OPEN_IMAGES and request.expansion is not Expansion.NONE:
        truth = truth.expanded()
    rows = _rows(truth, request.classes)
    truth = replace(truth, images=[_selected(image, rows) for image in truth.images])
    pictures = find_pictures(request.images, truth, partial=request.partial)
    if not any(len(picture.truth.labels) for picture in pictures.found):
        what = "no box" if not request.classes else f"no box of {', '.join(request.classes)}"
        raise ConfigError(f"{truth.name} has {what} on the {len(pictures.found)} pictures; there is nothing to find")
    if request.detections is not None:
        PartialFile(request.detections, overwrite=True).discard()  # refuse a wrong folder before a model is loaded
    file = DetectionFile.open(request.detections)
    return Prepared(request, truth, rows, pictures, file, file.missing(list(pictures.found)), metric)


def detect_missing(
    prepared: Prepared,
    settings: Settings,
    say: Callable[[str], None],
    progress: ShowProgress,
) -> None:
    """Detect the pictures whose detections are not there yet, and keep them.

    Args:
        prepared: its file gets the detections.
        settings: of the detector.
        say: shows one line.
        progress: makes the display of progress for so many pictures.

    Raises:
        ConfigError: the detector cannot be used, has none of the classes, or is not that of the file.
        StreamerError: a picture cannot be read, the detector failed, or the file cannot be written.
    """
    file, missing = prepared.file, prepared.missing
    detector = _detector_settings(file, settings)
    there = len(prepared.pictures.found) - len(missing)
    if there:
        say(f"detections of {there} of {len(prepared.pictures.found)} pictures are there already")
    if not missing:
        file.close(complete=True)
        return
    with ExitStack() as stack:
        built = selection.build_detector(detector, DetectorContext(say=say, extensions=settings.extensions))
        for each in built.detectors:
            stack.callback(each.close)
        header = Header(built.name, built.detectors[0].labels, detector.min_score or 0.0, built.default_min_score)
        _class_map(prepared, header)
        file.begin(header)
        # The threads of the detection end before the detectors are closed.
        results = stack.enter_context(closing(detect(built.detectors, prepared.pictures, missing)))
        done, shown = 0, stack.enter_context(progress(len(missing)))
        try:
            for done, (picture, found) in enumerate(results, start=1):
                file.add(picture, found)
                shown.show(done)
        finally:
            file.close(complete=done == len(missing))
            if done < len(missing) and file.path is not None:
                kept = f"{there + done} of {len(prepared.pictures.found)} pictures are in {file.unfinished}"
                say(f"{kept}; the same command goes on from there")


def score(prepared: Prepared, progress: ShowProgress = no_progress) -> DetectionScores:
    """Score the detections of all pictures.

    Args:
        prepared: its file has the detections of all pictures.
        progress: makes the display of progress for so many pictures; the test set of Open Images takes minutes.

    Raises:
        ConfigError: the detector has none of the classes.
    """
    header, truth = prepared.file.header, prepared.truth
    assert header is not None
    classes = _class_map(prepared, header)
    challenge, coco = ChallengeMetric(), CocoMetric(len(truth.classes))
    metric = coco if prepared.metric is Metric.COCO else challenge
    with progress(len(prepared.pictures.found)) as shown:
        for done, picture in enumerate(prepared.pictures.found, start=1):
            _add(metric, classes, picture.truth, prepared.file.found[picture.key])
            shown.show(done)
    if prepared.metric is Metric.COCO:
        precisions, summary = coco.average_precisions(), coco.summary()
    else:
        each = {row: curve.average_precision() for row, curve in challenge.curves().items()}
        precisions = {row: (value, value) for row, value in each.items()}
        summary = {"mAP": float(np.mean(list(each.values())))}
    scored = [
        ClassScores(truth.classes.names[row], *precisions[row], curve, known=row in classes.known)
        for row, curve in metric.curves().items()
    ]
    lowest = header.score if prepared.request.score is None else prepared.request.score
    notes = [*truth.notes, *prepared.pictures.notes, *_unknown(scored)]
    return DetectionScores(
        prepared.metric, header.detector, len(prepared.pictures.found), lowest, scored, summary, notes
    )


def _add(metric: ChallengeMetric | CocoMetric, classes: ClassMap, image: TruthImage, found: Found) -> None:
    """Add the detections of an image whose classes were verified on it."""
    if isinstance(metric, CocoMetric) and image.size is None:
        image = _in_pixels(image, found.size)
    source, labels = classes(found.labels)
    if image.verified is not None:
        counted = np.isin(labels, image.verified)
        source, labels = source[counted], labels[counted]
    metric.add(image, _boxes(image, found)[source], found.scores[source], labels)


def _rows(truth: Truth, classes: Sequence[str]) -> IdArray:
    """The rows of the selected classes.

    Raises:
        ConfigError: the truth does not have a class.
    """
    rows: set[int] = set() if classes else set(truth.classes.used())
    for name in classes:
        try:
            rows |= set(truth.classes.matches(name))
        except ConfigError as error:
            known = [truth.classes.names[row] for row in truth.classes.used()]
            near = did_you_mean(name, known, otherwise=f"it has {len(known)} classes", most=3)
            raise ConfigError(f"--classes: no class {name!r} in {truth.name}; {near}") from error
    return np.array(sorted(rows), np.int64)


def _selected(image: TruthImage, rows: IdArray) -> TruthImage:
    """The image with the boxes of these classes only."""
    keep = np.isin(image.labels, rows)
    if keep.all():
        return image
    boxes, labels = image.boxes[keep], image.labels[keep]
    return replace(image, boxes=boxes, labels=labels, groups=image.groups[keep], areas=image.areas[keep])


def _detector_settings(file: DetectionFile, settings: Settings) -> DetectorSettings:
    """The settings of the detector that fills the file: the one that began it, unless another one is named.

    Raises:
        ConfigError: another one is named.
    """
    detector = settings.detector.model_copy(update={"classes": (), "min_scores": {}})
    if file.header is not None:
        name, lowest = redacted(detector.name), detector.min_score
        if name not in (_AUTO, file.header.detector) or lowest not in (None, file.header.min_score):
            raise ConfigError(
                f"{file.path} holds detections of {file.header.detector} from score {file.header.min_score:g}; leave "
                "out --detector and --min-score, or name another --detections"
            )
        chosen = file.header.detector if name == _AUTO else detector.name
        return detector.model_copy(update={"name": chosen, "min_score": file.header.min_score})
    return detector if detector.min_score is not None else detector.model_copy(update={"min_score": LOWEST_SCORE})


def _class_map(prepared: Prepared, header: Header) -> ClassMap:
    is_open_images = prepared.truth.metric is Metric.OPEN_IMAGES
    expand = is_open_images and prepared.request.expansion is Expansion.BOTH
    return ClassMap(header.labels, prepared.truth.classes, prepared.rows, expand=expand, exact=is_open_images)


def _boxes(image: TruthImage, found: Found) -> Boxes:
    """The detections in the unit of the truth."""
    size = (1.0, 1.0) if image.size is None else image.size
    return found.boxes * np.tile(np.array(size, np.float64) / found.size, 2)


def _in_pixels(image: TruthImage, size: tuple[float, float]) -> TruthImage:
    """An image whose boxes are fractions, in pixels of a picture of this size."""
    scale = np.array([*size, *size], np.float64)
    area = size[0] * size[1]
    return replace(image, boxes=image.boxes * scale, areas=image.areas * area, size=(round(size[0]), round(size[1])))


def _unknown(scored: Sequence[ClassScores], most: int = 5) -> list[str]:
    names = [each.name for each in scored if not each.known]
    if not names:
        return []
    shown = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return [f"the detector has {len(scored) - len(names)} of the {len(scored)} classes; the others count as 0: {shown}"]
