"""Settings files of sites whose cameras are generated pictures with recorded detections, so nothing is loaded."""

from __future__ import annotations

from pathlib import Path

DETECTIONS = "1,-1,10,10,20,20,0.9,-1,-1,-1\n"
FRONT = '  front:   # the door\n    source: {uri: "lavfi:testsrc2=size=64x48:rate=25", live: true}\n'
YARD = "  yard: rtsp://me:swordfish@127.0.0.1:9/1   # behind the house\n"


def write_site(folder: Path, cameras: str = FRONT + YARD, more: str = "") -> Path:
    """A settings file in a folder, with its detections."""
    (folder / "det.txt").write_text(DETECTIONS)
    file = folder / "site.yaml"
    file.write_text(f"# mine\ndetector: {{name: {folder}/det.txt}}\n{more}cameras:\n{cameras}")
    return file
