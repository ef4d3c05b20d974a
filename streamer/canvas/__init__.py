"""Drawing on the native planes of a decoded picture: the canvas, and the annotators that put a scene on it."""

from streamer.canvas.canvas import Canvas

__all__ = ["Canvas"]
