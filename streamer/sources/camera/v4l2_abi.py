"""The part of Linux' V4L2 interface that a webcam needs: structures, constants and request numbers. No calls.

From `linux/videodev2.h` (Linux 6.1) for the single-planar capture interface with memory-mapped buffers. Names are the
kernel's without their prefix. The request numbers contain the sizes of the structures (`asm-generic/ioctl.h`).
"""

from __future__ import annotations

import ctypes
from ctypes import Structure, Union, c_char, c_int, c_long, c_uint8, c_uint32, c_ulong

CAPTURE = 1
"""V4L2_BUF_TYPE_VIDEO_CAPTURE."""
MEMORY_MMAP = 1
DISCRETE = 1
"""V4L2_FRMSIZE_TYPE_DISCRETE and V4L2_FRMIVAL_TYPE_DISCRETE; other values are ranges."""

CAP_VIDEO_CAPTURE = 0x1
CAP_VIDEO_CAPTURE_MPLANE = 0x1000
CAP_STREAMING = 0x0400_0000
CAP_DEVICE_CAPS = 0x8000_0000
CAP_TIMEPERFRAME = 0x1000

BUF_FLAG_ERROR = 0x40
BUF_FLAG_TIMESTAMP_MASK = 0xE000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x2000

COLORSPACE_SMPTE240M, COLORSPACE_REC709, COLORSPACE_JPEG, COLORSPACE_BT2020, COLORSPACE_DCI_P3 = 2, 3, 7, 10, 12
QUANTIZATION_FULL_RANGE = 1


class Capability(Structure):
    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FmtDesc(Structure):
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FrmSizeEnum(Structure):
    """`sizes` is width, height where discrete; else minimum, maximum and step of the width, then of the height."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("sizes", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrmIvalEnum(Structure):
    """`fractions` is numerator, denominator where discrete; else of minimum, maximum and step."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("fractions", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class PixFormat(Structure):
    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    )


class _FormatUnion(Union):
    # v4l2_window has pointers, which is why the kernel's union is aligned to them.
    _fields_ = (("pix", PixFormat), ("raw_data", c_uint8 * 200), ("_pointers", c_ulong))


class Format(Structure):
    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class CaptureParm(Structure):
    _fields_ = (
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("numerator", c_uint32),
        ("denominator", c_uint32),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("reserved", c_uint32 * 4),
    )


class _ParmUnion(Union):
    _fields_ = (("capture", CaptureParm), ("raw_data", c_uint8 * 200))


class StreamParm(Structure):
    _fields_ = (("type", c_uint32), ("parm", _ParmUnion))


class RequestBuffers(Structure):
    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class _Memory(Union):
    _fields_ = (("offset", c_uint32), ("userptr", c_ulong))


class Buffer(Structure):
    """With `struct timeval` as two longs, as in 64-bit kernels."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("seconds", c_long),
        ("microseconds", c_long),
        ("timecode", c_uint32 * 4),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _Memory),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("reserved", c_uint32),
    )


_WRITE, _READ = 1, 2


def _request(direction: int, number: int, argument: type[Structure] | type[c_int]) -> int:
    return direction << 30 | ctypes.sizeof(argument) << 16 | ord("V") << 8 | number


VIDIOC_QUERYCAP = _request(_READ, 0, Capability)
VIDIOC_ENUM_FMT = _request(_READ | _WRITE, 2, FmtDesc)
VIDIOC_G_FMT = _request(_READ | _WRITE, 4, Format)
VIDIOC_S_FMT = _request(_READ | _WRITE, 5, Format)
VIDIOC_REQBUFS = _request(_READ | _WRITE, 8, RequestBuffers)
VIDIOC_QUERYBUF = _request(_READ | _WRITE, 9, Buffer)
VIDIOC_QBUF = _request(_READ | _WRITE, 15, Buffer)
VIDIOC_DQBUF = _request(_READ | _WRITE, 17, Buffer)
VIDIOC_STREAMON = _request(_WRITE, 18, c_int)
VIDIOC_STREAMOFF = _request(_WRITE, 19, c_int)
VIDIOC_G_PARM = _request(_READ | _WRITE, 21, StreamParm)
VIDIOC_S_PARM = _request(_READ | _WRITE, 22, StreamParm)
VIDIOC_ENUM_FRAMESIZES = _request(_READ | _WRITE, 74, FrmSizeEnum)
VIDIOC_ENUM_FRAMEINTERVALS = _request(_READ | _WRITE, 75, FrmIvalEnum)


def fourcc(code: int) -> str:
    """The four characters of a pixel format, such as `YUYV`; without the spaces at the end."""
    return "".join(chr(code >> shift & 0x7F) for shift in (0, 8, 16, 24)).rstrip()


def code(name: str) -> int:
    """The pixel format of up to four characters."""
    return int.from_bytes(name.ljust(4).encode("ascii"), "little")
