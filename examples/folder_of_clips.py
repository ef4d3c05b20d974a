"""Annotate all clips in a folder. A file that cannot be read is reported and left out; an existing copy is replaced.

python examples/folder_of_clips.py clips/ annotated/
"""

import sys
from pathlib import Path

import streamer

Path(sys.argv[2] if len(sys.argv) == 3 else sys.exit(__doc__)).mkdir(parents=True, exist_ok=True)
for clip in sorted(Path(sys.argv[1]).glob("*.*")):
    try:
        streamer.open(clip, outputs=Path(sys.argv[2]) / f"{clip.stem}.mp4", overwrite=True).run()
    except streamer.StreamerError as error:
        print(error)  # one line that names the clip and the remedy
