"""Print how many objects of each class a clip shows. A track is counted once, however long it is visible.

python examples/count_by_class.py clip.mp4
"""

import sys
from collections import Counter

import streamer

label_of_id = {item.id: item.label for scene in streamer.open(sys.argv[1]) for item in scene.objects}
for label, count in Counter(label_of_id.values()).most_common():
    print(f"{label}: {count}")
