#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Python module chan: ends, select, scopes, asyncio; its layouts and its examples.

Whatever waits is waited for until the module counts it as parked, or its end is seen; no
test sleeps in the hope that something has happened.  TAP on standard output.

With --layout: print a C program that tells the layout of linux/chan.h, which is looked for
beside this as python_layout, and compiled if it is not there.  Else the arguments are tests
to run, as Scopes.test_limit.
"""

import asyncio
import contextlib
import ctypes
import doctest
import errno
import gc
import mmap
import os
import pickle
import re
import select as poll
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest
import warnings
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))


def first_there(*paths):
    found = [os.path.join(HERE, path) for path in paths if os.path.exists(os.path.join(HERE, path))]
    return found[0] if found else sys.exit(f"none of these is there: {paths}")


PACKAGE = first_there("python", "../userlib/python")
UAPI = first_there("include", "../uapi")
sys.path.insert(0, PACKAGE)
sys.dont_write_bytecode = True

import chan  # noqa: E402
from chan import aio, _abi, channel, poll_case, scope, select  # noqa: E402

LIMIT = 40  # seconds; far beyond what a slow emulated processor needs
# Of x86-64.
SYS_IOCTL = 16
HOUR = 3600


def until(condition, what="a state"):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come")
        time.sleep(0.002)


def parked(end, receivers=0, senders=0):
    """Wait until so many are asleep on the channel."""
    def there():
        info = end.info()
        return (info.parked_receivers, info.parked_senders) == (receivers, senders)
    until(there, f"{receivers} receivers and {senders} senders")


class Thread(threading.Thread):
    """A function in a thread, with its result or exception."""

    def __init__(self, function, *args, **kwargs):
        super().__init__(daemon=True)
        self.call = function, args, kwargs
        self.value = self.error = None
        self.start()

    def run(self):
        function, args, kwargs = self.call
        try:
            self.value = function(*args, **kwargs)
        except BaseException as error:
            self.error = error

    def result(self):
        self.join(LIMIT)
        if self.is_alive():
            raise AssertionError("the thread is stuck")
        if self.error:
            raise self.error
        return self.value


def files():
    return sorted(os.listdir("/proc/self/fd"), key=int)


def forked(function, *args):
    """Run it in a child; the pid.  The exit status is what it returns, 99 when it raises."""
    pid = os.fork()
    if pid:
        return pid
    status = 99
    try:
        status = function(*args) or 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def is_zombie(pid):
    """It has ended, and its pidfd has told."""
    with open(f"/proc/{pid}/stat") as file:
        zombie = file.read().rpartition(") ")[2].startswith("Z")
    if zombie:
        # /proc shows that before the pidfd tells.  It has when waitid() has had the kernel's lock.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return zombie


def trace(pid, tx, rx):
    """Until a second message is received, the tracer of it; in a process of its own."""
    rx.close()
    libc = ctypes.CDLL(None, use_errno=True)
    seize = ctypes.c_long(0x4206), ctypes.c_long(pid), ctypes.c_void_p(), ctypes.c_void_p()
    if libc.ptrace(*seize):
        raise OSError(ctypes.get_errno(), "cannot trace it")
    tx.send(b"traces it")
    tx.send(b"lets go")
    os.waitpid(pid, 0)


def is_gone(pidfd):
    return bool(poll.select([pidfd], [], [], LIMIT)[0])


class Tests(unittest.TestCase):
    """Closes what a test has made, and checks that it has left no file and no child."""

    def setUp(self):
        self.files = files()

    def tearDown(self):
        self.doCleanups()
        gc.collect()
        self.assertEqual(files(), self.files, "files are left open")
        with self.assertRaises(ChildProcessError):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | 0x40000000)

    def channel(self, *args, **kwargs):
        ends = channel(*args, **kwargs)
        for end in ends:
            self.addCleanup(end.close)
        return ends

    def fails(self, number, *classes):
        """A context that wants an exception of that errno and of all these classes."""
        context = self.assertRaises(chan.ChanError)
        test = self

        class Both:
            def __enter__(self):
                context.__enter__()
                return context

            def __exit__(self, *raised):
                if not context.__exit__(*raised):
                    return False
                test.assertEqual(errno.errorcode[context.exception.errno],
                                 errno.errorcode[number])
                for kind in classes:
                    test.assertIsInstance(context.exception, kind)
                return True
        return Both()


# --- Ends ---

class Messages(Tests):
    def test_whole_messages(self):
        """a message arrives as it was sent, an empty one and the longest, too"""
        tx, rx = self.channel(capacity=4)
        sent = [b"one", b"", b"x" * 65536, b"two\0lines\n"]
        for message in sent:
            tx.send(message)
        self.assertEqual([rx.recv() for _ in sent], sent)

    def test_buffers(self):
        """whatever has a buffer can be sent, and nothing else"""
        tx, rx = self.channel(capacity=3)
        for message in bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"a_b_c_d_")[::2]:
            tx.send(message)
            self.assertEqual(rx.recv(0), b"abcd")
        for wrong in "text", 5, None:
            with self.assertRaises(TypeError):
                tx.send(wrong)
        self.assertEqual(rx.info().buffered, 0)

    def test_too_long(self):
        """a message beyond max_msg is refused"""
        tx, rx = self.channel(1, max_msg=10)
        with self.fails(errno.EMSGSIZE, chan.MessageTooLong) as caught:
            tx.send(b"12345678901")
        self.assertIn(f"cannot send on channel {tx.info().id}", str(caught.exception))
        tx.send(b"1234567890")
        self.assertEqual(rx.recv(), b"1234567890")

    def test_beyond_32_bits(self):
        """a message of 4 GiB and 5 bytes is refused, and not the first 5 of it sent"""
        tx, rx = self.channel(1)
        ways = tx.send, tx.try_send, tx.send_case, lambda message: select(tx.send_case(message))
        # Nobody looks into it, so there is no memory behind it.
        with mmap.mmap(-1, 2**32 + 5, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as huge:
            for send in ways:
                with self.fails(errno.EMSGSIZE, chan.MessageTooLong):
                    send(huge)
            with aio.Sender(tx.dup()) as again, self.fails(errno.EMSGSIZE, chan.MessageTooLong):
                asyncio.run(again.send(huge))
        self.assertIsNone(rx.try_recv())

    def test_rendezvous(self):
        """without a buffer a send waits for its receiver"""
        tx, rx = self.channel()
        sender = Thread(tx.send, b"hello")
        parked(rx, senders=1)
        self.assertEqual(rx.recv(), b"hello")
        sender.result()

    def test_wait_lets_threads_run(self):
        """a receive that waits lets other threads run"""
        tx, rx = self.channel()
        receiver = Thread(rx.recv)
        parked(tx, receivers=1)
        tx.send(b"x")
        self.assertEqual(receiver.result(), b"x")

    def test_timeout(self):
        """a timeout is TimedOut, and nothing has happened"""
        tx, rx = self.channel()
        start = time.monotonic()
        with self.fails(errno.ETIMEDOUT, chan.TimedOut, TimeoutError):
            rx.recv(timeout=0.05)
        with self.fails(errno.ETIMEDOUT, chan.TimedOut, TimeoutError):
            tx.send(b"x", timeout=0.05)
        self.assertGreaterEqual(time.monotonic() - start, 0.1)
        self.assertEqual((rx.info().sent, rx.info().parked_senders), (0, 0))
        for wrong in -1, float("nan"):
            with self.assertRaises(ValueError):
                rx.recv(timeout=wrong)

    def test_for_ever(self):
        """a timeout that no clock comes to is for ever"""
        tx, rx = self.channel()
        for timeout in None, float("inf"), 1e300, 2**64 / 1e9, (2**64 - 4096) / 1e9:
            receiver = Thread(rx.recv, timeout)
            parked(tx, receivers=1)
            tx.send(b"x")
            self.assertEqual(receiver.result(), b"x")

    def test_not_waiting(self):
        """a timeout of 0 is WouldBlock, and the try_ methods tell"""
        tx, rx = self.channel(capacity=1)
        with self.fails(errno.EAGAIN, chan.WouldBlock, BlockingIOError):
            rx.recv(0)
        self.assertIsNone(rx.try_recv())
        self.assertTrue(tx.try_send(b""))
        self.assertFalse(tx.try_send(b"x"))
        with self.fails(errno.EAGAIN, chan.WouldBlock, BlockingIOError):
            tx.send(b"x", 0)
        self.assertEqual(rx.try_recv(), b"")

    def test_nonblock_does_not_matter(self):
        """O_NONBLOCK on the file changes nothing"""
        tx, rx = self.channel()
        os.set_blocking(rx.fileno(), False)
        receiver = Thread(rx.recv)
        parked(tx, receivers=1)
        tx.send(b"x")
        self.assertEqual(receiver.result(), b"x")

    def test_origin(self):
        """recv_from tells the process that has sent"""
        tx, rx = self.channel(capacity=1)
        tx.send(b"x")
        self.assertEqual(rx.recv_from(), (b"x", (os.getpid(), os.getuid())))

    def test_threads(self):
        """many threads share the ends, and each message reaches one"""
        tx, rx = self.channel(capacity=2)
        receivers = [Thread(list, rx) for _ in range(3)]
        senders = [Thread(lambda n: [tx.send(b"%d" % (n * 50 + i)) for i in range(50)], n)
                   for n in range(3)]
        for sender in senders:
            sender.result()
        tx.close()
        got = [int(message) for receiver in receivers for message in receiver.result()]
        self.assertEqual(sorted(got), list(range(150)))


class Ends(Tests):
    def test_end(self):
        """the last sender gone is the end, after what is buffered"""
        tx, rx = self.channel(capacity=2)
        tx.send(b"last")
        again = tx.dup()
        tx.close()
        self.assertEqual(rx.info().state, "open")
        again.close()
        self.assertEqual(list(rx), [b"last"])
        for _ in range(2):
            with self.fails(errno.EPIPE, chan.Closed, BrokenPipeError):
                rx.recv()
        self.assertEqual(list(rx), [])

    def test_close_with_error(self):
        """what a sender closes with is what receivers get, as Failed"""
        tx, rx = self.channel(capacity=1)
        other = tx.dup()
        self.addCleanup(other.close)
        tx.send(b"last")
        tx.close(error=errno.ECONNRESET)
        with self.fails(errno.EPIPE, chan.Closed):
            other.send(b"x")
        self.assertEqual(rx.recv(), b"last")
        for _ in range(2):
            with self.fails(errno.ECONNRESET, chan.Failed, ConnectionResetError) as caught:
                next(rx)
        copy = pickle.loads(pickle.dumps(caught.exception))
        self.assertIsInstance(copy, chan.Failed)
        self.assertIsInstance(copy, ConnectionResetError)
        self.assertEqual(str(copy), str(caught.exception))

    def test_errors_are_told_apart(self):
        """a channel closed with ETIMEDOUT is not one that timed out"""
        tx, rx = self.channel()
        tx.shutdown(errno.ETIMEDOUT)
        with self.fails(errno.ETIMEDOUT, chan.Failed, TimeoutError) as caught:
            rx.recv(timeout=HOUR)
        self.assertNotIsInstance(caught.exception, chan.TimedOut)
        tx.shutdown(errno.EIO)
        with self.fails(errno.ETIMEDOUT, chan.Failed):
            rx.recv()
        with self.fails(errno.EINVAL):
            tx.shutdown(512)

    def test_errors_of_the_module(self):
        """a channel closed with an error that the module gives, too, has Failed with it"""
        for number in errno.EPIPE, errno.ECANCELED, errno.EDEADLK, errno.ENODEV:
            tx, rx = self.channel(capacity=1)
            tx.send(b"x")
            tx.close(error=number)
            got = []
            ways = (lambda: got.extend(rx), rx.recv, rx.try_recv, lambda: rx.recv_from(0),
                    lambda: select(None, rx.recv_case()))
            with self.fails(number, chan.Failed):
                for message in rx:
                    got.append(message)
            self.assertEqual(got, [b"x"])
            for receive in ways:
                with self.fails(number, chan.Failed) as caught:
                    receive()
                self.assertNotIsInstance(caught.exception, (chan.Closed, chan.Canceled,
                                                            chan.Deadlock, chan.Removed))
            self.assertEqual(caught.exception.index, 1)
            _, error = select(None, rx.recv_case(), return_errors=True)
            self.assertIsInstance(error, chan.Failed)

    def test_error_of_the_module_while_waiting(self):
        """so for a receive that waits; senders are Closed"""
        tx, rx = self.channel()
        receiver = Thread(list, rx)
        parked(tx, receivers=1)
        tx.shutdown(errno.EPIPE)
        with self.fails(errno.EPIPE, chan.Failed):
            receiver.result()
        with self.fails(errno.EPIPE, chan.Closed):
            tx.send(b"x")

    def test_unknown_end(self):
        """an end of which nobody can say any more how it came is not the plain one"""
        tx, rx = self.channel(capacity=2)
        for _ in range(2):
            tx.send(b"x")
        with mock.patch.object(chan._ends, "_ask", side_effect=AssertionError("asked")):
            self.assertEqual([rx.recv(), rx.recv_from()[0], rx.try_recv()], [b"x", b"x", None])
        tx.shutdown(errno.EPIPE)
        canceled = mock.Mock(state=_abi.STATES.index("canceled"))
        # Cancelled between the two looks, and kept out.
        for answer, number, kind in ({"return_value": canceled}, errno.ECANCELED, chan.Canceled), \
                ({"side_effect": OSError(errno.EACCES, "")}, errno.EACCES, chan.Denied):
            with mock.patch.object(chan._ends, "_ask", **answer), self.fails(number, kind):
                next(rx)
        tx, rx = self.channel(capacity=1)
        tx.shutdown(errno.ECANCELED)
        with mock.patch.object(chan._ends, "_ask", side_effect=OSError(errno.EACCES, "")), \
                self.fails(errno.ECANCELED, chan.Canceled):
            next(rx)

    def test_numbers_that_do_not_fit(self):
        """a number that does not fit is refused, not cut to size"""
        tx, rx = self.channel(capacity=1)
        for wrong in -1, 512, 2**32, 2**32 + errno.EIO, -2**32, -2**32 + errno.EIO:
            with self.fails(errno.EINVAL):
                tx.shutdown(wrong)
            other = tx.dup()
            with self.fails(errno.EINVAL):
                other.close(error=wrong)
            self.assertTrue(other.closed)
        self.assertEqual(rx.info().state, "open")
        for wrong in poll_case(2**32 + tx.fileno(), poll.POLLOUT), \
                poll_case(tx, 2**32 + poll.POLLOUT), poll_case(tx, -2**32 + poll.POLLOUT):
            with self.assertRaises(ValueError):
                select(wrong, timeout=0)
        with self.fails(errno.EINVAL):
            chan.add_device("python", mode=2**32 + 0o600)

    def test_close_is_for_this_end(self):
        """close() without an error leaves the channel to the others"""
        tx, rx = self.channel(capacity=1)
        with tx.dup() as other:
            other.send(b"x")
        self.assertTrue(other.closed)
        self.assertEqual(rx.recv(), b"x")
        with self.fails(errno.EAGAIN):
            rx.recv(0)
        # Also when the error is refused.
        other = tx.dup()
        with self.fails(errno.EINVAL):
            other.close(error=512)
        self.assertTrue(other.closed)
        self.assertEqual((rx.info().state, rx.info().send_ends), ("open", 1))

    def test_no_receiver(self):
        """without a receiver a send is Closed, also one that waits"""
        tx, rx = self.channel()
        sender = Thread(tx.send, b"x")
        parked(tx, senders=1)
        rx.close()
        with self.fails(errno.EPIPE, chan.Closed):
            sender.result()
        with self.fails(errno.EPIPE, chan.Closed) as caught:
            tx.send(b"x")
        self.assertIn("the channel has ended", str(caught.exception))

    def test_closed_end(self):
        """a closed end is a ValueError, and closing again is fine"""
        tx, rx = self.channel()
        for end, use in (tx, lambda: tx.send(b"x")), (rx, rx.recv):
            end.close()
            end.close()
            for wrong in use, end.fileno, end.info, end.__enter__:
                with self.assertRaisesRegex(ValueError, "(Sender|Receiver) is closed"):
                    wrong()
            self.assertIn("closed", repr(end))

    def test_direction(self):
        """a file for the other direction, or none of a channel, is refused and stays open"""
        tx, rx = self.channel()
        for make in chan.Sender, lambda fd: chan.Receiver(tx.fileno()):
            with self.fails(errno.EBADF):
                make(rx.fileno())
        self.assertFalse(hasattr(tx, "recv") or hasattr(rx, "send"))
        here, there = socket.socketpair()
        with here, there, self.fails(errno.ENOTTY):
            chan.Receiver(here.fileno())
        self.assertIsNone(rx.try_recv())

    def test_detach(self):
        """detach gives the file away, and an end can be made of it again"""
        tx, rx = self.channel(capacity=1)
        fd = tx.detach()
        self.assertTrue(tx.closed)
        with chan.end_of(fd) as again:
            self.assertIsInstance(again, chan.Sender)
            again.send(b"x")
        self.assertEqual(list(rx), [b"x"])

    def test_info(self):
        """info tells what the kernel counts"""
        tx, rx = self.channel(capacity=3, max_msg=100)
        tx.send(b"one")
        tx.send(b"two")
        rx.recv()
        info = rx.info()
        self.assertEqual(
            (info.state, info.cause, info.capacity, info.max_msg, info.buffered, info.send_ends,
             info.recv_ends, info.named, info.hangup, info.sent, info.received),
            ("open", 0, 3, 100, 1, 1, 1, False, True, 2, 1))
        self.assertEqual(info.id, tx.info().id)

    def test_limits(self):
        """numbers out of range are a ValueError"""
        for wrong in (-1, None), (65537, None), (0, 0), (0, 1048577):
            with self.assertRaises(ValueError):
                channel(*wrong)
        self.assertEqual(chan.module_version().version, 1)

    def test_garbage(self):
        """an end that is forgotten is closed, with a warning"""
        tx, rx = self.channel()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            again = tx.dup()
            tx.close()
            del again
            gc.collect()
        self.assertEqual([warning.category for warning in caught], [ResourceWarning])
        self.assertEqual(list(rx), [])

    def test_pickle(self):
        """ends and scopes are not pickled"""
        tx, _ = self.channel()
        with scope() as s:
            for thing in tx, s:
                with self.assertRaises(TypeError):
                    pickle.dumps(thing)

    def test_devices(self):
        """named channels are opened by name or path, added and removed"""
        chan.add_device("python", mode=0o640, capacity=1, max_msg=100)
        try:
            self.assertEqual(os.stat("/dev/chan-python").st_mode & 0o7777, 0o640)
            with self.assertRaises(FileExistsError):
                chan.add_device("python")
            with chan.Sender.open("python") as tx, chan.Receiver.open("/dev/chan-python") as rx:
                tx.send(b"by name")
                self.assertEqual(rx.recv(), b"by name")
                self.assertIn("/dev/chan-python", repr(tx))
                info = rx.info()
                self.assertEqual((info.named, info.capacity, info.max_msg), (True, 1, 100))
        except BaseException:
            chan.remove_device("python")
            raise
        with chan.Sender.open("chan-python") as tx:
            chan.remove_device("python")
            with self.fails(errno.ENODEV, chan.Removed):
                tx.send(b"x")
        chan.add_device("python", capacity=1)
        with chan.Receiver.open("python") as rx:
            chan.remove_device("python")
            with self.fails(errno.ENODEV, chan.Removed):
                rx.recv()
        with chan.Receiver.open("chan0") as rx:
            self.assertIn("/dev/chan0", repr(rx))
        with self.assertRaises(FileNotFoundError):
            chan.Receiver.open("python")
        with self.fails(errno.ENOTTY):
            chan.Sender.open("/dev/null")
        with self.assertRaises(ValueError):
            chan.remove_device("x" * 32)
        # No number, and not chan-.
        chan.add_device("channel")
        try:
            with chan.Receiver.open("channel") as rx:
                self.assertIn("/dev/chan-channel", repr(rx))
        finally:
            chan.remove_device("channel")


class Signals(Tests):
    def interrupt(self, action, number, *ends, **parked_as):
        """Run @action, and send this process a signal while it waits."""
        def send():
            parked(ends[0], **parked_as)
            signal.pthread_kill(main, number)
        main = threading.get_ident()
        sender = Thread(send)
        try:
            return action()
        finally:
            sender.result()

    def test_keyboard_interrupt(self):
        """^C ends a receive, and the next message is for the next receive"""
        tx, rx = self.channel()
        with self.assertRaises(KeyboardInterrupt):
            self.interrupt(rx.recv, signal.SIGINT, tx, receivers=1)
        self.assertEqual(rx.info().parked_receivers, 0)
        receiver = Thread(rx.recv)
        tx.send(b"x")
        self.assertEqual(receiver.result(), b"x")

    def test_interrupted_send(self):
        """^C ends a send, and nothing was sent"""
        tx, rx = self.channel()
        with self.assertRaises(KeyboardInterrupt):
            self.interrupt(lambda: tx.send(b"x"), signal.SIGINT, rx, senders=1)
        self.assertIsNone(rx.try_recv())

    def test_handler(self):
        """a handler runs while a receive waits, and it goes on, to its timeout"""
        tx, rx = self.channel()
        seen = []
        old = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR1, old)
        main = threading.get_ident()
        start = time.monotonic()
        done = threading.Event()

        def shower():
            # Once in any case: on a slow processor the receive may be over by now.
            while True:
                signal.pthread_kill(main, signal.SIGUSR1)
                if done.wait(0.05) or time.monotonic() >= start + LIMIT:
                    break
        sender = Thread(shower)
        with self.fails(errno.ETIMEDOUT):
            rx.recv(timeout=0.5)
        elapsed = time.monotonic() - start
        done.set()
        sender.result()
        self.assertGreaterEqual(elapsed, 0.5)
        self.assertLess(elapsed, LIMIT)
        self.assertIn(signal.SIGUSR1, seen)


# --- Select ---

class Select(Tests):
    def test_each_kind(self):
        """a select receives, sends, or waits for a file"""
        tx, rx = self.channel(capacity=1)
        here, there = socket.socketpair()
        with here, there:
            cases = rx.recv_case(), tx.send_case(b"x"), poll_case(here)
            self.assertEqual(select(*cases), (1, None))
            chosen = select(*cases[:1], None, cases[2])
            self.assertEqual((chosen, chosen.index, chosen.value), ((0, b"x"), 0, b"x"))
            self.assertEqual(chosen.origin, (os.getpid(), os.getuid()))
            there.send(b"!")
            self.assertEqual(select(cases[0], None, cases[2], timeout=HOUR), (2, poll.POLLIN))

    def test_losers(self):
        """the cases that are not chosen leave no trace"""
        tx, rx = self.channel()
        other, _ = self.channel()
        waiting = Thread(select, tx.send_case(b"x"), other.send_case(b"y"))
        parked(tx, senders=1)
        self.assertEqual(rx.recv(), b"x")
        self.assertEqual(waiting.result(), (0, None))
        self.assertEqual((other.info().sent, other.info().parked_senders), (0, 0))

    def test_selects_meet(self):
        """two selects meet each other"""
        tx, rx = self.channel()
        waiting = Thread(select, tx.send_case(b"x"), timeout=HOUR)
        self.assertEqual(select(None, rx.recv_case(), timeout=LIMIT), (1, b"x"))
        self.assertEqual(waiting.result(), (0, None))

    def test_ended(self):
        """a channel that has ended is raised with the index, or returned"""
        tx, rx = self.channel(capacity=1)
        dead, cause = self.channel()
        dead.close(error=errno.EIO)
        cases = None, rx.recv_case(), cause.recv_case()
        with self.fails(errno.EIO, chan.Failed) as caught:
            select(*cases)
        self.assertEqual(caught.exception.index, 2)
        index, error = select(*cases, return_errors=True)
        self.assertEqual((index, type(error)), (2, chan.Failed))
        rx.close()
        with self.fails(errno.EPIPE, chan.Closed) as caught:
            select(None, tx.send_case(b"x"))
        self.assertEqual(caught.exception.index, 1)

    def test_priority(self):
        """of several the first with priority, else each in its turn"""
        ends = [self.channel(capacity=100) for _ in range(2)]
        for _ in range(50):
            for tx, _ in ends:
                tx.send(b"x")
        cases = [rx.recv_case() for _, rx in ends]
        self.assertEqual({select(*cases, priority=True).index for _ in range(10)}, {0})
        # That one is never chosen has a chance of 2 to the 39th.
        self.assertEqual({select(*cases).index for _ in range(40)}, {0, 1})

    def test_timeout(self):
        """a select has a timeout, with cases or without"""
        _, rx = self.channel()
        for cases in (), (None,), (rx.recv_case(), None):
            with self.fails(errno.ETIMEDOUT, chan.TimedOut):
                select(*cases, timeout=0.01)
            with self.fails(errno.EAGAIN, chan.WouldBlock):
                select(*cases, timeout=0)

    def test_wrong_cases(self):
        """a wrong case is told by its index, and nothing has happened"""
        tx, rx = self.channel(capacity=1, max_msg=4)
        with self.fails(errno.EMSGSIZE, chan.MessageTooLong) as caught:
            select(tx.send_case(b"four"), tx.send_case(b"12345"))
        self.assertEqual(caught.exception.index, 1)
        with self.fails(errno.EPERM), open(os.devnull) as null, \
                tempfile.TemporaryFile() as plain:
            select(poll_case(null, 0), poll_case(plain), timeout=0)
        closed = rx.dup()
        closed.close()
        with self.assertRaisesRegex(ValueError, "case 1: the Receiver is closed"):
            select(tx.send_case(b"x"), closed.recv_case())
        with self.fails(errno.EINVAL):
            select(*[None] * 1025, timeout=0)
        self.assertEqual(tx.info().sent, 0)


    def test_most(self):
        """1024 cases, less one for each scope of their ends that is watched over"""
        _, rx = self.channel()
        with self.fails(errno.ETIMEDOUT):
            select(*[rx.recv_case()] * 1024, timeout=0.01)
        with scope() as one, scope() as other:
            mine, others = [s.channel() for s in (one, other)]
            for end in mine + others:
                self.addCleanup(end.close)
            cases = [mine[1].recv_case()] * 1024
            with self.assertRaisesRegex(ValueError, "1023"):
                select(*cases, timeout=0.01)
            with self.fails(errno.EAGAIN):
                select(*cases, timeout=0)
            cases.pop()
            with self.fails(errno.ETIMEDOUT):
                select(*cases, timeout=0.01)
            cases[0] = others[1].recv_case()
            with self.assertRaisesRegex(ValueError, "1022"):
                select(*cases)
            with self.fails(errno.ETIMEDOUT):
                select(*cases[1:-1], None, timeout=0.01)


# --- Passing on ---

class Passing(Tests):
    def sockets(self):
        pair = socket.socketpair()
        for sock in pair:
            self.addCleanup(sock.close)
        return pair

    def test_socket(self):
        """ends go over a socket to another process, each as what it is"""
        tx, rx = self.channel(capacity=1)
        here, there = self.sockets()
        with scope() as s:
            def child():
                receiver, sender = chan.recv_ends(there)
                with receiver, sender:
                    sender.send(receiver.recv() + b" and back")
            s.spawn(child)
            back_tx, back_rx = self.channel()
            chan.send_ends(here, rx, back_tx)
            tx.send(b"there")
            self.assertEqual(back_rx.recv(), b"there and back")

    def test_socket_errors(self):
        """too many ends, other files, or none: an error, and all are closed"""
        tx, _ = self.channel()
        here, there = self.sockets()
        before = files()
        chan.send_ends(here, tx, tx, tx)
        with self.fails(errno.EMSGSIZE):
            chan.recv_ends(there, most=2)
        socket.send_fds(here, [b"x"], [tx.fileno(), there.fileno()])
        with self.fails(errno.ENOTTY):
            chan.recv_ends(there)
        here.close()
        with self.assertRaises(EOFError):
            chan.recv_ends(there)
        before.remove(min(set(before) - set(files())))
        self.assertEqual(files(), before)

    def test_subprocess(self):
        """a program has ends by their number, or as its standard files"""
        tx, rx = self.channel(capacity=2)
        with scope() as s:
            s.popen(["sh", "-c", f"printf number >&{tx.fileno()}; printf output"],
                    pass_fds=[tx], stdout=tx)
        self.assertEqual([rx.recv(0), rx.recv(0)], [b"number", b"output"])

    def test_fork(self):
        """a fork shares an end, and the channel ends with the last of it"""
        tx, rx = self.channel()
        start_tx, start_rx = self.channel()

        def child():
            start_tx.close()
            for _ in start_rx:
                return 1
            return tx.send(b"from the child")
        pid = forked(child)
        tx.close()
        self.assertEqual(rx.info().state, "open")
        start_tx.close()
        self.assertEqual(list(rx), [b"from the child"])
        self.assertEqual(status_of(pid), 0)


# --- Scopes ---

def die_of(number):
    os.kill(os.getpid(), number)


class Scopes(Tests):
    def failing(self, *functions, **options):
        """The exception of a scope that these have run in."""
        with self.assertRaises(chan.ScopeError) as caught:
            with scope(**options) as s:
                for function in functions:
                    s.spawn(function)
        return caught.exception

    def test_all_is_well(self):
        """a scope waits for its children and what they leave behind, and can be used again"""
        tx, rx = self.channel(capacity=4)

        def child():
            if os.fork() == 0:
                tx.send(b"grandchild")
                os._exit(0)
            tx.send(b"child")
            sys.exit(0)
        with scope() as s:
            children = [s.spawn(child)]
            s.wait()
            self.assertEqual(rx.info().sent, 2)
            children.append(s.spawn(child))
        self.assertEqual(rx.info().sent, 4)
        self.assertEqual([(c.number, c.returncode, c.failed) for c in children],
                         [(0, 0, False), (1, 0, False)])

    def test_in_the_group(self):
        """children are in the scope when spawn returns; info tells"""
        with scope() as s:
            tx, _ = s.channel()
            self.addCleanup(tx.close), self.addCleanup(_.close)
            child = s.spawn(tx.send, b"x")
            program = s.popen(["sleep", str(HOUR)])
            info = s.info()
            self.assertEqual([os.getpgid(child.pid), os.getpgid(program.pid)], [info.pgid] * 2)
            self.assertEqual((info.state, info.members, info.channels), ("bound", 2, 1))
            s.cancel()
        self.assertEqual(program.returncode, -signal.SIGTERM)

    def test_exception(self):
        """what a function raises is the cause of ScopeError, with the traceback of the child"""
        def worker():
            raise ValueError("a bad one")
        error = self.failing(worker)
        self.assertEqual(error.errno, errno.ECHILD)
        self.assertIn("worker", error.first.name)
        self.assertEqual((error.first.returncode, error.failures), (1, (error.first,)))
        self.assertEqual(repr(error.exceptions), "(ValueError('a bad one'),)")
        self.assertIs(error.__cause__, error.first.exception)
        shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.assertIn('raise ValueError("a bad one")', shown)
        self.assertIn("raised ValueError: a bad one", str(error))

    def test_causes(self):
        """an OSError is the cause by its number; statuses and signals are ECHILD"""
        def lost():
            raise ConnectionResetError(errno.ECONNRESET, "gone")
        error = self.failing(lost)
        self.assertEqual(error.errno, errno.ECONNRESET)
        self.assertIsInstance(error, ConnectionResetError)
        def odd(*args):
            raise OSError(*args)
        for args in ("it has no number",), (0, "none"), (-1, "negative"), (512, "too large"):
            self.assertEqual(self.failing(lambda: odd(*args)).errno, errno.ECHILD)
        for function, returncode in (lambda: sys.exit(3), 3), (lambda: os._exit(4), 4), \
                (lambda: die_of(signal.SIGKILL), -signal.SIGKILL):
            error = self.failing(function)
            self.assertEqual((error.errno, error.first.returncode, error.first.exception),
                             (errno.ECHILD, returncode, None))

    def test_exceptions_that_cannot_travel(self):
        """an exception that cannot be pickled, or is huge, is a RemoteError with its text"""
        class Local(Exception):
            pass

        def local():
            raise Local("of here")

        def huge():
            raise ValueError("x" * 1000000)
        error = self.failing(local)
        self.assertIsInstance(error.first.exception, chan.RemoteError)
        self.assertIn("Local: of here", str(error.first.exception))
        error = self.failing(huge)
        self.assertIsInstance(error.first.exception, chan.RemoteError)
        self.assertIn("ValueError: xxx", str(error.first.exception))

    def test_first_failure_cancels(self):
        """the first failure cancels the others; all are listed, the first first"""
        tx, rx = self.channel()

        def waits():
            tx.send(b"ready")
            signal.pause()

        with self.assertRaises(chan.ScopeError) as caught:
            with scope() as s:
                patient = s.spawn(waits)
                rx.recv()
                hasty = s.popen(["sh", "-c", "exit 3"])
        error = caught.exception
        self.assertEqual((error.first.pid, hasty.returncode), (hasty.pid, 3))
        self.assertEqual([child.pid for child in error.failures], [hasty.pid, patient.pid])
        self.assertEqual(patient.returncode, -signal.SIGTERM)
        self.assertIn("sh -c exit 3", str(error))
        self.assertIn("was killed by SIGTERM", str(error))

    def test_body_raises(self):
        """an exception of the block cancels, and is raised when all have ended"""
        with self.assertRaisesRegex(KeyError, "of the block"):
            with scope() as s:
                child = s.popen(["sleep", str(HOUR)])
                raise KeyError("of the block")
        self.assertEqual(child.returncode, -signal.SIGTERM)

    def test_body_hears(self):
        """a failure ends what the block waits for on the scope's channels, and is raised"""
        for wait in (lambda tx, rx: rx.recv(), lambda tx, rx: tx.send(b"x"),
                     lambda tx, rx: select(None, rx.recv_case(), timeout=HOUR)):
            with self.assertRaises(chan.ScopeError) as caught:
                with scope() as s:
                    tx, rx = s.channel()
                    self.addCleanup(tx.close), self.addCleanup(rx.close)
                    s.spawn(lambda: 1 / 0)
                    wait(tx, rx)
            self.assertIsInstance(caught.exception.first.exception, ZeroDivisionError)
            self.assertIsInstance(caught.exception.__context__, chan.Canceled)

    def test_body_hears_on_other_ends(self):
        """so on a copy of an end, and on a channel that was adopted"""
        def copy(s):
            tx, rx = s.channel()
            self.addCleanup(tx.close), self.addCleanup(rx.close)
            return rx.dup()

        def adopted(s):
            rx = chan.Receiver.open("chan1")
            s.adopt(rx)
            return rx
        for make in copy, adopted:
            with self.assertRaises(chan.ScopeError) as caught:
                with scope() as s, make(s) as rx:
                    s.spawn(lambda: 1 / 0)
                    rx.recv(LIMIT)
            self.assertIsInstance(caught.exception.first.exception, ZeroDivisionError)

    def test_called_off(self):
        """cancel() calls off without an exception, also what the block waits for"""
        with scope() as s:
            tx, rx = s.channel()
            self.addCleanup(tx.close), self.addCleanup(rx.close)
            s.popen(["sleep", str(HOUR)])
            s.cancel()
            with self.fails(errno.ECANCELED, chan.Canceled):
                s.spawn(print)
            with self.fails(errno.ECANCELED, chan.Canceled):
                s.channel()
            rx.recv()
            self.fail("it was received")
        self.assertRaises(ValueError, s.info)

    def test_cancel_with_error(self):
        """cancel(error) is raised as that error, and the first cause stands"""
        with self.assertRaises(chan.ScopeError) as caught:
            with scope() as s:
                s.popen(["sleep", str(HOUR)])
                s.cancel(errno.ECONNABORTED)
                s.cancel()
                self.assertEqual((s.cause, s.canceled), (errno.ECONNABORTED, True))
        self.assertIsInstance(caught.exception, ConnectionAbortedError)
        self.assertIsNone(caught.exception.first)

    def test_timeout(self):
        """the timeout of a scope cancels it, and is a TimeoutError"""
        start = time.monotonic()
        with self.assertRaises(TimeoutError) as caught:
            with scope(timeout=0.5) as s:
                s.popen(["sleep", str(HOUR)])
        self.assertGreaterEqual(time.monotonic() - start, 0.5)
        self.assertIsInstance(caught.exception, chan.ScopeError)
        self.assertIsNone(caught.exception.first)

    def test_wait_with_timeout(self):
        """wait() gives up at its timeout, and all goes on"""
        with scope() as s:
            s.popen(["sleep", str(HOUR)])
            with self.fails(errno.ETIMEDOUT, chan.TimedOut):
                s.wait(0.02)
            with self.fails(errno.EAGAIN, chan.WouldBlock):
                s.wait(0)
            self.assertFalse(s.canceled)
            s.cancel()

    def test_grace(self):
        """who ignores the signal is killed when the grace is over"""
        tx, rx = self.channel()

        def stubborn():
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            tx.send(b"ready")
            signal.pause()
        with scope(grace=0.05, signal=signal.SIGUSR1) as s:
            child = s.spawn(stubborn)
            rx.recv()
            s.cancel()
        self.assertEqual(child.returncode, -signal.SIGKILL)

    def test_grace_is_never_over(self):
        """a grace that no clock comes to is for ever; a negative one is refused"""
        tx, rx = self.channel()

        def orderly():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            tx.send(b"ready")
            signal.sigwait([signal.SIGUSR1])
        for grace in None, float("inf"), 1e300, 2**64 / 1e9:
            with scope(grace=grace, signal=signal.SIGUSR1) as s:
                child = s.spawn(orderly)
                rx.recv()
                s.cancel()
            self.assertEqual(child.returncode, 0)
        for wrong in -1, float("nan"):
            with self.assertRaises(ValueError):
                scope(grace=wrong)

    def test_set_signal(self):
        """the signal can be changed, and SIGINT is KeyboardInterrupt in a child"""
        tx, rx = self.channel()

        def sit():
            tx.send(b"ready")
            # A signal that comes just before a longer sleep would not end that.
            while True:
                time.sleep(0.01)
        with scope(grace=None) as s:
            s.set_signal(signal.SIGINT)
            child = s.spawn(sit)
            rx.recv()
            s.cancel()
        self.assertIsInstance(child.exception, KeyboardInterrupt)
        # Which nobody ignores, but for those who ask for that.
        self.addCleanup(signal.signal, signal.SIGUSR1,
                        signal.signal(signal.SIGUSR1, signal.SIG_IGN))
        with scope(grace=None) as s:
            s.set_signal(signal.SIGUSR1)
            child = s.spawn(sit)
            rx.recv()
            s.cancel()
        self.assertEqual(child.returncode, -signal.SIGUSR1)

    def test_output(self):
        """what was printed before a spawn is written once, and before what the child prints"""
        with tempfile.TemporaryFile("w+") as printed:
            with contextlib.redirect_stdout(printed), scope() as s:
                print("parent")
                s.spawn(print, "child")
            printed.seek(0)
            self.assertEqual(printed.read(), "parent\nchild\n")

    def test_signals_of_a_child(self):
        """a child has no handler of its parent and no signal blocked"""
        def check():
            assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
            assert signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
        for number, handler in (signal.SIGUSR1, print), (signal.SIGUSR2, signal.SIG_IGN), \
                (signal.SIGINT, print):
            self.addCleanup(signal.signal, number, signal.signal(number, handler))
        old = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, old)
        with scope() as s:
            s.spawn(check)
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, ()), {signal.SIGHUP})

    def test_no_such_program(self):
        """a program that cannot be run is no failure of a child"""
        with scope() as s:
            with self.assertRaises(FileNotFoundError):
                s.popen(["no-such-program-anywhere"])
            with self.assertRaises(ValueError):
                s.popen(["true"], start_new_session=True)
            s.popen(["true"])
        self.assertEqual(s.failures, ())

    def test_waited_for_by_others(self):
        """the caller's own wait is as good; one that hides the status is a failure"""
        with scope() as s:
            self.assertEqual(s.popen(["true"]).wait(), 0)
            self.assertEqual(s.popen(["echo", "x"], stdout=subprocess.PIPE).communicate()[0],
                             b"x\n")
        for spawn in (lambda s: s.popen(["true"]).pid, lambda s: s.spawn(os._exit, 0).pid):
            with self.assertRaises(chan.ScopeError) as caught:
                with scope() as s:
                    os.waitpid(spawn(s), 0)
            self.assertTrue(caught.exception.first.lost)

    @contextlib.contextmanager
    def traced_to_its_end(self, s):
        """A child that has raised, and whose tracer knows; and what lets go of it."""
        go, gate = self.channel()
        tx, rx = self.channel()
        child = s.spawn(lambda: gate.recv() and 1 / 0)
        tracer = forked(trace, child.pid, tx, rx)
        rx.recv(LIMIT)
        go.send(b"x", LIMIT)
        until(lambda: is_zombie(child.pid), "the end of the child")

        def let_go():
            rx.recv(LIMIT)
            self.assertEqual(status_of(tracer), 0)
        try:
            yield child, let_go
        finally:
            # Or the tracer would wait for that.
            rx.close()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(tracer, 0)

    @contextlib.contextmanager
    def few_looks(self, child):
        """Who waits for the child must not look at it again and again."""
        looks = []
        has_ended = child._has_ended

        # Not by the time of the processor: that a virtual one stands still counts, too.
        def look():
            looks.append(child)
            self.assertLess(len(looks), 10)
            return has_ended()
        with mock.patch.object(child, "_has_ended", look):
            yield

    def test_traced(self):
        """a child that another process traces is waited for asleep, until that one lets go"""
        for deadlock in False, True:
            with self.assertRaises(chan.ScopeError) as caught:
                with scope(detect_deadlock=deadlock) as s, \
                        self.traced_to_its_end(s) as (child, let_go):
                    other = s.popen(["sleep", str(HOUR)])
                    with self.few_looks(child), self.fails(errno.ETIMEDOUT):
                        s.wait(2)
                    waiting = Thread(s.wait)
                    until(lambda: s._sleepers, "the wait")
                    let_go()
                    waiting.result()
            self.assertIs(caught.exception.first, child)
            self.assertEqual(other.returncode, -signal.SIGTERM)

    def test_traced_and_interrupted(self):
        """an exception in the moment in which a tracer has let go loses nothing"""
        with self.assertRaises(chan.ScopeError) as caught:
            with scope() as s, self.traced_to_its_end(s) as (child, let_go):
                s.fileno()
                with self.fails(errno.EAGAIN):
                    s.wait(0)
                self.assertEqual(poll.select([s], [], [], 0)[0], [])
                let_go()

                def interrupted():
                    del child._has_ended
                    raise KeyboardInterrupt
                child._has_ended = interrupted
                with self.assertRaises(KeyboardInterrupt):
                    s.wait(0)
                s.wait(LIMIT)
        self.assertIs(caught.exception.first, child)

    def test_limit(self):
        """no more than the limit run at a time"""
        with scope(limit=2) as s:
            tx, rx = s.channel(capacity=10)
            self.addCleanup(tx.close), self.addCleanup(rx.close)
            for _ in range(6):
                s.spawn(tx.send, b"x")
                self.assertLessEqual(s.info().members, 2)
            first = s.popen(["sleep", str(HOUR)])
            s.popen(["sleep", str(HOUR)])
            waiting = Thread(s.spawn, tx.send, b"last")
            until(lambda: s._sleepers, "the thread")
            first.kill()
            with self.fails(errno.ECANCELED):
                waiting.result()
            with self.assertRaises(chan.ScopeError) as caught:
                s.wait()
            self.assertEqual(caught.exception.first.pid, first.pid)
            self.assertEqual(rx.info().sent, 6)

    def test_wrong_numbers(self):
        """a limit below 1 is refused, and so is an error or a signal that there is not"""
        for wrong in 0, -1, float("nan"):
            with self.assertRaises(ValueError):
                scope(limit=wrong)
        for wrong in -1, 2**32 + signal.SIGKILL, -2**32 + signal.SIGKILL:
            with self.fails(errno.EINVAL):
                scope(signal=wrong)
        with scope() as s:
            for wrong in -1, 512, 2**32, 2**32 + errno.EIO, -2**32:
                with self.fails(errno.EINVAL):
                    s.cancel(wrong)
            for wrong in -1, 2**32, 2**32 + signal.SIGKILL:
                with self.fails(errno.EINVAL):
                    s.set_signal(wrong)
            self.assertFalse(s.canceled)

    def test_deadlock(self):
        """everybody waiting for everybody is a deadlock, for the owner, too"""
        with self.assertRaises(chan.ScopeError) as caught:
            with scope(detect_deadlock=True) as s:
                tx, rx = s.channel()
                self.addCleanup(tx.close), self.addCleanup(rx.close)
                s.spawn(rx.recv)
                rx.recv()
        self.assertEqual(caught.exception.errno, errno.EDEADLK)
        self.assertIsInstance(caught.exception, chan.Deadlock)
        with self.assertRaises(chan.Deadlock):
            with scope(detect_deadlock=True) as s:
                tx, rx = s.channel()
                self.addCleanup(tx.close), self.addCleanup(rx.close)
                s.spawn(rx.recv)
        with scope(detect_deadlock=True) as s:
            s.popen(["true"])

    def test_adopt(self):
        """a named channel that is adopted is for the scope alone, until it ends"""
        with chan.Receiver.open("chan1") as rx, scope() as s:
            s.adopt(rx)
            stranger = self.failing(lambda: chan.Sender.open("chan1")).first
            self.assertIsInstance(stranger.exception, PermissionError)

            def member():
                with chan.Sender.open("chan1") as tx:
                    tx.send(b"member")
            s.spawn(member)
            self.assertEqual(rx.recv(), b"member")
            with self.fails(errno.EBUSY):
                s.adopt(rx)

    def test_others_are_denied(self):
        """the channels of a scope are Denied to a process that is not in it"""
        with scope() as s:
            tx, rx = s.channel(capacity=1)
            self.addCleanup(tx.close), self.addCleanup(rx.close)

            def stranger():
                try:
                    tx.send(b"x")
                except chan.Denied:
                    return 42
            self.assertEqual(status_of(forked(stranger)), 42)

    def test_nested(self):
        """a scope opened in a child lies inside; what cancels the outer cancels it"""
        tx, rx = self.channel(capacity=1)

        def inner():
            with scope() as s:
                program = s.popen(["sleep", str(HOUR)])
                tx.send(b"%d %d" % (s.info().parent, program.pid))
        with scope() as s:
            s.spawn(inner)
            parent, pid = map(int, rx.recv().split())
            self.assertEqual(parent, s.info().id)
            pidfd = os.pidfd_open(pid)
            self.addCleanup(os.close, pidfd)
            s.cancel()
        self.assertTrue(is_gone(pidfd))

    def test_owner_killed(self):
        """when the owner is killed nobody is left"""
        tx, rx = self.channel(capacity=1)
        with scope() as outer:
            def owner():
                os.setsid()
                with scope() as s:
                    tx.send(b"%d" % s.popen(["sleep", str(HOUR)]).pid)
            pid = forked(owner)
            pidfd = os.pidfd_open(int(rx.recv()))
            self.addCleanup(os.close, pidfd)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.assertTrue(is_gone(pidfd))
            self.assertFalse(outer.canceled)

    def test_foreign(self):
        """a scope does not go through fork: there it is a ValueError, and leaving it nothing"""
        with scope() as s:
            child = s.popen(["sleep", str(HOUR)])

            def stranger():
                s.__exit__(None, None, None)
                for use in (s.info, s.cancel, s.channel, s.wait, s.fileno, s.__enter__,
                            lambda: s.spawn(print), lambda: s.set_signal(1)):
                    with self.assertRaisesRegex(ValueError, "belongs to the process"):
                        use()
                s.close()
                return 42
            self.assertEqual(status_of(forked(stranger)), 42)
            self.assertIsNone(child.poll())
            self.assertFalse(s.canceled)
            s.cancel()

    def test_keyboard_interrupt(self):
        """^C while a scope waits ends everybody, and then is raised"""
        main, task = threading.get_ident(), threading.get_native_id()

        def sleeps():
            """Python sees no signal that comes after it has looked, and before it sleeps."""
            with open(f"/proc/self/task/{task}/syscall", encoding="ascii") as call:
                return call.read().split()[0] == str(SYS_IOCTL)
        with self.assertRaises(KeyboardInterrupt):
            with scope() as s:
                child = s.popen(["sleep", str(HOUR)])

                def interrupt():
                    until(lambda: s._sleepers and sleeps(), "the wait")
                    signal.pthread_kill(main, signal.SIGINT)
                sender = Thread(interrupt)
        sender.result()
        self.assertEqual(child.returncode, -signal.SIGTERM)

    def test_file(self):
        """a scope can be waited for with others in a select"""
        tx, rx = self.channel()
        with self.assertRaises(ZeroDivisionError):
            with scope() as s:
                s.spawn(lambda: tx.send(b"x") or 1 / 0)
                cases = rx.recv_case(), poll_case(s)
                self.assertEqual(select(*cases), (0, b"x"))
                while True:
                    self.assertEqual(select(*cases, timeout=LIMIT).index, 1)
                    try:
                        s.wait(0)
                    except chan.WouldBlock:
                        continue
                    except chan.ScopeError as error:
                        raise error.first.exception

    def test_file_is_told_once(self):
        """that it is cancelled is told by the file of a scope once, while a member is left"""
        tx, rx = self.channel()

        def stubborn():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            tx.send(b"ready")
            rx.recv()
        with scope(grace=None) as s:
            s.fileno()
            s.spawn(stubborn)
            rx.recv()
            s.cancel()
            self.assertEqual(poll.select([s], [], [], LIMIT)[0], [s])
            with self.fails(errno.EAGAIN, chan.WouldBlock):
                s.wait(0)
            self.assertEqual(poll.select([s], [], [], 0)[0], [])
            tx.send(b"go", LIMIT)

    def test_threads(self):
        """two threads wait for a scope, a third one spawns, and all are served"""
        tx, rx = self.channel()
        with scope() as s:
            s.spawn(rx.recv)
            waiting = [Thread(s.wait) for _ in range(2)]
            until(lambda: len(s._sleepers) == 2, "the waits")
            more = [Thread(s.spawn, rx.recv) for _ in range(3)]
            for thread in more:
                thread.result()
            for _ in range(4):
                tx.send(b"x", timeout=LIMIT)
            for thread in waiting:
                thread.result()

    def test_garbage(self):
        """a scope that is forgotten ends everybody in it, with a warning"""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            s = scope()
            child = s.popen(["sleep", str(HOUR)])
            del s
            gc.collect()
            self.assertIn(ResourceWarning, [warning.category for warning in caught])
            self.assertEqual(child.wait(), -signal.SIGTERM)


# --- asyncio ---

def in_loop(function):
    """A test that is a coroutine."""
    def test(self):
        asyncio.run(asyncio.wait_for(function(self), LIMIT))
    test.__doc__ = function.__doc__
    return test


async def steps(count=5):
    """Let the others run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


class Asyncio(Tests):
    def channel(self, *args, **kwargs):
        ends = aio.channel(*args, **kwargs)
        for end in ends:
            self.addCleanup(end.close)
        return ends

    @in_loop
    async def test_stream(self):
        """async for takes what is sent, in order, to the end"""
        tx, rx = self.channel(2)

        async def produce():
            async with tx:
                for number in range(100):
                    await tx.send(b"%d" % number)
        task = asyncio.ensure_future(produce())
        self.assertEqual([int(message) async for message in rx], list(range(100)))
        await task
        with self.fails(errno.EPIPE, chan.Closed):
            await rx.recv()

    @in_loop
    async def test_waits(self):
        """a send waits for room and a receive for a message, while others run"""
        tx, rx = self.channel(1)
        await tx.send(b"one")
        sending = asyncio.ensure_future(tx.send(b"two"))
        await steps()
        self.assertFalse(sending.done())
        self.assertEqual(await rx.recv(), b"one")
        await sending
        self.assertEqual(await rx.recv_from(), (b"two", (os.getpid(), os.getuid())))
        receiving = asyncio.ensure_future(rx.recv())
        await steps()
        self.assertFalse(receiving.done())
        await tx.send(b"three")
        self.assertEqual(await receiving, b"three")

    @in_loop
    async def test_timeout(self):
        """a timeout is TimedOut, 0 is WouldBlock, and nothing has happened"""
        tx, rx = self.channel(1)
        with self.fails(errno.ETIMEDOUT, chan.TimedOut):
            await rx.recv(timeout=0.01)
        with self.fails(errno.EAGAIN, chan.WouldBlock):
            await rx.recv(timeout=0)
        self.assertIsNone(rx.try_recv())
        self.assertTrue(tx.try_send(b"x"))
        self.assertFalse(tx.try_send(b"y"))
        with self.fails(errno.ETIMEDOUT, chan.TimedOut):
            await tx.send(b"y", timeout=0.01)
        self.assertEqual((await rx.recv(timeout=LIMIT), rx.info().sent), (b"x", 1))

    @in_loop
    async def test_late(self):
        """what is possible happens even if the time is up"""
        tx, rx = self.channel(1)
        receiving = asyncio.ensure_future(rx.recv(timeout=HOUR))
        await steps()
        # Both are news to the loop in the same turn; by a clock the time might be up before.
        tx.sync.send(b"x", 0)
        rx._line.waiting[0].expire()
        self.assertEqual(await receiving, b"x")

    @in_loop
    async def test_message_as_it_was(self):
        """a message that waits is what it was when it was given"""
        tx, rx = self.channel(1)
        await tx.send(b"one")
        message = bytearray(b"two")
        sending = asyncio.ensure_future(tx.send(message))
        await steps()
        message[:] = b"xxx"
        self.assertEqual([await rx.recv(), await rx.recv()], [b"one", b"two"])
        await sending

    @in_loop
    async def test_first_come(self):
        """who does not wait in line does not go before those who do"""
        tx, rx = self.channel(1)
        waiting = asyncio.ensure_future(rx.recv())
        await steps()
        tx.sync.send(b"x", 0)
        with self.fails(errno.EAGAIN, chan.WouldBlock):
            await rx.recv(0)
        late = asyncio.ensure_future(rx.recv())
        self.assertEqual(await waiting, b"x")
        sending = [asyncio.ensure_future(tx.send(message)) for message in (b"1", b"2", b"3")]
        await steps()
        self.assertFalse(tx.try_send(b"4"))
        self.assertEqual([await late, await rx.recv(), await rx.recv()], [b"1", b"2", b"3"])
        await asyncio.gather(*sending)

    @in_loop
    async def test_nothing_is_left(self):
        """the loop watches no file and no clock for who no longer waits"""
        tx, rx = self.channel(1)
        receiving = asyncio.ensure_future(rx.recv(timeout=HOUR))
        await steps()
        await tx.send(b"x")
        await receiving
        loop = asyncio.get_running_loop()
        self.assertFalse(loop.remove_reader(rx.fileno()))
        # What is left is the clock of in_loop().
        self.assertEqual(len([timer for timer in loop._scheduled if not timer.cancelled()]), 1)

    @in_loop
    async def test_shutdown(self):
        """shutdown ends the channel, with its error, and leaves the end open"""
        tx, rx = self.channel(1)
        tx.shutdown(errno.EIO)
        self.assertFalse(tx.closed)
        with self.fails(errno.EIO, chan.Failed):
            await rx.recv()

    @in_loop
    async def test_with(self):
        """an end is closed at the end of either kind of block"""
        tx, rx = self.channel(1)
        with rx:
            async with tx:
                self.assertFalse(tx.closed or rx.closed)
            self.assertTrue(tx.closed)
            with self.fails(errno.EPIPE, chan.Closed):
                await rx.recv()
        self.assertTrue(rx.closed)

    @in_loop
    async def test_iteration_ends_with_errors(self):
        """async for raises what a sender has closed the channel with"""
        tx, rx = self.channel(1)
        await tx.send(b"x")
        tx.close(error=errno.EIO)
        got = []
        with self.fails(errno.EIO, chan.Failed):
            async for message in rx:
                got.append(message)
        self.assertEqual(got, [b"x"])

    @in_loop
    async def test_iteration_ends_with_epipe(self):
        """so if that is EPIPE, which is the end of a complete stream, too"""
        for number in errno.EPIPE, errno.ECANCELED:
            tx, rx = self.channel(1)
            tx.close(error=number)
            with self.fails(number, chan.Failed):
                async for _ in rx:
                    self.fail("it was received")

    @in_loop
    async def test_cancel_loses_nothing(self):
        """a task that is cancelled when its message is there leaves it to the next"""
        tx, rx = self.channel(10)
        for number in range(20):
            first = asyncio.ensure_future(rx.recv())
            second = asyncio.ensure_future(rx.recv())
            await steps()
            tx.sync.send(b"%d" % number, 0)
            # From before the loop has seen the message to after the first was woken.
            await steps(number % 4)
            first.cancel()
            done = await asyncio.gather(first, return_exceptions=True)
            if isinstance(done[0], asyncio.CancelledError):
                self.assertEqual(await second, b"%d" % number)
            else:
                self.assertEqual(done[0], b"%d" % number)
                second.cancel()
                await asyncio.gather(second, return_exceptions=True)
            self.assertEqual((rx.info().sent, rx.info().received), (number + 1, number + 1))

    @in_loop
    async def test_cancel_sends_nothing(self):
        """a send that is cancelled has sent nothing, and the next in line goes on"""
        tx, rx = self.channel(1)
        await tx.send(b"0")
        first = asyncio.ensure_future(tx.send(b"1"))
        second = asyncio.ensure_future(tx.send(b"2"))
        await steps()
        first.cancel()
        await steps()
        self.assertEqual(await rx.recv(), b"0")
        await second
        self.assertEqual(await rx.recv(), b"2")
        self.assertEqual(rx.info().sent, 2)

    @in_loop
    async def test_wait_for(self):
        """asyncio.wait_for that gives up loses nothing"""
        tx, rx = self.channel(1)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(rx.recv(), 0.01)
        await tx.send(b"x")
        self.assertEqual(await asyncio.wait_for(rx.recv(), LIMIT), b"x")

    @in_loop
    async def test_line(self):
        """tasks on one end are served in the order in which they came"""
        tx, rx = self.channel(5)
        tasks = [asyncio.ensure_future(rx.recv()) for _ in range(5)]
        await steps()
        self.assertIsNone(rx.try_recv())
        for number in range(5):
            await tx.send(b"%d" % number)
        self.assertIsNone(rx.try_recv())
        self.assertEqual(await asyncio.gather(*tasks), [b"0", b"1", b"2", b"3", b"4"])

    @in_loop
    async def test_others_run(self):
        """who always has something to receive lets others run"""
        tx, rx = self.channel(1000)
        for _ in range(1000):
            tx.sync.send(b"x", 0)
        other = asyncio.ensure_future(asyncio.sleep(0, rx.info))
        for _ in range(1000):
            await rx.recv()
            if other.done():
                break
        self.assertTrue(other.done())

    @in_loop
    async def test_close_while_waiting(self):
        """closing an end tells those who wait on it"""
        tx, rx = self.channel(1)
        tasks = [asyncio.ensure_future(rx.recv()) for _ in range(2)]
        await steps()
        rx.close()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            self.assertIsInstance(result, ValueError)
        with self.assertRaises(ValueError):
            await rx.recv()
        with self.fails(errno.EPIPE, chan.Closed):
            await tx.send(b"x")

    @in_loop
    async def test_close_with_error(self):
        """what a channel is closed with reaches who waits"""
        tx, rx = self.channel(1)
        task = asyncio.ensure_future(rx.recv())
        await steps()
        tx.close(error=errno.ECONNRESET)
        with self.fails(errno.ECONNRESET, chan.Failed, ConnectionResetError):
            await task

    def test_unbuffered(self):
        """a channel without a buffer is refused, unless the partners block"""
        before = files()
        with self.assertRaisesRegex(ValueError, "no buffer"):
            aio.channel(0)
        self.assertEqual(files(), before)
        plain_tx, plain_rx = channel()
        with self.assertRaisesRegex(ValueError, "no buffer"):
            aio.Receiver(plain_rx)

        async def main():
            with aio.Receiver(plain_rx, partners_block=True) as rx:
                sender = Thread(plain_tx.send, b"x")
                self.assertEqual(await rx.recv(LIMIT), b"x")
                sender.result()
            back_tx, back_rx = channel()
            with aio.Sender(back_tx, partners_block=True) as tx, back_rx:
                receiver = Thread(back_rx.recv)
                await tx.send(b"y", LIMIT)
                self.assertEqual(receiver.result(), b"y")
        with plain_tx:
            asyncio.run(main())

    @in_loop
    async def test_processes(self):
        """event loops of two processes talk to each other"""
        tx, rx = self.channel(1)
        back_tx, back_rx = self.channel(1)

        def child():
            asyncio.events._set_running_loop(None)
            tx.close()
            with back_tx:
                asyncio.run(echo())

        async def echo():
            async for message in rx:
                await back_tx.send(message.upper())
        pid = forked(child)
        back_tx.close()
        got = []
        for word in b"one", b"two":
            await tx.send(word)
            got.append(await back_rx.recv())
        tx.close()
        self.assertEqual(got + [m async for m in back_rx], [b"ONE", b"TWO"])
        self.assertEqual(status_of(pid), 0)

    @in_loop
    async def test_scope(self):
        """a scope is waited for beside other tasks, and a failure is noticed"""
        tx, rx = self.channel(1)
        with self.assertRaises(chan.ScopeError) as caught:
            with scope() as s:
                child = s.spawn(lambda: tx.sync.send(b"x") or 1 / 0)
                watching = asyncio.ensure_future(aio.wait(s))
                self.assertEqual(await rx.recv(), b"x")
                await watching
        self.assertIs(caught.exception.first, child)

    @in_loop
    async def test_waits_for_one_scope(self):
        """any number of tasks wait for a scope, and one that is cancelled is no other's matter"""
        with scope() as s:
            for leaving in range(3):
                program = s.popen(["cat"], stdin=subprocess.PIPE)
                tasks = [asyncio.ensure_future(aio.wait(s)) for _ in range(3)]
                await steps()
                tasks[leaving].cancel()
                await steps()
                self.assertEqual([task.done() for task in tasks],
                                 [place == leaving for place in range(3)])
                program.stdin.close()
                done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LIMIT)
                self.assertIsInstance(done.pop(leaving), asyncio.CancelledError)
                self.assertEqual(done, [None, None])
                # Neither in line nor watched by the loop.
                self.assertEqual((aio._vigils, s._watchers), ({}, set()))

    @in_loop
    async def test_waits_hear_of_failure(self):
        """each who waits for a scope hears of a failure"""
        with scope() as s:
            child = s.popen(["sh", "-c", "read line; exit 3"], stdin=subprocess.PIPE)
            tasks = [asyncio.ensure_future(aio.wait(s)) for _ in range(2)]
            await steps()
            child.stdin.close()
            for error in await asyncio.gather(*tasks, return_exceptions=True):
                self.assertIsInstance(error, chan.ScopeError)
                self.assertEqual(error.first.pid, child.pid)

    @in_loop
    async def test_scope_failed_with_eagain(self):
        """a scope that failed with EAGAIN does not pass for one that is not over"""
        with scope() as s:
            s.cancel(errno.EAGAIN)
            with self.fails(errno.EAGAIN, chan.ScopeError):
                await aio.wait(s)

    @in_loop
    async def test_scope_closed_while_waiting(self):
        """closing a scope tells those who wait for it, and their file is another's at once"""
        with scope() as s:
            program = s.popen(["cat"], stdin=subprocess.PIPE)
            tasks = [asyncio.ensure_future(aio.wait(s)) for _ in range(2)]
            await steps()
            program.stdin.close()
        tx, rx = self.channel(1)
        receiving = asyncio.ensure_future(rx.recv())
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            self.assertIsInstance(result, ValueError)
        await tx.send(b"x")
        self.assertEqual(await receiving, b"x")

    @in_loop
    async def test_told_by_another_thread(self):
        """what only another thread can notice ends the wait, too"""
        def fail_to_spawn():
            with s._lock:
                s._making.discard(child)
                s._wake_sleepers()
        with scope() as s:
            child = chan.Child("is never made")
            s._making.add(child)
            waiting = asyncio.ensure_future(aio.wait(s))
            await steps()
            self.assertFalse(waiting.done())
            Thread(fail_to_spawn).result()
            await waiting

    def test_scope_in_several_loops(self):
        """loops of several threads wait for one scope beside one that blocks"""
        with scope() as s:
            for _ in range(5):
                program = s.popen(["cat"], stdin=subprocess.PIPE)
                threads = [Thread(asyncio.run, aio.wait(s)) for _ in range(2)] + [Thread(s.wait)]
                until(lambda: len(s._watchers) == 2 and s._sleepers, "the threads")
                program.stdin.close()
                for thread in threads:
                    thread.result()

    def test_another_loop(self):
        """an end is for one event loop at a time"""
        tx, rx = self.channel(1)
        loops = asyncio.new_event_loop(), asyncio.new_event_loop()
        first = loops[0].create_task(rx.recv())
        loops[0].run_until_complete(steps())
        with self.assertRaisesRegex(RuntimeError, "another event loop"):
            loops[1].run_until_complete(rx.recv())
        tx.sync.send(b"x")
        self.assertEqual(loops[0].run_until_complete(first), b"x")
        tx.sync.send(b"y")
        self.assertEqual(loops[1].run_until_complete(rx.recv()), b"y")
        for loop in loops:
            loop.close()


# --- Layout and examples ---

def structures():
    """Those of the package by their name in C."""
    for name, kind in vars(_abi).items():
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure):
            yield "chan_" + re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower(), kind


def numbers():
    for name, value in vars(_abi).items():
        if name.isupper() and isinstance(value, int):
            yield "CHAN_" + {"FOREVER": "SELECT_FOREVER"}.get(name, name), value


def layout():
    """As the package has it, in the words of the program of layout_source()."""
    for name, kind in structures():
        yield f"{name} {ctypes.sizeof(kind)}"
        for field, _ in kind._fields_:
            place = getattr(kind, field)
            yield f"{name}.{field} {place.offset} {place.size}"
    for name, value in numbers():
        yield f"{name} {value}"


def layout_source():
    """A program in C that says the same of the header."""
    lines = []
    for name, kind in structures():
        lines.append(f'printf("{name} %zu\\n", sizeof(struct {name}));')
        for field, _ in kind._fields_:
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, '
                         f"{field}), sizeof(((struct {name} *)0)->{field}));")
    for name, _ in numbers():
        lines.append(f'printf("{name} %llu\\n", (unsigned long long)({name}));')
    return ("#include <stddef.h>\n#include <stdio.h>\n#include <linux/chan.h>\n"
            "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n")


class Layout(Tests):
    def test_all_is_known(self):
        """every request and structure of linux/chan.h is known"""
        with open(os.path.join(UAPI, "linux/chan.h")) as file:
            header = file.read()
        self.assertEqual(set(re.findall(r"^struct (chan_\w+) \{", header, re.M)),
                         {name for name, _ in structures()})
        self.assertEqual(set(re.findall(r"^#define (CHAN_IOC_\w+)", header, re.M)),
                         {name for name, _ in numbers() if "_IOC_" in name}
                         | {"CHAN_IOC_MAGIC"})
        for kind, known in ("chan_state", _abi.STATES), ("chan_scope_state", _abi.SCOPE_STATES):
            body = re.search(rf"^enum {kind} \{{(.*?)\}}", header, re.M | re.S).group(1)
            names = re.findall(r"CHAN_(?:STATE|SCOPE)_(\w+)\s*= (\d)", body)
            self.assertEqual(names, [(name.upper(), str(n)) for n, name in enumerate(known)])

    def test_as_the_compiler_has_it(self):
        """sizes, places and numbers are what the C compiler makes of the header"""
        with tempfile.TemporaryDirectory() as directory:
            program = os.path.join(HERE, "python_layout")
            if not os.path.exists(program):
                if not shutil.which("cc"):
                    self.skipTest("no C compiler")
                program = os.path.join(directory, "layout")
                subprocess.run(["cc", "-I", UAPI, "-x", "c", "-", "-o", program], check=True,
                               input=layout_source().encode())
            output = subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout
        self.assertEqual(output.decode().splitlines(), list(layout()))

    def test_requests_fit(self):
        """no structure is larger than what lets other threads run"""
        for name, kind in structures():
            self.assertLessEqual(ctypes.sizeof(kind), 1024, name)


class Examples(unittest.TestCase):
    def test_docstrings(self):
        """the examples of the docstrings do what they say"""
        names = {name: getattr(chan, name) for name in chan.__all__}
        modules = [sys.modules[name] for name in sorted(sys.modules)
                   if name == "chan" or name.startswith("chan.")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            results = [doctest.testmod(module, extraglobs=names) for module in modules]
        self.assertEqual(sum(result.failed for result in results), 0)
        self.assertGreater(sum(result.attempted for result in results), 30)

    def test_docstrings_are_there(self):
        """all that is public has a docstring"""
        without = []
        for owner in [chan, aio] + [getattr(chan, name) for name in chan.__all__] + \
                [aio.Sender, aio.Receiver]:
            without += [f"{owner.__name__}.{name}" for name, thing in vars(owner).items()
                        if not name.startswith("_") and callable(thing)
                        and thing.__module__ in (None, *sys.modules)
                        and str(thing.__module__).startswith("chan") and not thing.__doc__]
        self.assertEqual(without, [])

    @unittest.skipIf(sys.version_info < (3, 10), "no match statement")
    def test_readme(self):
        """the examples of the README print what it says"""
        with open(os.path.join(PACKAGE, "README.md")) as file:
            found = re.findall(r"```python\n(.*?)```\n```output\n(.*?)```", file.read(), re.S)
        self.assertEqual(len(found), 3)
        for source, output in found:
            with tempfile.TemporaryFile("w+") as printed:
                def run():
                    warnings.simplefilter("ignore", ResourceWarning)
                    sys.stdout = printed
                    exec(compile(source, "README.md", "exec"), {"__name__": "__main__"})
                    printed.flush()
                self.assertEqual(status_of(forked(run)), 0)
                printed.seek(0)
                self.assertEqual(printed.read(), output)


# --- TAP ---

class Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.bad = 0

    def point(self, test, good, note=""):
        self.bad += not good
        text = test.shortDescription() or test.id()
        print(f"{'' if good else 'not '}ok {self.testsRun} {type(test).__name__}: {text}{note}",
              flush=True)

    def comment(self, test, error):
        for line in self._exc_info_to_string(error, test).splitlines():
            print(f"# {line}")
        self.point(test, False)

    def addSuccess(self, test):
        self.point(test, True)

    def addError(self, test, error):
        self.comment(test, error)

    addFailure = addError

    def addSkip(self, test, reason):
        self.point(test, True, f" # SKIP {reason}")


def main():
    if sys.argv[1:] == ["--layout"]:
        print(layout_source(), end="")
        return 0
    suite = unittest.defaultTestLoader.loadTestsFromNames(
        [f"__main__.{name}" for name in sys.argv[1:]] or ["__main__"])
    print(f"TAP version 13\n1..{suite.countTestCases()}", flush=True)
    warnings.simplefilter("error", ResourceWarning)
    # What a shell starts in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    result = Tap()
    suite.run(result)
    return result.bad != 0


if __name__ == "__main__":
    sys.exit(main())
