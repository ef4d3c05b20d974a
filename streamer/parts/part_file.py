"""The file of a part: the exact detections of its frames, in NumPy's .npz format. Any thread.

The entries are arrays: `streamer_part` (JSON as UTF-8: plan, part, worker, classes), one row a frame in `pts`,
`picture_digests` and `counts`, one row a detection in `boxes`, `scores` and `labels`, and `sha256` of all the others.
A file has its name only when it is complete (`streamer.system.partial_file`).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.classes import open_images
from streamer.errors import ConfigError, SinkError, SourceUnavailable
from streamer.parts.values import FrameDetections, PartDetections, Worker
from streamer.system.partial_file import PartialFile
from streamer.values.labels import Hierarchy, LabelTable
from tracking.types import Detections

FORMAT = 1
"""The version of the file format."""
SUFFIX = ".npz"
DIGEST_BYTES = 16
"""Of the digest of a picture."""
_HEADER, _CHECKSUM = "streamer_part", "sha256"
_BEGIN = b"PK\x03\x04"
_NAMES_AT = slice(30, 30 + len(_HEADER))
"""Where the name of the first entry is in a zip file."""
_COLUMNS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "pts": ("<i8", ()),
    "picture_digests": ("|u1", (DIGEST_BYTES,)),
    "counts": ("<i4", ()),
    "boxes": ("<f4", (4,)),
    "scores": ("<f4", ()),
    "labels": ("<i4", ()),
}
"""Type and shape of a row of each array."""
_UNREADABLE = (
    *(ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError),
    *(MemoryError, NotImplementedError, zipfile.BadZipFile),
)

Arrays = dict[str, npt.NDArray[Any]]


class OtherVersion(ConfigError):
    """A part that another version of the program has written."""


def part_name(number: int) -> str:
    """The name of the file of a part in a folder."""
    return f"part-{number}{SUFFIX}"


def part_path(output: Path, number: int) -> Path:
    """The file of a part, for what the user gave as the output.

    Args:
        output: a folder that exists, or a file, to whose name `.npz` is added where it is missing.
        number: of the part.
    """
    if output.is_dir():
        return output / part_name(number)
    return output if output.suffix == SUFFIX else output.with_name(output.name + SUFFIX)


def write_part(part: PartDetections, path: Path) -> None:
    """Write a part; an existing file is replaced in one step.

    Raises:
        SinkUnavailable: the folder is missing or not writable.
        SinkError: the disk is full; nothing is left behind.
    """
    file = PartialFile(path, overwrite=True)
    arrays = _arrays(part)
    try:
        with file.path.open("wb") as written:
            np.savez(written, **arrays, **{_CHECKSUM: np.frombuffer(_checksum(arrays), np.uint8)})  # type: ignore[arg-type]
    except OSError as error:
        file.discard()
        raise SinkError(f"cannot write {path}: {error.strerror or error}; free some space") from error
    except BaseException:
        file.discard()
        raise
    file.commit()


@dataclass(frozen=True, slots=True)
class PartHeader:
    """What a part is, without its detections; see `PartDetections`."""

    plan_digest: str
    number: int
    worker: Worker


def read_header(path: Path) -> PartHeader | None:
    """What a part is; None if the file is something else. Quick, but finds a truncated file.

    Raises:
        SourceUnavailable, ConfigError: as `read_part`.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(_NAMES_AT.stop)
    except OSError as error:
        raise _unreadable(path, error) from error
    if begin and not _is_part(begin):  # a full disk may leave a file without content
        return None
    header, _ = _read(path, ())
    try:
        return PartHeader(*_identity(header), _worker(header))
    except _UNREADABLE as error:
        raise ConfigError(_damaged(path)) from error


def read_part(path: Path) -> PartDetections:
    """Read a part and check it.

    Raises:
        SourceUnavailable: it cannot be read.
        ConfigError: it is no part, was written by another version, or is truncated or damaged.
    """
    header, arrays = _read(path, (*_COLUMNS, _CHECKSUM))
    try:
        if arrays.pop(_CHECKSUM).tobytes() != _checksum(arrays):
            raise ConfigError(_damaged(path))
        return _part(header, arrays)
    except _UNREADABLE as error:
        raise ConfigError(_damaged(path)) from error


def _read(path: Path, names: Sequence[str]) -> tuple[Mapping[str, Any], Arrays]:
    """The header, and the entries of these names with that of the header; not checked yet."""
    try:
        with path.open("rb") as file:
            begin = file.read(_NAMES_AT.stop)
            if begin and not _is_part(begin):
                raise ConfigError(f"{path} is no part; 'streamer detect' makes parts")
            file.seek(0)
            with np.load(file, allow_pickle=False) as entries:
                if any(one.compress_type != zipfile.ZIP_STORED for one in entries.zip.infolist()):
                    raise ValueError("compressed entries, which may have any size")
                header = json.loads(entries[_HEADER].tobytes())
                _check_format(header["format"], path)
                return header, {name: entries[name] for name in (_HEADER, *names)}
    except OSError as error:
        raise _unreadable(path, error) from error
    except (*_UNREADABLE, zlib.error) as error:
        raise ConfigError(_damaged(path)) from error


def looks_like_part(path: Path) -> bool:
    """Whether a file begins like a part, complete or not; also one without content, as a full disk may leave it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(_NAMES_AT.stop)
    return not begin or _is_part(begin)


def _is_part(begin: bytes) -> bool:
    return begin.startswith(_BEGIN) and begin[_NAMES_AT] == _HEADER.encode()


def _unreadable(path: Path, error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"cannot read {path}: {error.strerror or error}")


def _damaged(path: Path) -> str:
    return f"{path} is truncated or damaged; delete it, and 'streamer detect' makes it again"


def _arrays(part: PartDetections) -> Arrays:
    frames = sorted(part.frames.values(), key=lambda frame: frame.pts)
    found = [frame.detections for frame in frames]
    header = {
        "format": FORMAT,
        "plan": part.plan_digest,
        "part": part.number,
        "worker": worker_to_dict(part.worker),
        "classes": labels_to_dict(part.labels),
    }
    digests = b"".join(frame.picture_digest for frame in frames)
    arrays: Arrays = {_HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}
    columns: Arrays = {
        "pts": np.array([frame.pts for frame in frames]),
        "picture_digests": np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES),
        "counts": np.array([len(one) for one in found]),
        "boxes": np.concatenate([Detections.empty().boxes, *(one.boxes for one in found)]),
        "scores": np.concatenate([Detections.empty().scores, *(one.scores for one in found)]),
        "labels": np.concatenate([Detections.empty().labels, *(one.labels for one in found)]),
    }
    return arrays | {name: np.ascontiguousarray(columns[name], dtype) for name, (dtype, _) in _COLUMNS.items()}


def _checksum(arrays: Arrays) -> bytes:
    """SHA-256 of the content of all entries, with their names, types and shapes."""
    digest = hashlib.sha256()
    for name in (_HEADER, *_COLUMNS):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape} ".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.digest()


def _check_format(version: object, path: Path) -> None:
    if version != FORMAT:
        raise OtherVersion(
            f"{path} has version {version} of the format of parts, this program reads version {FORMAT}; "
            "run the same version of the program everywhere"
        )


def _part(header: Mapping[str, Any], arrays: Arrays) -> PartDetections:
    """The part out of arrays with a correct checksum."""
    for name, (dtype, row) in _COLUMNS.items():
        if arrays[name].dtype.str != dtype or arrays[name].shape[1:] != row:
            raise ValueError(name)
    ends = np.concatenate([[0], np.cumsum(arrays["counts"], dtype=np.int64)]).tolist()
    if (arrays["counts"] < 0).any() or ends[-1] != len(arrays["boxes"]):
        raise ValueError("counts")
    frames: dict[int, FrameDetections] = {}
    for pts, digest, (first, last) in zip(
        arrays["pts"].tolist(), arrays["picture_digests"], pairwise(ends), strict=True
    ):
        rows = slice(first, last)
        found = Detections(arrays["boxes"][rows], arrays["scores"][rows], arrays["labels"][rows])
        frames[pts] = FrameDetections(pts, digest.tobytes(), found)
    return PartDetections(*_identity(header), _worker(header), labels_from_dict(header["classes"]), frames)


def _identity(header: Mapping[str, Any]) -> tuple[str, int]:
    plan, number = header["plan"], header["part"]
    if not (isinstance(plan, str) and isinstance(number, int)):
        raise TypeError("plan or part")
    return plan, number


def _worker(header: Mapping[str, Any]) -> Worker:
    worker = Worker(**header["worker"])
    return replace(worker, versions=dict(worker.versions.items()))


def worker_to_dict(worker: Worker) -> dict[str, Any]:
    """The worker as JSON."""
    return asdict(worker) | {"versions": dict(worker.versions)}


def labels_to_dict(labels: LabelTable) -> dict[str, Any]:
    """The classes as JSON, with their hierarchy: the title of that of Open Images, which the program has, or all of it.

    It has 600 classes and would take most of the file of a short part.
    """
    above, known = labels.hierarchy, open_images.hierarchy()
    tree: Any = None
    if above is not None:
        is_known = (above.title, above.names, above.parents) == (known.title, known.names, known.parents)
        all_of_it = {"title": above.title, "names": dict(above.names), "parents": dict(above.parents)}
        tree = above.title if is_known else all_of_it
    return {"names": labels.names, "mids": labels.mids, "aliases": labels.aliases, "hierarchy": tree}


def labels_from_dict(values: Mapping[str, Any]) -> LabelTable:
    """The classes that `labels_to_dict` wrote.

    Raises:
        ValueError, KeyError, TypeError: they are something else.
    """
    tree = values["hierarchy"]
    above = None
    if isinstance(tree, str):
        above = open_images.hierarchy()
        if tree != above.title:
            raise ValueError(tree)
    elif tree is not None:
        above = Hierarchy(tree["title"], tree["names"], {mid: tuple(one) for mid, one in tree["parents"].items()})
    return LabelTable(tuple(values["names"]), tuple(values["mids"]), above, tuple(values["aliases"]))
