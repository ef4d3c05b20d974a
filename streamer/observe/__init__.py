"""What a run tells about itself: the report, metrics, logs."""
