"""Finds the picture of each image of the ground truth: files, or the frames of a video. Main thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.detection.truth import Truth, TruthImage
from streamer.sources.images.files import IMAGE_SUFFIXES, PATTERN, find_images, is_still, relative_names
from streamer.system import paths


@dataclass(frozen=True, slots=True)
class Picture:
    """One image to detect.

    Attributes:
        key: its name in a file of detections: the file name below the folder, or the number of the frame.
        truth: its ground truth.
        index: number of the frame in the video, or of the file among all pictures, from 0.
        path: its file; None for a frame of a video.
        file_bytes: size of its file, or of the video.
    """

    key: str
    truth: TruthImage
    index: int
    path: Path | None
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a set.

    Attributes:
        source: as the user named it.
        found: in the order in which they are read.
        video: the video; None for files of pictures.
        notes: what was left out, one line each.
    """

    source: str
    found: Sequence[Picture]
    video: Path | None = None
    notes: Sequence[str] = ()


def find_pictures(source: str, truth: Truth, *, partial: bool = False) -> Pictures:
    """The pictures of the images of the truth.

    Args:
        source: a folder or a pattern of pictures, one picture, or a video.
        truth: names its images, or numbers them as frames.
        partial: leave out images without a picture.

    Raises:
        SourceUnavailable: there is no such source, or it has no pictures.
        ConfigError: pictures are missing, or the truth belongs to other pictures.
    """
    path = Path(source)
    if paths.is_file(path) and not is_still(path):
        return _frames(path, truth)
    if not paths.exists(path) and PATTERN.search(source) is None:
        raise SourceUnavailable(f"no folder, pattern or video {source}; name the pictures of {truth.name}")
    files = find_images(source)
    keys = relative_names(files)
    by_name: dict[str, list[int]] = defaultdict(list)
    for at, key in enumerate(keys):
        by_name[PurePosixPath(key).name].append(at)
        by_name[PurePosixPath(key).stem].append(at)
    chosen = [(image, _file_of(image, by_name, files)) for image in truth.images]
    found = [Picture(keys[at], image, at, files[at], _size_bytes(files[at])) for image, at in chosen if at is not None]
    found.sort(key=lambda picture: picture.index)
    missing = [image.name for image, at in chosen if at is None]
    if not found:
        raise ConfigError(
            f"none of the {len(chosen)} images of {truth.name} (such as {missing[0]}) is among the {len(files)} "
            f"pictures of {source} (such as {keys[0]}); the truth is of another set"
        )
    if len({picture.index for picture in found}) != len(found):
        raise ConfigError(f"{truth.name}: two images are the same picture of {source}; correct their names")
    if missing and not partial:
        raise ConfigError(
            f"{source} lacks {len(missing)} of the {len(chosen)} images of {truth.name}, such as {missing[0]}; "
            "--partial evaluates the others"
        )
    others = len(files) - len(found)
    notes = [
        *([f"{len(missing)} of {len(chosen)} images have no picture and were left out"] if missing else []),
        *([f"{others} pictures have no ground truth and were left out"] if others else []),
    ]
    return Pictures(source, found, notes=notes)


def _frames(video: Path, truth: Truth) -> Pictures:
    if any(image.frame is None for image in truth.images):
        raise ConfigError(
            f"{video} is a video, but {truth.name} does not number its frames ('frame_id', from 0, of each image); "
            "give a folder of pictures"
        )
    size = _size_bytes(video)
    found = [Picture(str(image.frame), image, image.frame or 0, None, size) for image in truth.images]
    found.sort(key=lambda picture: picture.index)
    if len({picture.key for picture in found}) != len(found):
        raise ConfigError(f"{truth.name}: two images have the same frame_id; a truth file describes one video")
    return Pictures(str(video), found, video=video)


def _file_of(image: TruthImage, by_name: Mapping[str, Sequence[int]], files: Sequence[Path]) -> int | None:
    """The number of the file of an image; None if there is none."""
    name = PurePosixPath(image.name)
    candidates = by_name.get(name.name, ())
    if len(candidates) > 1:
        wanted = image.name if name.suffix.lower() in IMAGE_SUFFIXES else f"{image.name}."
        candidates = [at for at in candidates if f"/{files[at].as_posix()}".rpartition("/" + wanted)[1]]
    if len(candidates) > 1:
        both = " and ".join(str(files[at]) for at in candidates[:2])
        raise ConfigError(f"the image {image.name} could be {both}; keep one of them")
    return candidates[0] if candidates else None


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
