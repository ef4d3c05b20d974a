"""Published streams: RTSP, RTMP, UDP and HLS."""
