"""Small sequences in MOT Challenge layout: people walk to the right at 4 px per frame, 120 px below each other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FRAMES = 20
SIZE = (640, 480)
STEP_PX = 4


def truth_rows(people: Iterable[int] = (1, 2), *, frames: int = FRAMES, kind: int | str = -1) -> list[str]:
    """Ground truth: `frame,id,left,top,width,height,1,class,...`."""
    return [
        f"{frame},{person},{50 + STEP_PX * frame},{120 * person - 110},40,80,1,{kind},-1,-1\n"
        for frame in range(1, frames + 1)
        for person in people
    ]


def detection_rows(people: Iterable[int] = (1, 2), *, frames: int = FRAMES) -> list[str]:
    """The same boxes as detections; the first person has the highest score."""
    return [
        f"{frame},-1,{50 + STEP_PX * frame},{120 * person - 110},40,80,{0.9 - 0.01 * person:.2f},-1,-1,-1\n"
        for frame in range(1, frames + 1)
        for person in people
    ]


def write_sequence(
    folder: Path,
    *,
    truth: Iterable[str] | None = None,
    detections: Iterable[str] | None = None,
    detection_file: str = "det.txt",
    frames: int = FRAMES,
    fps: str = "10",
    benchmark: str | None = "MOT15",
) -> Path:
    """A complete folder for an evaluation; without rows it has the walking people."""
    for name in ("gt", "det"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "gt" / "gt.txt").write_text("".join(truth_rows(frames=frames) if truth is None else truth))
    rows = detection_rows(frames=frames) if detections is None else detections
    (folder / "det" / detection_file).write_text("".join(rows))
    last = f"benchmark={benchmark}\n" if benchmark else ""
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate={fps}\nseqLength={frames}\n"
        f"imWidth={SIZE[0]}\nimHeight={SIZE[1]}\nimExt=.jpg\n{last}"
    )
    return folder
