"""Process video files: write each with boxes drawn, its boxes as JSON lines, and print the most frequent classes.

python examples/files.py clip.mp4 other.mkv --folder out
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import streamer


def process(path: Path, folder: Path, detector: str) -> Counter[str]:
    """Annotate one file; returns how often each class was seen, in frames."""
    outputs = [folder / f"{path.stem}.mp4", folder / f"{path.stem}.jsonl"]
    seen: Counter[str] = Counter()
    with streamer.open(path, detector=detector, outputs=outputs) as scenes:
        for scene in scenes:
            seen.update({scene.labels.name(label) for label in scene.tracks.labels})
    return seen


def main() -> None:
    """Parse the options and process all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("out"))
    parser.add_argument("--detector", default="auto")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for path in options.files:
        try:
            seen = process(path, options.folder, options.detector)
        except streamer.StreamerError as error:  # one line that names the file and the remedy
            print(error)
        else:
            print(f"{path}: {', '.join(f'{name} in {frames} frames' for name, frames in seen.most_common(5))}")


if __name__ == "__main__":
    main()
