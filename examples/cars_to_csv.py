"""Write the boxes of all cars in a clip as CSV, one row for each box.

python examples/cars_to_csv.py clip.mp4 cars.csv
"""

import sys

import streamer

streamer.open(sys.argv[1], classes=["Car"], outputs=sys.argv[2]).run()
