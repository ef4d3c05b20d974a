"""The accuracy of detections on pictures with ground truth: `evaluate detection`."""
