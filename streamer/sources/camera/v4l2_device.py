"""A V4L2 capture device: its modes, and its frames in memory-mapped buffers. Linux only.

The descriptor is non-blocking. Every wait is a `poll` with a deadline; no other call waits for a frame. Used by one
thread at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import time
from dataclasses import dataclass
from fractions import Fraction

from streamer.sources.camera import v4l2_abi as abi
from streamer.sources.camera.modes import Choice, Mode
from streamer.sources.camera.v4l2_modes import UNSUPPORTED, offered_modes

BUFFERS = 4
"""The driver fills one while another is read; the others cover a short pause of the reader."""
_BT601, _BT709, _BT2020, _SMPTE240M = 6, 1, 9, 7
_MATRICES = {1: _BT601, 2: _BT709, 3: _BT601, 4: _BT709, 6: _BT2020, 8: _SMPTE240M}
"""V4L2_YCBCR_ENC_... → H.273 table 4; 0 means the colour space's own, which is BT.601 but for these:"""
_DEFAULT_MATRICES = {
    abi.COLORSPACE_SMPTE240M: _SMPTE240M,
    abi.COLORSPACE_REC709: _BT709,
    abi.COLORSPACE_BT2020: _BT2020,
    abi.COLORSPACE_DCI_P3: _BT709,
}


@dataclass(frozen=True, slots=True)
class Granted:
    """The mode that the driver set, which may differ from the requested one.

    Attributes:
        fps: None if the driver does not report it.
        bytes_per_line: of the first plane; the others follow from the pixel format.
        matrix, range: of YUV, H.273's code of the matrix and FFmpeg's of the range, with V4L2's own defaults.
    """

    pixel_format: str
    width: int
    height: int
    fps: Fraction | None
    bytes_per_line: int
    matrix: int
    range: int


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One filled buffer, valid until it is returned.

    Attributes:
        data: the bytes of the frame.
        time_s: the end or start of the capture, monotonic clock; None if the driver uses another clock.
        missed: frames that the camera captured since the last one and that were not read in time.
        faulty: the driver reports damaged contents.
    """

    index: int
    data: memoryview
    time_s: float | None
    missed: int
    faulty: bool


class CaptureDevice:
    """An open `/dev/videoN`.

    Args:
        path: of the device.

    Raises:
        OSError: it cannot be opened (ENOENT, EACCES, ...) or does not support V4L2 (ENOTTY).
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._buffers: list[mmap.mmap] = []
        self._sequence: int | None = None
        self._streaming = False
        try:
            capability = abi.Capability()
            self._call(abi.VIDIOC_QUERYCAP, capability)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.driver, self.name, self.bus = (
            text.decode(errors="replace") for text in (capability.driver, capability.card, capability.bus_info)
        )
        own = capability.capabilities & abi.CAP_DEVICE_CAPS
        self.capabilities: int = capability.device_caps if own else capability.capabilities
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    @property
    def captures(self) -> bool:
        """Whether it delivers frames; a webcam has further nodes that deliver only metadata."""
        needed = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
        return self.capabilities & needed == needed

    def modes(self, also: tuple[int, int] | None = None) -> list[Mode]:
        """The modes that it offers; see `offered_modes`."""
        return offered_modes(self._call, also)

    def configure(self, choice: Choice) -> Granted:
        """Set format, size and rate.

        Raises:
            OSError: EBUSY if another program is reading it.
        """
        wanted = abi.Format(type=abi.CAPTURE)
        pix = wanted.fmt.pix
        pix.width, pix.height, pix.pixelformat = choice.width, choice.height, abi.code(choice.pixel_format)
        self._call(abi.VIDIOC_S_FMT, wanted)
        rate = self._set_rate(choice.fps)
        full = pix.colorspace == abi.COLORSPACE_JPEG or pix.quantization == abi.QUANTIZATION_FULL_RANGE
        return Granted(
            pixel_format=abi.fourcc(pix.pixelformat),
            width=pix.width,
            height=pix.height,
            fps=rate,
            bytes_per_line=pix.bytesperline,
            matrix=_MATRICES.get(pix.ycbcr_enc) or _DEFAULT_MATRICES.get(pix.colorspace, _BT601),
            range=2 if full else 1,
        )

    def start(self) -> None:
        """Start to capture.

        Raises:
            OSError: EBUSY if another program is reading it, EIO or ENOSPC (USB bandwidth) if it cannot start.
        """
        request = abi.RequestBuffers(count=BUFFERS, type=abi.CAPTURE, memory=abi.MEMORY_MMAP)
        self._call(abi.VIDIOC_REQBUFS, request)
        for index in range(request.count):
            buffer = self._buffer(index)
            self._call(abi.VIDIOC_QUERYBUF, buffer)
            self._buffers.append(mmap.mmap(self._descriptor, buffer.length, offset=buffer.m.offset))
            self._call(abi.VIDIOC_QBUF, buffer)
        self._call(abi.VIDIOC_STREAMON, ctypes.c_int(abi.CAPTURE))
        self._streaming = True

    def read(self, timeout_s: float) -> Captured | None:
        """The newest frame, None if there is none within the time. Older frames are returned to the driver.

        A driver stops when all its buffers are full, at an unknown time. In that case this waits for the next frame.

        Raises:
            OSError: ENODEV if the camera was unplugged, EIO if it failed.
        """
        deadline_s = time.monotonic() + timeout_s
        while events := self._poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
            filled = list(iter(self._dequeue, None))
            if not filled and events[0][1] & ~select.POLLIN:
                raise OSError(errno.EIO, "the driver reports an error")
            newest = filled.pop() if 0 < len(filled) < max(len(self._buffers), 2) else None
            for older in filled:
                self._call(abi.VIDIOC_QBUF, self._buffer(older.index))
            if newest is not None:
                return self._captured(newest)
        return None

    def release(self, captured: Captured) -> None:
        """Return the buffer to the driver.

        Raises:
            OSError: ENODEV if the camera was unplugged.
        """
        captured.data.release()
        self._call(abi.VIDIOC_QBUF, self._buffer(captured.index))

    def close(self) -> None:
        """Stop and release it. Closing it twice is fine."""
        if self._descriptor < 0:
            return
        if self._streaming:
            with contextlib.suppress(OSError):  # unplugged
                self._call(abi.VIDIOC_STREAMOFF, ctypes.c_int(abi.CAPTURE))
        for buffer in self._buffers:
            with contextlib.suppress(BufferError):  # a reader that failed still refers to it and frees it later
                buffer.close()
        os.close(self._descriptor)
        self._descriptor, self._buffers = -1, []

    def _call(self, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        fcntl.ioctl(self._descriptor, request, argument)  # Python repeats it when a signal interrupts it

    def _set_rate(self, fps: Fraction | None) -> Fraction | None:
        """Request a rate, unless it is None; returns the current rate."""
        parameters = abi.StreamParm(type=abi.CAPTURE)
        capture = parameters.parm.capture
        try:
            self._call(abi.VIDIOC_G_PARM, parameters)
            if fps is not None and capture.capability & abi.CAP_TIMEPERFRAME:
                capture.numerator, capture.denominator = fps.denominator, fps.numerator
                self._call(abi.VIDIOC_S_PARM, parameters)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
        return Fraction(capture.denominator, capture.numerator) if capture.numerator and capture.denominator else None

    def _buffer(self, index: int) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.CAPTURE, memory=abi.MEMORY_MMAP)

    def _dequeue(self) -> abi.Buffer | None:
        buffer = self._buffer(0)
        try:
            self._call(abi.VIDIOC_DQBUF, buffer)
        except BlockingIOError:
            return None
        return buffer

    def _captured(self, buffer: abi.Buffer) -> Captured:
        missed = 0 if self._sequence is None else (buffer.sequence - self._sequence - 1) & 0xFFFF_FFFF
        self._sequence = buffer.sequence
        monotonic = buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK == abi.BUF_FLAG_TIMESTAMP_MONOTONIC
        return Captured(
            index=buffer.index,
            data=memoryview(self._buffers[buffer.index])[: buffer.bytesused],
            time_s=buffer.seconds + buffer.microseconds / 1e6 if monotonic else None,
            missed=missed if missed < 1 << 16 else 0,  # otherwise the driver does not count, or restarted
            faulty=bool(buffer.flags & abi.BUF_FLAG_ERROR),
        )
