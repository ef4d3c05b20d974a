"""Where the outputs of an input go: the default name, `{name}` and `{folder}` in names, and `--out-dir`.

Pure functions; any thread.
"""

from __future__ import annotations

import os
from pathlib import Path

from streamer.errors import ConfigError
from streamer.sinks.images.formats import suffix_for
from streamer.sinks.muxing.muxer import SUFFIXES
from streamer.sources.images.files import is_still, pictures_of
from streamer.system import output_names, paths
from streamer.system.secrets import redacted

NAME, FOLDER = "{name}", "{folder}"
"""In the name of an output: the name of the input without its suffix, and the name of the folder it is in."""


def default_output(source: str, *, as_video: bool = False) -> str:
    """The output of a run for which none is named, in the current folder.

    `clip.mp4` becomes `clip.annotated.mp4`, `photo.jpg` becomes `photo.annotated.jpg`, and a folder of pictures
    `shots/` becomes the folder `shots.annotated/`.

    Args:
        source: as the user gave it.
        as_video: write a video also for pictures.

    Raises:
        ConfigError: the source is the output of an earlier run.
    """
    path = Path(source)
    if paths.is_file(path) and output_names.is_output(path):
        raise ConfigError(f"{source} is the output of an earlier run; give the original, or name the output with -o")
    if as_video:
        return str(default_video_output(source))
    if paths.is_file(path) and is_still(path):
        return output_names.annotated_name(name_of(source), suffix_for(source))
    if pictures_of(source):
        return output_names.annotated_name(name_of(source), "") + "/"
    return str(default_video_output(source))


def default_video_output(source: str) -> Path:
    """`clip.mp4` becomes `clip.annotated.mp4` in the current folder; a source without a video suffix gets .mp4."""
    suffix = _path_of(source).suffix.lower()
    return Path(output_names.annotated_name(name_of(source), suffix if suffix in SUFFIXES else ".mp4"))


def name_of(source: str) -> str:
    """What `{name}` stands for: the input's name without its suffix; `streamer` for an address.

    Letters and digits of all scripts stay, other characters go.
    """
    path = _path_of(source)
    if not paths.exists(path) and (source.startswith("lavfi:") or "://" in source):
        return output_names.plain_name("")
    if paths.is_dir(path):
        return output_names.plain_name(path.name or path.absolute().name)
    if not paths.exists(path) and pictures_of(source):
        return output_names.plain_name(output_names.searched_folder(source).absolute().name)
    return output_names.plain_name(path.stem)


def placed(to: str, source: str, out_dir: Path | None) -> str:
    """The path of an output for an input: with `{name}` and `{folder}` filled in, in `out_dir` if it is relative.

    Args:
        to: as the user named the output; an address stays as it is, except for `{name}` and `{folder}`.
        source: the input as the user gave it.
        out_dir: None for the current folder.
    """
    if NAME in to or FOLDER in to:
        folder = output_names.plain_name(_path_of(source).absolute().parent.name)
        to = to.replace(NAME, name_of(source)).replace(FOLDER, folder)
    if "://" in to:
        return to
    if to.endswith("/") and paths.is_file(source) and is_still(Path(source)):
        to += Path(source).stem + suffix_for(source)  # a folder of pictures for one picture: a file in it
    return to if out_dir is None else os.path.join(out_dir, to)  # noqa: PTH118


def _path_of(source: str) -> Path:
    return Path("streamer" if source == "-" else redacted(source))  # standard input has no name
