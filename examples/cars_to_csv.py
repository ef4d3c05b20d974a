"""Write the boxes of all cars in a clip as CSV, one row for each box.

python examples/cars_to_csv.py clip.mp4 cars.csv
"""

import sys

import streamer

_, clip, output = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
streamer.open(clip, classes=["Car"], outputs=output).run()
