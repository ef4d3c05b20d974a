"""Detectors in ONNX files: recognising, feeding and reading them."""
