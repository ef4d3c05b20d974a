"""Streamer: accurate, slow object detection on video, without making the video slow."""
