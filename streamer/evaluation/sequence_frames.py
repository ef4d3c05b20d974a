"""The frames of a sequence: a video, or a folder of images."""

from __future__ import annotations

from pathlib import Path

import av

from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.sequences import Sequence
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.opening import choose_video, open_file
from streamer.sources.images.files import find_images


def find_frames(sequence: Sequence) -> Path | None:
    """The video `video*`, or else the folder of images that `seqinfo.ini` names; None if there is neither.

    The frames may have another size than the ground truth. The k-th image is frame k, independent of its timestamp.

    Raises:
        ConfigError: there are several videos, or the number of images differs from `seqLength`.
        SourceUnavailable: the video cannot be read.
    """
    videos = sorted(path for path in sequence.folder.glob("video*") if path.is_file())
    if len(videos) > 1:
        names = ", ".join(video.name for video in videos)
        raise ConfigError(f"{sequence.folder} has several videos ({names}); keep one of them")
    folder = sequence.folder / sequence.picture_folder
    if videos:
        found, count = videos[0], _count(videos[0])
    elif folder.is_dir():
        found, count = folder, len(find_images(str(folder)))
    else:
        return None
    if count != sequence.frames:
        raise ConfigError(f"{found} has {count} frames, but seqinfo.ini has seqLength={sequence.frames}; correct one")
    return found


def _count(path: Path) -> int:
    """The number of frames in a video, counted without decoding."""
    with open_file(path) as container:
        stream = choose_video(container, str(path))
        try:
            return sum(1 for packet in container.demux(stream) if packet.size)
        except av.error.FFmpegError as error:
            raise SourceUnavailable(f"{path}: cannot read to the end ({reason(error)}); copy it again") from error
