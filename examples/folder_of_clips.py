"""Annotate all clips in a folder. A file that cannot be read is reported and left out; an existing copy is replaced.

python examples/folder_of_clips.py clips/ annotated/
"""

import sys
from pathlib import Path

import streamer

_, folder, output = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
Path(output).mkdir(parents=True, exist_ok=True)
for clip in sorted(Path(folder).glob("*.*")):
    try:
        streamer.open(clip, outputs=Path(output) / f"{clip.stem}.mp4", overwrite=True).run()
    except streamer.StreamerError as error:
        print(error)  # one line that names the clip and the remedy
