# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scopes: child processes that live, fail and end together.

How one is made: the module knows processes by their group, so a scope begins with an
anchor, a child that has exited at once and keeps the number of the group until the scope
is closed.  Each child joins the group before it does anything of its own, and looks at the
scope after that: either it was cancelled before, and the child goes at once, or the cancel
that comes later finds it there.

Only the parent learns how a child has ended.  So for each there is a pidfd, and all are in
one epoll, which tells them in the order in which they have ended: the first that has failed
is the first cause.  Any thread that looks there notices for all; those asleep are told by a
pipe that is in the epoll, too.

Locks: first that of all forks, then that of a scope.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select as _poll
import signal as _signal
import subprocess
import sys
import threading
import warnings
import weakref
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from . import _abi
from ._ends import End, Receiver, Sender, check_limits, pair_on
from ._errors import (U32_MAX, Canceled, ChanError, TimedOut, call_error, combined, explain,
                      in_range, usual_class)
from ._process import (Child, Handover, drop_anchor, flush_output, reap_anchor, reset_signals,
                       run_function, signals_blocked)
from ._select import deadline_ns, perform, poll_case


class ScopeInfo(NamedTuple):
    """What there is to know of a scope."""

    id: int
    """Identity of the scope, never used twice while the module is loaded."""
    parent: int
    """That of the scope around it, 0 for the root scope."""
    pgid: int
    """Its process group."""
    state: str
    """unbound, bound or canceled."""
    cause: int
    """The error number that it was cancelled with, else 0."""
    members: int
    """Processes in it, and in scopes inside it."""
    channels: int
    """Channels that it owns, without those of scopes inside it."""


class ScopeError(ChanError):
    """A scope has not ended well; errno is the first cause.

    That is the error number of the OSError that the first child has raised, ECHILD when it
    failed otherwise, ETIMEDOUT, EDEADLK, the error that cancel() was called with, or the
    cause of a scope around it; and the exception also is what Python has for that number,
    such as TimeoutError.  Its __cause__ is what the first child has raised.
    """

    first: Optional[Child] = None
    """The child that the scope was cancelled for; None if something else has cancelled it."""
    failures: Tuple[Child, ...] = ()
    """All children that have failed, in the order in which they have ended, with those that
    did because the scope was cancelled."""

    @property
    def exceptions(self) -> Tuple[BaseException, ...]:
        """What functions among the failures have raised."""
        return tuple(child.exception for child in self.failures if child.exception is not None)


# --- All scopes of the process ---

_fork_lock = threading.RLock()
_scopes: "weakref.WeakSet[Scope]" = weakref.WeakSet()
# Whose child is just being made: it still needs the scope's file.
_spawning: Optional["Scope"] = None


def _before_fork() -> None:
    _fork_lock.acquire()


def _after_fork() -> None:
    _fork_lock.release()


def _in_forked_child() -> None:
    """A child does not own the scopes; with their files the owner's death went unnoticed."""
    global _fork_lock
    _fork_lock = threading.RLock()
    for scope in list(_scopes):
        if scope is not _spawning:
            scope._forget()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork,
                    after_in_child=_in_forked_child)


class _Sleeper:
    """A thread that sleeps since the round of that number."""

    def __init__(self, round: int):
        self.round = round


class Watcher:
    """Who waits without sleeping: it is told when a call has noticed something.

    tell: called by any thread, also with the lock held.
    """

    def __init__(self, file: Any, tell: Callable[[], None]):
        self.file = file
        self.tell = tell


class Scope:
    """Child processes, and channels that are for them; made by scope().

    Used in a with block: the end of the block waits until nobody is left, neither the
    children, nor what these have forked, nor scopes inside.  The first child that fails
    cancels the others, and the block then raises ScopeError.  An exception in the block
    cancels, too, and is raised when all have ended.  When the process is killed, so is
    everybody in the scope.

    >>> def work(jobs, sums):
    ...     with sums:
    ...         sums.send(b"%d" % sum(int(job) for job in jobs))
    >>> with scope(timeout=60) as s:
    ...     jobs_tx, jobs_rx = s.channel()
    ...     sums_tx, sums_rx = s.channel()
    ...     for _ in range(3):
    ...         child = s.spawn(lambda: (jobs_tx.close(), work(jobs_rx, sums_tx)))
    ...     sums_tx.close()
    ...     with jobs_tx:
    ...         for number in range(1, 101):
    ...             jobs_tx.send(b"%d" % number)
    ...     print(sum(int(part) for part in sums_rx))
    5050
    >>> jobs_rx.close(); sums_rx.close()

    That a child has failed is noticed while the owner spawns or waits, and while it sends,
    receives or selects on the channels of the scope.  Who waits for other things can do so
    in a select with poll_case(s), and then call wait(0).

    All threads of the process that has opened it may use it at once, but for close().  It
    does not go through fork(): in the child all of this raises ValueError, and a with block
    that it leaves there does nothing.  It takes four files, and one for each child that runs.
    """

    def __init__(self, timeout: Optional[float], grace: Optional[float],
                 signal: Optional[int], limit: Optional[int], detect_deadlock: bool):
        self._fd = -1
        self._pgid = 0
        self._foreign = False
        self._deadlock = detect_deadlock
        if limit is not None and not limit >= 1:
            raise ValueError(f"the limit is not 1 or more: {limit!r}")
        self._limit = limit
        self._called_off = False
        self._told = False
        self._set = _abi.ScopeSet(deadline_ns(timeout) or 1, _grace_ns(grace),
                                  _signal_number(signal),
                                  _abi.SCOPE_DETECT_DEADLOCK if detect_deadlock else 0)
        self._lock = threading.Lock()
        # All below is protected by it: who runs, of these who is held, who is about to run, and
        # who has failed.
        self._running: Dict[int, Child] = {}
        self._held: List[Child] = []
        self._making: Set[Child] = set()
        self._spawned = 0
        self._failures: List[Child] = []
        self._first: Optional[Child] = None
        self._round = 0
        self._sleepers: "weakref.WeakSet[_Sleeper]" = weakref.WeakSet()
        self._watchers: Set[Watcher] = set()
        self._files = contextlib.ExitStack()
        self._notice: Optional[Any] = None
        with _fork_lock, signals_blocked():
            self._open()

    def _open(self) -> None:
        try:
            self._fd = _abi.open_control()
            self._children = self._files.enter_context(_poll.epoll())
            self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._files.callback(os.close, self._wake_out)
            self._files.callback(os.close, self._wake_in)
            self._children.register(self._wake_out, _poll.EPOLLIN)
            self._pgid = drop_anchor()
            self._ask(_abi.IOC_SCOPE_BIND, _abi.ScopeBind(self._pgid, 0), "bind")
            # Last, for a deadline that has passed cancels.
            self._ask(_abi.IOC_SCOPE_SET, self._set, "set up")
        except BaseException:
            self._release()
            raise
        _scopes.add(self)

    # --- Requests ---

    def _ask(self, code: int, arg: Any, verb: str) -> Any:
        try:
            _abi.request(self._file(), code, arg)
        except OSError as error:
            raise call_error(error.errno or 0, f"cannot {verb} the scope") from None
        return arg

    def _file(self) -> int:
        if self._foreign:
            raise ValueError("the scope belongs to the process that has opened it")
        if self._fd < 0:
            raise ValueError("the scope is closed")
        return self._fd

    def info(self) -> ScopeInfo:
        """Look at the scope.  Does not wait."""
        raw = self._ask(_abi.IOC_SCOPE_INFO, _abi.ScopeInfo(), "look at")
        return ScopeInfo(raw.id, raw.parent, raw.pgid, _abi.SCOPE_STATES[raw.state], raw.cause,
                         raw.members, raw.channels)

    @property
    def cause(self) -> int:
        """The error number that the scope was cancelled with, 0 if it was not."""
        return self.info().cause

    @property
    def canceled(self) -> bool:
        """Whether the scope was cancelled, by whomever."""
        return self.info().state == "canceled"

    @property
    def failures(self) -> Tuple[Child, ...]:
        """The children that have failed so far, in the order in which they have ended."""
        with self._lock:
            return tuple(self._failures)

    def cancel(self, error: int = 0) -> None:
        """Cancel the scope, and every scope inside it.  Does not wait.

        error: the cause, an error number of the module errno, at most 511.  With 0 everything
            is only called off: the with block then ends without an exception, and so does
            wait().

        Everybody in it is sent its signal, and killed when the time of grace is over; every
        operation on its channels is Canceled, and so is every spawn.  The first cause stands:
        to cancel again changes nothing.  Raises ChanError with EINVAL for an error out of range.

        >>> with scope() as s:
        ...     _ = s.popen(["sleep", "1000"])
        ...     s.cancel()
        """
        arg = _abi.ScopeCancel(in_range(error, _abi.MAX_ERROR, "cannot cancel the scope"), 0)
        if not error:
            # First: those who wait may hear of it at once.
            self._called_off = True
        self._ask(_abi.IOC_SCOPE_CANCEL, arg, "cancel")

    def set_signal(self, signal: Optional[int]) -> None:
        """Say what everybody is sent on cancel, so that one can pass on what one was sent.

        Raises Canceled when that has happened, ChanError with EINVAL when it is no signal.
        """
        with self._lock:
            changed = _abi.ScopeSet.from_buffer_copy(self._set)
            changed.signal = _signal_number(signal)
            self._ask(_abi.IOC_SCOPE_SET, changed, "set up")
            self._set = changed

    def channel(self, capacity: int = 0,
                max_msg: Optional[int] = None) -> Tuple[Sender, Receiver]:
        """Make a channel for the owner of the scope and those in it; others are Denied.

        As the function channel() in all else.  It ends with the scope.  Raises Canceled.
        """
        check_limits(capacity, max_msg)
        ends = pair_on(self._file(), capacity, max_msg)
        for end in ends:
            end._scope = self
        return ends

    def adopt(self, end: End) -> None:
        """Take a named channel into the scope, until the scope ends.

        end: the only one that is open on it.

        Raises ChanError with EBUSY when another is open, there is a message in the channel,
        or it is in a scope; with EINVAL when the channel has no name; Canceled, Removed.
        """
        self._ask(_abi.IOC_ADOPT, _abi.Adopt(end.fileno(), 0), f"take {end._name} into")
        end._scope = self

    # --- Spawning ---

    def spawn(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Child:
        """Run function(*args, **kwargs) in a child process, in the scope.

        That it raises is a failure, and so is sys.exit() with something else than 0; what it
        returns does not matter.  Waits only if the scope has a limit and as many run.

        The child is as after fork(): memory is a copy, and files are open; close the ends
        that it does not use.  But the scopes of the parent are closed in it, no signal is
        blocked, and those with a handler are at their default, with KeyboardInterrupt for
        SIGINT.  When the function is done, sys.stdout and sys.stderr are flushed and the
        process is gone, without what atexit has.  In the parent the two are flushed before.

        Raises Canceled when the scope is cancelled, BlockingIOError when the user has too many
        processes, PermissionError when the caller has left the session that it opened the
        scope in, or another OSError.

        >>> def half():
        ...     raise ValueError("no half of it")
        >>> try:
        ...     with scope() as s:
        ...         _ = s.spawn(half)
        ... except ScopeError as error:
        ...     print(error.first.name, "raised", repr(error.first.exception))
        half raised ValueError('no half of it')
        """
        child = Child(getattr(function, "__qualname__", None) or repr(function), Handover())
        self._start(child, lambda: self._fork(child, function, args, kwargs))
        return child

    def popen(self, args: Any, **options: Any) -> "subprocess.Popen[Any]":
        """Run a program in a child process, in the scope.

        args, options: as of subprocess.Popen; pass_fds may have ends, which have the same
            numbers in the program, and stdin, stdout and stderr may be ends, too.

        An exit status other than 0, or death by a signal, is a failure.  Waits only if the
        scope has a limit and as many run.

        The object that is returned may be used as any other; that the scope waits for the
        program is enough.  Raises what subprocess.Popen does when the program cannot be run,
        and that is no failure of a child; else as spawn().

        >>> tx, rx = channel(capacity=1)
        >>> with scope() as s:
        ...     _ = s.popen(["echo", "hello"], stdout=tx)
        >>> rx.recv()
        b'hello\\n'
        """
        for name in "process_group", "start_new_session":
            if options.get(name):
                raise ValueError(f"{name} would put the program out of the scope")
        words = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
        child = Child(" ".join(os.fsdecode(word) for word in words))
        given: List["subprocess.Popen[Any]"] = []
        self._start(child, lambda: given.append(self._execute(child, args, options)))
        return given[0]

    def _start(self, child: Child, begin: Callable[[], None]) -> None:
        try:
            self._until(lambda _: self._take_place(child))
            with _fork_lock:
                begin()
        except BaseException:
            with self._lock:
                self._making.discard(child)
                self._wake_sleepers()
            raise

    def _take_place(self, child: Child) -> bool:
        cause = self.cause
        if cause:
            raise Canceled(errno.ECANCELED, f"cannot spawn: the scope was cancelled: "
                           f"{explain(cause)}")
        if self._limit and len(self._running) + len(self._making) >= self._limit:
            return False
        self._making.add(child)
        return True

    def _fork(self, child: Child, function: Callable[..., Any], args: Tuple[Any, ...],
              kwargs: Dict[str, Any]) -> None:
        global _spawning
        flush_output()
        with signals_blocked():
            _spawning = self
            try:
                child.pid = os.fork()
                if not child.pid:
                    self._be_child(child, function, args, kwargs)
            finally:
                _spawning = None
            self._watch_over(child)

    def _be_child(self, child: Child, function: Callable[..., Any], args: Tuple[Any, ...],
                  kwargs: Dict[str, Any]) -> None:
        global _spawning
        status = 1
        try:
            _spawning = None
            os.setpgid(0, self._pgid)
            if not self.cause:
                self._forget()
                reset_signals(self._set.signal)
                assert child._handover
                status = run_function(child._handover, function, args, kwargs)
        finally:
            os._exit(status)

    def _execute(self, child: Child, args: Any,
                 options: Dict[str, Any]) -> "subprocess.Popen[Any]":
        options["pass_fds"] = [file if isinstance(file, int) else file.fileno()
                               for file in options.get("pass_fds", ())]
        if sys.version_info >= (3, 11):
            options["process_group"] = self._pgid
        else:
            options["preexec_fn"] = self._joining(options.get("preexec_fn"))
        popen = subprocess.Popen(args, **options)
        child._popen = popen
        child.pid = popen.pid
        with signals_blocked():
            self._watch_over(child)
        return popen

    def _joining(self, then: Optional[Callable[[], Any]]) -> Callable[[], None]:
        pgid = self._pgid

        def join() -> None:
            os.setpgid(0, pgid)
            if then:
                then()

        return join

    def _watch_over(self, child: Child) -> None:
        """It is a zombie until it is waited for here, so its number is no other's."""
        try:
            child._pidfd = os.pidfd_open(child.pid)
            if not child._popen:
                _put_into_group(child.pid, self._pgid)
            with self._lock:
                if self.cause:
                    raise Canceled(errno.ECANCELED, "cannot spawn: the scope was cancelled")
                self._children.register(child._pidfd, _poll.EPOLLIN)
                self._making.discard(child)
                self._running[child._pidfd] = child
                child.number = self._spawned
                self._spawned += 1
                # Who waits had to be ready for one that is never made.
                self._wake_sleepers()
        except BaseException:
            if child.number < 0:
                child._kill()
                if child._pidfd >= 0:
                    os.close(child._pidfd)
            raise

    # --- Who has ended; the lock is held ---

    def _look(self) -> Tuple[bool, _abi.ScopeWait]:
        """Notice who has ended: whether no process is left, and what the module has said."""
        self._file()
        if not any(sleeper.round != self._round for sleeper in self._sleepers):
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_out, 65536)
        seen = _abi.ScopeWait()
        try:
            self._ask(_abi.IOC_SCOPE_WAIT, seen, "wait for")
            over = True
        except BlockingIOError:
            over = False
        if self._deadlock:
            # Who has ended for the module is a zombie, but the pidfd may be about to tell.  It
            # has when wait() has had the kernel's lock.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PGID, self._pgid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self._collect()
        return over, seen

    def _collect(self) -> None:
        changed = False
        while True:
            told = [self._running[file] for file, _ in self._children.poll(0)
                    if file in self._running]
            told += [child for child in self._held if child not in told]
            found = [child for child in told if child._has_ended()]
            held = [child for child in told if child not in found + self._held]
            for child in found:
                self._part_with(child)
            for child in held:
                self._hold(child)
            if not found and not held:
                break
            changed = changed or bool(found)
        if changed:
            self._wake_sleepers()

    def _hold(self, child: Child) -> None:
        """It has ended, but somebody else traces it, and has not let go of it.

        wait() knows nothing of it before.  The pidfd tells again then; not all the while.
        """
        self._held.append(child)
        self._children.modify(child._pidfd, _poll.EPOLLIN | _poll.EPOLLET)

    def _part_with(self, child: Child) -> None:
        # To close it is not enough, while a forked child may have it, too.
        self._children.unregister(child._pidfd)
        del self._running[child._pidfd]
        os.close(child._pidfd)
        if child in self._held:
            self._held.remove(child)
        if child.failed:
            self._failures.append(child)
            self._blame(child)

    def _blame(self, child: Child) -> None:
        if self.cause:
            return
        cause = _cause_of(child)
        self._cancel(cause)
        if self.cause == cause:
            self._first = child

    def _cancel(self, cause: int) -> None:
        self._ask(_abi.IOC_SCOPE_CANCEL, _abi.ScopeCancel(cause, 0), "cancel")

    def _wake_sleepers(self) -> None:
        self._round += 1
        for watcher in self._watchers:
            watcher.tell()
        if self._sleepers:
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_in, b"\0")

    # --- Waiting ---

    def wait(self, timeout: Optional[float] = None) -> None:
        """Wait until nobody is left in the scope: no child, nobody these have forked, and no
        scope inside.  After that it can be used again, unless it was cancelled.

        timeout: in seconds; 0 is not to wait.

        Raises ScopeError when nobody is left and all is not well, which the with block does
        not raise again then; TimedOut or WouldBlock when
        somebody is left; Deadlock when the caller is in this very scope.
        """
        deadline = deadline_ns(timeout)
        if self._notice and not deadline:
            # What has been told once is not told by the file again.
            self._notice.poll(0)
        self._until_over(deadline)

    def _until_over(self, deadline: int) -> None:
        self._until(self._is_over, deadline, placing=False)
        error = self._error()
        if error:
            self._told = True
            raise error

    def _is_over(self, over: bool) -> bool:
        return over and not self._running and not self._making

    def _until(self, finished: Callable[[bool], bool], deadline: int = _abi.FOREVER,
               placing: bool = True) -> None:
        """Look, and sleep until there is something new, until @finished."""
        late: Optional[ChanError] = None
        while True:
            with self._lock:
                over, seen = self._look()
                if finished(over):
                    return
                if late or not deadline:
                    left = max(seen.members, len(self._running))
                    raise late or call_error(errno.EAGAIN, f"{left} left in the scope")
                sleeper = _Sleeper(self._round)
                self._sleepers.add(sleeper)
                asleep = self._bed(seen, placing)
            try:
                asleep(deadline)
            except TimedOut as error:
                late = error
            finally:
                with self._lock:
                    self._sleepers.discard(sleeper)

    def _bed(self, seen: _abi.ScopeWait, placing: bool) -> Callable[[int], Any]:
        """The way to sleep: until a child ends, or, when none runs, nobody is left.

        For the sake of detect_deadlock it is a request on the scope: who waits for other files
        is not stuck.  And that it was cancelled leaves the scope's file ready for ever.
        """
        if self._deadlock and seen.members and not self._making and not self._held:
            return lambda deadline: self._sleep_in_scope(_abi.SCOPE_WAIT_EXIT, seen.exits, deadline)
        cases = [poll_case(self._children.fileno())]
        if placing:
            # That the scope is cancelled, POLLHUP, always counts.
            cases.append(poll_case(self._fd, 0))
        elif not self._running and not self._making:
            if seen.cause:
                return lambda deadline: self._sleep_in_scope(0, 0, deadline)
            cases.append(poll_case(self._fd))
        return lambda deadline: perform(cases, deadline, file=self._fd)

    def _sleep_in_scope(self, flags: int, exits: int, deadline: int) -> None:
        self._ask(_abi.IOC_SCOPE_WAIT, _abi.ScopeWait(deadline, flags, exits), "wait for")

    def _error(self) -> Optional[ScopeError]:
        """What all came to; None if all is well."""
        cause = self.cause
        if not cause or (cause == errno.ECANCELED and self._called_off and not self._first):
            return None
        failures = self.failures
        error = combined(ScopeError, usual_class(cause))(cause, _story(cause, self._first, failures))
        error.first = self._first
        error.failures = failures
        if self._first:
            error.__cause__ = self._first.exception
        return error

    def fileno(self) -> int:
        """A file to wait for with poll(2), which stays the scope's.

        It is readable when a child has ended or the scope was cancelled, and no call has
        noticed yet, or when nobody is left.  Then call wait(0).
        """
        self._file()
        with self._lock:
            if not self._notice:
                self._notice = self._files.enter_context(self._make_notice())
            return self._notice.fileno()

    def _make_notice(self) -> Any:
        notice = _poll.epoll()
        notice.register(self._children, _poll.EPOLLIN)
        # That it is cancelled stays so, and is told once.
        notice.register(self._fd, _poll.EPOLLIN | _poll.EPOLLET)
        return notice

    def _watch(self, tell: Callable[[], None]) -> Watcher:
        """What a file has told once it does not tell another: so each who watches has its own."""
        self._file()
        with self._lock:
            watcher = Watcher(self._make_notice(), tell)
            self._watchers.add(watcher)
        return watcher

    def _look_for(self, watcher: Watcher) -> None:
        """As wait(0), for who was told."""
        self._file()
        watcher.file.poll(0)
        self._until_over(0)

    def _unwatch(self, watcher: Watcher) -> None:
        with self._lock:
            self._watchers.discard(watcher)
        watcher.file.close()

    def _watch_file(self) -> int:
        """For who waits on the scope's channels.  It would not be stuck with this file, too."""
        if self._fd < 0 or self._foreign or self._deadlock:
            return -1
        return self._children.fileno()

    def _look_around(self) -> None:
        with self._lock:
            self._look()

    # --- The end ---

    def close(self) -> None:
        """End the scope: cancel it if somebody is left, wait for all, and give up its files.

        What the with block ends with.  No signal ends the wait: what its handler raises is
        raised when all have gone.  Raises ScopeError as wait().  Again is fine.
        """
        error = self._end()
        if error:
            raise error

    def _end(self) -> Optional[ScopeError]:
        if self._fd < 0 or self._foreign:
            return None
        try:
            raised = self._wait_out()
            error = self._error()
        finally:
            self._release()
        if raised:
            raise raised
        return error

    def _wait_out(self) -> Optional[BaseException]:
        """Until all are gone; what handlers of signals have raised meanwhile."""
        raised = None
        while True:
            try:
                self._cancel_rest()
                self._until(self._is_over, placing=False)
                return raised
            except ChanError:
                raise
            except BaseException as error:
                raised = error

    def _cancel_rest(self) -> None:
        with self._lock:
            over, _ = self._look()
            if not self._is_over(over) and not self.cause:
                self._called_off = True
                self._cancel(errno.ECANCELED)

    def _release(self) -> None:
        with _fork_lock:
            _scopes.discard(self)
            self._close_files()
            for watcher in list(self._watchers):
                watcher.tell()
            if self._pgid:
                reap_anchor(self._pgid)

    def _close_files(self) -> None:
        for pidfd in self._running:
            os.close(pidfd)
        self._files.close()
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _forget(self) -> None:
        """In a forked child: neither the anchor nor anything else of it is there."""
        self._close_files()
        for watcher in self._watchers:
            watcher.file.close()
        self._watchers = set()
        self._running = {}
        self._foreign = True
        self._lock = threading.Lock()
        self._deadlock = False

    def __enter__(self) -> "Scope":
        self._file()
        return self

    def __exit__(self, kind: Any, raised: Any, _: Any) -> bool:
        if self._foreign or self._fd < 0:
            return False
        if raised is None:
            try:
                self._until(self._is_over, placing=False)
            finally:
                error = self._end()
            if error and not self._told:
                raise error
            return False
        # Who has failed before this is the first cause.
        self._look_around()
        called_off = self._called_off
        error = self._end()
        if error and _follows(raised, error):
            raise error
        _add_notes(raised, self._failures)
        return called_off and not error and isinstance(raised, Canceled)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0 and not self._foreign:
            try:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self)
            finally:
                # Whoever is left is cancelled by that, with EOWNERDEAD.
                self._release()

    def __repr__(self) -> str:
        state = "closed" if self._fd < 0 else f"process group {self._pgid}"
        return f"<Scope, {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Scope cannot be pickled")


def _grace_ns(grace: Optional[float]) -> int:
    if grace is None or grace >= _abi.SCOPE_GRACE_NEVER / 1e9:
        return _abi.SCOPE_GRACE_NEVER
    if not grace >= 0:
        raise ValueError(f"the grace is negative: {grace!r}")
    return int(grace * 1e9)


def _signal_number(signal: Optional[int]) -> int:
    return in_range(signal or 0, U32_MAX, "cannot set up the scope")


def _put_into_group(pid: int, pgid: int) -> None:
    """The child does it, too; either may be the first.  EACCES: it is, and has run exec()."""
    try:
        os.setpgid(pid, pgid)
    except OSError as error:
        if error.errno != errno.EACCES:
            raise


def _cause_of(child: Child) -> int:
    number = child.exception.errno if isinstance(child.exception, OSError) else None
    return number if number and 0 < number <= _abi.MAX_ERROR else errno.ECHILD


def _story(cause: int, first: Optional[Child], failures: Tuple[Child, ...]) -> str:
    if first:
        text = f"{first.name} (pid {first.pid}) {first._end()}"
    else:
        text = f"the scope was cancelled: {os.strerror(cause)}"
    others = [child for child in failures if child is not first]
    for child in others:
        text += f"\n  then {child.name} (pid {child.pid}) {child._end()}"
    return text


def _follows(raised: BaseException, error: ScopeError) -> bool:
    """Whether what the block has raised only came of what @error tells."""
    if isinstance(raised, ScopeError):
        return raised.first is None and raised.errno == error.errno
    return isinstance(raised, Canceled) or (isinstance(raised, ChanError)
                                            and raised.errno == error.errno)


def _add_notes(raised: BaseException, failures: List[Child]) -> None:
    """What else has gone wrong, for who reads the traceback; there since Python 3.11."""
    if isinstance(raised, ScopeError) or not hasattr(raised, "add_note"):
        return
    for child in failures:
        if child.exception is not None and not isinstance(child.exception, Canceled):
            raised.add_note(f"{child.name} (pid {child.pid}) {child._end()}")


def scope(timeout: Optional[float] = None, grace: Optional[float] = 5.0,
          signal: Optional[int] = _signal.SIGTERM, limit: Optional[int] = None,
          detect_deadlock: bool = False) -> Scope:
    """Open a scope, to be used in a with block; see Scope.

    timeout: after so many seconds it is cancelled with ETIMEDOUT.
    grace: how long after a cancel those who are left are killed, in seconds; 0 for at once,
        None for never.
    signal: what everybody in it is sent when it is cancelled; None for nothing.
    limit: how many children may run at a time, 1 or more; None for any number.
    detect_deadlock: when everybody in the scope, and every thread of the owner, waits for
        one of these to send or receive, it is cancelled with EDEADLK.  Who has a timeout,
        or waits for other files, could still act.  Then the failure of a child is not noticed
        while the owner sends, receives or selects.

    It lies inside the scope that the process runs in, without being told: what cancels that
    one cancels this one.

    Raises ValueError for a number that makes no sense, Canceled when the scope outside is
    cancelled, FileNotFoundError when the module is not loaded, ChanError with EDQUOT when the
    user has too many scopes, or another OSError.
    """
    return Scope(timeout, grace, signal, limit, detect_deadlock)
