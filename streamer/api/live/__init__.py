"""The live video of the cameras in the API: WebRTC, MJPEG, stills, and the boxes of each frame."""
