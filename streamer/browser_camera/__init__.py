"""Webcams of browsers: frames come up by WebRTC, boxes go back."""
