"""Lines and zones: events from the tracks that are shown."""
