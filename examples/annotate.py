"""Write a clip with boxes, class names and track ids drawn on it.

python examples/annotate.py clip.mp4 annotated.mp4
"""

import sys

import streamer

_, clip, output = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
streamer.open(clip, outputs=output).run()
