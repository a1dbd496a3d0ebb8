# SPDX-License-Identifier: LGPL-2.1-or-later
"""Select: do one of several things, the first that is possible.

Every send and receive of this package is a select, of one case if need be.  So it does
not matter whether the file has O_NONBLOCK set, messages may be empty, all have a timeout,
and an error that the channel was closed with is told from one of the call.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import os
import select as _poll
import time
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import _abi
from ._errors import U32_MAX, ChanError, call_error


class Origin(NamedTuple):
    """Who sent a message.  The kernel vouches for it; but the process may have ended since."""

    pid: int
    """The process, as the receiver's namespace numbers it; 0 if it has no number there."""
    uid: int
    """Its real user when it sent."""


def deadline_ns(timeout: Optional[float]) -> int:
    """@timeout in seconds from now as what the kernel takes: nanoseconds of
    CLOCK_MONOTONIC, 0 for not at all."""
    if timeout is None or timeout >= _abi.FOREVER / 1e9:
        return _abi.FOREVER
    if not timeout >= 0:
        raise ValueError(f"the timeout is negative: {timeout!r}")
    if timeout == 0:
        return 0
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return min(now + math.ceil(timeout * 1e9), _abi.FOREVER)


def message_bytes(message: Any) -> bytes:
    """@message as it is at this moment; what no channel carries is not even copied."""
    size = len(message) if type(message) is bytes else memoryview(message).nbytes
    if size > U32_MAX:
        raise call_error(errno.EMSGSIZE, f"cannot send {size} bytes")
    return message if type(message) is bytes else bytes(memoryview(message))


def address_of(data: bytes) -> int:
    return ctypes.cast(data, ctypes.c_void_p).value or 0


# --- Cases ---

class Case:
    """One of the things that select() can do.

    Made by Sender.send_case(), Receiver.recv_case() and poll_case(); it is not used up,
    and can stand in any number of selects, also in several threads at once.
    """

    def _fill(self, raw: _abi.Case) -> Any:
        """Make @raw the kernel's form of it; what is returned has to live as long."""
        raise NotImplementedError

    def _value(self, raw: _abi.Case, room: Any) -> Any:
        """What came of it, or raise an error."""
        raise NotImplementedError

    def _error(self, number: int) -> ChanError:
        return call_error(number, self._what())

    def _what(self) -> str:
        raise NotImplementedError

    def _channel_end(self) -> Optional[Any]:
        return None


class PollCase(Case):
    """See poll_case()."""

    def __init__(self, file: Any, events: int):
        self.file = file
        self.events = events

    def _fill(self, raw: _abi.Case) -> Any:
        file = self.file if isinstance(self.file, int) else self.file.fileno()
        if not 0 <= file < 2**31:
            raise ValueError("the file is closed")
        if not 0 <= self.events <= U32_MAX:
            raise ValueError(f"these are no events: {self.events}")
        raw.fd = file
        raw.op = _abi.POLL
        raw.events = self.events
        return None

    def _value(self, raw: _abi.Case, room: Any) -> int:
        return raw.events

    def _what(self) -> str:
        return f"cannot wait for {self.file!r}"


def poll_case(file: Any, events: int = _poll.POLLIN) -> PollCase:
    """A case that waits for any file that poll(2) can wait for, and consumes nothing.

    file: a number, or an object with fileno(): a socket, a timer, a pidfd, an end of a
        channel, a scope, which is ready when Scope.wait() has something to do.
    events: what to wait for, such as select.POLLIN | select.POLLOUT; POLLERR and POLLHUP
        always count.

    When it happens, the value that select() returns is the events seen.
    """
    return PollCase(file, events)


# --- Watching over the scopes of the ends ---

class _Watch:
    """Cases behind those of the caller: children of the scopes that the ends belong to.

    One that fails cancels its scope, and who waits in it hears of that.
    """

    def __init__(self, cases: Sequence[Optional[Case]]):
        found = (case._channel_end() for case in cases if case)
        scopes = {end._scope for end in found if end is not None and end._scope is not None}
        self.scopes = [(scope, scope._watch_file()) for scope in scopes]
        self.scopes = [(scope, file) for scope, file in self.scopes if file >= 0]

    def fill(self, raws: Sequence[_abi.Case]) -> None:
        for raw, (_, file) in zip(raws, self.scopes):
            raw.fd, raw.op, raw.events = file, _abi.POLL, _poll.POLLIN

    def look(self, index: int) -> None:
        self.scopes[index][0]._look_around()


# --- The call ---

def _fill(cases: Sequence[Optional[Case]], raws: Any) -> List[Any]:
    rooms = []
    for index, case in enumerate(cases):
        raws[index].fd = -1
        try:
            rooms.append(case._fill(raws[index]) if case else None)
        except (ValueError, OSError) as error:
            if len(cases) > 1:
                raise type(error)(f"case {index}: {error}") from None
            raise
    return rooms


@contextlib.contextmanager
def _select_file(cases: Sequence[Optional[Case]], file: Any) -> Iterator[Any]:
    """Any file of the module will do, for the time of the call a scope if need be."""
    for case in cases:
        if file is None and case:
            file = case._channel_end()
    if file is not None:
        yield file
        return
    control = _abi.open_control()
    try:
        yield control
    finally:
        os.close(control)


def _failure(error: OSError, cases: Sequence[Optional[Case]], index: int) -> ChanError:
    case = cases[index] if index < len(cases) else None
    if case is None:
        case = cases[0] if len(cases) == 1 else None
    number = error.errno or 0
    made = case._error(number) if case else call_error(number, "select")
    if index < len(cases):
        made.index = index
    return made


def perform(cases: Sequence[Optional[Case]], deadline: int, flags: int = 0,
            file: Any = None) -> Tuple[int, Any, Any]:
    """Do one of @cases: (its index, the kernel's form of it, what _fill() has returned).

    @file is any of the module, to make the request on.
    """
    watch = _Watch(cases) if deadline else None
    extra = len(watch.scopes) if watch else 0
    if extra and len(cases) + extra > _abi.SELECT_MAX:
        raise ValueError(f"{len(cases)} cases with ends of {extra} scopes are more than "
                         f"{_abi.SELECT_MAX - extra}")
    raws = (_abi.Case * (len(cases) + extra))()
    rooms = _fill(cases, raws)
    arg = _abi.Select(ctypes.addressof(raws), len(raws), ctypes.sizeof(_abi.Case), flags,
                      _abi.SELECT_NONE, deadline)
    with _select_file(cases, file) as file:
        while True:
            if watch and extra:
                watch.fill(raws[len(cases):])
            try:
                _abi.request(file, _abi.IOC_SELECT, arg)
            except OSError as error:
                raise _failure(error, cases, arg.index) from None
            if arg.index < len(cases):
                return arg.index, raws[arg.index], rooms[arg.index]
            watch.look(arg.index - len(cases))


def perform_one(case: Case, timeout: Optional[float]) -> Tuple[Any, Any]:
    """Do @case: (the value, the kernel's form of it)."""
    _, raw, room = perform((case,), deadline_ns(timeout))
    return case._value(raw, room), raw


class Selected(Tuple[int, Any]):
    """What select() returns: (index, value), and for a message its origin."""

    origin: Optional[Origin] = None

    @property
    def index(self) -> int:
        """The place of the case that has happened."""
        return self[0]

    @property
    def value(self) -> Any:
        """What came of it: bytes received, None for a message sent, events seen."""
        return self[1]


def select(*cases: Optional[Case], timeout: Optional[float] = None, priority: bool = False,
           return_errors: bool = False) -> Selected:
    """Wait until one of the cases is possible, and do it; the others leave no trace.

    cases: made by Receiver.recv_case(), Sender.send_case() and poll_case(), at most 1024, and
        one less for each scope that an end among them belongs to, whose children are watched
        over meanwhile.  None is a case that is never ready.
    timeout: how long to wait, in seconds; 0 not at all, None as long as it takes.  What is
        possible at once happens even if the time is up.
    priority: of several that are possible take the first; else each has the same chance.
    return_errors: that a channel has ended is the value, an exception, instead of raised.

    Returns (index, value): value is the bytes received, None for a message sent, the
    events seen by a poll case.  .origin tells who has sent what was received.

    >>> tx, rx = channel(capacity=1)
    >>> done, _ = channel(capacity=1)
    >>> index, value = select(rx.recv_case(), tx.send_case(b"x"))
    >>> index, value
    (1, None)
    >>> select(rx.recv_case(), timeout=10)
    (0, b'x')

    Raises what the case that has happened has come to, such as Closed, with .index telling
    which case; TimedOut; WouldBlock for a timeout of 0; and if a case is wrong, ValueError for
    a closed end or too many cases, MessageTooLong, Denied, or another ChanError.  Then nothing
    has happened.

    Any number of threads may be in it at once, also with the same cases.  A handler of a
    signal runs; if it raises, nothing has happened, but for one that comes in the very moment
    in which something did.
    """
    deadline = deadline_ns(timeout)
    flags = _abi.SELECT_PRIORITY if priority else 0
    index, raw, room = perform(cases, deadline, flags)
    chosen = cases[index]
    assert chosen
    try:
        result = Selected((index, chosen._value(raw, room)))
    except ChanError as error:
        error.index = index
        if not return_errors:
            raise
        result = Selected((index, error))
    if raw.op == _abi.RECV and not raw.status:
        result.origin = Origin(raw.pid, raw.uid)
    return result
