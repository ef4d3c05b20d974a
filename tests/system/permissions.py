"""Permissions that also hold for root, so that tests of them run for everybody.

Root may read and write everything because of two capabilities (capabilities(7)), which a thread can give up for itself,
and a program for itself and all that it starts:

    python tests/system/permissions.py PROGRAM [ARGUMENT...]
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

_VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3 of linux/capability.h
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_PR_CAPBSET_DROP = 24  # linux/prctl.h


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def as_an_ordinary_user(call: Callable[[], Result]) -> Result:
    """Call it in a thread that respects the modes of files, as the threads that it starts do."""
    with ThreadPoolExecutor(1) as thread:
        if os.geteuid() == 0:
            thread.submit(_give_up).result()
        return thread.submit(call).result()


def _give_up() -> None:
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    _call("capget", ctypes.byref(header), sets)
    for name in ("effective", "permitted"):
        setattr(sets[0], name, getattr(sets[0], name) & ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH))
    _call("capset", ctypes.byref(header), sets)


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name} failed")


def main(command: list[str]) -> None:
    """Become another program, which has to respect the modes of files."""
    if os.geteuid() == 0:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
