"""Print how many objects of each class a clip shows. A track counts once, if it is at least a second old.

python examples/count_by_class.py clip.mp4
"""

import sys
from collections import Counter

import streamer

scenes = streamer.open(sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__))
tracks = ((item, age_s) for scene in scenes for item, age_s in zip(scene.objects, scene.tracks.age_s, strict=True))
label_of_id = {item.id: item.label for item, age_s in tracks if age_s >= 1}
for label, count in Counter(label_of_id.values()).most_common():
    print(f"{label}: {count}")
