"""Write a clip with boxes, class names and track ids drawn on it.

python examples/annotate.py clip.mp4 annotated.mp4
"""

import sys

import streamer

streamer.open(sys.argv[1], outputs=sys.argv[2]).run()
