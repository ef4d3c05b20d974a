"""Quality of tracks and displayed boxes, measured against ground truth or from a run alone."""
