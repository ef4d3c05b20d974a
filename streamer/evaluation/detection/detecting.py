"""Detects pictures in parallel, one thread for each detector. Results keep the order of the pictures.

The main thread iterates; the threads of the pool read the files of pictures and use one detector each.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from fractions import Fraction
from queue import SimpleQueue

import numpy as np

from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.detection.detection_file import Found
from streamer.evaluation.detection.pictures import Picture, Pictures
from streamer.interfaces import Detector, Source
from streamer.sources.images.images import read_image
from streamer.sources.selection import open_source
from streamer.system.threads import ThreadPool
from streamer.values.frame import Frame

_WAITING = 2
"""Pictures that wait for each detector; a frame of a video is in memory from the moment it is decoded."""
_TIME_BASE = Fraction(1, 25)  # pictures have no time


def detect(
    detectors: Sequence[Detector], pictures: Pictures, wanted: Sequence[Picture]
) -> Generator[tuple[Picture, Found]]:
    """The detections of each wanted picture, in order.

    Args:
        detectors: at least one, with the same classes.
        pictures: says where the pictures are.
        wanted: some of them, in the order of `pictures`.

    Raises:
        SourceUnavailable: a picture cannot be read.
        ConfigError: the video has fewer frames than the truth.
        DetectorError: the detector failed.
    """
    free, own = SimpleQueue[Detector](), threading.local()
    for detector in detectors:
        free.put(detector)

    def adopt() -> None:
        own.detector = free.get_nowait()

    def run(picture: Picture, frame: Frame | None) -> Found:
        return _found(own.detector, picture, _read(picture) if frame is None else frame)

    waiting: deque[tuple[Picture, Future[Found]]] = deque()
    with ThreadPool(len(detectors), "detector", initializer=adopt) as pool:
        try:
            for picture, frame in _frames(pictures, wanted):
                waiting.append((picture, pool.submit(run, picture, frame)))
                if len(waiting) > _WAITING * len(detectors):
                    yield waiting[0][0], waiting.popleft()[1].result()
            while waiting:
                yield waiting[0][0], waiting.popleft()[1].result()
        finally:
            for _, future in waiting:
                future.cancel()


def _frames(pictures: Pictures, wanted: Sequence[Picture]) -> Iterator[tuple[Picture, Frame | None]]:
    """Each wanted picture, with its frame if it is one of a video."""
    if pictures.video is None:
        yield from ((picture, None) for picture in wanted)
        return
    by_index = {picture.index: picture for picture in wanted}
    count = 0
    with open_source(str(pictures.video)) as source:
        for frame in source:
            count = frame.index + 1
            _refuse_damage(source, str(pictures.video), count)
            picture = by_index.pop(frame.index, None)
            if picture is not None:
                yield picture, frame
            if not by_index:
                return
        _refuse_damage(source, str(pictures.video), count)
    raise ConfigError(
        f"{pictures.video} has {count} frames, but the truth has frame {max(by_index)} (from 0); it is of another video"
    )


def _refuse_damage(source: Source, video: str, count: int) -> None:
    if lost := source.take_damage():
        raise SourceUnavailable(
            f"{video}: {lost[0].cause} before frame {count}, so frames have no certain number; give them as pictures"
        )


def _read(picture: Picture) -> Frame:
    assert picture.path is not None
    try:
        image, ratio = read_image(picture.path)
    except SourceUnavailable as error:
        raise SourceUnavailable(f"{error}; get it again, or remove it and add --partial") from error
    image.pts, image.time_base = picture.index, _TIME_BASE
    name = picture.key
    return Frame(
        image, picture.index, picture.index, _TIME_BASE, time.monotonic(), sample_aspect_ratio=ratio, file=name
    )


def _found(detector: Detector, picture: Picture, frame: Frame) -> Found:
    _check_size(picture, frame)
    found = detector.detect(frame)
    scores, labels = found.scores.astype(np.float64), found.labels.astype(np.int64)
    return Found((frame.width, frame.height), picture.file_bytes, found.boxes.astype(np.float64), scores, labels)


def _check_size(picture: Picture, frame: Frame) -> None:
    """Refuse a picture with another shape than in the truth. A picture of another scale is fine."""
    if picture.truth.size is None:
        return
    width, height = picture.truth.size
    if abs(frame.width * height - frame.height * width) > max(frame.width, frame.height, width, height) * 2:
        raise ConfigError(
            f"{picture.path or f'frame {picture.key}'} is {frame.width}x{frame.height}, but its ground truth is for "
            f"{width}x{height}; the truth is of other pictures"
        )
