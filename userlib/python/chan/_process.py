# SPDX-License-Identifier: LGPL-2.1-or-later
"""Child processes: how one begins and ends, and what it says of its end."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import traceback
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

CLONE_VM, CLONE_VFORK, WALL = 0x100, 0x4000, 0x40000000


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def drop_anchor() -> int:
    """A process that is over, in a group of its own, which is there until it is reaped.

    It sends no signal when it exits, so that a wait() for any child does not see it.  What it
    runs is _exit() of the C library, in the memory of this process: no Python runs in it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    stack = ctypes.create_string_buffer(65536)
    top = ctypes.c_void_p((ctypes.addressof(stack) + len(stack)) & ~15)
    begin = ctypes.cast(libc._exit, ctypes.c_void_p)
    pid = libc.clone(begin, top, CLONE_VM | CLONE_VFORK, None)
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot make a process: {os.strerror(number)}")
    try:
        # What is a zombie before it is bound never counts as a member.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | WALL)
        os.setpgid(pid, pid)
    except BaseException:
        reap_anchor(pid)
        raise
    return pid


def reap_anchor(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, WALL)


def reset_signals(cancel_signal: int) -> None:
    """As they are in a program that was just started, for Python with KeyboardInterrupt.

    What is ignored stays so, but for the signal that the scope sends.
    """
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler) or (handler == signal.SIG_IGN and number == cancel_signal):
            interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if interrupt else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


# --- What a function that has raised tells its parent ---

class RemoteTraceback(Exception):
    """The cause of an exception that was raised in a child: shows where that was."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class RemoteError(Exception):
    """Stands for an exception of a child that cannot be handed over itself."""


class Handover:
    """Memory that the child shares with its parent: a text, and a pickled exception."""

    SIZE = 1 << 16
    HEAD = struct.Struct("II")

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, self.SIZE)

    def tell(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        last = traceback.format_exception_only(type(error), error)[-1]
        words = text.encode(errors="replace")[-self.SIZE // 4:]
        try:
            pickled = pickle.dumps((last, error))
            pickle.loads(pickled)
        except Exception:
            pickled = b""
        if self.HEAD.size + len(words) + len(pickled) > self.SIZE:
            pickled = b""
        pickled = pickled or pickle.dumps((last[:self.SIZE // 8], None))
        self.memory[self.HEAD.size:self.HEAD.size + len(words) + len(pickled)] = words + pickled
        # Last, so that a child that is killed on the way has told nothing.
        self.memory[:self.HEAD.size] = self.HEAD.pack(len(words), len(pickled))

    def told(self) -> Optional[BaseException]:
        words, pickled = self.HEAD.unpack_from(self.memory)
        if not pickled:
            return None
        start = self.HEAD.size
        text = self.memory[start:start + words].decode(errors="replace")
        last, error = pickle.loads(self.memory[start + words:start + words + pickled])
        if error is None:
            error = RemoteError(last.strip())
        error.__cause__ = RemoteTraceback(text)
        return error


# --- A child ---

def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Child:
    """A child of a scope."""

    number: int = -1
    """Its place among the children of its scope, from 0 on."""
    pid: int = 0
    """Its process id, which may be somebody else's when it has ended."""
    name: str
    """The name of the function, or the words of the command."""
    returncode: Optional[int] = None
    """None while it runs, then its exit status, or a signal that has killed it, negated."""
    exception: Optional[BaseException] = None
    """What its function has raised; the traceback is in the __cause__ of it."""
    lost: bool = False
    """Somebody else has waited for it, so that nobody can tell how it has ended."""

    def __init__(self, name: str, handover: Optional[Handover] = None):
        self.name = name
        self._handover = handover
        self._popen: Optional["subprocess.Popen[Any]"] = None
        self._pidfd = -1

    @property
    def failed(self) -> bool:
        """It has raised, was killed or lost, or its exit status is not 0."""
        return bool(self.exception or self.lost or self.returncode)

    def _has_ended(self) -> bool:
        """Wait for it if it has."""
        try:
            self.returncode = self._status()
        except ChildProcessError:
            self.lost = True
            if self._popen:
                self._popen.poll()
        if self.returncode is None and not self.lost:
            return False
        handover, self._handover, self._popen = self._handover, None, None
        if handover and (self.lost or self.returncode):
            self.exception = handover.told()
            self.lost = self.lost and self.exception is None
        return True

    def _status(self) -> Optional[int]:
        if self._popen:
            return self._program_status(self._popen)
        end = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def _program_status(self, popen: "subprocess.Popen[Any]") -> Optional[int]:
        """poll() takes one that others have waited for as a success."""
        # Another thread that is in popen.wait() has it, and is about to tell.
        with getattr(popen, "_waitpid_lock"):
            if popen.returncode is not None:
                return popen.returncode
            end = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        while end and popen.poll() is None:
            # poll() gives way to a thread that has the lock, and is about to tell.
            with getattr(popen, "_waitpid_lock"):
                pass
        return popen.returncode

    def _kill(self) -> None:
        """It cannot be in the scope."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            if self._popen:
                self._popen.wait()
            else:
                os.waitpid(self.pid, 0)

    def _end(self) -> str:
        if self.exception is not None:
            text = str(self.exception)
            return f"raised {type(self.exception).__name__}" + (f": {text}" if text else "")
        if self.lost:
            return "has ended, and somebody else has waited for it"
        if self.returncode is None:
            return "runs"
        if self.returncode < 0:
            return f"was killed by {_signal_name(-self.returncode)}"
        return f"exited with status {self.returncode}"

    def __repr__(self) -> str:
        return f"<Child {self.number}: {self.name} (pid {self.pid}) {self._end()}>"


def _exit_status(code: Any) -> int:
    """As Python itself does it."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def flush_output() -> None:
    """What is buffered in the parent would be written by the child, too."""
    for stream in sys.stdout, sys.stderr:
        if stream is not None:
            stream.flush()


def run_function(handover: Handover, function: Callable[..., Any], args: Tuple[Any, ...],
                 kwargs: Dict[str, Any]) -> int:
    """In the child; the exit status."""
    status = 0
    try:
        try:
            function(*args, **kwargs)
        except SystemExit as leaving:
            status = _exit_status(leaving.code)
        flush_output()
    except BaseException as error:
        handover.tell(error)
        status = 1
    return status
