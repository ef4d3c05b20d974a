"""Network addresses: RTSP, RTMP, UDP, SRT, HTTP, HLS."""
