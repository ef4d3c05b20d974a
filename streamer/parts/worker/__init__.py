"""What a worker adds to its detections: its fingerprint, the canary frame, and the journal of an unfinished part."""
