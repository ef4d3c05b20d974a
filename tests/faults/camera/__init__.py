"""A camera that speaks real RTSP and has faults on demand."""

from __future__ import annotations

from tests.faults.camera.camera import Camera
from tests.faults.camera.process import CameraFailed
from tests.faults.camera.settings import Codec, Scheme
from tests.faults.camera.shots import Shot

__all__ = ["Camera", "CameraFailed", "Codec", "Scheme", "Shot"]
