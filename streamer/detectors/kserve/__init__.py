"""Models on servers of the Open Inference Protocol (KServe v2): Triton, OpenVINO Model Server, KServe."""
