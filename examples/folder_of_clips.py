"""Annotate all clips in a folder. A clip that cannot be read is reported and left out.

python examples/folder_of_clips.py clips/ annotated/
"""

import sys
from pathlib import Path

import streamer

Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
for clip in sorted(Path(sys.argv[1]).glob("*.mp4")):
    try:
        streamer.open(clip, outputs=Path(sys.argv[2]) / clip.name).run()
    except streamer.StreamerError as error:
        print(error)  # one line that names the clip and the remedy
