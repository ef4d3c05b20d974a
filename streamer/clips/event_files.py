"""The names of the files of an event in the folder of the store. Pure functions; any thread.

All files of an event lie in `<camera>/<YYYY-MM-DD>/` and begin with its id. The date is that of the id in UTC, so the
name of each file follows from camera and id alone, and no file moves when the clock of the machine changes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from streamer.errors import SinkUnavailable
from streamer.store.ids import time_of
from streamer.system import paths
from streamer.system.output_names import plain_name

CLIP = ".mp4"
ANNOTATED = "-annotated.mp4"
BOXES = ".boxes.json"
SNAPSHOT = ".jpg"
CROP = "-crop.jpg"


def event_file(camera: str, event_id: str, suffix: str) -> str:
    """The path of a file of an event, relative to the folder of the store, with /.

    Args:
        camera: its name; characters that a file name should not have are left out.
        event_id: 26 letters and digits (ULID).
        suffix: `CLIP`, `ANNOTATED`, `BOXES`, `SNAPSHOT` or `CROP`.
    """
    date = datetime.fromtimestamp(time_of(event_id), UTC)
    return str(PurePosixPath(camera_folder(camera), f"{date:%Y-%m-%d}", event_id + suffix))


def camera_folder(camera: str) -> str:
    """The folder of the files of a camera, relative to the folder of the store."""
    return paths.shortened(plain_name(camera), "")


def absolute(folder: Path, name: str) -> Path:
    """The file of a path from `event_file`; its folder is made.

    Args:
        folder: of the store.
        name: relative to it.

    Raises:
        SinkUnavailable: the folder of the file cannot be made.
    """
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"cannot create {path.parent}: {error.strerror}; choose another store.folder") from error
    return path
