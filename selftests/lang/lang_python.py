#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Channels from Python: os.open, os.read, os.write, and ioctl with struct.

Selects are made with ctypes, because they take addresses: of the cases, and in
those of the messages.
"""

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

DEVICE = "/dev/chan0"
ROOM = 65536  # the longest message a channel carries by default


def iowr(number, size):
    return 3 << 30 | size << 16 | 0xC9 << 8 | number


CREATE = struct.Struct("=IIIiiI")  # capacity max_msg flags send_fd recv_fd 0
CLOSE = struct.Struct("=II")  # error flags
CHAN_IOC_CREATE = iowr(1, CREATE.size)
CHAN_IOC_CLOSE = iowr(2, CLOSE.size)

CHAN_RECV, CHAN_POLL = 2, 3
CHAN_SELECT_FOREVER = 2**64 - 1
SECOND = 10**9

# For timers: os.timerfd_create came with Python 3.13 only.
LIBC = ctypes.CDLL(None, use_errno=True)


class Case(ctypes.Structure):
    """struct chan_case: one of the things that a select can do."""

    _fields_ = [
        ("fd", ctypes.c_int32),
        ("op", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("status", ctypes.c_int32),
        ("buf", ctypes.c_uint64),
        ("len", ctypes.c_uint32),
        ("events", ctypes.c_uint32),
        ("pid", ctypes.c_int32),
        ("uid", ctypes.c_uint32),
        ("fds", ctypes.c_uint64),
        ("nfds", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    ]


class Select(ctypes.Structure):
    """struct chan_select, the argument."""

    _fields_ = [
        ("cases", ctypes.c_uint64),
        ("ncases", ctypes.c_uint32),
        ("case_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
        ("deadline", ctypes.c_uint64),
    ]


CHAN_IOC_SELECT = iowr(6, ctypes.sizeof(Select))


def receive_case(end, room):
    return Case(fd=end, op=CHAN_RECV, buf=ctypes.addressof(room), len=len(room))


def poll_case(file, events=select.POLLIN):
    return Case(fd=file, op=CHAN_POLL, events=events)


def select_one(end, *cases, deadline=CHAN_SELECT_FOREVER):
    """(index, case) of the one that has happened; end is any file of the module."""
    array = (Case * len(cases))(*cases)
    arg = Select(cases=ctypes.addressof(array), ncases=len(cases),
                 case_size=ctypes.sizeof(Case), deadline=deadline)
    fcntl.ioctl(end, CHAN_IOC_SELECT, arg)
    return arg.index, array[arg.index]


def seconds_from_now(seconds):
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) + int(seconds * SECOND)


def make_channel(capacity=0):
    """An anonymous channel: (send end, receive end)."""
    control = os.open("/dev/chanctl", os.O_RDWR)
    arg = fcntl.ioctl(control, CHAN_IOC_CREATE, CREATE.pack(capacity, 0, 0, 0, 0, 0))
    os.close(control)
    return CREATE.unpack(arg)[3:5]


def close_channel(end, error=0):
    fcntl.ioctl(end, CHAN_IOC_CLOSE, CLOSE.pack(error, 0))


def in_background(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread


def errno_of(function, *args):
    try:
        function(*args)
    except OSError as error:
        return error.errno
    return 0


def test_message_crosses():
    """a message crosses /dev/chan0"""
    send, recv = os.open(DEVICE, os.O_WRONLY), os.open(DEVICE, os.O_RDONLY)
    sender = in_background(os.write, send, b"hello")
    message = os.read(recv, ROOM)
    sender.join()
    os.close(send)
    os.close(recv)
    return message == b"hello"


def test_boundaries():
    """messages arrive one by one, each as it was sent"""
    sent = [b"one", b"x" * 4096, b"two\nlines", b"y" * ROOM]
    send, recv = make_channel()
    sender = in_background(lambda: [os.write(send, message) for message in sent])
    received = [os.read(recv, ROOM) for _ in sent]
    sender.join()
    os.close(send)
    os.close(recv)
    return received == sent


def test_too_little_room():
    """what does not fit stays for the next, who makes room"""
    send, recv = make_channel(capacity=1)
    os.write(send, b"a long message")
    seen = errno_of(os.read, recv, 4)
    message = os.read(recv, ROOM)
    os.close(send)
    os.close(recv)
    return seen == errno.EMSGSIZE and message == b"a long message"


def test_nonblocking():
    """a non-blocking call raises BlockingIOError where it would wait"""
    send, recv = make_channel()
    os.set_blocking(send, False)
    os.set_blocking(recv, False)
    seen = [errno_of(os.write, send, b"x"), errno_of(os.read, recv, ROOM)]
    os.close(send)
    os.close(recv)
    return seen == [errno.EAGAIN, errno.EAGAIN]


def test_poll():
    """select.poll tells when a sender waits"""
    send, recv = make_channel()
    poll = select.poll()
    poll.register(recv, select.POLLIN)
    before = poll.poll(0)
    sender = in_background(os.write, send, b"now")
    after = poll.poll(30000)
    message = os.read(recv, ROOM)
    sender.join()
    os.close(send)
    os.close(recv)
    return before == [] and after == [(recv, select.POLLIN)] and message == b"now"


def test_end_of_file():
    """closing the last send end is the end of file, after what is buffered"""
    send, recv = make_channel(capacity=2)
    os.write(send, b"last")
    os.close(send)
    received = [os.read(recv, ROOM), os.read(recv, ROOM)]
    os.close(recv)
    return received == [b"last", b""]


def test_close_with_error():
    """a channel closed with an error gives it to receivers"""
    send, recv = make_channel()
    close_channel(send, errno.ECONNABORTED)
    seen = [errno_of(os.read, recv, ROOM), errno_of(os.write, send, b"x")]
    os.close(send)
    os.close(recv)
    return seen == [errno.ECONNABORTED, errno.EPIPE]


def set_timer(timer, seconds):
    once = (ctypes.c_long * 4)(0, 0, 0, int(seconds * SECOND))
    if LIBC.timerfd_settime(timer, 0, once, None):
        raise OSError(ctypes.get_errno(), "timerfd_settime")


def test_select():
    """a select waits for a channel, a socket and a timer at once"""
    send, recv = make_channel()
    ours, theirs = socket.socketpair()
    timer = LIBC.timerfd_create(time.CLOCK_MONOTONIC, 0)
    room = ctypes.create_string_buffer(ROOM)

    def select_next():
        return select_one(recv, receive_case(recv, room), poll_case(ours.fileno()),
                          poll_case(timer), deadline=seconds_from_now(30))

    # The shell's standard output is the channel, its standard error the socket.
    child = subprocess.Popen(["sh", "-c", "printf hello; printf done >&2"],
                             stdout=send, stderr=theirs)
    index, case = select_next()
    good = (index, case.status, case.pid) == (0, 0, child.pid)
    good &= room[:case.len] == b"hello"
    index, case = select_next()
    good &= (index, case.events) == (1, select.POLLIN) and ours.recv(ROOM) == b"done"
    set_timer(timer, 0.01)
    index, case = select_next()
    good &= (index, case.events) == (2, select.POLLIN) and len(os.read(timer, 8)) == 8
    child.wait()
    os.close(send)
    index, case = select_next()
    good &= (index, case.status) == (0, -errno.EPIPE)
    for file in recv, timer:
        os.close(file)
    ours.close()
    theirs.close()
    return good


def test_select_deadline():
    """a select has a deadline, or does not wait at all"""
    send, recv = make_channel()
    room = ctypes.create_string_buffer(ROOM)
    channel = receive_case(recv, room)
    seen = [errno_of(lambda: select_one(recv, channel, deadline=0))]
    deadline = seconds_from_now(0.01)
    seen.append(errno_of(lambda: select_one(recv, channel, deadline=deadline)))
    late = seconds_from_now(0) >= deadline
    os.close(send)
    os.close(recv)
    return seen == [errno.EAGAIN, errno.ETIMEDOUT] and late


TESTS = [
    test_message_crosses,
    test_boundaries,
    test_too_little_room,
    test_nonblocking,
    test_poll,
    test_end_of_file,
    test_close_with_error,
    test_select,
    test_select_deadline,
]


def main():
    failed = 0
    print("TAP version 13")
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        good = test()
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} Python: {test.__doc__}", flush=True)
    return failed != 0


sys.exit(main())
