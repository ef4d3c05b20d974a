"""Count objects, cell by cell: each `# %%` is a cell of a notebook (VS Code, Spyder, Jupytext).

python examples/counting.py clip.mp4
"""

# %% Which clip, and which detector
import sys
from collections import Counter, defaultdict

import streamer

CLIP = sys.argv[1] if len(sys.argv) > 1 else "clip.mp4"
DETECTOR = sys.argv[2] if len(sys.argv) > 2 else "auto"

# %% One pass over the clip: the path of every track
paths: dict[int, list[tuple[float, float, float]]] = defaultdict(list)  # time, x, y of the lower edge's middle
names: dict[int, str] = {}
for scene in streamer.open(CLIP, detector=DETECTOR):
    for track_id, label, (x0, _, x1, y1) in zip(
        scene.tracks.ids.tolist(), scene.tracks.labels, scene.tracks.boxes.tolist(), strict=True
    ):
        paths[track_id].append((scene.frame.time_s, (x0 + x1) / 2, y1))
        names[track_id] = scene.labels.name(label)

# %% How many objects of each class, and how long each was visible
counts = Counter(names.values())
for name, count in counts.most_common():
    visible_s = [path[-1][0] - path[0][0] for track_id, path in paths.items() if names[track_id] == name]
    print(f"{name}: {count}, visible for {sum(visible_s) / count:.1f} s on average")

# %% How many crossed a vertical line in the middle, and in which direction
middle = scene.frame.width / 2
crossings: Counter[str] = Counter()
for path in paths.values():
    (_, first, _), (_, last, _) = path[0], path[-1]  # an object that turns on the line has not crossed it
    if (first < middle) != (last < middle):
        crossings["to the right" if last > first else "to the left"] += 1
print(f"crossings: {dict(crossings)}")
