"""Events on disk: their rows, clips and snapshots, and the deliveries that wait."""
