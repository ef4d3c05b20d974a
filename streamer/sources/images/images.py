"""A folder or a pattern of images as a video of constant rate, in natural order of the names.

Entered by the main thread, then owned by the capture thread. One image is open at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import ClassVar, Self

import av

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.features import SourceContext
from streamer.interfaces import Damage
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.opening import choose_video, open_file
from streamer.sources.decode.orientation import Rotator, orientation_of
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.decode.stream_facts import exact_fps
from streamer.sources.decode.stream_info import info_of
from streamer.sources.images.files import PATTERN, find_images, relative_names
from streamer.sources.images.heif import read_still
from streamer.sources.images.heif_tiles import decode_still
from streamer.system import paths
from streamer.values.frame import Frame

logger = logging.getLogger(__name__)


class ImageSource(SourceBase):
    """Every image once, in natural order (`img2` before `img10`), the k-th at k/fps seconds.

    The EXIF orientation is applied, or the rotation and mirror of a HEIF file; tiles are joined. An image with another
    size, format or sample aspect ratio starts a new segment. An image that cannot be read is reported by `take_damage`,
    and its time stays empty.

    Args:
        pattern: a directory, a glob pattern such as `shots/*.png`, a numbered one such as `shot%04d.png`, or a file.
        fps: images per second; exact fractions such as `30000/1001` are kept exact.

    Raises:
        ConfigError: `fps` is not a positive number.
    """

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})

    def __init__(self, pattern: str | Path, *, fps: str | float | Fraction = 25) -> None:
        super().__init__()
        self._pattern = str(pattern)
        self._fps = exact_fps(fps)

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        """Whether it is a folder, a pattern that is not the name of a file, or a HEIF image."""
        if paths.is_dir(uri):
            return True
        if paths.is_file(uri):
            return read_still(Path(uri)) is not None  # FFmpeg's demuxer returns its tiles one by one
        return PATTERN.search(uri) is not None and paths.is_local(uri) and not paths.exists(uri)

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> Self:  # noqa: ARG003
        """See `streamer.features.SourceFeature`."""
        return cls(uri, fps=25 if settings.fps is None else settings.fps)

    def __enter__(self) -> Self:
        self._check_unused()
        files = find_images(self._pattern)
        pictures = self._read(files)
        first = next(pictures, None)
        if first is None:
            detail = self._damage[0].detail if self._damage else ""
            raise SourceUnavailable(f"{self._pattern}: none of its {len(files)} images can be read ({detail})")
        _, picture, ratio = first
        colour = (picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range)
        self._info = info_of(
            picture,
            self._pattern,
            1 / self._fps,
            average_fps=self._fps,
            frame_count=len(files),
            duration_s=float(len(files) / self._fps),
            sample_aspect_ratio=ratio,
            colour=colour,
            field_order=1,
            jpeg_like=True,
            files=tuple(map(str, files)),
        )
        self._frames = self._make_frames(chain([first], pictures), relative_names(files))
        return self

    def _make_frames(
        self, pictures: Iterator[tuple[int, av.VideoFrame, Fraction]], names: Sequence[str]
    ) -> Generator[Frame]:
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
                file=names[position],
            )

    def _read(self, files: Sequence[Path]) -> Iterator[tuple[int, av.VideoFrame, Fraction]]:
        """Position, upright frame and sample aspect ratio of each readable image."""
        for position, path in enumerate(files):
            try:
                picture, ratio = read_image(path)
            except SourceUnavailable as error:
                self._damage.append(Damage("decode error", 1, str(error)))
                continue
            picture.pts, picture.time_base, picture.duration = position, 1 / self._fps, 1
            yield position, picture, ratio


def read_image(path: Path) -> tuple[av.VideoFrame, Fraction]:
    """The first image in a file, upright, in its native pixel format, and its sample aspect ratio.

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
