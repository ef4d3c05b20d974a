"""File permissions that also apply to root, so tests of them can run as any user.

Root ignores file modes because of two capabilities (capabilities(7)). A thread can drop them for itself, and a program
can drop them for itself and its child processes:

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
    """Call a function in a thread that respects file modes; its child threads do, too."""
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
    """Replace this process by a program that respects file modes."""
    if os.geteuid() == 0:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
