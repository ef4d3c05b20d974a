"""Plan files: written, read, and compared with the input. Main thread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from streamer.config.section import validated
from streamer.errors import ConfigError, SourceUnavailable
from streamer.parts.plan import FORMAT, Plan
from streamer.parts.planning import edges_digest
from streamer.system import paths
from streamer.system.partial_file import PartialFile

_MOST_BYTES = 64 << 20
"""A plan with `planning.MOST_PARTS` has about half of it."""


def write_plan(plan: Plan, path: Path, *, overwrite: bool = False) -> None:
    """Write a plan as JSON, complete or not at all.

    The path of an input in the folder of the plan, or below it, is written relative to that folder, so that both can
    be moved together.

    Raises:
        SinkUnavailable: the file exists, or its folder is missing or not writable.
        SinkError: it cannot be written, such as on a full disk.
    """
    file = PartialFile(path, overwrite=overwrite)
    given, folder = Path(plan.input.path).absolute(), path.absolute().parent
    if given.is_relative_to(folder):
        given = given.relative_to(folder)
    stored = plan.model_dump(mode="json")
    stored["input"]["path"] = str(given)
    file.complete(_to_text(stored))


def read_plan(path: Path) -> Plan:
    """The plan in a file; the path of its input is absolute.

    An input that is not where the plan has it is looked for beside the plan, and in the folder above: a shared folder
    may have another path on each machine. `check_input` compares it.

    Raises:
        ConfigError: it cannot be read, is no plan, or a plan of another version.
    """
    values = _read(path)
    if values.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: a plan of format {values.get('format')!r}, but this version reads {FORMAT}; plan the file again"
        )
    try:
        plan = validated(Plan, values)
        _check_parts(plan)
    except (ConfigError, ValueError, ZeroDivisionError) as error:
        problem = error.problems[0] if isinstance(error, ConfigError) else str(error)
        raise ConfigError(f"{path}: not a plan that can be used ({problem}); plan the file again") from error
    where = _place(plan.input.path, path.absolute().parent)
    return plan.model_copy(update={"input": plan.input.model_copy(update={"path": str(where)})})


def _place(stored: str, folder: Path) -> Path:
    """Where the input is; as stored, if it is nowhere."""
    given = folder / stored
    places = (given, folder / given.name, folder.parent / given.name)
    return next((place for place in places if paths.exists(place)), given)


def check_input(plan: Plan, path: Path | None = None) -> Path:
    """Compare a file with the one that was planned, by its size and by its first and last MiB.

    Args:
        plan: from `read_plan` or `make_plan`.
        path: of the file, if it is not where the plan says.

    Returns:
        The path of the file.

    Raises:
        SourceUnavailable: it cannot be read.
        ConfigError: it is another file, or it has changed.
    """
    path = Path(plan.input.path) if path is None else path
    try:
        size, edges = path.stat().st_size, edges_digest(path)
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}; name the file of the plan") from error
    if size != plan.input.size_bytes:
        differs = f"it has {size} bytes, the planned one {plan.input.size_bytes}"
    elif edges != plan.input.edges_sha256:
        differs = "its bytes differ"
    else:
        return path
    raise ConfigError(f"{path}: is not the file of the plan ({differs}); plan it again, or name the planned file")


def _to_text(stored: dict[str, Any]) -> str:
    """JSON with one line a part, so that a person can read it."""
    parts = ",\n".join(f"    {json.dumps(part)}" for part in stored.pop("parts"))
    head = json.dumps(stored, indent=2).removesuffix("\n}")
    return f'{head},\n  "parts": [\n{parts}\n  ]\n}}\n'


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
        values = json.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; 'streamer plan' writes a plan") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is no plan (no JSON, or truncated); plan the file again") from error
    if not isinstance(values, dict) or "parts" not in values:
        raise ConfigError(f"{path}: is no plan; 'streamer plan' writes one")
    return values


def _check_parts(plan: Plan) -> None:
    """Raises ValueError unless every frame belongs to exactly one part."""
    if plan.tick <= 0:
        raise ValueError(f"time_base {plan.time_base}")
    end: int | None = None
    for number, part in enumerate(plan.parts):
        last = number == len(plan.parts) - 1
        if part.number != number or part.start_pts != end or (part.end_pts is None) != last:
            raise ValueError(f"parts.{number} does not continue the one before it")
        if end is not None and part.end_pts is not None and part.end_pts <= end:
            raise ValueError(f"parts.{number} ends before it begins")
        end = part.end_pts
