# SPDX-License-Identifier: LGPL-2.1-or-later
"""Channels in asyncio: the same ends, with methods to be awaited.

>>> import asyncio
>>> from chan import aio
>>> async def produce(tx):
...     with tx:
...         for number in range(3):
...             await tx.send(b"%d" % number)
>>> async def main():
...     tx, rx = aio.channel(capacity=1)
...     task = asyncio.ensure_future(produce(tx))
...     with rx:
...         async for message in rx:
...             print(message)
...     await task
>>> asyncio.run(main())
b'0'
b'1'
b'2'

The event loop waits with epoll, and takes or gives a message only when that is possible at
once.  So it is for buffered channels.  On one without a buffer a message crosses when one
side is parked in the kernel, which who waits in an event loop is not: two that do so would
never meet.  That is refused, unless the caller says that the partners block.

A task that is cancelled, be it by a timeout, has sent or received nothing: what was there
goes to the next.  Tasks that wait on one end are served in the order in which they came.

An end is for one event loop at a time.  Like everything in asyncio this is for one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections import deque
from typing import (Any, AsyncIterator, Callable, Deque, Dict, Generic, Optional, Set, Tuple,
                    TypeVar)

from . import _ends, _scope
from ._errors import Closed, WouldBlock, call_error
from ._select import Origin, message_bytes

Result = TypeVar("Result")
SyncEnd = TypeVar("SyncEnd", _ends.Sender, _ends.Receiver)

# How often in turn what is possible at once is done before other tasks have a turn.
_IN_TURN = 32


class _Place:
    """One who waits in line."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self.late = False
        self.rest()

    def rest(self) -> None:
        self.woken = self.loop.create_future()

    def wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)

    def expire(self) -> None:
        self.late = True
        self.wake()


class _Line:
    """Those who wait for one file, the first of whom is woken when the file is ready.

    The loop tells again as long as the file is ready, so a wake that goes to a task that was
    cancelled in the meantime is not lost: the next in line gets the next.
    """

    def __init__(self, watch: str, unwatch: str):
        self.watch, self.unwatch = watch, unwatch
        self.waiting: Deque[_Place] = deque()
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self.file = -1
        self.at_once = 0

    async def turn(self, file: int, attempt: Callable[[], Result],
                   timeout: Optional[float] = None) -> Result:
        """The result of @attempt, when it no longer raises WouldBlock."""
        self.at_once += 1
        if self.at_once % _IN_TURN == 0:
            # Before it is done, for after that the task must not be cancelled.
            await asyncio.sleep(0)
        if timeout == 0 and self.waiting:
            raise call_error(errno.EAGAIN, "others are first in line")
        if not self.waiting:
            try:
                return attempt()
            except WouldBlock:
                if timeout == 0:
                    raise
        return await self._wait(file, attempt, timeout)

    async def _wait(self, file: int, attempt: Callable[[], Result],
                    timeout: Optional[float]) -> Result:
        place = self._join(file)
        timer = None if timeout is None else place.loop.call_later(timeout, place.expire)
        try:
            while True:
                await place.woken
                if place not in self.waiting:
                    raise ValueError("the end was closed")
                try:
                    if self.waiting[0] is place:
                        return attempt()
                except WouldBlock:
                    # Somebody else was quicker; who was first in line still is.
                    pass
                if place.late:
                    raise call_error(errno.ETIMEDOUT, "gave up")
                place.rest()
        finally:
            if timer:
                timer.cancel()
            self._leave(place)

    def _join(self, file: int) -> _Place:
        loop = asyncio.get_running_loop()
        if self.waiting and self.loop is not loop:
            raise RuntimeError("tasks of another event loop wait on this end")
        if not self.waiting:
            self.loop, self.file = loop, file
            getattr(loop, self.watch)(file, self._wake)
        place = _Place(loop)
        self.waiting.append(place)
        return place

    def _leave(self, place: _Place) -> None:
        if place in self.waiting:
            self.waiting.remove(place)
        if not self.waiting:
            self._stop()

    def _stop(self) -> None:
        if self.loop:
            getattr(self.loop, self.unwatch)(self.file)
        self.loop = None

    def _wake(self) -> None:
        self.waiting[0].wake()

    def close(self) -> None:
        """The end is closed; who waits is told so."""
        self._stop()
        waiting, self.waiting = self.waiting, deque()
        for place in waiting:
            place.wake()


class _End(Generic[SyncEnd]):
    """What the two have in common."""

    _watch, _unwatch = "", ""

    def __init__(self, end: SyncEnd, partners_block: bool = False):
        """Take over @end, which is then closed by closing this.

        partners_block: those at the other end block, and do not wait in an event loop.  Only
            then there is a use for a channel without a buffer, which else is a ValueError.
        """
        if not partners_block and end.info().capacity == 0:
            raise ValueError("the channel has no buffer, and two that wait in event loops never "
                             "meet on it: give it a capacity, or say partners_block=True if "
                             "those at the other end block")
        self.sync = end
        self._line = _Line(self._watch, self._unwatch)

    def fileno(self) -> int:
        """As of the end that was taken over."""
        return self.sync.fileno()

    def info(self) -> _ends.Info:
        """As of the end that was taken over."""
        return self.sync.info()

    @property
    def closed(self) -> bool:
        """As of the end that was taken over."""
        return self.sync.closed

    def _close_sync(self, *args: Any) -> None:
        self._line.close()
        self.sync.close(*args)

    def __enter__(self) -> Any:
        self.sync.fileno()
        return self

    def __exit__(self, *_: Any) -> None:
        self._close_sync()

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, *_: Any) -> None:
        self._close_sync()

    def __repr__(self) -> str:
        return f"<aio {self.sync!r}>"


class Sender(_End[_ends.Sender]):
    """A chan.Sender, taken over to be awaited: Sender(chan.Sender.open("chan0"))."""

    _watch, _unwatch = "add_writer", "remove_writer"

    async def send(self, message: Any, timeout: Optional[float] = None) -> None:
        """Send one message when there is room in the buffer.

        As chan.Sender.send() in all else.  A task that is cancelled has not sent.
        """
        message = message_bytes(message)
        await self._line.turn(self.fileno(), lambda: self.sync.send(message, 0), timeout)

    def try_send(self, message: Any) -> bool:
        """Send if that is possible at once and nobody waits in line; tells whether it was."""
        return not self._line.waiting and self.sync.try_send(message)

    def shutdown(self, error: int = 0) -> None:
        """As chan.Sender.shutdown()."""
        self.sync.shutdown(error)

    def close(self, error: Optional[int] = None) -> None:
        """As chan.Sender.close(); tasks that wait get ValueError."""
        self._close_sync(error)


class Receiver(_End[_ends.Receiver]):
    """A chan.Receiver, taken over to be awaited: Receiver(chan.Receiver.open("chan0")).

    async for receives until the channel is closed.
    """

    _watch, _unwatch = "add_reader", "remove_reader"

    async def recv(self, timeout: Optional[float] = None) -> bytes:
        """Receive one message when one is there.

        As chan.Receiver.recv() in all else.  A task that is cancelled has received nothing,
        and the message is there for the next.
        """
        return (await self.recv_from(timeout))[0]

    async def recv_from(self, timeout: Optional[float] = None) -> Tuple[bytes, Origin]:
        """As recv(), and tells who has sent it."""
        return await self._line.turn(self.fileno(), lambda: self.sync.recv_from(0), timeout)

    def try_recv(self) -> Optional[bytes]:
        """Receive if a message is there and nobody waits in line, else None."""
        return None if self._line.waiting else self.sync.try_recv()

    def close(self) -> None:
        """As chan.Receiver.close(); tasks that wait get ValueError."""
        self._close_sync()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except Closed:
            raise StopAsyncIteration from None


def channel(capacity: int, max_msg: Optional[int] = None,
            partners_block: bool = False) -> Tuple[Sender, Receiver]:
    """As chan.channel(), with both ends to be awaited; capacity is 1 or more."""
    tx, rx = _ends.channel(capacity, max_msg)
    try:
        return Sender(tx, partners_block), Receiver(rx, partners_block)
    except BaseException:
        tx.close()
        rx.close()
        raise


class _Vigil:
    """Tasks of one loop that wait for one scope.

    A loop has one handler for a file, so they share it; and as there is nothing to be had but
    once, all are woken by what is new, and each looks for itself.
    """

    def __init__(self, scope: _scope.Scope, loop: asyncio.AbstractEventLoop):
        self.scope, self.loop = scope, loop
        self.waiting: Set["asyncio.Future[None]"] = set()
        self.watcher = scope._watch(self._tell)
        self.file = self.watcher.file.fileno()
        try:
            loop.add_reader(self.file, self._wake)
        except BaseException:
            scope._unwatch(self.watcher)
            raise

    async def wait(self) -> None:
        while True:
            woken = self.loop.create_future()
            self.waiting.add(woken)
            try:
                return self.scope._look_for(self.watcher)
            except _scope.ScopeError:
                # Of a child that failed with EAGAIN it is a WouldBlock, too.
                raise
            except WouldBlock:
                await woken
            finally:
                self.waiting.discard(woken)

    def _wake(self) -> None:
        for woken in self.waiting:
            if not woken.done():
                woken.set_result(None)

    def _tell(self) -> None:
        """In any thread.  It raises if the loop was closed, and nobody of it waits any more."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        self.loop.remove_reader(self.file)
        self.scope._unwatch(self.watcher)


_vigils: Dict[Tuple[_scope.Scope, asyncio.AbstractEventLoop], _Vigil] = {}


async def wait(scope: _scope.Scope) -> None:
    """As Scope.wait(): wait until nobody is left in the scope, and notice who fails meanwhile.

    To be run beside what else there is to do while children run.  A task that is cancelled
    leaves the scope alone.  Any number of tasks may wait for a scope, also in several event
    loops, and each is told; if the scope is closed meanwhile, that is a ValueError.
    """
    key = scope, asyncio.get_running_loop()
    if key not in _vigils:
        _vigils[key] = _Vigil(*key)
    vigil = _vigils[key]
    try:
        await vigil.wait()
    finally:
        if not vigil.waiting:
            del _vigils[key]
            vigil.end()
