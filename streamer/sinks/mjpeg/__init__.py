"""MJPEG over HTTP, with a page."""
