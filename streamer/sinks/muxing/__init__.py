"""Packets into containers: the video, and the streams that are copied."""
