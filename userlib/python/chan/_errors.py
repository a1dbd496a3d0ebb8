# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exceptions: one for each way in which things end, and each an OSError."""

from __future__ import annotations

import errno
import os
from typing import Any, Dict, Optional, Tuple, Type


class ChanError(OSError):
    """What this module raises for channels and scopes; errno tells which error it is.

    index is the place of the case in a select that the error belongs to, else None.
    """

    index: Optional[int] = None


class Closed(ChanError, BrokenPipeError):
    """EPIPE.  Send: the channel has ended, or nobody can ever receive.  Receive: it was
    closed, and everything has been received."""


class Canceled(ChanError):
    """ECANCELED: the scope of the channel was cancelled, or the scope that was to be used."""


class Deadlock(ChanError):
    """EDEADLK: everybody in the scope waited for everybody; or one in it waits for it."""


class Removed(ChanError):
    """ENODEV: the device was removed, and for a receiver everything has been received."""


class TimedOut(ChanError, TimeoutError):
    """ETIMEDOUT: the timeout is over, and nothing has happened."""


class WouldBlock(ChanError, BlockingIOError):
    """EAGAIN: the timeout is 0 and it would have waited; nothing has happened."""


class Denied(ChanError, PermissionError):
    """EACCES: the channel is for a scope that the process is neither in nor owns."""


class MessageTooLong(ChanError):
    """EMSGSIZE: the message is longer than the channel carries; nothing was sent."""


class Failed(ChanError):
    """A sender has closed the channel with an error, which is errno, and everything has been
    received.

    It also is the class that Python has for that error, as ConnectionResetError for
    ECONNRESET.
    """


_OF_CALLS: Dict[int, Type[ChanError]] = {
    errno.EPIPE: Closed,
    errno.ECANCELED: Canceled,
    errno.EDEADLK: Deadlock,
    errno.ENODEV: Removed,
    errno.ETIMEDOUT: TimedOut,
    errno.EAGAIN: WouldBlock,
    errno.EACCES: Denied,
    errno.EMSGSIZE: MessageTooLong,
}

# What a channel ends with by itself; a sender may have given the same as the cause.
OF_ENDED = (errno.EPIPE, errno.ECANCELED, errno.EDEADLK, errno.ENODEV)

U32_MAX = 2**32 - 1

_EXPLAINED = {
    errno.EPIPE: "the channel has ended",
    errno.ECANCELED: "the scope was cancelled",
    errno.EDEADLK: "deadlock: everybody in the scope waits for everybody",
    errno.ENODEV: "the device was removed",
    errno.ETIMEDOUT: "timed out",
    errno.EAGAIN: "it would have to wait",
    errno.EACCES: "the channel is for a scope that this process is not in",
    errno.EMSGSIZE: "the message is longer than the channel carries",
}

_combined: Dict[Tuple[type, type], Type[ChanError]] = {}


def _rebuild(base: Type[Any], usual: Type[OSError], args: Tuple[Any, ...],
             state: Dict[str, Any]) -> OSError:
    """Pickle finds no class of that name that is both."""
    made = combined(base, usual)(*args)
    made.__dict__.update(state)
    return made


def usual_class(number: int) -> Type[OSError]:
    return _OF_CALLS.get(number) or type(OSError(number, ""))


def combined(base: Type[Any], usual: Type[OSError]) -> Type[Any]:
    """The class that is both."""
    if issubclass(base, usual):
        return base
    if (base, usual) not in _combined:
        _combined[base, usual] = type(base.__name__, (base, usual), {
            "__doc__": base.__doc__,
            "__module__": base.__module__,
            "__reduce__": lambda self: (_rebuild, (base, usual, self.args, self.__dict__)),
        })
    return _combined[base, usual]


def explain(number: int) -> str:
    return _EXPLAINED.get(number) or os.strerror(number)


def call_error(number: int, what: str) -> ChanError:
    """The exception for a call that has failed: nothing has happened."""
    return _OF_CALLS.get(number, ChanError)(number, f"{what}: {explain(number)}")


def failed_error(number: int, what: str) -> ChanError:
    """The exception for a receive that has found the channel closed with an error."""
    text = f"{what}: closed by a sender: {os.strerror(number)}"
    return combined(Failed, type(OSError(number, "")))(number, text)


def in_range(number: int, most: int, what: str) -> int:
    """@number, of which the kernel would be told but the lower bits if it were too large."""
    if not 0 <= number <= most:
        raise call_error(errno.EINVAL, what)
    return number
