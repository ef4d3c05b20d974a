"""The colours of tracks."""
