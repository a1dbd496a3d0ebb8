# SPDX-License-Identifier: LGPL-2.1-or-later
"""Channels between processes, made by the kernel module chan.ko.

A channel carries messages from a Sender to a Receiver, each whole and to exactly one.
Without a buffer a send returns when a receiver has taken the message.

>>> tx, rx = channel()
>>> with scope() as s:
...     worker = s.spawn(tx.send, b"hello from a child")
...     rx.recv(timeout=30)
b'hello from a child'
>>> tx.close()
>>> rx.close()

channel() makes one, Sender.open("chan0") and Receiver.open("chan0") open a named one;
select() does one of several things, the first that is possible; scope() holds child processes
together, and the channels between them.  chan.aio has all of it for asyncio.

Times are in seconds, and a timeout of None is for ever.  Errors are ChanError, which are
OSError: Closed is a BrokenPipeError, TimedOut a TimeoutError, and so on.  A closed end or
scope, and a number that makes no sense, is a ValueError.  Who waits lets other threads run,
and handlers of signals: after one that does not raise the wait goes on, and no longer in all.
"""

from ._ends import (Info, Receiver, Sender, Version, add_device, channel, end_of, module_version,
                    recv_ends, remove_device, send_ends)
from ._errors import (Canceled, ChanError, Closed, Deadlock, Denied, Failed, MessageTooLong,
                      Removed, TimedOut, WouldBlock)
from ._process import Child, RemoteError
from ._scope import Scope, ScopeError, ScopeInfo, scope
from ._select import Origin, Selected, poll_case, select

__version__ = "0.4.0"

__all__ = [
    "Canceled", "ChanError", "Child", "Closed", "Deadlock", "Denied", "Failed", "Info",
    "MessageTooLong", "Origin", "Receiver", "RemoteError", "Removed", "Scope", "ScopeError",
    "ScopeInfo", "Selected", "Sender", "TimedOut", "Version", "WouldBlock", "add_device",
    "channel", "end_of", "module_version", "poll_case", "recv_ends", "remove_device", "scope",
    "select", "send_ends",
]
