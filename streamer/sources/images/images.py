"""A folder of pictures, or a pattern, as a video of constant rate in natural order of the names.

Entered by the main thread, then owned by the capture thread. One picture is open at a time.
"""

from __future__ import annotations

import glob
import logging
import re
import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Self

import av

from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.opening import choose_video, open_file
from streamer.sources.decode.orientation import Rotator, orientation_of
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.decode.stream_facts import exact_fps
from streamer.sources.images.heif import read_still
from streamer.sources.images.heif_tiles import decode_still
from streamer.system import paths
from streamer.values.frame import Frame

logger = logging.getLogger(__name__)

# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".dib", ".dpx", ".exr", ".gif", ".hdr", ".heic", ".heif", ".j2k", ".jfif", ".jp2",
    ".jpe", ".jpeg", ".jpg", ".jxl", ".pam", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi",
    ".ras", ".sgi", ".tga", ".tif", ".tiff", ".webp", ".xbm",
})
# fmt: on
_NUMBER = re.compile(r"%(?:0?\d+)?d")


class ImageSource(SourceBase):
    """Every picture once, in natural order (`img2` before `img10`), the k-th at k/fps seconds.

    An EXIF orientation is applied, of HEIF the file's own rotation and mirror; tiles are put together. A picture of
    another size or format, or with other pixels, starts a new segment; one that cannot be read is told by `take_damage`
    and leaves its place in time empty.

    Args:
        pattern: a directory, a glob pattern such as `shots/*.png`, a numbered one such as `shot%04d.png`, or a file.
        fps: pictures a second; exact fractions such as `30000/1001` are kept exact.

    Raises:
        ConfigError: `fps` is not a positive number.
    """

    def __init__(self, pattern: str | Path, *, fps: str | float | Fraction = 25) -> None:
        super().__init__()
        self._pattern = str(pattern)
        self._fps = exact_fps(fps)

    def __enter__(self) -> Self:
        self._check_unused()
        paths = find_images(self._pattern)
        pictures = self._read(paths)
        first = next(pictures, None)
        if first is None:
            detail = self._damage[0].detail if self._damage else ""
            raise SourceUnavailable(f"{self._pattern}: none of its {len(paths)} pictures can be read ({detail})")
        _, picture, ratio = first
        colour = (picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range)
        self._info = StreamInfo(
            name=self._pattern,
            width=picture.width,
            height=picture.height,
            pixel_format=picture.format.name,
            time_base=1 / self._fps,
            average_fps=self._fps,
            frame_count=len(paths),
            duration_s=float(len(paths) / self._fps),
            sample_aspect_ratio=ratio,
            colour=colour,
            field_order=1,
            jpeg_like=True,
        )
        self._frames = self._make_frames(chain([first], pictures))
        return self

    def _make_frames(self, pictures: Iterator[tuple[int, av.VideoFrame, Fraction]]) -> Generator[Frame]:
        segment, shape = 0, None
        for index, (position, picture, ratio) in enumerate(pictures):
            now = (picture.width, picture.height, picture.format.name, ratio)
            segment += shape not in (None, now)
            shape = now
            yield Frame(
                picture=picture,
                index=index,
                pts=position,
                time_base=1 / self._fps,
                captured_s=time.monotonic(),
                segment=segment,
                duration=1,
                corrupt=picture.is_corrupt,
                sample_aspect_ratio=ratio,
            )

    def _read(self, paths: list[Path]) -> Iterator[tuple[int, av.VideoFrame, Fraction]]:
        """Position, upright picture and sample aspect ratio of each that can be read."""
        for position, path in enumerate(paths):
            try:
                picture, ratio = read_image(path)
            except SourceUnavailable as error:
                self._damage.append(Damage("decode error", 1, str(error)))
                continue
            picture.pts, picture.time_base, picture.duration = position, 1 / self._fps, 1
            yield position, picture, ratio


def read_image(path: Path) -> tuple[av.VideoFrame, Fraction]:
    """The first picture in a file, upright, in its native pixel format, and its sample aspect ratio.

    Raises:
        SourceUnavailable: it cannot be read.
    """
    still = read_still(path)
    with open_file(path) as container:
        if still is not None:
            return decode_still(container, still, str(path)), Fraction(1)
        stream = choose_video(container, str(path))
        stream.codec_context.thread_count = 1
        try:
            picture = next(container.decode(stream))
        except (av.error.FFmpegError, StopIteration) as error:
            raise SourceUnavailable(f"{path}: cannot be decoded ({reason(error)})") from error
        ratio = stream.sample_aspect_ratio or Fraction(1)
    orientation = orientation_of(picture)
    return Rotator(orientation).turn(picture, Fraction(1, 25)), 1 / ratio if orientation.transposed else ratio


def find_images(pattern: str) -> list[Path]:
    """The picture files of a directory or pattern, in natural order; a file itself is the only one.

    Raises:
        SourceUnavailable: there is none.
    """
    folder = Path(pattern)
    try:
        if paths.is_file(folder):
            return [folder]
        if paths.is_dir(folder):
            found = [path for path in folder.iterdir() if not path.name.startswith(".")]
        elif _NUMBER.search(pattern):
            numbered = re.compile(r"\d+".join(re.escape(part) for part in _NUMBER.split(pattern)))
            wild = "*".join(glob.escape(part) for part in _NUMBER.split(pattern))
            found = [Path(name) for name in glob.glob(wild) if numbered.fullmatch(name)]  # noqa: PTH207
        else:
            # Path.glob refuses absolute patterns.
            found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    except OSError as error:
        raise SourceUnavailable(f"{pattern}: {error.strerror}; check its permissions") from error
    pictures = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES and paths.is_file(path)]
    if not pictures:
        where = "the directory has no pictures" if paths.is_dir(folder) else "no picture matches the pattern"
        raise SourceUnavailable(f"{pattern}: {where} (.png, .jpg, .webp, .tif, .bmp, ...)")
    return sorted(pictures, key=lambda path: natural_key(str(path)))


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key by which numbers in names count by their value, and case only decides ties."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in parts), (-1, name))
