"""Streams that are sent: RTSP, RTMP, SRT, UDP, HLS."""
