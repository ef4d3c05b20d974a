"""Count the objects that cross a line, cell by cell: each `# %%` is a cell of a notebook (VS Code, Spyder, Jupytext).

python examples/counting.py clip.mp4
"""

# %% One pass over the clip: the path of every track
import sys
from collections import Counter, defaultdict

import streamer

path_of_id: dict[int, list[float]] = defaultdict(list)  # x of the middle of the box
label_of_id: dict[int, str] = {}
for scene in streamer.open(sys.argv[1] if len(sys.argv) > 1 else "clip.mp4"):
    for item in scene.objects:
        path_of_id[item.id].append(item.center[0])
        label_of_id[item.id] = item.label

# %% Which crossed a vertical line in the middle, and in which direction
middle = scene.frame.width / 2
crossings: Counter[str] = Counter()
for track_id, xs in path_of_id.items():
    first, last = xs[0], xs[-1]  # an object that turns on the line has not crossed it
    if (first < middle) != (last < middle):
        crossings[f"{label_of_id[track_id]} to the {'right' if last > first else 'left'}"] += 1
print(f"crossings: {dict(crossings)}")
