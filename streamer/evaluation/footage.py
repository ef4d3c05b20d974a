"""The pictures that belong to a sequence: a video, or a folder of pictures. Main thread."""

from __future__ import annotations

from pathlib import Path

import av

from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.sequences import Sequence
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.opening import choose_video, open_file
from streamer.sources.images.images import find_images


def footage(sequence: Sequence) -> Path | None:
    """The video `video*`, or else the folder of pictures that `seqinfo.ini` names; None if there is neither.

    Its pictures may have another size than the ground truth, but it has as many as the sequence has frames: the k-th
    belongs to frame k, whatever time the container gives it.

    Raises:
        ConfigError: several videos, or more or fewer pictures than `seqLength`.
        SourceUnavailable: the video cannot be read.
    """
    videos = sorted(path for path in sequence.folder.glob("video*") if path.is_file())
    if len(videos) > 1:
        raise ConfigError(
            f"{sequence.folder} has several videos ({', '.join(v.name for v in videos)}); leave one there"
        )
    folder = sequence.folder / sequence.picture_folder
    if videos:
        found, count = videos[0], _count(videos[0])
    elif folder.is_dir():
        found, count = folder, len(find_images(str(folder)))
    else:
        return None
    if count != sequence.frames:
        said = f"seqinfo.ini says seqLength={sequence.frames}"
        raise ConfigError(f"{found} has {count} pictures, but {said}; mend one of the two")
    return found


def _count(path: Path) -> int:
    """The pictures in a video, counted without decoding them."""
    with open_file(path) as container:
        stream = choose_video(container, str(path))
        try:
            return sum(1 for packet in container.demux(stream) if packet.size)
        except av.error.FFmpegError as error:
            raise SourceUnavailable(f"{path}: cannot be read to its end ({reason(error)}); copy it again") from error
