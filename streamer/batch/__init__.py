"""Many files: one annotated video, JSON lines and report each."""
