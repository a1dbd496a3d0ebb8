# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel module is told, and tells: the structures of linux/chan.h.

Each class here is the structure of that name, chan_case for Case and so on, and
each IOC_* the request CHAN_IOC_* that takes it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from ctypes import c_char, c_int32, c_uint32, c_uint64
from typing import Any

CONTROL = "/dev/chanctl"

MAX_MSG = 1048576
DEFAULT_MAX_MSG = 65536
MAX_CAPACITY = 65536
NAME_SIZE = 32
MAX_ERROR = 511

FEATURE_DEV = 1 << 0
FEATURE_SELECT = 1 << 1
FEATURE_SCOPE = 1 << 2

STATES = ("open", "closed", "failed", "broken", "canceled", "removed")
SCOPE_STATES = ("unbound", "bound", "canceled")

INFO_SEND = 1 << 0
INFO_RECV = 1 << 1
INFO_NAMED = 1 << 2
INFO_HANGUP = 1 << 3

SEND, RECV, POLL = 1, 2, 3
SELECT_PRIORITY = 1 << 0
SELECT_MAX = 1024
SELECT_NONE = 2**32 - 1
FOREVER = 2**64 - 1

SCOPE_DETECT_DEADLOCK = 1 << 0
SCOPE_GRACE_NEVER = 2**64 - 1
SCOPE_WAIT_EXIT = 1 << 0


class Version(ctypes.Structure):
    _fields_ = [("version", c_uint32), ("reserved", c_uint32), ("features", c_uint64)]


class Create(ctypes.Structure):
    _fields_ = [("capacity", c_uint32), ("max_msg", c_uint32), ("flags", c_uint32),
                ("send_fd", c_int32), ("recv_fd", c_int32), ("reserved", c_uint32)]


class Close(ctypes.Structure):
    _fields_ = [("error", c_uint32), ("flags", c_uint32)]


class Info(ctypes.Structure):
    _fields_ = [("id", c_uint64), ("state", c_uint32), ("cause", c_uint32),
                ("capacity", c_uint32), ("max_msg", c_uint32), ("buffered", c_uint32),
                ("parked_senders", c_uint32), ("parked_receivers", c_uint32),
                ("send_ends", c_uint32), ("recv_ends", c_uint32), ("flags", c_uint32),
                ("sent", c_uint64), ("received", c_uint64)]


class DevAdd(ctypes.Structure):
    _fields_ = [("name", c_char * NAME_SIZE), ("mode", c_uint32), ("capacity", c_uint32),
                ("max_msg", c_uint32), ("flags", c_uint32)]


class DevRemove(ctypes.Structure):
    _fields_ = [("name", c_char * NAME_SIZE), ("flags", c_uint32)]


class Case(ctypes.Structure):
    _fields_ = [("fd", c_int32), ("op", c_uint32), ("flags", c_uint32), ("status", c_int32),
                ("buf", c_uint64), ("len", c_uint32), ("events", c_uint32),
                ("pid", c_int32), ("uid", c_uint32), ("fds", c_uint64), ("nfds", c_uint32),
                ("reserved", c_uint32 * 3)]


class Select(ctypes.Structure):
    _fields_ = [("cases", c_uint64), ("ncases", c_uint32), ("case_size", c_uint32),
                ("flags", c_uint32), ("index", c_uint32), ("deadline", c_uint64)]


class ScopeBind(ctypes.Structure):
    _fields_ = [("pgid", c_int32), ("flags", c_uint32)]


class ScopeSet(ctypes.Structure):
    _fields_ = [("deadline", c_uint64), ("grace_ns", c_uint64), ("signal", c_uint32),
                ("flags", c_uint32)]


class ScopeCancel(ctypes.Structure):
    _fields_ = [("error", c_uint32), ("flags", c_uint32)]


class ScopeWait(ctypes.Structure):
    _fields_ = [("deadline", c_uint64), ("flags", c_uint32), ("exits", c_uint32),
                ("cause", c_uint32), ("members", c_uint32)]


class ScopeInfo(ctypes.Structure):
    _fields_ = [("id", c_uint64), ("parent", c_uint64), ("pgid", c_int32),
                ("state", c_uint32), ("cause", c_uint32), ("members", c_uint32),
                ("channels", c_uint32), ("reserved", c_uint32)]


class Adopt(ctypes.Structure):
    _fields_ = [("fd", c_int32), ("flags", c_uint32)]


def _iowr(number: int, argument: Any) -> int:
    return 3 << 30 | ctypes.sizeof(argument) << 16 | 0xC9 << 8 | number


IOC_VERSION = _iowr(0x00, Version)
IOC_CREATE = _iowr(0x01, Create)
IOC_CLOSE = _iowr(0x02, Close)
IOC_INFO = _iowr(0x03, Info)
IOC_DEV_ADD = _iowr(0x04, DevAdd)
IOC_DEV_REMOVE = _iowr(0x05, DevRemove)
IOC_SELECT = _iowr(0x06, Select)
IOC_SCOPE_BIND = _iowr(0x07, ScopeBind)
IOC_SCOPE_SET = _iowr(0x08, ScopeSet)
IOC_SCOPE_CANCEL = _iowr(0x09, ScopeCancel)
IOC_SCOPE_WAIT = _iowr(0x0A, ScopeWait)
IOC_SCOPE_INFO = _iowr(0x0B, ScopeInfo)
IOC_ADOPT = _iowr(0x0C, Adopt)


def request(file: Any, code: int, argument: ctypes.Structure) -> None:
    """Make one request; it is made again when a signal came, so that its handler runs.

    fcntl.ioctl() lets other threads run only for what fits its buffer of 1024 bytes,
    which all of these do.
    """
    while True:
        try:
            fcntl.ioctl(file, code, argument, True)
            return
        except InterruptedError:
            continue


def open_control() -> int:
    return os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)


def control_request(code: int, argument: ctypes.Structure) -> None:
    """Make one request on a scope that is gone again afterwards."""
    control = open_control()
    try:
        request(control, code, argument)
    finally:
        os.close(control)
